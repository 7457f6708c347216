//! Guardrails of a deployment: what is said before they are attached, and what became of them.

use orgseal_bootstrap::deployed::{Guardrail, KEEP_SEAL, Outcome, Site, Unsealers};

use crate::args::Deploy;
use crate::failure::Failure;
use crate::output;

/// Who would be stopped, where the guardrail that keeps the seal is to be attached.
pub(super) async fn before(site: &Site, own: &Deploy) -> Result<Option<Unsealers>, Failure> {
    let keeps = own.guardrail.iter().any(|name| name == KEEP_SEAL);
    Ok(match keeps && !own.attach.is_empty() {
        true => Some(site.unsealers(&own.attach).await?),
        false => None,
    })
}

pub(super) fn preview(own: &Deploy, before: Option<&Unsealers>) {
    for name in &own.guardrail {
        let where_to = match own.attach.is_empty() {
            true => "attached to nothing".to_owned(),
            false => format!("attached to {}", own.attach.join(", ")),
        };
        output::err_wrapped(&format!("  have     guardrail orgseal-{name}, {where_to}"));
    }
    let Some(unsealers) = before else { return };
    if unsealers.principals.is_empty() {
        output::err_wrapped(
            "CloudTrail shows nobody who changed or removed the default encryption of a bucket below it in the last 90 days.",
        );
    } else {
        output::err_wrapped(
            "Below it, these changed or removed the default encryption of buckets in the last 90 days. Whoever is neither the \
             document's role nor in bootstrap.pipelines or bootstrap.break_glass is denied it from then on:",
        );
        for (principal, calls) in &unsealers.principals {
            output::err(&format!("  {calls:>7}  {principal}"));
        }
    }
    for account in &unsealers.cut_short {
        output::err_wrapped(&format!("  account {account} has more events than were read: there may be others"));
    }
    for (account, why) in &unsealers.unread {
        output::err_wrapped(&format!("  account {account} could not be asked: {why}"));
    }
}

/// What became of a guardrail, in a line.
pub(super) fn in_words(guardrail: &Guardrail) -> String {
    let Guardrail { name, target, outcome } = guardrail;
    match (target, outcome) {
        (None, None) => format!("guardrail {name}: is as the campaign file makes it"),
        (None, Some(Outcome::Made)) => format!("guardrail {name}: made"),
        (None, Some(Outcome::Changed)) => format!("guardrail {name}: changed"),
        (None, Some(Outcome::NotOurs)) => {
            format!("guardrail {name}: left alone, since somebody else made a policy of this name")
        }
        (Some(target), None) => format!("guardrail {name}: is attached to {target} already"),
        (Some(target), Some(Outcome::Failed(error))) => {
            format!("guardrail {name}: not attached to {target}: {}; {}", error.message, error.hint)
        }
        (None, Some(Outcome::Failed(error))) => format!("guardrail {name}: {}; {}", error.message, error.hint),
        (Some(target), Some(_)) => format!("guardrail {name}: attached to {target}"),
    }
}

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
        output::err_wrapped(&format!("  create   guardrail orgseal-{name}, {where_to}"));
    }
    let Some(unsealers) = before else { return };
    if unsealers.principals.is_empty() {
        output::err_wrapped(
            "CloudTrail shows no principal that changed or removed the default encryption of a bucket below it in the last 90 \
             days.",
        );
    } else {
        output::err_wrapped(
            "These principals below it changed or removed the default encryption of buckets in the last 90 days. The guardrail \
             denies this to all principals except the document's role, bootstrap.pipelines and bootstrap.break_glass:",
        );
        for (principal, calls) in &unsealers.principals {
            output::err(&format!("  {calls:>7}  {principal}"));
        }
    }
    for account in &unsealers.cut_short {
        output::err_wrapped(&format!("  account {account} has more events than orgseal read: there may be others"));
    }
    for (account, why) in &unsealers.unread {
        output::err_wrapped(&format!("  could not read CloudTrail in account {account}: {why}"));
    }
}

/// What became of a guardrail, in a line.
pub(super) fn in_words(guardrail: &Guardrail) -> String {
    let Guardrail { name, target, outcome } = guardrail;
    match (target, outcome) {
        (None, None) => format!("guardrail {name}: unchanged"),
        (None, Some(Outcome::Made)) => format!("guardrail {name}: created"),
        (None, Some(Outcome::Changed)) => format!("guardrail {name}: updated"),
        (None, Some(Outcome::NotOurs)) => {
            format!("guardrail {name}: not changed, because others created a policy with this name")
        }
        (Some(target), None) => format!("guardrail {name}: already attached to {target}"),
        (Some(target), Some(Outcome::Failed(error))) => {
            format!("guardrail {name}: not attached to {target}: {}; {}", error.message, error.hint)
        }
        (None, Some(Outcome::Failed(error))) => format!("guardrail {name}: {}; {}", error.message, error.hint),
        (Some(target), Some(_)) => format!("guardrail {name}: attached to {target}"),
    }
}

//! The second look of a deployment. IAM is eventually consistent: a role that was just created may be missing from its reads, and
//! cannot be assumed, for some seconds. What was just created or changed is waited for, within a bound.

use std::time::Duration;

use orgseal_core::model::Account;
use tokio::time::Instant;

use super::{AccountFound, Compared, Done, Finding, Kind, Outcome, Site, SiteError, State};

/// A change in IAM reaches every reader within seconds, rarely within minutes. What still differs then is reported.
pub(super) const IAM_BOUND: Duration = Duration::from_secs(120);
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(500);
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(10);

impl Site {
    /// Compares every account after a deployment. Accounts in which IAM does not yet show what was made there are read again until
    /// it does; `waiting` is told how many there are.
    pub async fn compare_settled(&self, done: &[Done], mut waiting: impl FnMut(usize)) -> Result<Compared, SiteError> {
        let mut compared = self.compare().await?;
        let until = Instant::now() + IAM_BOUND;
        let mut wait = FIRST_WAIT;
        loop {
            let pending: Vec<Account> = self
                .accounts
                .iter()
                .filter(|account| compared.accounts.iter().any(|one| one.id == account.id && is_pending(one, done)))
                .cloned()
                .collect();
            if pending.is_empty() || Instant::now() >= until {
                return Ok(compared);
            }
            waiting(pending.len());
            tokio::select! {
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(LONGEST_WAIT),
                () = self.stop.cancelled() => return Ok(compared),
            }
            let again = self.look_at(pending).await;
            for found in again {
                if let Some(place) = compared.accounts.iter_mut().find(|one| one.id == found.id) {
                    *place = found;
                }
            }
        }
    }
}

/// Whether an account's role or policy was just made and does not show yet.
fn is_pending(account: &AccountFound, done: &[Done]) -> bool {
    let of_iam = |kind: Kind| matches!(kind, Kind::Role | Kind::Policy);
    let was_put = |one: &&Done| {
        one.account == account.id && of_iam(one.kind) && matches!(one.outcome, Outcome::Made | Outcome::Changed)
    };
    let put: Vec<&Done> = done.iter().filter(was_put).collect();
    account.findings.iter().any(|finding| match finding.kind {
        // The role through which the account is entered may be one of them.
        Kind::Account => put.iter().any(|one| one.kind == Kind::Role),
        kind if of_iam(kind) => {
            may_settle(finding) && put.iter().any(|one| one.kind == kind && one.name == finding.name)
        }
        _ => false,
    })
}

/// Whether time alone may settle a finding. A caller that does not exist is for a person.
fn may_settle(finding: &Finding) -> bool {
    match finding.state {
        State::Missing | State::Unread => true,
        State::Differs => finding.says.iter().any(|line| !line.contains("(bootstrap.caller) does not exist")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(findings: Vec<Finding>) -> AccountFound {
        AccountFound { id: "222233334444".into(), name: "a".into(), skipped: None, same: 0, findings }
    }

    fn done(kind: Kind, name: &str, outcome: Outcome) -> Done {
        Done { account: "222233334444".into(), region: None, kind, name: name.into(), outcome }
    }

    #[test]
    fn only_what_was_just_made_is_waited_for() {
        let missing = |name: &str| found(vec![Finding::missing(Kind::Role, name, None)]);
        let made = [done(Kind::Role, "orgseal-member", Outcome::Made)];
        assert!(is_pending(&missing("orgseal-member"), &made));
        assert!(!is_pending(&missing("orgseal-audit"), &made));
        assert!(!is_pending(&missing("orgseal-member"), &[done(Kind::Role, "orgseal-member", Outcome::NotOurs)]));
        assert!(!is_pending(&found(vec![Finding::missing(Kind::Document, "d", Some("us-east-1"))]), &made));
        let caller = "user/x (bootstrap.caller) does not exist, but every member role must trust it".to_owned();
        let differs =
            |says| found(Finding::differing(Kind::Policy, "orgseal-caller", None, says).into_iter().collect());
        let made = [done(Kind::Policy, "orgseal-caller", Outcome::Made)];
        assert!(!is_pending(&differs(vec![caller.clone()]), &made));
        assert!(is_pending(&differs(vec![caller, "it is not attached to user/x".to_owned()]), &made));
    }
}

//! The first start in an account and Region: whether executions there are denied shows with it, and stops the others.
//!
//! What denies one execution for orgseal's own roles denies nearly always all of them. So where a deny could not be ruled out
//! beforehand (guard `change-denied`), one bucket goes alone, and its execution decides for the rest.

use std::sync::Arc;

use tokio::sync::watch;

use super::Campaign;
use super::examine::AccountLook;
use super::life::Life;
use super::place::Place;
use crate::judge::guards::{Need, change_denied};
use crate::judge::{denial, denial_fix};
use crate::model::{AwsError, Bucket, Denial, Denier, GuardFinding, Operation, Severity};

/// What is known of executions in an account and Region.
enum State {
    /// None has ended.
    Untried,
    /// The first one goes alone.
    Trying,
    /// One was not denied.
    Allowed,
    /// One was denied: why, and what to do.
    Denied(AwsError),
}

/// What executions in an account and Region have shown.
pub(super) struct FirstStart(watch::Sender<State>);

/// Leave to go first, until it is dropped.
pub(super) struct First(Arc<FirstStart>);

impl FirstStart {
    pub(super) fn new() -> Arc<FirstStart> {
        Arc::new(FirstStart(watch::Sender::new(State::Untried)))
    }

    /// Waits until a bucket may start. `alone`: a deny could not be ruled out, so the first such bucket goes alone, and the others
    /// wait for what its execution shows. The error is the one that the others are held for.
    pub(super) async fn enter(self: &Arc<Self>, alone: bool) -> Result<Option<First>, AwsError> {
        let mut changes = self.0.subscribe();
        loop {
            changes.mark_unchanged();
            let mut outcome = None;
            self.0.send_if_modified(|state| {
                outcome = match state {
                    State::Denied(error) => Some(Err(error.clone())),
                    State::Allowed => Some(Ok(None)),
                    _ if !alone => Some(Ok(None)),
                    State::Trying => None,
                    State::Untried => {
                        *state = State::Trying;
                        Some(Ok(Some(First(Arc::clone(self)))))
                    }
                };
                matches!(outcome, Some(Ok(Some(_))))
            });
            if let Some(outcome) = outcome {
                return outcome;
            }
            // The sender is part of what is waited for, so it does not go away.
            let _ = changes.changed().await;
        }
    }

    /// Why nothing is started here any more.
    pub(super) fn denied(&self) -> Option<AwsError> {
        match &*self.0.borrow() {
            State::Denied(error) => Some(error.clone()),
            _ => None,
        }
    }

    /// An execution was not denied.
    pub(super) fn allowed(&self) {
        self.0.send_if_modified(|state| {
            let learns = matches!(state, State::Untried | State::Trying);
            if learns {
                *state = State::Allowed;
            }
            learns
        });
    }

    /// An execution, or its start, was denied.
    pub(super) fn deny(&self, error: AwsError) {
        self.0.send_replace(State::Denied(error));
    }
}

/// Whoever went first and learned nothing, since its bucket was held or changed meanwhile, leaves it to the next.
impl Drop for First {
    fn drop(&mut self) {
        self.0.0.send_if_modified(|state| {
            let open = matches!(state, State::Trying);
            if open {
                *state = State::Untried;
            }
            open
        });
    }
}

impl Campaign {
    /// Whether all control policies above an account, and its own, could be read. They are not where nothing is started, or no guard asks for them.
    pub(super) async fn controls_are_known(&self, look: &AccountLook) -> bool {
        let starts = self.operation == Operation::Seal && !self.options.dry_run && !self.options.settle_only;
        let asked_for = starts && self.file.guards.needs_somewhere().contains(&Need::ControlPolicies);
        if !asked_for {
            return false;
        }
        let (rollout, _) = self.rollout(look, self.file.guards.max_age()).await;
        rollout.controls.is_some_and(|controls| !controls.account_unread)
    }

    /// Whether a deny of the change could not be ruled out beforehand.
    pub(super) fn may_be_denied(&self, place: &Place<'_>, life: &Life) -> bool {
        let is_off = || self.file.guards.ruling(change_denied(), life.bucket()).severity == Severity::Off;
        let told = |finding: &GuardFinding| finding.guard == change_denied().name();
        self.operation == Operation::Restore
            || !place.controls_known
            || life.state().guards.iter().any(told)
            || is_off()
    }

    /// Learns from an execution that failed, or a start that was refused, whether others would be denied. Whether they would is known
    /// for certain only when an execution has ended.
    pub(super) fn learn_denial(&self, place: &Place<'_>, bucket: &Bucket, error: &AwsError) {
        let Some(denial) = denial_of_change(error) else { return };
        let fix = denial_fix(denial, &self.own_roles(place.account));
        place.first.deny(AwsError {
            code: "ChangeDenied".to_owned(),
            message: format!(
                "no further execution is started in account {} and Region {}, since the one on {} was denied: {}",
                place.account, place.region, bucket.name, error.message
            ),
            hint: format!("{fix}, then `orgseal resume`"),
        });
    }
}

/// By what an execution or its start was denied, where this is not about one bucket alone: an explicit deny, or a role without a right
/// that it needs.
pub(super) fn denial_of_change(error: &AwsError) -> Option<Denial> {
    // Automation puts the service's error into its step's message.
    let code = if error.message.contains("AccessDenied") { "AccessDenied" } else { &error.code };
    let found = denial(&AwsError { code: code.to_owned(), ..error.clone() })?;
    (found.explicit || found.by != Denier::ResourcePolicy).then_some(found)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn error() -> AwsError {
        AwsError { code: "ChangeDenied".into(), message: "no".into(), hint: String::new() }
    }

    #[tokio::test]
    async fn one_goes_alone_and_decides_for_those_who_wait() {
        let first = FirstStart::new();
        let leave = first.enter(true).await.unwrap();
        assert!(leave.is_some());
        assert!(first.enter(false).await.unwrap().is_none(), "nothing stands against this one");
        let waiting = tokio::spawn({
            let first = Arc::clone(&first);
            async move { first.enter(true).await.map(|leave| leave.is_some()) }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!waiting.is_finished());
        first.allowed();
        assert_eq!(waiting.await.unwrap(), Ok(false));
        drop(leave);
        assert!(first.enter(true).await.unwrap().is_none());
        first.deny(error());
        assert_eq!(first.enter(false).await.err(), Some(error()));
        first.allowed();
        assert_eq!(first.denied(), Some(error()), "a success that comes later does not undo it");
    }

    #[tokio::test]
    async fn who_learns_nothing_leaves_it_to_the_next() {
        let first = FirstStart::new();
        let leave = first.enter(true).await.unwrap();
        assert!(timeout(Duration::from_millis(20), first.enter(true)).await.is_err());
        drop(leave);
        assert!(first.enter(true).await.unwrap().is_some());
    }

    #[test]
    fn a_deny_that_concerns_more_than_one_bucket_is_told_from_other_failures() {
        let put = "An error occurred (AccessDenied) when calling the PutBucketEncryption operation: User: u is not authorized to perform: \
                   s3:PutEncryptionConfiguration on resource: \"arn:aws:s3:::b\"";
        for (code, message, found) in [
            ("ExecutionFailed", format!("{put} with an explicit deny in a service control policy"), true),
            ("ExecutionFailed", format!("{put} with an explicit deny in a resource-based policy"), true),
            ("ExecutionFailed", format!("{put} because no identity-based policy allows the action"), true),
            ("ExecutionFailed", format!("{put} because no resource-based policy allows the action"), false),
            ("ExecutionFailed", "An error occurred (NoSuchBucket)".to_owned(), false),
            (
                "AccessDeniedException",
                "not authorized with an explicit deny in an identity-based policy".to_owned(),
                true,
            ),
            ("ThrottlingException", "with an explicit deny in a service control policy".to_owned(), false),
        ] {
            let error = AwsError { code: code.to_owned(), message: message.clone(), hint: String::new() };
            assert_eq!(denial_of_change(&error).is_some(), found, "{code} {message}");
        }
    }
}

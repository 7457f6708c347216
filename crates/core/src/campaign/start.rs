//! The start of an execution, and what became of one whose answer never came.
//!
//! Every try of an intent sends the same bytes with the same client token. AWS does not say what a repeated token gets: the
//! same execution, or a refusal. Both are right here, since after a refusal the execution is looked for by campaign and
//! parameters.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::adoptable::Parameters;
use super::life::Life;
use super::place::{Place, pause};
use super::{Campaign, SESSION_PREFIX};
use crate::aws::{Paging, StartRequest, Started};
use crate::ledger::{BucketEvent, Intent};
use crate::model::AwsError;

/// Tries of a start that gets no clear answer.
const UNCLEAR_STARTS: u32 = 4;
/// It is looked for this long even where the intent is old: the clock may have jumped.
const LOOKED_FOR: Duration = Duration::from_secs(3);
/// How far back an execution may have been started by a clock that differs from ours, or before the ledger's last word.
const MARGIN: Duration = Duration::from_secs(3600);
/// Whoever asks within this time shares the look.
const FRESH: Duration = Duration::from_millis(400);
/// What a client token gets that was seen before with other parameters, or at all.
const TOKEN_SEEN: &str = "IdempotentParameterMismatch";

/// What a start, or the search for its execution, comes to.
pub(super) enum Sent {
    /// Its execution is known from the answer.
    Started(String),
    /// Its execution was found.
    Adopted(String),
    /// AWS refused it: nothing runs.
    Refused(AwsError),
    /// Nothing of it is to be found: nothing runs.
    Never,
    /// It may run.
    Unclear(AwsError),
    /// The run stops. It may run.
    Stopped,
}

impl Campaign {
    /// Sends the start. Refusals "for now" are waits, up to the time limit; one without a clear answer is tried a few times.
    /// After an unclear answer no refusal proves that nothing runs: the first try may have been accepted.
    pub(super) async fn start(&self, place: &Place<'_>, intent: &Intent) -> Sent {
        let request = StartRequest {
            document: &intent.document,
            version: &intent.document_version,
            parameters: &intent.parameters,
            client_token: &intent.client_token,
            campaign: &self.id,
        };
        let until = Instant::now() + self.file.executions.time_limit();
        let (mut unclear, mut tries) = (0, 0);
        loop {
            let turn = self.stop.run_until_cancelled(place.rate.turn()).await;
            if turn.is_none() {
                return if unclear > 0 { Sent::Stopped } else { Sent::Never };
            }
            let error = match place.ssm.start(&request).await {
                Started::Yes(id) => {
                    place.rate.accepted();
                    return Sent::Started(id);
                }
                Started::Refused(error) if unclear > 0 => return Sent::Unclear(error),
                Started::Refused(error) => return Sent::Refused(error),
                Started::Later(error) => {
                    if error.code == "ThrottlingException" {
                        place.rate.throttled();
                    }
                    // What is waited for is room, or a quieter hour: no failure, but not for ever.
                    if Instant::now() >= until {
                        return if unclear > 0 { Sent::Unclear(error) } else { Sent::Refused(error) };
                    }
                    error
                }
                Started::Unknown(error) => {
                    unclear += 1;
                    if error.code == TOKEN_SEEN || unclear >= UNCLEAR_STARTS {
                        return Sent::Unclear(error);
                    }
                    error
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => {
                    // A refusal for now is a refusal; only an unclear answer leaves a doubt.
                    return if unclear > 0 { Sent::Unclear(error) } else { Sent::Never };
                }
                () = sleep(pause(tries)) => tries += 1,
            }
        }
    }

    /// Looks for the execution of an intent without an answer. If there is none to be seen and the bucket is as it was, the
    /// same start is sent again: it either was never received, or is known by its token.
    pub(super) async fn find_out(&self, place: &Place<'_>, life: &Life, intent: &Intent) -> Sent {
        let began = Instant::now();
        let token_seen = |error: Option<&AwsError>| error.is_some_and(|error| error.code == TOKEN_SEEN);
        let mut may_run = token_seen(life.state().error.as_ref()).then(|| life.state().error.clone()).flatten();
        let mut repeat = may_run.is_none() && !self.options.settle_only;
        let mut looks = 0;
        loop {
            let blind = match self.find(place, life, intent).await {
                Ok(Some(id)) => return Sent::Adopted(id),
                Ok(None) => None,
                Err(error) => Some(error),
            };
            if repeat && !self.no_starts.is_cancelled() && blind.is_none() {
                repeat = false;
                // Law 8 holds for a start that is sent again, too.
                if self.is_as_found(place, life).await && self.key_fault(place.account, place.region).await.is_none() {
                    match self.start(place, intent).await {
                        Sent::Unclear(error) => may_run = Some(error),
                        // It is refused now; an earlier try may have been accepted all the same, so it is looked for.
                        Sent::Refused(_) | Sent::Never | Sent::Stopped => {}
                        sent => return sent,
                    }
                }
            }
            let visible = self.file.executions.visible_within();
            let (long, old) = (began.elapsed() >= visible, life.age() >= visible);
            if long || (old && began.elapsed() >= LOOKED_FOR && blind.is_none()) {
                return match may_run.or(blind) {
                    Some(error) => Sent::Unclear(error),
                    None => Sent::Never,
                };
            }
            tokio::select! {
                () = self.stop.cancelled() => return Sent::Stopped,
                () = sleep(Duration::from_millis(250 << looks.min(5))) => looks += 1,
            }
        }
    }

    /// Whether S3 shows what the intent was made for.
    async fn is_as_found(&self, place: &Place<'_>, life: &Life) -> bool {
        let state = life.state();
        match self.look(&place.s3, life.bucket(), None, state.restore.as_deref()).await {
            BucketEvent::Judged { encryption: Some(shown), .. } => {
                state.encryption.as_ref().is_some_and(|found| shown.is_as_recorded(found))
            }
            _ => false,
        }
    }

    /// The execution of this run with an intent's parameters, if one is to be seen.
    async fn find(&self, place: &Place<'_>, life: &Life, intent: &Intent) -> Result<Option<String>, AwsError> {
        let mut seen = place.adoptable.0.lock().await;
        if seen.looked.is_none_or(|at| at.elapsed() > FRESH) {
            let known = self.known_executions(place.account);
            let session = self.session_name();
            let (mut token, mut paging) = (None, Paging::new("DescribeAutomationExecutions"));
            loop {
                let (page, next) = place.ssm.executions_of_campaigns(life.since() - MARGIN, token).await?;
                for execution in page {
                    let by = execution.executed_by.rsplit('/').next().unwrap_or_default();
                    // Under the caller's own session the name says nothing, and other campaigns' are told by their parameters.
                    let ours = by == session || (place.work.own_session && !by.starts_with(SESSION_PREFIX));
                    if ours && !known.contains(&execution.id) && !seen.executions.contains_key(&execution.id) {
                        let read = place.ssm.explain(&execution.id).await?;
                        seen.executions.insert(execution.id, read.parameters);
                    }
                }
                token = paging.next(next.as_deref())?;
                if token.is_none() {
                    break;
                }
            }
            seen.looked = Some(Instant::now());
        }
        let fits = |(id, parameters): &(&String, &Parameters)| {
            **parameters == intent.parameters && !intent.earlier.contains(id)
        };
        Ok(seen.executions.iter().find(fits).map(|(id, _)| id.clone()))
    }

    /// The executions that the ledger has for some bucket of the account.
    fn known_executions(&self, account: &str) -> HashSet<String> {
        // Without them, each is asked for what it is for.
        self.reader().and_then(|(reader, run)| Ok(reader.executions(&run, account)?)).unwrap_or_default()
    }
}

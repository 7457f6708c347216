//! The log: each event, and each call to AWS, as a `tracing` event. No credential, session token or external ID is in an event,
//! and other crates' logs are left out, so none can get in.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::{OnceLock, PoisonError, RwLock};

use orgseal_core::event::{Event, Listener};
use tracing::{debug, info, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::log_level;
use super::log_line::{Form, LogLines};
use crate::args::{self, LogFormat};
use crate::failure::{Failure, completed};
use crate::output;

/// Where the log goes, once it was set up: `true` is standard error.
static TO_STDERR: OnceLock<bool> = OnceLock::new();

/// The run that the process works on: every line names it.
static RUN: RwLock<Option<String>> = RwLock::new(None);

/// Sets the log up as the arguments say.
pub(crate) fn install(arguments: &args::Log) -> Result<(), Failure> {
    let Some(format) = arguments.log else { return Ok(()) };
    let variable = std::env::var("RUST_LOG").ok();
    let (levels, not_understood) = log_level::in_force(arguments.log_level, variable.as_deref());
    if let Some(directive) = not_understood.first() {
        return Err(Failure::plain(
            format!("RUST_LOG: `{directive}` is not understood"),
            "write a level (error, warn, info, debug, trace or off), or TARGET=LEVEL, separated by commas; or use --log-level",
        ));
    }
    let (out, to_stderr): (Box<dyn Write + Send>, bool) = match &arguments.log_file {
        Some(path) => {
            let mut options = OpenOptions::new();
            // For its owner alone, as the ledger: it names accounts, buckets and what was refused.
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.create(true).append(true).open(path);
            (Box::new(file.map_err(|error| Failure::file("the log file cannot be written:", path, &error))?), false)
        }
        None => (Box::new(std::io::stderr()), true),
    };
    let form = match format {
        LogFormat::Text => Form::Text { color: to_stderr && output::stderr_color() },
        LogFormat::Json => Form::Json,
    };
    let filter = filter_fn(move |metadata| levels.take(metadata.target(), *metadata.level()));
    tracing_subscriber::registry().with(LogLines::new(form, out).with_filter(filter)).init();
    let _ = TO_STDERR.set(to_stderr);
    Ok(())
}

/// Whether a log is written.
pub(crate) fn is_on() -> bool {
    TO_STDERR.get().is_some()
}

/// Whether it goes to standard error, where bars would fight with it.
pub(crate) fn writes_to_stderr() -> bool {
    TO_STDERR.get() == Some(&true)
}

/// The run's id; `None` until the run has one.
pub(super) fn run() -> Option<String> {
    RUN.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Writes events to the log.
pub(crate) struct Log;

impl Listener for Log {
    fn hear(&self, event: &Event) {
        match event {
            Event::RunStarted { run, kind, organization, campaign_file } => {
                *RUN.write().unwrap_or_else(PoisonError::into_inner) = Some(run.clone());
                info!(target: "orgseal", kind, %organization, %campaign_file, "run started");
            }
            Event::AccountsFound { accounts } => info!(target: "orgseal", accounts, "accounts found"),
            Event::AccountEntered { account } => {
                debug!(target: "orgseal", account = %account.id, name = %account.name, state = %account.state, "account entered");
            }
            Event::BucketsListed { account, buckets } => debug!(target: "orgseal", %account, buckets, "buckets listed"),
            Event::BucketJudged { bucket, judgement, error } => debug!(
                target: "orgseal",
                account = %bucket.account, region = %bucket.region, bucket = %bucket.name,
                verdict = judgement.verdict.as_str(), reason = judgement.reason.as_str(),
                error = error.as_ref().map(tracing::field::display), "bucket judged"
            ),
            Event::AccountRead { account, buckets } => {
                info!(target: "orgseal", account = %account.id, buckets, "account read");
            }
            Event::AccountUnread { account, error } => {
                warn!(target: "orgseal", account = %account.id, name = %account.name, %error, hint = %error.hint, "account unread");
            }
            Event::AccountSkipped { account } => {
                info!(target: "orgseal", account = %account.id, state = %account.state, "account skipped");
            }
            Event::ChangesStarted { work, accounts } => info!(
                target: "orgseal",
                buckets = work.buckets(), accounts, change = work.change, retry = work.retry, reread = work.reread,
                held = work.held, in_flight = work.in_flight, dry_run = work.dry_run, "changes started"
            ),
            Event::WaveMoved { wave, of } => info!(
                target: "orgseal",
                wave = wave.number, of, name = %wave.name, state = wave.state.as_str(), says = wave.says.as_deref(),
                bake_until = wave.bake_until.map(tracing::field::display), settle_until = wave.settle_until.map(tracing::field::display),
                "wave moved"
            ),
            Event::AccountChanging { account, buckets } => {
                info!(target: "orgseal", %account, buckets, "account changing")
            }
            Event::ExecutionStarted { bucket, id } => info!(
                target: "orgseal",
                account = %bucket.account, region = %bucket.region, bucket = %bucket.name, execution = %id, "execution started"
            ),
            Event::ExecutionSeen { bucket, id, status } => debug!(
                target: "orgseal",
                account = %bucket.account, region = %bucket.region, bucket = %bucket.name, execution = %id,
                status = status.as_str(), "execution seen"
            ),
            Event::ExecutionEnded { bucket, status } => info!(
                target: "orgseal",
                account = %bucket.account, region = %bucket.region, bucket = %bucket.name, status = status.as_str(),
                "execution ended"
            ),
            Event::BucketSettled { finding } => info!(
                target: "orgseal",
                account = %finding.bucket.account, region = %finding.bucket.region, bucket = %finding.bucket.name,
                verdict = finding.judgement.verdict.as_str(), reason = finding.judgement.reason.as_str(),
                error = finding.error.as_ref().map(tracing::field::display), "bucket settled"
            ),
            Event::AccountChanged { account } => info!(target: "orgseal", %account, "account changed"),
            Event::Warning { message } => warn!(target: "orgseal", "{}", completed(message)),
            Event::Stopping => warn!(target: "orgseal", "stopping: no new starts"),
            Event::RunFinished { state } => info!(target: "orgseal", state, "run finished"),
        }
    }
}

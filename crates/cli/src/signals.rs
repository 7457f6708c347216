//! SIGINT (Ctrl-C), SIGTERM and SIGHUP: the first one stops a command cleanly, the second one exits immediately.

use std::time::{Duration, Instant};

use orgseal_core::event::{Event, Events};
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::listen::{self, Screen};

/// The exit code of an interrupted command.
pub(crate) const INTERRUPTED: u8 = 130;

/// When a terminal closes, the shell and the kernel each send SIGHUP: within this time they are one request to stop.
const SAME_HANGUP: Duration = Duration::from_secs(1);

/// Makes a file that may not grow any more (`ulimit -f`) an error like a full disk. Left alone, the kernel ends the process
/// with SIGXFSZ, and nothing is said.
pub(crate) fn outlive_the_file_limit() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        const SIGXFSZ: i32 = 25;
        // The handler stays when the stream is gone; that there is one is all that is wanted.
        drop(signal(SignalKind::from_raw(SIGXFSZ)));
    }
}

/// What a command stops and listens with. It is made before the first request: a request that is never answered is stopped too.
pub(crate) struct Watched {
    /// Cancelled at the first signal.
    pub(crate) stop: CancellationToken,
    pub(crate) events: Events,
    pub(crate) screen: Screen,
}

impl Watched {
    /// Watches for signals from now on.
    pub(crate) fn new() -> Watched {
        let stop = CancellationToken::new();
        let (events, screen) = listen::events();
        watch(&stop, &events);
        Watched { stop, events, screen }
    }

    /// Waits for a step before the run begins. At the first signal nothing is left to wait for.
    pub(crate) async fn opens<T>(&self, opening: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.stop.run_until_cancelled(opening).await.unwrap_or_else(|| Err(Failure::stopped()))
    }
}

/// Cancels `stop` at the first signal; the second one ends the process.
pub(crate) fn watch(stop: &CancellationToken, events: &Events) {
    let (stop, events) = (stop.clone(), events.clone());
    // Before the task runs: a signal in between must not end the process.
    let mut signals = Signals::new();
    tokio::spawn(async move {
        let first = signals.next().await;
        stop.cancel();
        events.emit(&Event::Stopping);
        signals.exit_at_the_next(first).await;
    });
}

/// Waits for the first signal. From then on the next one ends the process.
pub(crate) async fn stop_requested() {
    let mut signals = Signals::new();
    let first = signals.next().await;
    tokio::spawn(async move { signals.exit_at_the_next(first).await });
}

/// What asked for the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Request {
    Stop,
    Hangup,
}

/// The signals that ask for the end. One that arrives while another is handled is kept, not lost.
#[cfg(unix)]
struct Signals(Vec<(Request, tokio::signal::unix::Signal)>);

#[cfg(unix)]
impl Signals {
    fn new() -> Signals {
        use tokio::signal::unix::{SignalKind, signal};
        let mut kinds = vec![(Request::Stop, SignalKind::interrupt()), (Request::Stop, SignalKind::terminate())];
        // `nohup` has it ignored, so that the run outlives the terminal.
        if !hangup_is_ignored() {
            kinds.push((Request::Hangup, SignalKind::hangup()));
        }
        Signals(kinds.into_iter().filter_map(|(request, kind)| Some((request, signal(kind).ok()?))).collect())
    }

    async fn next(&mut self) -> Request {
        std::future::poll_fn(|context| {
            for (request, signal) in &mut self.0 {
                if signal.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*request);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

/// Whether the process was started with SIGHUP ignored. The kernel tells it as a mask; where there is no /proc, it is not known.
#[cfg(unix)]
fn hangup_is_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status))
}

#[cfg(unix)]
fn ignores_hangup(status: &str) -> bool {
    const SIGHUP: u64 = 1;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & SIGHUP != 0)
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> Signals {
        Signals
    }

    async fn next(&mut self) -> Request {
        let _ = tokio::signal::ctrl_c().await;
        Request::Stop
    }
}

impl Signals {
    async fn exit_at_the_next(&mut self, first: Request) {
        let began = Instant::now();
        loop {
            let next = self.next().await;
            if !is_same(first, next, began.elapsed()) {
                break;
            }
        }
        listen::say("exited immediately: executions that were started are in the ledger, and continue in AWS");
        std::process::exit(i32::from(INTERRUPTED));
    }
}

/// Whether a signal is the first one's echo.
fn is_same(first: Request, next: Request, after: Duration) -> bool {
    first == Request::Hangup && next == Request::Hangup && after < SAME_HANGUP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hangups_of_one_closed_terminal_are_one_request() {
        let soon = Duration::from_millis(20);
        assert!(is_same(Request::Hangup, Request::Hangup, soon));
        assert!(!is_same(Request::Hangup, Request::Hangup, SAME_HANGUP));
        assert!(!is_same(Request::Hangup, Request::Stop, soon));
        assert!(!is_same(Request::Stop, Request::Stop, Duration::ZERO));
    }

    #[cfg(unix)]
    #[test]
    fn nohup_is_seen_in_the_mask_of_ignored_signals() {
        assert!(ignores_hangup("Name:\torgseal\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000000\n"));
        assert!(!ignores_hangup("SigIgn:\t0000000000001000\n"));
        assert!(!ignores_hangup("SigBlk:\t0000000000000001\n"));
    }
}

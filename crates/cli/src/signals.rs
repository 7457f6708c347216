//! Ctrl-C and SIGTERM: the first stops cleanly, the second leaves at once.

use orgseal_core::event::{Event, Events};
use tokio_util::sync::CancellationToken;

use crate::output;

/// The exit code of an interrupted command.
pub(crate) const INTERRUPTED: u8 = 130;

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

/// Cancels `stop` at the first signal.
pub(crate) fn watch(stop: &CancellationToken, events: &Events) {
    let (stop, events) = (stop.clone(), events.clone());
    tokio::spawn(async move {
        signalled().await;
        stop.cancel();
        events.emit(&Event::Stopping);
        signalled().await;
        output::err("left at once: what was started is in the ledger");
        std::process::exit(i32::from(INTERRUPTED));
    });
}

/// Waits for one signal.
pub(crate) async fn signalled() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

//! Ctrl-C and SIGTERM: the first stops cleanly, the second leaves at once.

use orgseal_core::event::{Event, Events};
use tokio_util::sync::CancellationToken;

use crate::output;

/// The exit code of an interrupted command.
pub(crate) const INTERRUPTED: u8 = 130;

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

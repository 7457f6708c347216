//! Points at which a test ends the process as `kill -9` would, to see what the ledger is worth, or makes a task panic.

/// Ends the process here if `ORGSEAL_FAIL_POINT` says `NAME` or `NAME:N` (at the Nth time), and panics if it says `panic-NAME`. In debug
/// builds alone: a release build does not look.
pub fn fail_point(name: &str) {
    #[cfg(debug_assertions)]
    armed::pass(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Armed {
        name: String,
        panics: bool,
        left: AtomicU32,
    }

    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

    pub(super) fn pass(name: &str) {
        let armed = ARMED.get_or_init(|| {
            let wish = std::env::var("ORGSEAL_FAIL_POINT").ok()?;
            let (name, count) = wish.split_once(':').unwrap_or((&wish, "1"));
            let (name, panics) = name.strip_prefix("panic-").map_or((name, false), |name| (name, true));
            Some(Armed { name: name.to_owned(), panics, left: AtomicU32::new(count.parse().ok()?) })
        });
        if let Some(armed) = armed
            && armed.name == name
            && armed.left.fetch_sub(1, Ordering::SeqCst) == 1
        {
            assert!(!armed.panics, "fail point {name}");
            // No destructor runs and nothing is flushed: what is not on the disk is lost.
            std::process::abort();
        }
    }
}

//! The machine's name, for the ledger and for the holder of a lock.

/// The name of this machine, as `gethostname(2)` returns it.
pub(crate) fn host() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

//! The machine's name, for the ledger and for the holder of a lock.

/// `HOSTNAME`, as container runtimes set it, otherwise what `gethostname(2)` returns.
pub(crate) fn host() -> String {
    std::env::var("HOSTNAME").unwrap_or_else(|_| gethostname::gethostname().to_string_lossy().into_owned())
}

//! The machine's name, for the record and for whoever finds it in the lock.

/// `HOSTNAME`, or what the kernel says.
pub(crate) fn host() -> String {
    std::env::var("HOSTNAME")
        .or_else(|_| std::fs::read_to_string("/proc/sys/kernel/hostname"))
        .map_or_else(|_| "this machine".to_owned(), |name| name.trim().to_owned())
}

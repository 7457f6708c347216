//! Where something is: an account and a Region, by their indices.

/// An account and a Region.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) account: usize,
    pub(crate) region: usize,
}

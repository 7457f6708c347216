//! From what was read to what is said of it: pure functions, no I/O, no clock.

mod key;
mod unread;
mod verdict;

pub use key::key_fault;
pub use unread::unread_reason;
pub use verdict::{Replaceable, Wanted, judge, observe};

//! From what was read to what is said of it: pure functions, no I/O, no clock.

mod denials;
mod failure;
pub mod guards;
mod key;
pub mod policy;
mod restore;
mod unread;
mod verdict;

pub use denials::{Denial, Unreadable, denial};
pub use failure::{FailureClass, classify, execution_is_retryable};
pub use key::key_fault;
pub use restore::{former_rule, judge_restore};
pub use unread::unread_reason;
pub use verdict::{Choices, Replaceable, Wanted, judge, observe};

//! A small, conservative reader of IAM policy JSON. What it does not understand is "cannot tell", never "fine".
//!
//! `document` is the policy as data, `pattern` its wildcards, `condition` its conditions; `request` is who asks for what,
//! `evaluate` what policies say to it, `control` what control policies take away, `account` the principals of an account. `kept` keeps what
//! many buckets share, read once.

mod account;
mod answer;
mod condition;
mod control;
mod document;
mod evaluate;
mod kept;
mod pattern;
mod request;
#[cfg(test)]
mod tests;

pub use account::{Holders, Shared};
pub use answer::Answer;
pub use control::{ControlKind, ControlPolicy, Hindrance, Level, hindrances};
pub use document::{Condition, Effect, NotUnderstood, Patterns, Policy, Principal, Principals, Statement};
pub use evaluate::{Admission, ForAll, Holder, KeyRight, OwnRefusal, Parsed, Right};
pub(super) use kept::Kept;
pub use kept::key_policy;
pub use pattern::{Coverage, Text, coverage, coverage_of_arn, coverage_of_letters, widened};
pub use request::{Known, Request};

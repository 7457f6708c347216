//! A small, conservative reader of IAM policy JSON. What it does not understand is "cannot tell", never "fine".
//!
//! [`document`] is the policy as data; the evaluation of what a principal may do stands beside it.

mod document;

pub use document::{Condition, Effect, NotUnderstood, Patterns, Policy, Principal, Principals, Statement};

pub use crate::glob::matches;

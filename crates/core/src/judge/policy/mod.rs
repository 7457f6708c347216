//! A small, conservative reader of IAM policy JSON. What it does not understand is "cannot tell", never "fine".
//!
//! [`document`] is the policy as data, [`pattern`] its wildcards.

mod document;
mod pattern;

pub use document::{Condition, Effect, NotUnderstood, Patterns, Policy, Principal, Principals, Statement};
pub use pattern::{
    Coverage, Text, coverage, coverage_of_arn, coverage_of_letters, matches, matches_ignoring_case, widened,
};

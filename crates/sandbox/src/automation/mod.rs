//! Systems Manager Automation: reads a runbook's own content (schema 0.3) and carries out its steps.
//! The API in front of it is `services::ssm`.

pub(crate) mod branch;
pub(crate) mod document;
pub(crate) mod engine;
pub(crate) mod parameter;
pub(crate) mod reference;
mod required;
pub(crate) mod steps;
pub(crate) mod twist;

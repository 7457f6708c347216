//! What `orgseal bootstrap` makes and takes away: roles, documents, keys, rules. Nothing else of orgseal calls any of it.
//!
//! Whatever is made bears the tag `orgseal = bootstrap`; whoever takes away looks for it first.

/// One request of a client, in its turn: the answer, or the error as a person can act on it.
macro_rules! call {
    ($calls:expr, $operation:expr, $request:expr) => {{
        let _permit = $calls.enter().await;
        $request.send().await.map_err(|error| $calls.heed(crate::aws::error::aws_error($operation, &error)))
    }};
}

mod documents;
mod guardrails;
mod keys;
mod managed_policies;
mod remediation;
mod roles;
mod rules;

pub use documents::DocumentMade;
pub use guardrails::ControlPolicy;
pub use keys::NewKey;
pub use managed_policies::PolicyMade;
pub use remediation::RemediationWanted;
pub use roles::{LEAST_MAX_SESSION, RoleMade, RoleWanted};

/// The tag's key.
pub const TAG: &str = "orgseal";
/// The tag's value.
pub const TAG_VALUE: &str = "bootstrap";

use super::answers::Unusable;
use crate::model::AwsError;

/// An answer that lacks what the model says it holds.
fn unreadable(operation: &str, lacks: &str) -> AwsError {
    AwsError {
        code: "Unreadable".to_owned(),
        message: format!("{operation}: the answer holds no {lacks}"),
        hint: Unusable::HINT.to_owned(),
    }
}

/// A request that the SDK does not build: a value that it needs is missing.
fn unbuilt(operation: &str, why: &dyn std::fmt::Display) -> AwsError {
    AwsError {
        code: "RequestFailed".to_owned(),
        message: format!("{operation}: {why}"),
        hint: "this is a fault of orgseal: please report it".to_owned(),
    }
}

/// Whether an error says that what was named is not there.
fn is_missing(error: &AwsError) -> bool {
    let code = error.code.strip_suffix("Exception").unwrap_or(&error.code);
    matches!(
        code,
        "NoSuchEntity"
            | "NotFound"
            | "InvalidDocument"
            | "NoSuchConfigRule"
            | "NoSuchConfigurationAggregator"
            | "NoSuchOrganizationConformancePack"
            | "NoSuchRemediationConfiguration"
    )
}

/// `None` where what was named is not there.
fn found<T>(answer: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

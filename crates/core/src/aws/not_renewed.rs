//! Why a session could not be renewed, on its way through the SDK's own errors.

use crate::model::AwsError;

/// A session could not be renewed: what AssumeRole said. It reaches [`super::error::aws_error`] through the SDK's own errors.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NotRenewed(pub(super) AwsError);

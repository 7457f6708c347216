//! What KMS answers to a dry run.

use super::AwsError;

/// The answer to `GenerateDataKey` with `DryRun`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DryRun {
    /// `DryRunOperationException`: the call itself would have succeeded.
    WouldSucceed,
    /// The endpoint ignored `DryRun` and sent a data key. It was dropped unread.
    KeyMaterial,
    /// Any other error: the call would not have succeeded, or no answer came.
    Refused(AwsError),
}

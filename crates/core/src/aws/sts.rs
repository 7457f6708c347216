//! AWS STS: who is calling, and sessions in member accounts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;

use super::answers::Unusable;
use super::call_log::CallLog;
use super::error::aws_error;
use super::observer::SkewIsTransient;
use crate::clock;
use crate::model::AwsError;

/// Who is calling, from `GetCallerIdentity`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account, twelve digits.
    pub account: String,
    /// The caller's ARN.
    pub arn: String,
    /// The ARN's partition: `aws`, `aws-us-gov`, `aws-cn`, …
    pub partition: String,
}

/// The client for STS as the caller.
pub(super) fn client(config: &SdkConfig) -> aws_sdk_sts::Client {
    let settings =
        aws_sdk_sts::config::Builder::from(config).retry_classifier(SkewIsTransient).interceptor(CallLog::default());
    aws_sdk_sts::Client::from_conf(settings.build())
}

pub(super) async fn caller_identity(sts: &aws_sdk_sts::Client) -> Result<Caller, AwsError> {
    let answer = sts.get_caller_identity().send().await.map_err(|error| aws_error("GetCallerIdentity", &error))?;
    let arn = answer.arn().unwrap_or_default().to_owned();
    let partition = arn.split(':').nth(1).filter(|name| !name.is_empty()).map(str::to_owned);
    let partition = partition.ok_or_else(|| AwsError {
        code: "Unreadable".to_owned(),
        message: format!("GetCallerIdentity: the ARN `{arn}` has no partition"),
        hint: "check the endpoint: AWS returns an ARN such as arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION"
            .to_owned(),
    })?;
    Ok(Caller { account: answer.account().unwrap_or_default().to_owned(), arn, partition })
}

/// What `AssumeRole` is asked for.
#[derive(Clone)]
pub(super) struct RoleRequest {
    pub(super) role_arn: String,
    pub(super) session_name: String,
    pub(super) external_id: Option<String>,
    pub(super) duration: u32,
    pub(super) policy: Option<String>,
}

/// The longest session of a role that was assumed by a role's session (role chaining).
const CHAINED_SECONDS: u32 = 3600;

/// Session durations that turned out to be too long: one refusal is enough for all accounts.
#[derive(Clone, Default)]
pub(super) struct SessionDurations(Arc<AtomicBool>);

impl SessionDurations {
    /// The duration to ask for instead of the campaign file's.
    fn allowed(&self, wanted: u32) -> u32 {
        if self.0.load(Ordering::Relaxed) { wanted.min(CHAINED_SECONDS) } else { wanted }
    }
}

/// Assumes roles with the caller's credentials.
#[derive(Clone)]
pub(super) struct RoleAssumer {
    pub(super) sts: aws_sdk_sts::Client,
    pub(super) durations: SessionDurations,
}

impl RoleAssumer {
    /// `AssumeRole`. Where the caller is itself a role's session, and asks for more than the hour that role chaining allows, it is asked
    /// again for an hour, and for no more from then on.
    pub(super) async fn assume(&self, request: &RoleRequest) -> Result<Credentials, AwsError> {
        let duration = self.durations.allowed(request.duration);
        match assume_role(&self.sts, request, duration).await {
            Err(error) if duration > CHAINED_SECONDS && is_chaining_limit(&error) => {
                self.durations.0.store(true, Ordering::Relaxed);
                assume_role(&self.sts, request, CHAINED_SECONDS).await
            }
            answer => answer,
        }
    }
}

/// STS has no code of its own for it.
pub(super) fn is_chaining_limit(error: &AwsError) -> bool {
    error.code == "ValidationError" && error.message.contains("role chaining")
}

async fn assume_role(sts: &aws_sdk_sts::Client, request: &RoleRequest, duration: u32) -> Result<Credentials, AwsError> {
    let answer = sts
        .assume_role()
        .role_arn(&request.role_arn)
        .role_session_name(&request.session_name)
        .set_external_id(request.external_id.clone())
        .duration_seconds(i32::try_from(duration).unwrap_or(3600))
        .set_policy(request.policy.clone())
        .send()
        .await
        .map_err(|error| aws_error("AssumeRole", &error))?;
    let given = answer.credentials().ok_or_else(|| AwsError {
        code: "Unreadable".to_owned(),
        message: "AssumeRole: the response has no credentials".to_owned(),
        hint: Unusable::HINT.to_owned(),
    })?;
    if let Some(account) = request.role_arn.split(':').nth(4) {
        clock::session_of(given.access_key_id(), account);
    }
    Ok(Credentials::new(
        given.access_key_id(),
        given.secret_access_key(),
        Some(given.session_token().to_owned()),
        std::time::SystemTime::try_from(*given.expiration()).ok(),
        "orgseal-member",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::error::hint;

    #[test]
    fn each_limit_of_a_session_has_its_own_hint() {
        let refused = |message: &str| AwsError {
            code: "ValidationError".to_owned(),
            message: message.to_owned(),
            hint: hint("AssumeRole", "ValidationError", message).to_owned(),
        };
        let chained = refused(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        );
        assert!(is_chaining_limit(&chained) && chained.hint.contains("session_duration = 3600"), "{chained:?}");
        let own = refused("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
        assert!(!is_chaining_limit(&own) && own.hint.contains("MaxSessionDuration"), "{own:?}");
    }
}

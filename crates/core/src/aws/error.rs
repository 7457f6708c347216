//! From the SDK's errors to one that a person can act on: code, message, hint.

use aws_config::imds::client::error::ImdsError;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::answers::Unusable;
use super::disabled_region::RegionDisabled;
use super::network::{FailedConnection, in_words};
use super::not_renewed::NotRenewed;
use crate::judge::{control_policy_fix, denial_in};
use crate::model::AwsError;

/// Our code for the caller's own credentials when the default chain cannot load them (any more).
pub(super) const NO_CREDENTIALS: &str = "NoCredentials";

/// Reads an SDK error of an operation.
pub(super) fn aws_error<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if let Some(NotRenewed(cause)) = cause_of::<NotRenewed>(error) {
        return AwsError {
            code: cause.code.clone(),
            message: format!("{operation}: the session in this account could not be renewed: {cause}"),
            hint: cause.hint.clone(),
        };
    }
    if let Some(RegionDisabled(disabled)) = cause_of::<RegionDisabled>(error) {
        return AwsError { message: format!("{operation}: {}", disabled.message), ..disabled.clone() };
    }
    if let Some(unloaded) = cause_of::<CredentialsError>(error) {
        return credentials_error(operation, unloaded);
    }
    if let Some(unusable) = cause_of::<Unusable>(error) {
        return AwsError {
            code: "Unreadable".to_owned(),
            message: format!("{operation}: {unusable}"),
            hint: Unusable::HINT.to_owned(),
        };
    }
    let status = error.raw_response().map(|response| response.status().as_u16());
    let (code, message) = match error {
        SdkError::ServiceError(service) => {
            let meta = service.err().meta();
            // An answer to HEAD has no body, so its status is all there is.
            let code = meta.code().map(str::to_owned).unwrap_or_else(|| match status {
                Some(403) => "AccessDenied".to_owned(),
                Some(404) => "NotFound".to_owned(),
                Some(status) => format!("Http{status}"),
                None => "Unreadable".to_owned(),
            });
            (code, meta.message().unwrap_or("no message").to_owned())
        }
        SdkError::TimeoutError(_) => ("Timeout".to_owned(), "no response before the timeout".to_owned()),
        SdkError::DispatchFailure(failure) => {
            let code = if failure.is_timeout() { "Timeout" } else { "ConnectionFailed" };
            return connection_error(operation, code, error);
        }
        SdkError::ResponseError(_) => ("Unreadable".to_owned(), innermost(error)),
        _ => ("RequestFailed".to_owned(), innermost(error)),
    };
    AwsError { hint: hint(operation, &code, &message).to_owned(), code, message: format!("{operation}: {message}") }
}

/// A connection that failed. Where a proxy or a CA bundle is in force, it is named: it is the likeliest cause.
fn connection_error(operation: &str, code: &str, error: &(dyn std::error::Error + 'static)) -> AwsError {
    let cause = in_words(&innermost(error));
    let context = cause_of::<FailedConnection>(error).map(|failed| &failed.context);
    let hint =
        context.and_then(|context| context.hint(&cause)).unwrap_or_else(|| hint(operation, code, &cause).to_owned());
    let message = match context {
        Some(context) => format!("{operation}: {cause} ({context})"),
        None => format!("{operation}: {cause}"),
    };
    AwsError { code: code.to_owned(), message, hint }
}

/// Credentials that the default chain could not load.
fn credentials_error(operation: &str, unloaded: &CredentialsError) -> AwsError {
    // The chain ends with the instance metadata service: where that one refuses, no provider had any.
    if matches!(unloaded, CredentialsError::CredentialsNotLoaded(_)) || cause_of::<ImdsError>(unloaded).is_some() {
        return AwsError { message: format!("{operation}: {NO_CREDENTIALS_FOUND}"), ..no_credentials() };
    }
    // A provider that was only slow (the instance's metadata, a credential process) may answer the next time.
    let code = match unloaded {
        CredentialsError::ProviderTimedOut(_) => "Timeout",
        _ => NO_CREDENTIALS,
    };
    let context = cause_of::<FailedConnection>(unloaded).map(|failed| &failed.context);
    let cause = innermost_with_path(unloaded);
    let profile = std::env::var("AWS_PROFILE").ok().filter(|name| !name.is_empty());
    let hint = context.and_then(|context| context.hint(&cause)).unwrap_or_else(|| match (&profile, code) {
        (Some(profile), NO_CREDENTIALS) => {
            format!("sign in again (`aws sso login --profile {profile}`, `aws login --profile {profile}`), then run the command again")
        }
        _ => hint(operation, code, &cause).to_owned(),
    });
    let shown = context.map(|context| format!(" ({context})")).unwrap_or_default();
    let whose = match profile {
        Some(profile) => format!("the credentials of AWS profile {profile}"),
        None => "the AWS credentials".to_owned(),
    };
    let message = format!("{operation}: {whose} could not be loaded: {cause}{shown}");
    AwsError { code: code.to_owned(), message, hint }
}

/// The last cause of an error; with the one before it where the last is the system's, which names no file.
fn innermost_with_path(error: &(dyn std::error::Error + 'static)) -> String {
    let causes: Vec<&(dyn std::error::Error + 'static)> =
        std::iter::successors(Some(error), |error| error.source()).collect();
    let text = |error: &(dyn std::error::Error + 'static)| error.to_string().trim().to_owned();
    match causes.as_slice() {
        [.., before, last] if last.is::<std::io::Error>() => format!("{}: {}", text(*before), text(*last)),
        [.., last] => text(*last),
        [] => String::new(),
    }
}

const NO_CREDENTIALS_FOUND: &str = "no AWS credentials were found";

/// No provider of the default chain has credentials.
pub(super) fn no_credentials() -> AwsError {
    AwsError {
        code: NO_CREDENTIALS.to_owned(),
        message: NO_CREDENTIALS_FOUND.to_owned(),
        hint: "sign in with `aws sso login` or `aws login` and name that profile in AWS_PROFILE, or set AWS_ACCESS_KEY_ID and \
               AWS_SECRET_ACCESS_KEY"
            .to_owned(),
    }
}

/// Whether a call had no credentials to be signed with: it was not sent. The SDK calls this a failed dispatch, as it does a
/// connection that broke when the request may have arrived.
pub(super) fn is_unsigned(error: &(dyn std::error::Error + 'static)) -> bool {
    cause_of::<CredentialsError>(error).is_some()
}

fn cause_of<'a, T: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a T> {
    std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
}

/// The last cause of an error: it says what went wrong where the outer ones say that something did.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// What to do when a read of a bucket's configuration was denied: the bucket's own policy has a say there.
macro_rules! allow_to_member {
    ($action:literal) => {
        concat!(
            "allow ",
            $action,
            " to the member role, and check whether a bucket policy or a service control policy denies it"
        )
    };
}

pub(super) fn hint(operation: &str, code: &str, message: &str) -> &'static str {
    if let Some(fix) = denial_in(message).and_then(|denial| control_policy_fix(denial.by)) {
        return fix;
    }
    match (operation, code) {
        ("CreateRole" | "UpdateAssumeRolePolicy", "MalformedPolicyDocument" | "MalformedPolicyDocumentException") => {
            "IAM rejects a trust policy whose principal does not exist: create the role or user of bootstrap.caller in the \
             security account first"
        }
        ("CreateKey" | "PutKeyPolicy" | "ReplicateKey", "MalformedPolicyDocumentException") => {
            "KMS rejects a key policy whose principals do not exist, or that would lock out the caller: check \
             bootstrap.key_administrators"
        }
        ("PutOrganizationConformancePack" | "DescribeOrganizationConformancePackStatuses", _) => {
            "with the management account's credentials, enable trusted access for config-multiaccountsetup.amazonaws.com and register the \
             security account as its delegated administrator: `shell/deploy.sh access` of `orgseal bootstrap render` does it; or set \
             bootstrap.config_rule = false"
        }
        (
            "CreateRole"
            | "UpdateRole"
            | "UpdateAssumeRolePolicy"
            | "PutRolePolicy"
            | "AttachRolePolicy"
            | "DeleteRole"
            | "CreatePolicy"
            | "CreatePolicyVersion"
            | "CreateDocument"
            | "UpdateDocument"
            | "CreateKey"
            | "PutKeyPolicy",
            "AccessDenied" | "AccessDeniedException",
        ) => {
            "the role that orgseal assumes in the account does not have this permission: choose another role with --through, or \
             deploy with StackSets (docs/bootstrap.md)"
        }
        ("AssumeRole", "AccessDenied") => {
            "check that the member role exists in this account, that its trust policy allows your caller with this external ID, \
             and that your caller has sts:AssumeRole on it"
        }
        ("ListDirectoryBuckets", "AccessDenied") => {
            "allow s3express:ListAllMyDirectoryBuckets to the member role, or audit without --count-out-of-scope \
             (audit.count_out_of_scope): directory buckets are out of scope"
        }
        ("ListDirectoryBuckets", "ConnectionFailed") => {
            "S3 Express One Zone is not available in every Region; a Region without it has no directory buckets"
        }
        ("AssumeRole", "ValidationError") if message.contains("role chaining") => {
            "set member_role.session_duration = 3600: your caller is itself a role session, and role chaining limits sessions \
             to one hour"
        }
        ("AssumeRole", "ValidationError") if message.contains("MaxSessionDuration") => {
            "set member_role.session_duration to at most the member role's MaxSessionDuration"
        }
        ("AssumeRole", "PackedPolicyTooLarge") => {
            "set member_role.session_policy = \"none\", or shorten the session's tags"
        }
        ("AssumeRole" | "GetCallerIdentity", "RegionDisabledException") => {
            "activate STS for this Region in the account, or set AWS_REGION to a Region where STS is active"
        }
        (
            "GetBucketEncryption"
            | "ListBuckets"
            | "HeadBucket"
            | "StartAutomationExecution"
            | "GetDocument"
            | "DescribeAutomationExecutions"
            | "GetAutomationExecution"
            | "GetBucketPolicy"
            | "GetBucketPolicyStatus"
            | "GetBucketWebsite"
            | "GetBucketAcl"
            | "GetBucketOwnershipControls"
            | "GetPublicAccessBlock"
            | "GetBucketReplication"
            | "GetBucketTagging"
            | "GetAccountPublicAccessBlock"
            | "ListAccessPoints"
            | "GetAccessPointPolicy"
            | "GetAccountAuthorizationDetails",
            "ExpiredToken" | "ExpiredTokenException" | "RequestExpired",
        ) => {
            "AWS rejected a new session in this account as well: check this machine's clock, and policies in the account with \
             conditions on aws:TokenIssueTime"
        }
        (_, "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | NO_CREDENTIALS) => {
            "sign in again (`aws sso login`, `aws login`, or new access keys), then run the command again"
        }
        (_, "InvalidToken") => {
            "run the command again; if S3 refuses the session again, check that the Region is enabled in the account, and that no \
             proxy or endpoint in between changes requests"
        }
        (
            _,
            "InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidAccessKeyId" | "SignatureDoesNotMatch",
        ) => "check the credentials: aws sts get-caller-identity",
        ("PutConfigurationAggregator", "OrganizationAccessDeniedException") => {
            "with the management account's credentials, register the security account as delegated administrator for \
             config.amazonaws.com: `shell/deploy.sh access` of `orgseal bootstrap render` does it"
        }
        ("CreatePolicy" | "AttachPolicy" | "ListPolicies", "PolicyTypeNotEnabledException") => {
            "with the management account's credentials, enable the policy type on the root: `shell/deploy.sh access` of `orgseal bootstrap \
             render` does it"
        }
        ("ListAccounts" | "DescribeOrganization", "AccessDeniedException") => {
            "run as the management account or a delegated administrator, with organizations:ListAccounts and organizations:DescribeOrganization"
        }
        (
            "ListPolicies" | "ListTargetsForPolicy" | "ListPoliciesForTarget" | "DescribePolicy",
            "AccessDeniedException",
        ) => {
            "allow organizations:ListPolicies, organizations:ListTargetsForPolicy, organizations:ListPoliciesForTarget and \
             organizations:DescribePolicy to your caller (ReadTheOrganization in config/policies/caller.json)"
        }
        ("ListRoots" | "ListOrganizationalUnitsForParent" | "ListAccountsForParent", "AccessDeniedException") => {
            "allow organizations:ListRoots, ListOrganizationalUnitsForParent and ListAccountsForParent to your caller \
             (ReadTheOrganization in config/policies/caller.json)"
        }
        ("DescribeOrganization", "AWSOrganizationsNotInUseException") => {
            "use credentials of an account that is a member of the organization"
        }
        ("ListBuckets", "AccessDenied") => "allow s3:ListAllMyBuckets to the member role",
        ("GetBucketEncryption", "AccessDenied") => {
            "allow s3:GetEncryptionConfiguration to the member role, and check whether a bucket policy or a service control \
             policy denies it"
        }
        ("HeadBucket", "AccessDenied") => {
            "allow s3:ListBucket to the member role: orgseal needs it to determine the bucket's Region"
        }
        ("GetBucketPolicy", "AccessDenied") => allow_to_member!("s3:GetBucketPolicy"),
        ("GetBucketPolicyStatus", "AccessDenied") => allow_to_member!("s3:GetBucketPolicyStatus"),
        ("GetBucketWebsite", "AccessDenied") => allow_to_member!("s3:GetBucketWebsite"),
        ("GetBucketAcl", "AccessDenied") => allow_to_member!("s3:GetBucketAcl"),
        ("GetBucketOwnershipControls", "AccessDenied") => allow_to_member!("s3:GetBucketOwnershipControls"),
        ("GetPublicAccessBlock", "AccessDenied") => allow_to_member!("s3:GetBucketPublicAccessBlock"),
        ("GetBucketReplication", "AccessDenied") => allow_to_member!("s3:GetReplicationConfiguration"),
        ("GetBucketTagging", "AccessDenied") => allow_to_member!("s3:GetBucketTagging"),
        ("GetAccountPublicAccessBlock", "AccessDenied") => "allow s3:GetAccountPublicAccessBlock to the member role",
        ("ListAccessPoints", "AccessDenied") => "allow s3:ListAccessPoints to the member role",
        ("GetAccessPointPolicy", "AccessDenied") => "allow s3:GetAccessPointPolicy to the member role",
        (_, "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException") => {
            "the bucket's Region changed after it was listed: run the command again"
        }
        ("GetDocument", "InvalidDocument") => {
            "create the document in this account and Region, or share it and set document.owner to its account"
        }
        ("GetDocument", "InvalidDocumentVersion") => {
            "set document.version to a version that exists in this account and Region, or omit it"
        }
        ("DescribeDocument", "AccessDeniedException") => {
            "allow ssm:DescribeDocument on the document to the member role"
        }
        ("GetDocument", "AccessDeniedException") => "allow ssm:GetDocument on the document to the member role",
        ("StartAutomationExecution", "AccessDeniedException") => {
            "allow ssm:StartAutomationExecution on the document and on automation-execution/*, and iam:PassRole on the automation role, to the member role"
        }
        ("StartAutomationExecution", "InvalidAutomationExecutionParametersException") => {
            "check that the role of automation_role.name and automation_role.path exists in this account and trusts \
             ssm.amazonaws.com, and that the document accepts the parameter values"
        }
        ("StartAutomationExecution", "IdempotentParameterMismatch") => {
            "Systems Manager accepted an earlier attempt of this start: find its execution, and run the command again after it \
             has completed"
        }
        ("StartAutomationExecution", "AutomationDefinitionNotFoundException") => {
            "create the document in this account and Region, or share it"
        }
        ("DescribeAutomationExecutions", "AccessDeniedException") => {
            "allow ssm:DescribeAutomationExecutions to the member role"
        }
        ("LookupEvents", "AccessDeniedException") => {
            "allow cloudtrail:LookupEvents to the member role: orgseal uses it to detect denied requests for the central key"
        }
        ("LookupEvents", "TooManyEvents") => {
            "query the organization trail (CloudTrail Lake, Athena) for denied KMS events of the central key before the next \
             wave"
        }
        ("LookupEvents", "Unreadable") => "find the event in CloudTrail event history in this account and Region",
        ("GetAccountAuthorizationDetails", "AccessDenied") => {
            "allow iam:GetAccountAuthorizationDetails to the member role: guards use it to find principals that use a bucket \
             but cannot use the key"
        }
        ("DescribeKey", "AccessDeniedException") => "allow kms:DescribeKey to your caller in the key's policy",
        ("GetKeyPolicy", "AccessDeniedException") => {
            "allow kms:GetKeyPolicy to your caller, which must be in the key's account"
        }
        ("DescribeKey" | "GetKeyPolicy", "NotFoundException") => "check the key's ARN in [central_key]",
        (_, "NoSuchBucket") => "no action required: the bucket was deleted",
        (_, "SlowDown" | "Throttling" | "ThrottlingException" | "TooManyRequestsException") => {
            "lower the limits for this account, or run the command again later"
        }
        (_, "ConnectionFailed") if message.contains("Too many open files") => {
            "raise this process's limit on open files (`ulimit -n 4096`), or lower limits.accounts"
        }
        (_, "ConnectionFailed") if message.contains("certificate") => {
            "set AWS_CA_BUNDLE to a PEM file with the certificate of the CA that signed the endpoint's certificate: a proxy \
             that inspects TLS uses its own CA"
        }
        (_, "Timeout" | "ConnectionFailed") => "check the network and the endpoint, then run the command again",
        (_, "AccessDenied" | "AccessDeniedException") => "allow the action in the message to the role",
        (_, "Unreadable") => Unusable::HINT,
        _ => "find the error code in the service's documentation, then run the command again",
    }
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::error::CredentialsError;
    use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};

    use super::super::not_renewed::NotRenewed;
    use super::super::sts::caller_identity;
    use super::*;

    /// Credentials that cannot be loaded, for a reason made anew each time.
    #[derive(Debug)]
    struct Failing(fn() -> CredentialsError);

    impl ProvideCredentials for Failing {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::ready(Err::<Credentials, _>((self.0)()))
        }
    }

    /// What a call becomes whose credentials cannot be loaded. Nothing is sent: the endpoint leads nowhere.
    async fn without_credentials(why: fn() -> CredentialsError) -> AwsError {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url("http://127.0.0.1:1")
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .credentials_provider(SharedCredentialsProvider::new(Failing(why)))
            .build();
        // GetCallerIdentity is signed, so the credentials are asked for.
        caller_identity(&aws_sdk_sts::Client::new(&config)).await.unwrap_err()
    }

    #[test]
    fn a_control_policy_has_one_fix_whatever_it_denies() {
        let message =
            |by: &str| format!("User: u is not authorized to perform: x on resource: y with an explicit deny in {by}");
        for operation in ["GetBucketPolicy", "StartAutomationExecution", "ListBuckets"] {
            let fix = hint(operation, "AccessDenied", &message("a service control policy"));
            assert_eq!(Some(fix), control_policy_fix(crate::model::Denier::ServiceControlPolicy), "{operation}");
        }
        // A bucket may be called like that.
        let named = hint("GetBucketPolicy", "AccessDenied", "on resource: arn:aws:s3:::service control policy");
        assert!(named.starts_with("allow s3:GetBucketPolicy"), "{named}");
    }

    #[tokio::test]
    async fn credentials_that_cannot_be_loaded_have_a_code_of_their_own() {
        let none =
            without_credentials(|| CredentialsError::not_loaded("no providers in chain provided credentials")).await;
        assert_eq!(none.code, "NoCredentials", "{none:?}");
        assert_eq!(none.message, "GetCallerIdentity: no AWS credentials were found");
        assert!(none.hint.contains("aws sso login") && none.hint.contains("AWS_ACCESS_KEY_ID"), "{none:?}");
        let ended = without_credentials(|| CredentialsError::provider_error("the sign-in has expired")).await;
        assert_eq!(ended.code, "NoCredentials", "{ended:?}");
        assert!(ended.message.ends_with("could not be loaded: the sign-in has expired"), "{ended:?}");
        for error in [none, ended] {
            assert!(!error.hint.contains("resume"), "nothing was begun: {error:?}");
        }
    }

    #[tokio::test]
    async fn a_provider_that_was_slow_ends_nothing() {
        let error =
            without_credentials(|| CredentialsError::provider_timed_out(std::time::Duration::from_secs(5))).await;
        assert_eq!(error.code, "Timeout", "{error:?}");
    }

    #[tokio::test]
    async fn a_session_that_could_not_be_renewed_says_what_assume_role_said() {
        let error = without_credentials(|| {
            CredentialsError::provider_error(NotRenewed(AwsError {
                code: "ExpiredToken".into(),
                message: "AssumeRole: the token has expired".into(),
                hint: "sign in again".into(),
            }))
        })
        .await;
        assert_eq!((error.code.as_str(), error.hint.as_str()), ("ExpiredToken", "sign in again"));
        assert!(error.message.starts_with("GetCallerIdentity: the session in this account could not be renewed"));
    }
}

//! A request as IAM sees it, as far as it is known beforehand: who asks for what, and the condition keys.

use std::collections::BTreeMap;

use super::Text;

/// What is known of a condition key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// The request carries it, with these values.
    Values(Vec<Text>),
    /// The request carries it with one value, which is one of these.
    OneOf(Vec<Text>),
    /// The request does not carry it.
    Absent,
    /// Nothing is known.
    Unknown,
}

/// A request: one principal, one action, one resource, and what is known of the condition keys.
#[derive(Clone, Debug)]
pub struct Request {
    /// The ARN of the user or role; the name of the service.
    pub principal: String,
    /// The account of the user or role; empty for a service.
    pub account: String,
    /// An AWS service asks in its own name.
    pub is_service: bool,
    /// Nobody signed it.
    pub is_unsigned: bool,
    /// Such as `s3:PutObject`.
    pub action: String,
    /// An ARN, or how it begins: then the question is whether there is such a resource for which it is so.
    pub resource: Text,
    context: BTreeMap<String, Known>,
}

/// Condition keys that a request without a signature does not have.
const ABSENT_WITHOUT_SIGNATURE: [&str; 22] = [
    "aws:PrincipalArn",
    "aws:PrincipalAccount",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalIsAWSService",
    "aws:PrincipalServiceName",
    "aws:PrincipalServiceNamesList",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceOrgID",
    "aws:SourceOrgPaths",
    "aws:username",
    "aws:TokenIssueTime",
    "aws:MultiFactorAuthPresent",
    "aws:MultiFactorAuthAge",
    "aws:FederatedProvider",
    "aws:SourceIdentity",
    "aws:CalledVia",
    "kms:CallerAccount",
    "s3:authType",
    "s3:signatureversion",
    "s3:signatureAge",
];

impl Request {
    /// A request of a user or role, with the keys that follow from who it is. `organization` is the id of the organization
    /// that the account is in; an account in none, or in another than ours, has its key absent or unknown: say so with
    /// [`Request::with`]. It comes over TLS, as whoever uses KMS through S3 has to.
    #[must_use]
    pub fn of(principal: &str, account: &str, action: &str, resource: Text) -> Request {
        Request {
            principal: principal.to_owned(),
            account: account.to_owned(),
            is_service: false,
            is_unsigned: false,
            action: action.to_owned(),
            resource,
            context: BTreeMap::new(),
        }
        .with("aws:PrincipalArn", Known::Values(vec![principal.into()]))
        .with("aws:PrincipalAccount", Known::Values(vec![account.into()]))
        .with("kms:CallerAccount", Known::Values(vec![account.into()]))
        .with("aws:PrincipalIsAWSService", Known::Values(vec!["false".into()]))
        .with("aws:PrincipalServiceName", Known::Absent)
        .with("aws:SourceAccount", Known::Absent)
        .with("aws:SourceArn", Known::Absent)
        .with("aws:SourceOrgID", Known::Absent)
        .with("aws:SecureTransport", Known::Values(vec!["true".into()]))
    }

    /// A request of an AWS service in its own name, such as `cloudtrail.amazonaws.com`. It belongs to no organization, so
    /// `aws:PrincipalOrgID` never matches it.
    #[must_use]
    pub fn of_service(service: &str, action: &str, resource: Text) -> Request {
        Request {
            principal: service.to_owned(),
            account: String::new(),
            is_service: true,
            is_unsigned: false,
            action: action.to_owned(),
            resource,
            context: BTreeMap::new(),
        }
        .with("aws:PrincipalArn", Known::Absent)
        .with("aws:PrincipalAccount", Known::Absent)
        .with("aws:PrincipalOrgID", Known::Absent)
        .with("aws:PrincipalOrgPaths", Known::Absent)
        .with("aws:PrincipalIsAWSService", Known::Values(vec!["true".into()]))
        .with("aws:PrincipalServiceName", Known::Values(vec![service.into()]))
        .with("aws:SecureTransport", Known::Values(vec!["true".into()]))
    }

    /// A request without a signature: every key that follows from who asks is absent, `aws:PrincipalIsAWSService` among them (IAM
    /// guide, global condition keys).
    #[must_use]
    pub fn unsigned(action: &str, resource: Text) -> Request {
        let request = Request { is_unsigned: true, ..Request::of("", "", action, resource) };
        ABSENT_WITHOUT_SIGNATURE
            .iter()
            .fold(request, |request, key| request.with(key, Known::Absent))
            .with_value("aws:PrincipalType", "Anonymous")
            .with_value("aws:userid", "anonymous")
    }

    /// The same request with a condition key known to be so.
    #[must_use]
    pub fn with(mut self, key: &str, known: Known) -> Request {
        self.context.insert(key.to_ascii_lowercase(), known);
        self
    }

    /// The same request with a condition key of one value.
    #[must_use]
    pub fn with_value(self, key: &str, value: impl Into<Text>) -> Request {
        self.with(key, Known::Values(vec![value.into()]))
    }

    /// What is known of a condition key, given in lower case.
    #[must_use]
    pub fn known(&self, key: &str) -> &Known {
        let of_nobody = self.is_unsigned && key.starts_with("aws:principaltag/");
        self.context.get(key).unwrap_or(if of_nobody { &Known::Absent } else { &Known::Unknown })
    }
}

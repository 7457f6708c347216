//! What the answer to a request must be, from the request itself: the service models of botocore and S3's API reference.

use std::collections::BTreeMap;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::elements::{self, Element};
use super::{Unusable, xml};

/// What the successful answer to a request must be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// XML with this root element and these members.
    Xml { root: String, members: &'static [&'static str], each: &'static [Element] },
    /// XML or JSON of an operation that is not listed here: not empty, and complete.
    Something,
    /// A JSON object with these members, and with what each element of its list holds.
    Json(&'static [&'static str], Option<&'static Element>),
    /// A JSON document that is the answer itself.
    JsonDocument,
    /// Nothing is known of it: it is no answer of the AWS APIs, it has no body, or it is the answer to a change. What was changed is read
    /// back, and a change must not be repeated for the form of its answer.
    Anything,
}

/// S3's reads, told by the query parameter that names the subresource or the operation. An element that is listed is one that S3 never
/// leaves out: a configuration without rules does not exist.
const S3: [(&str, &str, &[&str]); 10] = [
    ("encryption", "ServerSideEncryptionConfiguration", &["Rule", "ApplyServerSideEncryptionByDefault"]),
    ("x-id=ListBuckets", "ListAllMyBucketsResult", &["Buckets"]),
    ("x-id=ListDirectoryBuckets", "ListAllMyDirectoryBucketsResult", &["Buckets"]),
    ("policyStatus", "PolicyStatus", &["IsPublic"]),
    ("website", "WebsiteConfiguration", &[]),
    ("acl", "AccessControlPolicy", &["Owner", "AccessControlList"]),
    ("ownershipControls", "OwnershipControls", &["Rule"]),
    ("publicAccessBlock", "PublicAccessBlockConfiguration", &[]),
    ("replication", "ReplicationConfiguration", &["Role", "Rule"]),
    ("tagging", "Tagging", &["TagSet"]),
];

/// The members of the JSON services' answers without which an answer would be read as "there is none".
const JSON: [(&str, &[&str]); 24] = [
    ("AWSOrganizationsV20161128.DescribeOrganization", &["Organization"]),
    ("AWSOrganizationsV20161128.DescribePolicy", &["Policy"]),
    ("AWSOrganizationsV20161128.ListAccounts", &["Accounts"]),
    ("AWSOrganizationsV20161128.ListAccountsForParent", &["Accounts"]),
    ("AWSOrganizationsV20161128.ListOrganizationalUnitsForParent", &["OrganizationalUnits"]),
    ("AWSOrganizationsV20161128.ListPolicies", &["Policies"]),
    ("AWSOrganizationsV20161128.ListPoliciesForTarget", &["Policies"]),
    ("AWSOrganizationsV20161128.ListRoots", &["Roots"]),
    ("AWSOrganizationsV20161128.ListTagsForResource", &["Tags"]),
    ("AWSOrganizationsV20161128.ListTargetsForPolicy", &["Targets"]),
    ("AmazonSSM.DescribeAutomationExecutions", &["AutomationExecutionMetadataList"]),
    ("AmazonSSM.DescribeDocument", &["Document"]),
    ("AmazonSSM.GetAutomationExecution", &["AutomationExecution"]),
    ("AmazonSSM.GetDocument", &["Content"]),
    ("TrentService.DescribeKey", &["KeyMetadata"]),
    ("TrentService.GetKeyPolicy", &["Policy"]),
    ("TrentService.ListAliases", &["Aliases"]),
    ("TrentService.ListKeys", &["Keys"]),
    ("TrentService.ListResourceTags", &["Tags"]),
    ("CloudTrail_20131101.LookupEvents", &["Events"]),
    ("StarlingDoveService.DescribeConfigRules", &["ConfigRules"]),
    ("StarlingDoveService.DescribeRemediationConfigurations", &["RemediationConfigurations"]),
    ("StarlingDoveService.DescribeRemediationExceptions", &["RemediationExceptions"]),
    ("StarlingDoveService.GetComplianceDetailsByConfigRule", &["EvaluationResults"]),
];

/// The members of the query services' answers that IAM and STS never leave out.
const QUERY: [(&str, &[&str]); 5] = [
    ("GetCallerIdentity", &["GetCallerIdentityResult", "Arn"]),
    ("AssumeRole", &["AssumeRoleResult", "Credentials"]),
    ("GetAccountAuthorizationDetails", &["GetAccountAuthorizationDetailsResult", "IsTruncated"]),
    ("ListRolePolicies", &["ListRolePoliciesResult", "IsTruncated"]),
    ("ListAttachedRolePolicies", &["ListAttachedRolePoliciesResult", "IsTruncated"]),
];

impl Expected {
    /// By the request: JSON services name the operation in a header, query services in the form, REST services by method and path.
    pub(super) fn of(request: &HttpRequest) -> Expected {
        let headers = request.headers();
        if let Some(target) = headers.get("x-amz-target") {
            return json(target);
        }
        if headers.get("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
            let form = request.body().bytes().and_then(|body| std::str::from_utf8(body).ok()).unwrap_or_default();
            let action = form.split('&').find_map(|field| field.strip_prefix("Action="));
            return action.map_or(Expected::Anything, query);
        }
        let scope = headers.get("authorization").unwrap_or_default();
        let is_s3 = scope.contains("/s3/aws4_request") || scope.contains("/s3express/aws4_request");
        if !is_s3 || request.method() != "GET" {
            return Expected::Anything;
        }
        let (before, query) = request.uri().split_once('?').unwrap_or((request.uri(), ""));
        match headers.get("x-amz-account-id") {
            Some(_) => s3_control(before),
            None => s3(query),
        }
    }

    /// Checks the body of a successful answer.
    pub(super) fn check(&self, body: &[u8]) -> Result<(), Unusable> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return match self {
                Expected::Anything => Ok(()),
                _ => Err(Unusable::Empty),
            };
        }
        match self {
            Expected::Anything => Ok(()),
            Expected::Xml { root, members, each } => {
                let document = xml::complete(body, each)?;
                if document.root != root {
                    return Err(Unusable::OtherRoot { found: document.root.to_owned(), wanted: root.clone() });
                }
                lacking(members, |member| document.members.contains(member))
            }
            Expected::Something if body.trim_ascii_start().starts_with(b"<") => xml::complete(body, &[]).map(drop),
            Expected::Something | Expected::JsonDocument => parsed::<IgnoredAny>(body).map(drop),
            Expected::Json(members, None) => {
                let found: BTreeMap<String, Option<IgnoredAny>> = parsed(body)?;
                lacking(members, |member| found.get(member).is_some_and(Option::is_some))
            }
            Expected::Json(members, Some(each)) => {
                let found: BTreeMap<String, Value> = parsed(body)?;
                lacking(members, |member| found.get(member).is_some_and(|value| !value.is_null()))?;
                found.get(each.name()).map_or(Ok(()), |value| elements::check_json(each, value))
            }
        }
    }
}

/// Checks the body of an error answer (400 to 499) to a signed request. Its code may say that nothing is configured, or that a bucket is
/// gone, so it counts only where it is whole. Servers and proxies in between write other formats, and their 5xx mean nothing.
pub(super) fn check_error(request: &Answered, body: &[u8]) -> Result<(), Unusable> {
    if !request.is_signed || request.is_head {
        return Ok(());
    }
    match body.trim_ascii_start().first() {
        // S3 sends a body with every error but those to HEAD. The other services name the code in a header as well.
        None if request.is_s3 => Err(Unusable::Empty),
        None => Ok(()),
        Some(b'{') => parsed::<IgnoredAny>(body).map(drop),
        Some(b'<') => match xml::complete(body, &[])?.root {
            root if root.eq_ignore_ascii_case("html") => {
                Err(Unusable::OtherRoot { found: root.to_owned(), wanted: "Error".to_owned() })
            }
            _ => Ok(()),
        },
        Some(_) if request.is_s3 => Err(Unusable::Malformed("it is not XML".to_owned())),
        Some(_) => Ok(()),
    }
}

/// The properties of a request that decide which error responses are valid.
pub(super) struct Answered {
    is_signed: bool,
    is_head: bool,
    is_s3: bool,
}

impl Answered {
    pub(super) fn of(request: &HttpRequest) -> Answered {
        let scope = request.headers().get("authorization").unwrap_or_default();
        Answered {
            is_signed: scope.contains("/aws4_request"),
            is_head: request.method() == "HEAD",
            is_s3: scope.contains("/s3/aws4_request") || scope.contains("/s3express/aws4_request"),
        }
    }
}

fn lacking(members: &[&'static str], holds: impl Fn(&str) -> bool) -> Result<(), Unusable> {
    match members.iter().find(|member| !holds(member)) {
        Some(member) => Err(Unusable::Lacks(member)),
        None => Ok(()),
    }
}

fn parsed<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T, Unusable> {
    serde_json::from_slice(body).map_err(|error| match error.is_eof() {
        true => Unusable::CutOff("its JSON does not end".to_owned()),
        false => Unusable::Malformed(error.to_string()),
    })
}

fn json(target: &str) -> Expected {
    // CloudTrail's model has the long form of the target.
    let target = target.strip_prefix("com.amazonaws.cloudtrail.v20131101.").unwrap_or(target);
    if let Some((_, members)) = JSON.iter().find(|(known, _)| *known == target) {
        let operation = target.rsplit('.').next().unwrap_or_default();
        return Expected::Json(members, elements::of_operation(operation));
    }
    let operation = target.rsplit('.').next().unwrap_or_default();
    let reads = ["Describe", "Get", "List", "Lookup", "Generate"].iter().any(|verb| operation.starts_with(verb));
    if reads { Expected::Json(&[], None) } else { Expected::Anything }
}

/// Each answer of a query service is an element that is named for the action.
fn query(action: &str) -> Expected {
    if !["Get", "List", "Describe", "Assume"].iter().any(|verb| action.starts_with(verb)) {
        return Expected::Anything;
    }
    let members = QUERY.iter().find(|(known, _)| *known == action).map_or(&[][..], |(_, members)| members);
    Expected::Xml { root: format!("{action}Response"), members, each: elements::QUERY }
}

fn s3(query: &str) -> Expected {
    let names = |wanted: &str| query.split('&').any(|field| field == wanted || field.split('=').next() == Some(wanted));
    if names("policy") {
        return Expected::JsonDocument;
    }
    match S3.iter().find(|(parameter, ..)| names(parameter)) {
        Some((_, root, members)) => Expected::Xml { root: (*root).to_owned(), members, each: elements::REST_XML },
        None => Expected::Something,
    }
}

fn s3_control(path: &str) -> Expected {
    let is = |end: &str| path.trim_end_matches('/').ends_with(end);
    let (root, members): (&str, &[&str]) = match () {
        () if is("/v20180820/accesspoint") => ("ListAccessPointsResult", &["AccessPointList"]),
        () if is("/policy") => ("GetAccessPointPolicyResult", &["Policy"]),
        () if is("/configuration/publicAccessBlock") => ("PublicAccessBlockConfiguration", &[]),
        () => return Expected::Something,
    };
    Expected::Xml { root: root.to_owned(), members, each: elements::REST_XML }
}

//! What each element of a list holds in every answer of AWS, by the service models of botocore and what the services send. Without it the
//! element would be left out of the list, or read as one without a name.

use serde_json::Value;

use super::Unusable;

/// An element, and the members that it never lacks. A member with `?` may be empty; of several with `|` one is enough. No members: the element
/// itself is not empty.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Element {
    parent: &'static str,
    name: &'static str,
    members: &'static [&'static str],
}

/// A member that was found.
pub(super) struct Found<'a> {
    pub(super) name: &'a str,
    pub(super) filled: bool,
}

const fn each(parent: &'static str, name: &'static str, members: &'static [&'static str]) -> Element {
    Element { parent, name, members }
}

impl Element {
    pub(super) fn is_of(&self, parent: &str, name: &str) -> bool {
        (self.parent, self.name) == (parent, name)
    }

    /// The member of a JSON answer that holds it, or a list of them.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Checks one element by what was found in it.
    pub(super) fn check(&self, filled: bool, found: &[Found<'_>]) -> Result<(), Unusable> {
        let holds = |member: &str| {
            let (name, may_be_empty) = member.strip_suffix('?').map_or((member, false), |name| (name, true));
            found.iter().any(|found| found.name == name && (found.filled || may_be_empty))
        };
        if self.members.is_empty() && !filled {
            return Err(Unusable::EmptyElement(self.title()));
        }
        match self.members.iter().find(|member| !member.split('|').any(holds)) {
            Some(member) => {
                let member = member.trim_end_matches('?').replace('|', " or ");
                Err(Unusable::ElementLacks { element: self.title(), member })
            }
            None => Ok(()),
        }
    }

    /// What a person calls it: query services call the elements of every list `member`.
    fn title(&self) -> &'static str {
        if self.name == "member" { self.parent } else { self.name }
    }
}

/// S3 and S3 Control.
pub(super) const REST_XML: &[Element] = &[
    each("Buckets", "Bucket", &["Name"]),
    each("Rule", "ApplyServerSideEncryptionByDefault", &["SSEAlgorithm"]),
    each("BlockedEncryptionTypes", "EncryptionType", &[]),
    each("AccessControlPolicy", "Owner", &["ID"]),
    each("AccessControlList", "Grant", &["Grantee", "Permission"]),
    each("Grant", "Grantee", &["ID|URI|EmailAddress"]),
    each("OwnershipControls", "Rule", &["ObjectOwnership"]),
    each("ReplicationConfiguration", "Rule", &["Status", "Destination"]),
    each("Rule", "Destination", &["Bucket"]),
    each("TagSet", "Tag", &["Key", "Value?"]),
    each("AccessPointList", "AccessPoint", &["Name", "NetworkOrigin"]),
];

/// STS and IAM.
pub(super) const QUERY: &[Element] = &[
    each("AssumeRoleResult", "Credentials", &["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"]),
    each("UserDetailList", "member", &["UserName", "UserId", "Arn"]),
    each("GroupDetailList", "member", &["GroupName", "Arn"]),
    each("RoleDetailList", "member", &["RoleName", "RoleId", "Arn", "AssumeRolePolicyDocument"]),
    each("UserPolicyList", "member", &["PolicyName", "PolicyDocument"]),
    each("GroupPolicyList", "member", &["PolicyName", "PolicyDocument"]),
    each("RolePolicyList", "member", &["PolicyName", "PolicyDocument"]),
    each("AttachedManagedPolicies", "member", &["PolicyArn"]),
    each("AttachedPolicies", "member", &["PolicyArn"]),
    each("GroupList", "member", &[]),
    each("PolicyNames", "member", &[]),
    each("Policies", "member", &["Arn"]),
    each("PolicyVersionList", "member", &["VersionId"]),
];

/// The JSON services, by the target's operation (the parent) and the member that holds an object or a list of them.
const JSON: &[Element] = &[
    each("DescribeOrganization", "Organization", &["Id", "MasterAccountId"]),
    each("DescribePolicy", "Policy", &["Content"]),
    each("ListAccounts", "Accounts", &["Id"]),
    each("ListAccountsForParent", "Accounts", &["Id"]),
    each("ListOrganizationalUnitsForParent", "OrganizationalUnits", &["Id"]),
    each("ListPolicies", "Policies", &["Id"]),
    each("ListPoliciesForTarget", "Policies", &["Id"]),
    each("ListRoots", "Roots", &["Id"]),
    each("ListTagsForResource", "Tags", &["Key", "Value?"]),
    each("ListTargetsForPolicy", "Targets", &["TargetId"]),
    each(
        "DescribeAutomationExecutions",
        "AutomationExecutionMetadataList",
        &["AutomationExecutionId", "AutomationExecutionStatus"],
    ),
    each("GetAutomationExecution", "AutomationExecution", &["AutomationExecutionStatus"]),
    each("DescribeKey", "KeyMetadata", &["KeyId"]),
    each("ListAliases", "Aliases", &["AliasName"]),
    each("ListKeys", "Keys", &["KeyId"]),
    each("ListResourceTags", "Tags", &["TagKey", "TagValue?"]),
    each("LookupEvents", "Events", &["EventTime", "CloudTrailEvent"]),
    each("DescribeConfigRules", "ConfigRules", &["ConfigRuleName"]),
    each("DescribeRemediationConfigurations", "RemediationConfigurations", &["ConfigRuleName", "TargetId"]),
    each("DescribeRemediationExceptions", "RemediationExceptions", &["ConfigRuleName", "ResourceId"]),
];

/// The rule for an operation of a JSON service, if it has one.
pub(super) fn of_operation(operation: &str) -> Option<&'static Element> {
    JSON.iter().find(|element| element.parent == operation)
}

/// Checks an object, or each one in a list.
pub(super) fn check_json(rule: &Element, value: &Value) -> Result<(), Unusable> {
    match value {
        Value::Array(elements) => elements.iter().try_for_each(|element| check_object(rule, element)),
        one => check_object(rule, one),
    }
}

fn check_object(rule: &Element, value: &Value) -> Result<(), Unusable> {
    let members = value.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let found: Vec<Found<'_>> = members
        .map(|(name, value)| Found { name, filled: value.as_str().is_none_or(|text| !text.trim().is_empty()) })
        .collect();
    // It is named for the member that holds it.
    rule.check(true, &found)
}

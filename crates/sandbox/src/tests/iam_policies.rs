//! Inline and managed policies as IAM's API keeps them, and what it refuses.

use percent_encoding::percent_decode_str;

use super::iam::{all, one};
use super::{SMALL, start};

const ALPHA: &str = "111111111111";
const READS: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}"#;
const MINE: &str = "arn:aws:iam::111111111111:policy/team/mine";

/// A policy of so many characters, white space aside.
fn sized(characters: usize) -> String {
    let (head, tail) = (READS.replace("\"*\"}]}", "[\"arn:aws:s3:::"), "\"]}]}");
    format!("{head}{}{tail} \n\t", "x".repeat(characters - head.len() - tail.len()))
}

#[tokio::test]
async fn inline_policies_are_put_shown_and_limited() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let role = ("RoleName", "orgseal-automation");
    let call = async |action: &str, fields: &[(&str, &str)]| {
        let fields: Vec<_> = std::iter::once(&role).chain(fields).copied().collect();
        sandbox.iam_do(&keys, action, &fields).await
    };
    assert_eq!(all(&call("ListRolePolicies", &[]).await.unwrap(), "member"), ["orgseal-automation"]);
    let own = call("GetRolePolicy", &[("PolicyName", "orgseal-automation")]).await.unwrap();
    assert!(one(&own, "PolicyDocument").contains("PutEncryptionConfiguration"), "{own}");
    call("PutRolePolicy", &[("PolicyName", "more"), ("PolicyDocument", READS)]).await.unwrap();
    let page = call("ListRolePolicies", &[("MaxItems", "1")]).await.unwrap();
    assert_eq!((all(&page, "member"), one(&page, "IsTruncated")), (vec!["more".to_string()], "true".into()));
    let rest = call("ListRolePolicies", &[("Marker", &one(&page, "Marker"))]).await.unwrap();
    assert_eq!(all(&rest, "member"), ["orgseal-automation"]);
    for (document, words) in [
        ("nonsense", "MalformedPolicyDocument: This policy contains invalid Json"),
        (&READS.replace("Allow", "Maybe"), "Syntax errors in policy."),
        (
            &READS.replace("\"Resource\":\"*\"", "\"Principal\":\"*\",\"Resource\":\"*\""),
            "Policy document should not specify a principal.",
        ),
        (&READS.replace(",\"Resource\":\"*\"", ""), "Policy statement must contain resources."),
        (&READS.replace("\"Action\":\"s3:Get*\",", ""), "Policy statement must contain actions."),
        (&READS.replace("s3:Get*", "Get"), "Actions/Conditions must be prefaced by a vendor"),
        (&READS.replace("\"*\"", "\"bucket\""), "Resource bucket must be in ARN format or &quot;*&quot;."),
        (&sized(10_241), "LimitExceeded: Maximum policy size of 10240 bytes exceeded for role orgseal-automation"),
    ] {
        let error = call("PutRolePolicy", &[("PolicyName", "wrong"), ("PolicyDocument", document)]).await.unwrap_err();
        assert!(error.contains(words), "{document}: {error}");
    }
    call("DeleteRolePolicy", &[("PolicyName", "more")]).await.unwrap();
    call("DeleteRolePolicy", &[("PolicyName", "orgseal-automation")]).await.unwrap();
    call("PutRolePolicy", &[("PolicyName", "all"), ("PolicyDocument", &sized(10_240))]).await.unwrap();
    let one_more = [("PolicyName", "one-more"), ("PolicyDocument", READS)];
    assert!(call("PutRolePolicy", &one_more).await.unwrap_err().starts_with("LimitExceeded"), "all of them together");
    for action in ["GetRolePolicy", "DeleteRolePolicy"] {
        let error = call(action, &[("PolicyName", "more")]).await.unwrap_err();
        assert_eq!(error, "NoSuchEntity: The role policy with name more cannot be found.");
    }
}

#[tokio::test]
async fn a_managed_policy_has_five_versions_at_most_and_one_in_force() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let call = async |action: &str, fields: &[(&str, &str)]| sandbox.iam_do(&keys, action, fields).await;
    let create = [("PolicyName", "mine"), ("Path", "/team/"), ("PolicyDocument", READS), ("Description", "reads")];
    let made = call("CreatePolicy", &create).await.unwrap();
    assert_eq!((one(&made, "Arn"), one(&made, "DefaultVersionId")), (MINE.into(), "v1".into()));
    let again = call("CreatePolicy", &[("PolicyName", "MINE"), ("PolicyDocument", READS)]).await.unwrap_err();
    assert_eq!(again, "EntityAlreadyExists: A policy called MINE already exists. Duplicate names are not allowed.");
    let version = |text: &str| READS.replace("s3:Get*", text);
    let arn = ("PolicyArn", MINE);
    call("CreatePolicyVersion", &[arn, ("PolicyDocument", &version("s3:List*"))]).await.unwrap();
    let second =
        call("CreatePolicyVersion", &[arn, ("PolicyDocument", &version("kms:*")), ("SetAsDefault", "true")]).await;
    assert_eq!(one(&second.unwrap(), "VersionId"), "v3");
    let shown = call("GetPolicy", &[arn]).await.unwrap();
    assert_eq!((one(&shown, "DefaultVersionId"), one(&shown, "Description")), ("v3".into(), "reads".into()));
    let text = call("GetPolicyVersion", &[arn, ("VersionId", "v2")]).await.unwrap();
    assert_eq!(percent_decode_str(&one(&text, "Document")).decode_utf8_lossy(), version("s3:List*"));
    assert_eq!(one(&text, "IsDefaultVersion"), "false");
    for _ in 0..2 {
        call("CreatePolicyVersion", &[arn, ("PolicyDocument", READS)]).await.unwrap();
    }
    let sixth = call("CreatePolicyVersion", &[arn, ("PolicyDocument", READS)]).await.unwrap_err();
    assert!(sixth.starts_with("LimitExceeded: A managed policy can have up to 5 versions."), "{sixth}");
    let page = call("ListPolicyVersions", &[arn, ("MaxItems", "3")]).await.unwrap();
    assert_eq!(all(&page, "VersionId"), ["v5", "v4", "v3"]);
    assert!(!page.contains("Document>"));
    let rest = call("ListPolicyVersions", &[arn, ("Marker", &one(&page, "Marker"))]).await.unwrap();
    assert_eq!(all(&rest, "VersionId"), ["v2", "v1"]);
    let conflict = call("DeletePolicyVersion", &[arn, ("VersionId", "v3")]).await.unwrap_err();
    assert_eq!(conflict, "DeleteConflict: Cannot delete the default version of a policy.");
    call("SetDefaultPolicyVersion", &[arn, ("VersionId", "v1")]).await.unwrap();
    call("DeletePolicyVersion", &[arn, ("VersionId", "v5")]).await.unwrap();
    let next = call("CreatePolicyVersion", &[arn, ("PolicyDocument", READS)]).await.unwrap();
    assert_eq!(one(&next, "VersionId"), "v6", "a number is not used again");
    let several = call("DeletePolicy", &[arn]).await.unwrap_err();
    assert!(several.starts_with("DeleteConflict: This policy has more than one version."), "{several}");
    for id in ["v2", "v3", "v4", "v6"] {
        call("DeletePolicyVersion", &[arn, ("VersionId", id)]).await.unwrap();
    }
    for (id, words) in [("v9", "NoSuchEntity: Policy"), ("9", "ValidationError"), ("v0", "ValidationError")] {
        let error = call("GetPolicyVersion", &[arn, ("VersionId", id)]).await.unwrap_err();
        assert!(error.starts_with(words), "{id}: {error}");
    }
    call("DeletePolicy", &[arn]).await.unwrap();
    for action in ["GetPolicy", "DeletePolicy", "ListPolicyVersions"] {
        let error = call(action, &[arn]).await.unwrap_err();
        assert_eq!(error, format!("NoSuchEntity: Policy {MINE} was not found."), "{action}");
    }
}

#[tokio::test]
async fn managed_policies_are_attached_counted_and_not_deleted_while_in_use() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let call = async |action: &str, fields: &[(&str, &str)]| sandbox.iam_do(&keys, action, fields).await;
    let create = [("PolicyName", "mine"), ("Path", "/team/"), ("PolicyDocument", READS)];
    call("CreatePolicy", &create).await.unwrap();
    let (role, arn) = (("RoleName", "orgseal-member"), ("PolicyArn", MINE));
    call("AttachRolePolicy", &[role, arn]).await.unwrap();
    call("AttachRolePolicy", &[role, arn]).await.unwrap();
    call("PutRolePermissionsBoundary", &[role, ("PermissionsBoundary", MINE)]).await.unwrap();
    let attached = call("ListAttachedRolePolicies", &[role, ("PathPrefix", "/team/")]).await.unwrap();
    assert_eq!(
        (all(&attached, "PolicyName"), all(&attached, "PolicyArn")),
        (vec!["mine".to_string()], vec![MINE.to_string()])
    );
    assert!(
        all(&call("ListAttachedRolePolicies", &[role, ("PathPrefix", "/other/")]).await.unwrap(), "member").is_empty()
    );
    let counts = |xml: &str| (one(xml, "AttachmentCount"), one(xml, "PermissionsBoundaryUsageCount"));
    assert_eq!(counts(&call("GetPolicy", &[arn]).await.unwrap()), ("1".into(), "1".into()));
    let listed = async |fields: &[(&str, &str)]| all(&call("ListPolicies", fields).await.unwrap(), "PolicyName");
    let own = ["AWSConfigRoleForOrganizations", "AdministratorAccess", "ReadOnlyAccess", "SecurityAudit"];
    assert_eq!(listed(&[]).await, [&own[..], &["mine"]].concat());
    assert_eq!(listed(&[("Scope", "AWS")]).await, own);
    assert_eq!(listed(&[("Scope", "AWS"), ("PathPrefix", "/service-role/")]).await, own[..1]);
    assert_eq!(listed(&[("Scope", "Local")]).await, ["mine"]);
    call("TagPolicy", &[arn, ("Tags.member.1.Key", "made"), ("Tags.member.1.Value", "later")]).await.unwrap();
    assert!(call("GetPolicy", &[arn]).await.unwrap().contains("<Key>made</Key><Value>later</Value>"));
    assert!(call("TagPolicy", &[arn]).await.is_err());
    assert_eq!(listed(&[("Scope", "AWS"), ("OnlyAttached", "true")]).await, ["AdministratorAccess"]);
    assert_eq!(listed(&[("PolicyUsageFilter", "PermissionsBoundary")]).await, ["mine"]);
    assert!(
        call("ListPolicies", &[("Scope", "Mine")]).await.unwrap_err().contains("enum value set: [All, AWS, Local]")
    );
    let in_use = "DeleteConflict: Cannot delete a policy attached to entities.";
    assert_eq!(call("DeletePolicy", &[arn]).await.unwrap_err(), in_use);
    call("DetachRolePolicy", &[role, arn]).await.unwrap();
    assert_eq!(call("DeletePolicy", &[arn]).await.unwrap_err(), in_use, "as a boundary too");
    assert_eq!(
        call("DetachRolePolicy", &[role, arn]).await.unwrap_err(),
        format!("NoSuchEntity: Policy {MINE} was not found.")
    );
    call("DeleteRolePermissionsBoundary", &[role]).await.unwrap();
    call("DeletePolicy", &[arn]).await.unwrap();
    let error = call("AttachRolePolicy", &[role, arn]).await.unwrap_err();
    assert_eq!(error, format!("NoSuchEntity: Policy {MINE} does not exist or is not attachable."));
    for nth in 0..11 {
        let name = format!("p{nth}");
        call("CreatePolicy", &[("PolicyName", &name), ("PolicyDocument", READS)]).await.unwrap();
        let arn = format!("arn:aws:iam::{ALPHA}:policy/{name}");
        let attached = call("AttachRolePolicy", &[role, ("PolicyArn", &arn)]).await;
        assert_eq!(attached.is_ok(), nth < 10, "{attached:?}");
    }
}

#[tokio::test]
async fn what_a_managed_policy_may_not_be_or_do() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let create = async |name: &str, path: &str, document: &str| {
        let fields = [("PolicyName", name), ("Path", path), ("PolicyDocument", document)];
        sandbox.iam_do(&keys, "CreatePolicy", &fields).await
    };
    create("just-fits", "/", &sized(6_144)).await.unwrap();
    for (name, path, document, words) in [
        ("a b", "/", READS, "ValidationError: The specified value for policyName is invalid."),
        ("a", "/(a)/", READS, "ValidationError: The specified value for path is invalid."),
        ("a", "/", &sized(6_145), "LimitExceeded: Cannot exceed quota for PolicySize: 6144"),
        (
            "a",
            "/",
            &READS.replace("2012-10-17", "2008-10-17"),
            "Policy document must be version 2012-10-17 or greater.",
        ),
        (
            "a",
            "/",
            &READS.replace("\"Version\":\"2012-10-17\",", ""),
            "Policy document must be version 2012-10-17 or greater.",
        ),
        ("a", "/", "[]", "MalformedPolicyDocument: Syntax errors in policy."),
    ] {
        let error = create(name, path, document).await.unwrap_err();
        assert!(error.contains(words), "{name} {path}: {error}");
    }
    let version = async |arn: &str| {
        sandbox
            .iam_do(&keys, "CreatePolicyVersion", &[("PolicyArn", arn), ("PolicyDocument", READS)])
            .await
            .unwrap_err()
    };
    let administrator = "arn:aws:iam::aws:policy/AdministratorAccess";
    assert!(version(administrator).await.starts_with("AccessDenied"), "AWS's own are nobody's to change");
    sandbox.iam_do(&keys, "GetPolicy", &[("PolicyArn", administrator)]).await.unwrap();
    let foreign = "arn:aws:iam::222222222222:policy/theirs";
    assert!(version(foreign).await.starts_with("AccessDenied"));
    let error = sandbox.iam_do(&keys, "GetPolicy", &[("PolicyArn", foreign)]).await.unwrap_err();
    assert!(error.starts_with("AccessDenied"), "{error}");
    assert!(version("arn:aws:iam::111111111111:role/mine").await.starts_with("InvalidInput"));
    assert!(version("mine").await.contains("length greater than or equal to 20"));
}

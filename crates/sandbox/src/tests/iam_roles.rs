//! Roles as IAM's API makes, changes, lists and deletes them, and what it refuses.

use super::iam::{all, one};
use super::{Keys, SMALL, start};
use crate::Sandbox;

const ALPHA: &str = "111111111111";
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ssm.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const READS: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}"#;

async fn create(sandbox: &Sandbox, keys: &Keys, name: &str, more: &[(&str, &str)]) -> Result<String, String> {
    let mut fields = vec![("RoleName", name), ("AssumeRolePolicyDocument", TRUST)];
    for (field, value) in more {
        fields.retain(|(other, _)| other != field);
        fields.push((field, value));
    }
    sandbox.iam_do(keys, "CreateRole", &fields).await
}

#[tokio::test]
async fn a_role_has_what_it_was_made_with_and_what_was_changed_since() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let call = async |action: &str, fields: &[(&str, &str)]| sandbox.iam_do(&keys, action, fields).await;
    let administrator = "arn:aws:iam::aws:policy/AdministratorAccess";
    let made = [
        ("Path", "/team/a/"),
        ("Description", "R&D's"),
        ("MaxSessionDuration", "7200"),
        ("PermissionsBoundary", administrator),
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "one"),
    ];
    let answer = create(&sandbox, &keys, "app", &made).await.unwrap();
    assert_eq!(one(&answer, "Arn"), "arn:aws:iam::111111111111:role/team/a/app");
    let role = call("GetRole", &[("RoleName", "app")]).await.unwrap();
    for (element, text) in [
        ("Path", "/team/a/"),
        ("Description", "R&amp;D&apos;s"),
        ("MaxSessionDuration", "7200"),
        ("PermissionsBoundaryArn", administrator),
        ("Key", "team"),
    ] {
        assert_eq!(one(&role, element), text, "{role}");
    }
    assert!(one(&role, "AssumeRolePolicyDocument").starts_with("%7B%22Version%22%3A%222012-10-17%22"));
    call("UpdateRole", &[("RoleName", "APP"), ("MaxSessionDuration", "43200")]).await.unwrap();
    call("DeleteRolePermissionsBoundary", &[("RoleName", "app")]).await.unwrap();
    let ec2 = TRUST.replace("ssm", "ec2");
    call("UpdateAssumeRolePolicy", &[("RoleName", "app"), ("PolicyDocument", &ec2)]).await.unwrap();
    let role = call("GetRole", &[("RoleName", "app")]).await.unwrap();
    assert_eq!(
        (one(&role, "MaxSessionDuration"), one(&role, "Description")),
        ("43200".into(), "R&amp;D&apos;s".into())
    );
    assert!(!role.contains("PermissionsBoundary") && role.contains("ec2.amazonaws.com"), "{role}");
    call("UpdateRole", &[("RoleName", "app"), ("Description", "")]).await.unwrap();
    assert!(!call("GetRole", &[("RoleName", "app")]).await.unwrap().contains("Description"));
}

#[tokio::test]
async fn roles_are_listed_in_pages_without_tags_and_boundary() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let tag = [("Path", "/x/"), ("Tags.member.1.Key", "a"), ("Tags.member.1.Value", "")];
    create(&sandbox, &keys, "zeta", &tag).await.unwrap();
    let (mut names, mut marker) = (Vec::new(), None);
    loop {
        let mut fields = vec![("MaxItems", "2")];
        fields.extend(marker.as_deref().map(|marker| ("Marker", marker)));
        let page = sandbox.iam_do(&keys, "ListRoles", &fields).await.unwrap();
        assert!(!page.contains("Tags") && !page.contains("RoleLastUsed"));
        names.extend(all(&page, "RoleName"));
        if one(&page, "IsTruncated") == "false" {
            break;
        }
        marker = Some(one(&page, "Marker"));
    }
    assert_eq!(names, ["OrganizationAccountAccessRole", "orgseal-automation", "orgseal-member", "zeta"]);
    let below = sandbox.iam_do(&keys, "ListRoles", &[("PathPrefix", "/x/")]).await.unwrap();
    assert_eq!(all(&below, "RoleName"), ["zeta"]);
    for wrong in [("Marker", "zeta"), ("MaxItems", "0"), ("MaxItems", "1001"), ("PathPrefix", "x")] {
        let error = sandbox.iam_do(&keys, "ListRoles", &[wrong]).await.unwrap_err();
        assert!(error.starts_with("ValidationError: "), "{wrong:?}: {error}");
    }
}

#[tokio::test]
async fn what_iam_refuses_of_a_role_is_refused_in_its_words() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let long = |letters: usize| "x".repeat(letters);
    let trust = |from: &str, to: &str| TRUST.replace(from, to);
    let of = |principal: &str| trust("\"Service\":\"ssm.amazonaws.com\"", &format!("\"AWS\":\"{principal}\""));
    // Beyond the limit by one letter of a condition's value; white space does not count.
    let sized = |letters: usize| {
        let head = TRUST.replace("}]}", r#","Condition":{"StringEquals":{"aws:PrincipalTag/t":""#);
        let tail = r#""}}}]}"#;
        format!("{head}{}{tail}\n\n", "x".repeat(letters - head.len() - tail.len()))
    };
    for (field, value, words) in [
        ("RoleName", "a b", "ValidationError: The specified value for roleName is invalid."),
        (
            "RoleName",
            &long(65),
            "at &apos;roleName&apos; failed to satisfy constraint: Member must have length less than or equal to 64",
        ),
        ("RoleName", "ORGSEAL-MEMBER", "EntityAlreadyExists: Role with name ORGSEAL-MEMBER already exists."),
        ("Path", "team", "ValidationError: The specified value for path is invalid."),
        ("Description", &long(1001), "ValidationError: 1 validation error detected"),
        ("MaxSessionDuration", "3599", "Member must have value greater than or equal to 3600"),
        ("MaxSessionDuration", "43201", "Member must have value less than or equal to 43200"),
        (
            "PermissionsBoundary",
            "arn:aws:iam::111111111111:policy/none",
            "NoSuchEntity: Scope ARN: arn:aws:iam::111111111111:policy/none does not exist or is not attachable.",
        ),
        (
            "PermissionsBoundary",
            "arn:aws:s3:::bucket-of-mine",
            "InvalidInput: ARN arn:aws:s3:::bucket-of-mine is not valid.",
        ),
        ("AssumeRolePolicyDocument", "{", "MalformedPolicyDocument: This policy contains invalid Json"),
        ("AssumeRolePolicyDocument", r#"{"Statement":[]}"#, "MalformedPolicyDocument: Syntax errors in policy."),
        ("AssumeRolePolicyDocument", READS, "MalformedPolicyDocument: Missing required field Principal"),
        (
            "AssumeRolePolicyDocument",
            &trust("\"Action\"", "\"Resource\":\"*\",\"Action\""),
            "Has prohibited field Resource",
        ),
        (
            "AssumeRolePolicyDocument",
            &trust("sts:AssumeRole", "s3:GetObject"),
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (
            "AssumeRolePolicyDocument",
            &trust("\"Effect\"", "\"Sid\":\"a-b\",\"Effect\""),
            "Statement IDs (SID) must be alpha-numeric.",
        ),
        (
            "AssumeRolePolicyDocument",
            &of("arn:aws:iam::222222222222:role/none"),
            "MalformedPolicyDocument: Invalid principal in policy: &quot;AWS&quot;:&quot;arn:aws:iam::222222222222:role/none&quot;",
        ),
        ("AssumeRolePolicyDocument", &sized(2049), "LimitExceeded: Cannot exceed quota for ACLSizePerRole: 2048"),
        (
            "Tags.member.1.Key",
            "a",
            "at &apos;tags.1.member.value&apos; failed to satisfy constraint: Member must not be null",
        ),
        (
            "MaxSigninSessionDuration",
            "3600",
            "ValidationError: The parameter MaxSigninSessionDuration is unknown or not modelled",
        ),
    ] {
        let error = create(&sandbox, &keys, "other", &[(field, value)]).await.unwrap_err();
        assert!(error.contains(words), "{field} {value}: {error}");
    }
    create(&sandbox, &keys, "just-fits", &[("AssumeRolePolicyDocument", &sized(2048))]).await.unwrap();
    create(
        &sandbox,
        &keys,
        "of-another",
        &[("AssumeRolePolicyDocument", &of("arn:aws:iam::222222222222:role/orgseal-member"))],
    )
    .await
    .unwrap();
    for action in [
        "GetRole",
        "UpdateRole",
        "DeleteRole",
        "ListRolePolicies",
        "ListAttachedRolePolicies",
        "ListRoleTags",
        "DeleteRolePermissionsBoundary",
    ] {
        let error = sandbox.iam_do(&keys, action, &[("RoleName", "none")]).await.unwrap_err();
        assert_eq!(error, "NoSuchEntity: The role with name none cannot be found.", "{action}");
        let error = sandbox.iam_do(&keys, action, &[]).await.unwrap_err();
        assert!(error.contains("Value null at &apos;roleName&apos;"), "{action}: {error}");
    }
}

#[tokio::test]
async fn a_role_is_deleted_when_nothing_hangs_on_it_the_spec_s_own_too() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let delete = async |name: &str| sandbox.iam_do(&keys, "DeleteRole", &[("RoleName", name)]).await;
    let inline = "DeleteConflict: Cannot delete entity, must delete policies first.";
    assert_eq!(delete("orgseal-member").await.unwrap_err(), inline);
    let policy = [("RoleName", "orgseal-member"), ("PolicyName", "orgseal-member")];
    sandbox.iam_do(&keys, "DeleteRolePolicy", &policy).await.unwrap();
    let managed = "arn:aws:iam::aws:policy/AdministratorAccess";
    let attach = [("RoleName", "orgseal-member"), ("PolicyArn", managed)];
    sandbox.iam_do(&keys, "AttachRolePolicy", &attach).await.unwrap();
    let attached = "DeleteConflict: Cannot delete entity, must detach all policies first.";
    assert_eq!(delete("orgseal-member").await.unwrap_err(), attached);
    sandbox.iam_do(&keys, "DetachRolePolicy", &attach).await.unwrap();
    delete("orgseal-member").await.unwrap();
    assert!(delete("orgseal-member").await.unwrap_err().starts_with("NoSuchEntity"));
    assert!(!sandbox.accounts().iter().find(|account| account.id == ALPHA).unwrap().member_role);
    assert!(!sandbox.details(&keys, "").await.contains("orgseal-member</RoleName>"));
    // A new one of the name is another one.
    let made = create(&sandbox, &keys, "orgseal-member", &[]).await.unwrap();
    let (id, account) = (one(&made, "RoleId"), sandbox.world.organization.find(ALPHA).unwrap());
    assert_ne!(id, sandbox.world.preset_role_id(account, "orgseal-member"));
    assert!(one(&sandbox.details(&keys, "").await, "RoleDetailList").contains(&id));
}

#[tokio::test]
async fn tags_come_and_go() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let role = ("RoleName", "orgseal-automation");
    let tag = async |tags: &[(&str, &str)]| {
        let mut fields = vec![(role.0.to_string(), role.1.to_string())];
        for (nth, (key, value)) in tags.iter().enumerate() {
            fields.push((format!("Tags.member.{}.Key", nth + 1), (*key).to_string()));
            fields.push((format!("Tags.member.{}.Value", nth + 1), (*value).to_string()));
        }
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        sandbox.iam_do(&keys, "TagRole", &fields).await
    };
    tag(&[("team", "one"), ("cost", "")]).await.unwrap();
    tag(&[("Team", "two")]).await.unwrap();
    let page = sandbox.iam_do(&keys, "ListRoleTags", &[role, ("MaxItems", "1")]).await.unwrap();
    assert_eq!((all(&page, "Key"), one(&page, "IsTruncated")), (vec!["Team".to_string()], "true".into()));
    let next = one(&page, "Marker");
    let page = sandbox.iam_do(&keys, "ListRoleTags", &[role, ("Marker", &next)]).await.unwrap();
    assert_eq!((all(&page, "Key"), one(&page, "IsTruncated")), (vec!["cost".to_string()], "false".into()));
    let untag = [role, ("TagKeys.member.1", "TEAM"), ("TagKeys.member.2", "none")];
    sandbox.iam_do(&keys, "UntagRole", &untag).await.unwrap();
    let shown = sandbox.iam_do(&keys, "GetRole", &[role]).await.unwrap();
    assert_eq!(all(&shown, "Key"), ["cost"]);
    for (tags, words) in [
        (vec![("aws:team", "x")], "InvalidInput: Tag keys that begin with aws:"),
        (vec![("a", "x"), ("A", "y")], "InvalidInput: Duplicate tag keys found."),
        (vec![("", "x")], "ValidationError"),
        (vec![("a*", "x")], "regular expression pattern"),
        (vec![], "at &apos;tags&apos; failed to satisfy constraint: Member must not be null"),
    ] {
        let error = tag(&tags).await.unwrap_err();
        assert!(error.contains(words), "{tags:?}: {error}");
    }
    let keys_of: Vec<String> = (0..51).map(|nth| format!("k{nth}")).collect();
    let many: Vec<(&str, &str)> = keys_of.iter().map(|key| (key.as_str(), "v")).collect();
    assert!(tag(&many).await.unwrap_err().contains("length less than or equal to 50"));
    assert_eq!(tag(&many[..50]).await.unwrap_err(), "LimitExceeded: Cannot exceed quota for TagsPerRole: 50");
    tag(&many[..49]).await.unwrap();
}

#[tokio::test]
async fn each_operation_is_authorized_on_its_own_resource() {
    let sandbox = start(SMALL, 0.0).await;
    let administrator = sandbox.session(ALPHA);
    create(
        &sandbox,
        &administrator,
        "one",
        &[("Path", "/team/"), ("Tags.member.1.Key", "env"), ("Tags.member.1.Value", "dev")],
    )
    .await
    .unwrap();
    create(&sandbox, &administrator, "caller", &[]).await.unwrap();
    let may = async |statement: &str| {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",{statement}}}]}}"#);
        let put = [("RoleName", "caller"), ("PolicyName", "p"), ("PolicyDocument", text.as_str())];
        sandbox.iam_do(&administrator, "PutRolePolicy", &put).await.unwrap();
    };
    let keys = sandbox.session_of(ALPHA, "caller");
    let get = async |name: &str| sandbox.iam_do(&keys, "GetRole", &[("RoleName", name)]).await;
    may(r#""Action":"iam:GetRole","Resource":"arn:aws:iam::*:role/team/*""#).await;
    get("one").await.unwrap();
    let refused = get("orgseal-member").await.unwrap_err();
    assert!(
        refused.starts_with("AccessDenied: ")
            && refused.contains("iam:GetRole on resource: arn:aws:iam::111111111111:role/orgseal-member ")
    );
    may(r#""Action":"iam:*","Resource":"*","Condition":{"StringEquals":{"iam:ResourceTag/env":"dev"}}"#).await;
    get("one").await.unwrap();
    assert!(get("orgseal-member").await.is_err());
    // Tags need a right of their own, and the keys of a request are there to be asked for.
    let tags = [("Tags.member.1.Key", "env"), ("Tags.member.1.Value", "dev")];
    may(r#""Action":"iam:CreateRole","Resource":"*""#).await;
    create(&sandbox, &keys, "two", &[]).await.unwrap();
    assert!(create(&sandbox, &keys, "three", &tags).await.unwrap_err().contains("iam:TagRole on resource"));
    may(r#""Action":["iam:CreateRole","iam:TagRole"],"Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/env":"dev"}}"#).await;
    create(&sandbox, &keys, "three", &tags).await.unwrap();
    assert!(create(&sandbox, &keys, "four", &[]).await.is_err());
    let bounded = [("PermissionsBoundary", "arn:aws:iam::aws:policy/AdministratorAccess")];
    may(r#""Action":"iam:CreateRole","Resource":"*","Condition":{"StringEquals":{"iam:PermissionsBoundary":"arn:aws:iam::aws:policy/AdministratorAccess"}}"#).await;
    assert!(create(&sandbox, &keys, "four", &[]).await.is_err());
    create(&sandbox, &keys, "four", &bounded).await.unwrap();
    may(r#""Action":"iam:AttachRolePolicy","Resource":"*","Condition":{"ArnLike":{"iam:PolicyARN":"arn:aws:iam::*:policy/mine"}}"#).await;
    let attach = [("RoleName", "one"), ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess")];
    assert!(sandbox.iam_do(&keys, "AttachRolePolicy", &attach).await.unwrap_err().starts_with("AccessDenied"));
}

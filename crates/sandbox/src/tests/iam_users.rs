//! Users as IAM's API shows them, the managed policies that are attached to them, and who uses a policy.

use super::iam::{all, one};
use super::{Keys, SMALL, spec, start};
use crate::{Options, Sandbox};

const ALPHA: &str = "111111111111";
const READ_ONLY: &str = "arn:aws:iam::aws:policy/ReadOnlyAccess";
const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const OF_CONFIG: &str = "arn:aws:iam::aws:policy/service-role/AWSConfigRoleForOrganizations";

fn policy(effect: &str, action: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}","Action":"{action}","Resource":"*"}}]}}"#)
}

/// Users of alpha: one whose rights are a managed policy, one with a boundary, one in a group.
fn with_users() -> String {
    let puts = policy("Allow", "s3:PutObject");
    let user = |name: &str, more: &str| {
        format!(
            "\n[[application]]\nname = \"{name}\"\nkind = \"user\"\naccounts = [\"alpha\"]\npolicy = '{puts}'\n{more}\n"
        )
    };
    SMALL.to_string()
        + &user("attached", "managed_policy = \"puts\"")
        + &user("bounded", &format!("boundary = '{}'", policy("Allow", "s3:*")))
        + &user("grouped", "group = \"writers\"")
}

impl Sandbox {
    async fn lists_buckets(&self, keys: &Keys) -> bool {
        self.send(keys, "us-east-1/s3", "GET", "/", &[], "").await.status == 200
    }

    async fn puts_an_object(&self, keys: &Keys) -> bool {
        self.send(keys, "us-east-1/s3", "PUT", "/alpha-one/a", &[], "text").await.status == 200
    }
}

#[tokio::test]
async fn what_is_attached_to_a_user_is_in_force_at_once() {
    let sandbox = start(&with_users(), 0.0).await;
    let keys = sandbox.session(ALPHA);
    let call = async |action: &str, fields: &[(&str, &str)]| sandbox.iam_do(&keys, action, fields).await.unwrap();
    let attached = async |user: &str| all(&call("ListAttachedUserPolicies", &[("UserName", user)]).await, "PolicyArn");
    for name in ["attached", "bounded", "grouped"] {
        let (user, own) = (("UserName", name), sandbox.keys_of(name));
        assert!(!sandbox.lists_buckets(&own).await && sandbox.puts_an_object(&own).await, "{name}");
        call("AttachUserPolicy", &[user, ("PolicyArn", READ_ONLY)]).await;
        call("AttachUserPolicy", &[user, ("PolicyArn", READ_ONLY)]).await;
        assert!(sandbox.lists_buckets(&own).await && sandbox.puts_an_object(&own).await, "{name}: beside its own");
        let count = if name == "attached" { 2 } else { 1 };
        assert_eq!(attached(name).await.len(), count, "{name}: once");
        call("DetachUserPolicy", &[user, ("PolicyArn", READ_ONLY)]).await;
        assert!(!sandbox.lists_buckets(&own).await && sandbox.puts_an_object(&own).await, "{name}");
    }
    // The boundary binds what is attached as well.
    call("AttachUserPolicy", &[("UserName", "bounded"), ("PolicyArn", ADMINISTRATOR)]).await;
    let bounded = sandbox.keys_of("bounded");
    let refused = sandbox.iam_do(&bounded, "ListUsers", &[]).await.unwrap_err();
    assert!(refused.contains("because no permissions boundary allows"), "{refused}");
    // The policy that the spec attached goes like any other, and comes back with the text it has then.
    let (puts, user, own) =
        ("arn:aws:iam::111111111111:policy/puts", ("UserName", "attached"), sandbox.keys_of("attached"));
    assert_eq!(attached("attached").await, [puts]);
    let in_use = sandbox.iam_do(&keys, "DeletePolicy", &[("PolicyArn", puts)]).await.unwrap_err();
    assert!(in_use.starts_with("DeleteConflict"), "{in_use}");
    call("DetachUserPolicy", &[user, ("PolicyArn", puts)]).await;
    assert!(!sandbox.puts_an_object(&own).await);
    let lists = policy("Allow", "s3:ListAllMyBuckets");
    let version = [("PolicyArn", puts), ("PolicyDocument", lists.as_str()), ("SetAsDefault", "true")];
    call("CreatePolicyVersion", &version).await;
    call("AttachUserPolicy", &[user, ("PolicyArn", puts)]).await;
    assert!(sandbox.lists_buckets(&own).await && !sandbox.puts_an_object(&own).await);
    call("DetachUserPolicy", &[user, ("PolicyArn", puts)]).await;
    call("DeletePolicyVersion", &[("PolicyArn", puts), ("VersionId", "v1")]).await;
    call("DeletePolicy", &[("PolicyArn", puts)]).await;
    assert!(!sandbox.lists_buckets(&own).await && !sandbox.puts_an_object(&own).await);
}

#[tokio::test]
async fn the_two_callers_are_users_like_others() {
    let sandbox = start(SMALL, 0.0).await;
    let caller = sandbox.security();
    let call = async |action: &str, fields: &[(&str, &str)]| sandbox.iam_do(&caller, action, fields).await;
    assert!(sandbox.lists_buckets(&caller).await);
    let deny = policy("Deny", "s3:ListAllMyBuckets");
    let made = call("CreatePolicy", &[("PolicyName", "denies"), ("PolicyDocument", &deny)]).await.unwrap();
    let fields = [("UserName", "orgseal"), ("PolicyArn", &one(&made, "Arn"))];
    call("AttachUserPolicy", &fields).await.unwrap();
    assert!(!sandbox.lists_buckets(&caller).await);
    let shown = sandbox.details(&caller, "&Filter.member.1=User").await;
    assert_eq!(all(&shown, "PolicyName"), ["orgseal", "orgseal-2", "denies"], "the inline ones stay");
    // A policy that is put in place of all is the only one, as it is with a role.
    sandbox.set_caller_policy(&policy("Allow", "*")).unwrap();
    assert!(sandbox.lists_buckets(&caller).await);
    assert_eq!(call("DetachUserPolicy", &fields).await.unwrap_err().split(':').next(), Some("NoSuchEntity"));

    let admin = sandbox.admin();
    let itself = [("UserName", "admin"), ("PolicyArn", ADMINISTRATOR)];
    let shown = sandbox.iam_do(&admin, "ListAttachedUserPolicies", &itself[..1]).await.unwrap();
    assert_eq!(all(&shown, "PolicyArn"), [ADMINISTRATOR]);
    sandbox.iam_do(&admin, "DetachUserPolicy", &itself).await.unwrap();
    let locked_out = sandbox.iam_do(&admin, "AttachUserPolicy", &itself).await.unwrap_err();
    assert!(locked_out.contains("because no identity-based policy allows the iam:AttachUserPolicy"), "{locked_out}");
}

#[tokio::test]
async fn users_are_shown_one_by_one_and_in_pages() {
    let sandbox = start(&with_users(), 0.0).await;
    let keys = sandbox.session(ALPHA);
    let call = async |action: &str, fields: &[(&str, &str)]| sandbox.iam_do(&keys, action, fields).await;
    let page = call("ListUsers", &[("MaxItems", "2")]).await.unwrap();
    assert_eq!((all(&page, "UserName").len(), one(&page, "IsTruncated")), (2, "true".into()));
    assert!(!page.contains("PermissionsBoundary"), "a list leaves it out");
    let rest = call("ListUsers", &[("Marker", &one(&page, "Marker"))]).await.unwrap();
    assert_eq!((all(&rest, "UserName"), one(&rest, "IsTruncated")), (vec!["grouped".into()], "false".into()));
    assert!(all(&call("ListUsers", &[("PathPrefix", "/team/")]).await.unwrap(), "UserName").is_empty());
    let shown = call("GetUser", &[("UserName", "BOUNDED")]).await.unwrap();
    assert_eq!(one(&shown, "Arn"), "arn:aws:iam::111111111111:user/bounded");
    assert_eq!(one(&shown, "PermissionsBoundaryArn"), "arn:aws:iam::111111111111:policy/bounded-boundary");
    assert_eq!(one(&shown, "UserId"), all(&page, "UserId")[1]);
    let own = sandbox.iam_do(&sandbox.security(), "GetUser", &[]).await.unwrap();
    assert_eq!(one(&own, "UserName"), "orgseal");
    let session = call("GetUser", &[]).await.unwrap_err();
    assert_eq!(session, "ValidationError: Must specify userName when calling with non-User credentials");
}

#[tokio::test]
async fn what_is_refused() {
    let sandbox = start(&with_users(), 0.0).await;
    let keys = sandbox.session(ALPHA);
    let call = async |action: &str, fields: &[(&str, &str)]| sandbox.iam_do(&keys, action, fields).await;
    let (user, missing) = (("UserName", "grouped"), ("PolicyArn", "arn:aws:iam::111111111111:policy/missing"));
    for (action, fields, words) in [
        ("GetUser", vec![("UserName", "none")], "NoSuchEntity: The user with name none cannot be found."),
        ("ListAttachedUserPolicies", vec![("UserName", "none")], "NoSuchEntity: The user with name none"),
        ("AttachUserPolicy", vec![("UserName", "none"), ("PolicyArn", READ_ONLY)], "NoSuchEntity: The user with name"),
        ("AttachUserPolicy", vec![user, missing], "policy/missing does not exist or is not attachable."),
        (
            "AttachUserPolicy",
            vec![user, ("PolicyArn", "arn:aws:iam::aws:policy/AWSConfigRoleForOrganizations")],
            "NoSuchEntity: Policy arn:aws:iam::aws:policy/AWSConfigRoleForOrganizations does not exist",
        ),
        (
            "DetachUserPolicy",
            vec![user, missing],
            "NoSuchEntity: Policy arn:aws:iam::111111111111:policy/missing was not",
        ),
        ("DetachUserPolicy", vec![user, ("PolicyArn", "arn:aws:iam::111111111111:role/mine")], "InvalidInput: ARN "),
        ("AttachUserPolicy", vec![user], "Value null at &apos;policyArn&apos;"),
        ("AttachUserPolicy", vec![("PolicyArn", READ_ONLY)], "Value null at &apos;userName&apos;"),
        ("GetUser", vec![("UserName", "a b")], "The specified value for userName is invalid."),
        ("ListEntitiesForPolicy", vec![missing], "policy/missing was not found."),
        (
            "ListEntitiesForPolicy",
            vec![("PolicyArn", READ_ONLY), ("EntityFilter", "Robot")],
            "enum value set: [User, Role, Group, LocalManagedPolicy, AWSManagedPolicy]",
        ),
        ("ListUsers", vec![("UserName", "x")], "The parameter UserName is unknown"),
    ] {
        let error = call(action, &fields).await.unwrap_err();
        assert!(error.contains(words), "{action} {fields:?}: {error}");
    }
    for nth in 0..11 {
        let name = format!("p{nth}");
        call("CreatePolicy", &[("PolicyName", &name), ("PolicyDocument", &policy("Allow", "s3:*"))]).await.unwrap();
        let attached =
            call("AttachUserPolicy", &[user, ("PolicyArn", &format!("arn:aws:iam::{ALPHA}:policy/{name}"))]).await;
        match nth {
            10 => assert_eq!(attached, Err("LimitExceeded: Cannot exceed quota for PoliciesPerUser: 10".into())),
            _ => drop(attached.unwrap()),
        }
    }
}

#[tokio::test]
async fn each_operation_is_authorized_on_its_user_or_policy() {
    let sandbox = start(&with_users(), 0.0).await;
    let (administrator, keys) = (sandbox.session(ALPHA), sandbox.session_of(ALPHA, "orgseal-automation"));
    let may = async |statement: &str| {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",{statement}}}]}}"#);
        let put = [("RoleName", "orgseal-automation"), ("PolicyName", "p"), ("PolicyDocument", text.as_str())];
        sandbox.iam_do(&administrator, "PutRolePolicy", &put).await.unwrap();
    };
    let call = async |action: &str, fields: &[(&str, &str)]| sandbox.iam_do(&keys, action, fields).await;
    let (one, other) = (("UserName", "bounded"), ("UserName", "Grouped"));
    may(r#""Action":"iam:*","Resource":"arn:aws:iam::111111111111:user/bounded""#).await;
    call("GetUser", &[one]).await.unwrap();
    for (action, on) in [("GetUser", "user/grouped "), ("ListUsers", "user/ ")] {
        let fields = if action == "GetUser" { &[other][..] } else { &[] };
        let refused = call(action, fields).await.unwrap_err();
        assert!(refused.contains(&format!("iam:{action} on resource: arn:aws:iam::{ALPHA}:{on}")), "{refused}");
    }
    let on_policy = call("ListEntitiesForPolicy", &[("PolicyArn", READ_ONLY)]).await.unwrap_err();
    assert!(on_policy.contains(&format!("iam:ListEntitiesForPolicy on resource: {READ_ONLY} ")), "{on_policy}");
    may(r#""Action":"iam:*","Resource":"*","Condition":{"ArnEquals":{"iam:PolicyARN":"arn:aws:iam::aws:policy/ReadOnlyAccess"}}"#).await;
    call("AttachUserPolicy", &[other, ("PolicyArn", READ_ONLY)]).await.unwrap();
    assert!(
        call("AttachUserPolicy", &[other, ("PolicyArn", ADMINISTRATOR)]).await.unwrap_err().contains("AccessDenied")
    );
    may(r#""Action":"iam:*","Resource":"*","Condition":{"StringLike":{"iam:PermissionsBoundary":"*/bounded-boundary"}}"#).await;
    call("AttachUserPolicy", &[one, ("PolicyArn", ADMINISTRATOR)]).await.unwrap();
    assert!(call("DetachUserPolicy", &[other, ("PolicyArn", READ_ONLY)]).await.unwrap_err().contains("AccessDenied"));
}

#[tokio::test]
async fn who_uses_a_policy_is_listed_and_counted() {
    let sandbox = start(&with_users(), 0.0).await;
    let keys = sandbox.session(ALPHA);
    let call = async |action: &str, fields: &[(&str, &str)]| sandbox.iam_do(&keys, action, fields).await.unwrap();
    let arn = ("PolicyArn", OF_CONFIG);
    let entities = async |more: &[(&str, &str)]| {
        let fields: Vec<_> = std::iter::once(&arn).chain(more).copied().collect();
        let xml = call("ListEntitiesForPolicy", &fields).await;
        (all(&xml, "UserName"), all(&xml, "RoleName"))
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_string()).collect::<Vec<_>>();
    assert_eq!(entities(&[]).await, (vec![], vec![]));
    for user in ["grouped", "bounded"] {
        call("AttachUserPolicy", &[("UserName", user), arn]).await;
    }
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"config.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    call("CreateRole", &[("RoleName", "aggregates"), ("Path", "/team/"), ("AssumeRolePolicyDocument", trust)]).await;
    call("AttachRolePolicy", &[("RoleName", "aggregates"), arn]).await;
    call("PutRolePermissionsBoundary", &[("RoleName", "orgseal-member"), ("PermissionsBoundary", OF_CONFIG)]).await;
    let users = names(&["bounded", "grouped"]);
    assert_eq!(entities(&[]).await, (users.clone(), names(&["aggregates", "orgseal-member"])));
    assert_eq!(entities(&[("EntityFilter", "User")]).await, (users.clone(), vec![]));
    assert_eq!(entities(&[("EntityFilter", "Group")]).await, (vec![], vec![]));
    assert_eq!(entities(&[("PathPrefix", "/team/")]).await, (vec![], names(&["aggregates"])));
    let as_policy = entities(&[("PolicyUsageFilter", "PermissionsPolicy")]).await;
    assert_eq!(as_policy, (users, names(&["aggregates"])));
    let as_boundary = entities(&[("PolicyUsageFilter", "PermissionsBoundary")]).await;
    assert_eq!(as_boundary, (vec![], names(&["orgseal-member"])));
    let page = call("ListEntitiesForPolicy", &[arn, ("MaxItems", "3")]).await;
    assert_eq!((all(&page, "RoleName").len(), all(&page, "UserName")), (2, names(&["bounded"])));
    let rest = call("ListEntitiesForPolicy", &[arn, ("Marker", &one(&page, "Marker"))]).await;
    assert_eq!((all(&rest, "RoleName").len(), all(&rest, "UserName")), (0, names(&["grouped"])));
    assert_eq!(one(&rest, "IsTruncated"), "false");
    let policy = call("GetPolicy", &[arn]).await;
    assert_eq!(
        (one(&policy, "AttachmentCount"), one(&policy, "PermissionsBoundaryUsageCount")),
        ("3".into(), "1".into())
    );
    let shown = sandbox.details(&keys, "&Filter.member.1=AWSManagedPolicy").await;
    assert_eq!(
        all(&shown, "PolicyName"),
        ["AWSConfigRoleForOrganizations", "AdministratorAccess"],
        "what is used alone"
    );
    assert_eq!(all(&shown, "DefaultVersionId"), ["v2", "v1"]);
    call("GetPolicyVersion", &[arn, ("VersionId", "v2")]).await;
}

#[tokio::test]
async fn what_is_attached_outlives_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let open = async || {
        let options = Options { directory: Some(directory.path().into()), speed: 0.0, port: 0 };
        Sandbox::start(spec(&with_users()), options).await.unwrap()
    };
    let sandbox = open().await;
    let keys = sandbox.session(ALPHA);
    let call = async |action: &str, fields: &[(&str, &str)]| sandbox.iam_do(&keys, action, fields).await.unwrap();
    call("AttachUserPolicy", &[("UserName", "grouped"), ("PolicyArn", READ_ONLY)]).await;
    let puts = ("PolicyArn", "arn:aws:iam::111111111111:policy/puts");
    call("DetachUserPolicy", &[("UserName", "attached"), puts]).await;
    let (before, dump) = (sandbox.details(&keys, "&Filter.member.1=User").await, sandbox.dump());
    assert_eq!(dump.iam[&format!("{ALPHA}/user/grouped")]["attached"][0], READ_ONLY);
    sandbox.stop();

    let again = open().await;
    assert_eq!(again.dump(), dump);
    let lists = |xml: &str| xml.split_once("<ResponseMetadata>").unwrap().0.to_string();
    assert_eq!(lists(&again.details(&again.session(ALPHA), "&Filter.member.1=User").await), lists(&before));
    assert!(again.lists_buckets(&again.keys_of("grouped")).await);
    assert!(!again.puts_an_object(&again.keys_of("attached")).await);
}

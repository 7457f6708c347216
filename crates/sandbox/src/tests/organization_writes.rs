//! What the management account changes: control policies and where they are attached, policy types, trusted services,
//! delegated administrators, tags. What is attached binds at once, and all of it outlives the process.

use serde_json::{Value, json};

use super::{Keys, SMALL, spec, start};
use crate::{Options, Sandbox};

const ALPHA: &str = "111111111111";
const BETA: &str = "222222222222";
const SCPS: &str = "SERVICE_CONTROL_POLICY";
const RCPS: &str = "RESOURCE_CONTROL_POLICY";
const DENY: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:ListAllMyBuckets","Resource":"*"}}"#;
const ALLOW: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}}"#;
const RCP: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:GetEncryptionConfiguration","Resource":"*"}}"#;

impl Sandbox {
    fn manager(&self) -> Keys {
        Keys { access_key: self.management_credentials().0, token: None }
    }

    async fn manage(&self, operation: &str, input: Value) -> Result<Value, String> {
        self.organizations(&self.manager(), operation, input).await
    }

    /// The id of a new policy.
    async fn made_control(&self, name: &str, of_type: &str, content: &str) -> String {
        let input = json!({ "Name": name, "Description": "", "Type": of_type, "Content": content });
        let made = self.manage("CreatePolicy", input).await.unwrap();
        assert_eq!(
            (&made["Policy"]["Content"], &made["Policy"]["PolicySummary"]["Name"]),
            (&json!(content), &json!(name))
        );
        made["Policy"]["PolicySummary"]["Id"].as_str().unwrap().to_string()
    }

    async fn lists(&self, account: &str) -> u16 {
        self.send(&self.session(account), "us-east-1/s3", "GET", "/", &[], "").await.status
    }

    async fn encryption_of_alpha(&self) -> u16 {
        self.send(&self.session(ALPHA), "us-east-1/s3", "GET", "/alpha-one?encryption", &[], "").await.status
    }
}

fn on(policy: &str, target: &str) -> Value {
    json!({ "PolicyId": policy, "TargetId": target })
}

#[tokio::test]
async fn what_is_attached_binds_at_once_and_what_is_detached_no_longer() {
    let sandbox = start(SMALL, 0.0).await;
    let root = sandbox.world.organization.root.clone();
    let deny = sandbox.made_control("deny", SCPS, DENY).await;
    assert_eq!(sandbox.lists(ALPHA).await, 200);
    sandbox.manage("AttachPolicy", on(&deny, ALPHA)).await.unwrap();
    assert_eq!((sandbox.lists(ALPHA).await, sandbox.lists(BETA).await), (403, 200));
    assert_eq!(sandbox.attached(ALPHA, SCPS).await, ["FullAWSAccess", "deny"]);
    sandbox.manage("AttachPolicy", on(&deny, &root)).await.unwrap();
    assert_eq!(sandbox.lists(BETA).await, 403);
    let targets = sandbox.manage("ListTargetsForPolicy", json!({ "PolicyId": deny })).await.unwrap();
    assert_eq!(targets["Targets"][1]["Type"], "ACCOUNT");
    assert_eq!((&targets["Targets"][0]["TargetId"], &targets["Targets"][0]["Name"]), (&json!(root), &json!("Root")));
    // A new content is in force as well.
    let other = DENY.replace("ListAllMyBuckets", "DeleteBucket");
    let input = json!({ "PolicyId": deny, "Content": other, "Name": "renamed", "Description": "new" });
    let updated = sandbox.manage("UpdatePolicy", input).await.unwrap();
    assert_eq!(
        (&updated["Policy"]["Content"], &updated["Policy"]["PolicySummary"]["Name"]),
        (&json!(other), &json!("renamed"))
    );
    assert_eq!((sandbox.lists(ALPHA).await, sandbox.lists(BETA).await), (200, 200));
    assert_eq!(sandbox.manage("DeletePolicy", json!({ "PolicyId": deny })).await.unwrap_err(), "PolicyInUseException");
    for target in [&root, ALPHA] {
        sandbox.manage("DetachPolicy", on(&deny, target)).await.unwrap();
    }
    sandbox.manage("DeletePolicy", json!({ "PolicyId": deny })).await.unwrap();
    let gone = sandbox.manage("DescribePolicy", json!({ "PolicyId": deny })).await.unwrap_err();
    assert_eq!(gone, "PolicyNotFoundException");

    let rcp = sandbox.made_control("guard", RCPS, RCP).await;
    sandbox.manage("AttachPolicy", on(&rcp, ALPHA)).await.unwrap();
    assert_eq!(sandbox.encryption_of_alpha().await, 403);
    sandbox.manage("DetachPolicy", on(&rcp, ALPHA)).await.unwrap();
    assert_eq!(sandbox.encryption_of_alpha().await, 200);
}

#[tokio::test]
async fn an_allow_list_takes_the_place_of_full_access() {
    let sandbox = start(SMALL, 0.0).await;
    let full = "p-FullAWSAccess";
    let too_few = "ConstraintViolationException";
    assert_eq!(sandbox.manage("DetachPolicy", on(full, ALPHA)).await.unwrap_err(), too_few);
    let list = sandbox.made_control("list", SCPS, ALLOW).await;
    sandbox.manage("AttachPolicy", on(&list, ALPHA)).await.unwrap();
    sandbox.manage("DetachPolicy", on(full, ALPHA)).await.unwrap();
    assert_eq!(sandbox.attached(ALPHA, SCPS).await, ["list"]);
    assert_eq!((sandbox.lists(ALPHA).await, sandbox.encryption_of_alpha().await), (403, 200));
    assert_eq!(sandbox.manage("DetachPolicy", on(&list, ALPHA)).await.unwrap_err(), too_few);
    assert_eq!(sandbox.manage("DetachPolicy", on(full, ALPHA)).await.unwrap_err(), "PolicyNotAttachedException");
    sandbox.manage("AttachPolicy", on(full, ALPHA)).await.unwrap();
    let again = sandbox.manage("AttachPolicy", on(full, ALPHA)).await.unwrap_err();
    assert_eq!(again, "DuplicatePolicyAttachmentException");
    sandbox.manage("DetachPolicy", on(&list, ALPHA)).await.unwrap();
    assert_eq!((sandbox.attached(ALPHA, SCPS).await, sandbox.lists(ALPHA).await), (vec!["FullAWSAccess".into()], 200));
    let refused = sandbox.manage("DetachPolicy", on("p-RCPFullAWSAccess", ALPHA)).await.unwrap_err();
    assert_eq!(refused, "InvalidInputException");
}

#[tokio::test]
async fn a_spec_policy_is_a_policy_like_another() {
    let text =
        format!("\n[[scp]]\nname = \"list\"\ntargets = [\"alpha\"]\nkeeps_full_access = false\ndocument = '{ALLOW}'\n");
    let sandbox = start(&(SMALL.to_string() + &text), 0.0).await;
    let listed = sandbox.manage("ListPolicies", json!({ "Filter": SCPS })).await.unwrap();
    let id = listed["Policies"][1]["Id"].as_str().unwrap().to_string();
    let deny = sandbox.made_control("deny", SCPS, DENY).await;
    sandbox.manage("AttachPolicy", on(&deny, ALPHA)).await.unwrap();
    assert_eq!(sandbox.attached(ALPHA, SCPS).await, ["list", "deny"], "full access does not come back");
    sandbox.manage("DetachPolicy", on(&id, ALPHA)).await.unwrap();
    assert_eq!(sandbox.attached(ALPHA, SCPS).await, ["deny"], "nor now");
    assert_eq!(sandbox.encryption_of_alpha().await, 403, "nothing allows anything");
}

#[tokio::test]
async fn what_organizations_refuses() {
    let sandbox = start(SMALL, 0.0).await;
    let deny = sandbox.made_control("deny", SCPS, DENY).await;
    let create = |name: &str, of_type: &str, content: &str| json!({ "Name": name, "Description": "", "Type": of_type, "Content": content });
    let padded = |length: usize| format!("{DENY}{}", " ".repeat(length - DENY.len()));
    sandbox.made_control("as large as can be", SCPS, &padded(5120)).await;
    sandbox.manage("AttachPolicy", on(&deny, ALPHA)).await.unwrap();
    let principal = DENY.replace(r#""Action""#, r#""Principal":"*","Action""#);
    for (operation, input, code) in [
        ("CreatePolicy", create("x", SCPS, "{"), "MalformedPolicyDocumentException"),
        ("CreatePolicy", create("x", SCPS, &principal), "MalformedPolicyDocumentException"),
        ("CreatePolicy", create("x", RCPS, DENY), "MalformedPolicyDocumentException"),
        ("CreatePolicy", create("x", RCPS, &RCP.replace("Deny", "Allow")), "MalformedPolicyDocumentException"),
        (
            "CreatePolicy",
            create("x", RCPS, &RCP.replace("s3:GetEncryptionConfiguration", "*")),
            "MalformedPolicyDocumentException",
        ),
        ("CreatePolicy", create("x", SCPS, &padded(5121)), "ConstraintViolationException"),
        ("CreatePolicy", create("deny", SCPS, DENY), "DuplicatePolicyException"),
        ("CreatePolicy", create("FullAWSAccess", SCPS, DENY), "DuplicatePolicyException"),
        ("CreatePolicy", create("x", "TAG_POLICY", DENY), "PolicyTypeNotAvailableForOrganizationException"),
        ("CreatePolicy", create("x", "NO_POLICY", DENY), "InvalidInputException"),
        ("CreatePolicy", create("", SCPS, DENY), "InvalidInputException"),
        ("CreatePolicy", create(&"x".repeat(129), SCPS, DENY), "InvalidInputException"),
        ("CreatePolicy", json!({ "Name": "x", "Type": SCPS, "Content": DENY }), "ValidationException"),
        ("UpdatePolicy", json!({ "PolicyId": deny, "Content": "{}" }), "MalformedPolicyDocumentException"),
        ("UpdatePolicy", json!({ "PolicyId": deny, "Name": "as large as can be" }), "DuplicatePolicyException"),
        ("UpdatePolicy", json!({ "PolicyId": "p-FullAWSAccess", "Name": "x" }), "InvalidInputException"),
        ("UpdatePolicy", json!({ "PolicyId": "p-notthere0" }), "PolicyNotFoundException"),
        ("DeletePolicy", json!({ "PolicyId": "p-FullAWSAccess" }), "InvalidInputException"),
        ("DeletePolicy", json!({ "PolicyId": "p-notthere0" }), "PolicyNotFoundException"),
        ("AttachPolicy", on(&deny, ALPHA), "DuplicatePolicyAttachmentException"),
        ("AttachPolicy", on(&deny, "999999999999"), "TargetNotFoundException"),
        ("AttachPolicy", on(&deny, "alpha"), "InvalidInputException"),
        ("AttachPolicy", on("p-notthere0", ALPHA), "PolicyNotFoundException"),
        ("DetachPolicy", on(&deny, BETA), "PolicyNotAttachedException"),
        ("ListTargetsForPolicy", json!({ "PolicyId": "p-notthere0" }), "PolicyNotFoundException"),
        ("ListPolicies", json!({ "Filter": "NO_POLICY" }), "InvalidInputException"),
    ] {
        assert_eq!(sandbox.manage(operation, input.clone()).await.unwrap_err(), code, "{operation} {input:.300}");
    }
    for nth in 0..3 {
        let id = sandbox.made_control(&format!("n{nth}"), SCPS, DENY).await;
        sandbox.manage("AttachPolicy", on(&id, ALPHA)).await.unwrap();
    }
    let one_more = sandbox.made_control("one more", SCPS, DENY).await;
    let refused = sandbox.manage("AttachPolicy", on(&one_more, ALPHA)).await.unwrap_err();
    assert_eq!(refused, "ConstraintViolationException", "five, FullAWSAccess among them");
    // Members write nothing, not even a delegated administrator.
    for (operation, input) in [
        ("CreatePolicy", create("x", SCPS, DENY)),
        ("AttachPolicy", on(&one_more, BETA)),
        ("DisablePolicyType", json!({ "RootId": sandbox.world.organization.root, "PolicyType": SCPS })),
        ("TagResource", json!({ "ResourceId": deny, "Tags": [{ "Key": "a", "Value": "b" }] })),
    ] {
        let keys = sandbox.session(sandbox.security_account());
        let refused = sandbox.organizations(&keys, operation, input).await.unwrap_err();
        assert_eq!(refused, "AccessDeniedException", "{operation}");
    }
    let keys = sandbox.session(sandbox.security_account());
    sandbox.organizations(&keys, "ListPolicies", json!({ "Filter": SCPS })).await.unwrap();
}

#[tokio::test]
async fn a_policy_type_that_is_disabled_loses_its_attachments() {
    let sandbox = start(SMALL, 0.0).await;
    let root = sandbox.world.organization.root.clone();
    let of = |kind: &str| json!({ "RootId": root, "PolicyType": kind });
    let deny = sandbox.made_control("deny", SCPS, DENY).await;
    sandbox.manage("AttachPolicy", on(&deny, ALPHA)).await.unwrap();
    let disabled = sandbox.manage("DisablePolicyType", of(SCPS)).await.unwrap();
    assert_eq!(disabled["Root"]["PolicyTypes"], json!([{ "Type": RCPS, "Status": "ENABLED" }]));
    let roots = sandbox.manage("ListRoots", json!({})).await.unwrap();
    assert_eq!(roots["Roots"][0], disabled["Root"]);
    assert_eq!(sandbox.lists(ALPHA).await, 200);
    assert!(sandbox.attached(ALPHA, SCPS).await.is_empty());
    assert_eq!(sandbox.manage("AttachPolicy", on(&deny, ALPHA)).await.unwrap_err(), "PolicyTypeNotEnabledException");
    for (operation, input, code) in [
        ("DisablePolicyType", of(SCPS), "PolicyTypeNotEnabledException"),
        ("DisablePolicyType", of("TAG_POLICY"), "PolicyTypeNotEnabledException"),
        ("EnablePolicyType", of(RCPS), "PolicyTypeAlreadyEnabledException"),
        ("EnablePolicyType", of("TAG_POLICY"), "PolicyTypeNotAvailableForOrganizationException"),
        ("EnablePolicyType", of("NO_POLICY"), "InvalidInputException"),
        ("EnablePolicyType", json!({ "RootId": "r-none", "PolicyType": SCPS }), "RootNotFoundException"),
        ("EnablePolicyType", json!({ "RootId": "none", "PolicyType": SCPS }), "InvalidInputException"),
    ] {
        assert_eq!(sandbox.manage(operation, input.clone()).await.unwrap_err(), code, "{operation} {input}");
    }
    sandbox.manage("EnablePolicyType", of(SCPS)).await.unwrap();
    assert_eq!(sandbox.attached(ALPHA, SCPS).await, ["FullAWSAccess"]);
    assert_eq!(sandbox.lists(ALPHA).await, 200);
}

#[tokio::test]
async fn trusted_services_and_delegated_administrators() {
    let sandbox = start(SMALL, 0.0).await;
    let service = "guardduty.amazonaws.com";
    let delegate = |account: &str, service: &str| json!({ "AccountId": account, "ServicePrincipal": service });
    let all = sandbox.manage("ListDelegatedAdministrators", json!({})).await.unwrap();
    assert_eq!(all["DelegatedAdministrators"].as_array().unwrap().len(), 1);
    assert_eq!(all["DelegatedAdministrators"][0]["Id"], sandbox.security_account());
    let register = "RegisterDelegatedAdministrator";
    for (input, code) in [
        (delegate(ALPHA, service), "ConstraintViolationException"),
        (delegate(sandbox.management_account(), "config.amazonaws.com"), "ConstraintViolationException"),
        (delegate("999999999999", "config.amazonaws.com"), "AccountNotFoundException"),
        (delegate("alpha", "config.amazonaws.com"), "InvalidInputException"),
        (delegate(ALPHA, "config"), "InvalidInputException"),
        (delegate(sandbox.security_account(), "config.amazonaws.com"), "AccountAlreadyRegisteredException"),
    ] {
        assert_eq!(sandbox.manage(register, input.clone()).await.unwrap_err(), code, "{input}");
    }
    sandbox.manage("EnableAWSServiceAccess", json!({ "ServicePrincipal": service })).await.unwrap();
    sandbox.manage("EnableAWSServiceAccess", json!({ "ServicePrincipal": service })).await.unwrap();
    let trusted = sandbox.manage("ListAWSServiceAccessForOrganization", json!({})).await.unwrap();
    let trusted = trusted["EnabledServicePrincipals"].as_array().unwrap().clone();
    assert_eq!(trusted.iter().filter(|one| one["ServicePrincipal"] == service).count(), 1);
    let member = sandbox.session(ALPHA);
    let read = async || sandbox.organizations(&member, "ListAccounts", json!({})).await;
    assert_eq!(read().await.unwrap_err(), "AccessDeniedException");
    sandbox.manage(register, delegate(ALPHA, service)).await.unwrap();
    read().await.unwrap();
    let of = sandbox.manage("ListDelegatedAdministrators", json!({ "ServicePrincipal": service })).await.unwrap();
    assert_eq!(of["DelegatedAdministrators"][0]["Id"], ALPHA);
    let services =
        async |account: &str| sandbox.manage("ListDelegatedServicesForAccount", json!({ "AccountId": account })).await;
    let delegated = services(ALPHA).await.unwrap()["DelegatedServices"].clone();
    assert_eq!((delegated.as_array().unwrap().len(), &delegated[0]["ServicePrincipal"]), (1, &json!(service)));
    assert_eq!(services(sandbox.management_account()).await.unwrap_err(), "AccountNotRegisteredException");
    let disable = json!({ "ServicePrincipal": service });
    let refused = sandbox.manage("DisableAWSServiceAccess", disable.clone()).await.unwrap_err();
    assert_eq!(refused, "ConstraintViolationException");
    sandbox.manage("DeregisterDelegatedAdministrator", delegate(ALPHA, service)).await.unwrap();
    let refused = sandbox.manage("DeregisterDelegatedAdministrator", delegate(ALPHA, service)).await.unwrap_err();
    assert_eq!(refused, "AccountNotRegisteredException");
    sandbox.manage("DisableAWSServiceAccess", disable).await.unwrap();
    assert_eq!(read().await.unwrap_err(), "AccessDeniedException");
    let suspended = SMALL.replace("suspended = 0", "suspended = 1").replace("accounts = 4", "accounts = 6");
    let sandbox = start(&suspended, 0.0).await;
    let closed = sandbox.accounts().into_iter().find(|account| account.state == "SUSPENDED").unwrap().id;
    let refused = sandbox.manage(register, delegate(&closed, "config.amazonaws.com")).await.unwrap_err();
    assert_eq!(refused, "ConstraintViolationException");
}

#[tokio::test]
async fn tags_of_policies_and_accounts() {
    let sandbox = start(SMALL, 0.0).await;
    let mut input = json!({ "Name": "x", "Description": "", "Type": SCPS, "Content": DENY });
    input["Tags"] = json!([{ "Key": "a", "Value": "1" }]);
    let made = sandbox.manage("CreatePolicy", input).await.unwrap();
    let id = made["Policy"]["PolicySummary"]["Id"].as_str().unwrap().to_string();
    let tag = |id: &str, key: &str| json!({ "ResourceId": id, "Tags": [{ "Key": key, "Value": "2" }] });
    let tags = async |id: &str| {
        let answer = sandbox.manage("ListTagsForResource", json!({ "ResourceId": id })).await.unwrap();
        answer["Tags"].as_array().unwrap().iter().map(|t| t["Key"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    sandbox.manage("TagResource", tag(&id, "b")).await.unwrap();
    assert_eq!(tags(&id).await, ["a", "b"]);
    sandbox.manage("UntagResource", json!({ "ResourceId": id, "TagKeys": ["a"] })).await.unwrap();
    assert_eq!(tags(&id).await, ["b"]);
    let before = tags(ALPHA).await;
    sandbox.manage("TagResource", tag(ALPHA, "new")).await.unwrap();
    assert_eq!(tags(ALPHA).await.len(), before.len() + 1);
    let many: Vec<Value> = (0..50).map(|nth| json!({ "Key": format!("n{nth}"), "Value": "" })).collect();
    for (input, code) in [
        (tag("p-notthere0", "a"), "TargetNotFoundException"),
        (tag("p-FullAWSAccess", "a"), "InvalidInputException"),
        (tag(&id, "aws:a"), "InvalidInputException"),
        (tag(&id, "a*"), "InvalidInputException"),
        (tag(&id, ""), "InvalidInputException"),
        (
            json!({ "ResourceId": id, "Tags": [{ "Key": "a", "Value": "" }, { "Key": "a", "Value": "" }] }),
            "InvalidInputException",
        ),
        (json!({ "ResourceId": id, "Tags": many }), "ConstraintViolationException"),
        (json!({ "ResourceId": id }), "ValidationException"),
    ] {
        assert_eq!(sandbox.manage("TagResource", input.clone()).await.unwrap_err(), code, "{input:.200}");
    }
}

#[tokio::test]
async fn all_of_it_outlives_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("{SMALL}\n[[scp]]\nname = \"spec\"\ntargets = [\"beta\"]\ndocument = '{DENY}'\n");
    let open = async || {
        let options = Options { directory: Some(directory.path().into()), speed: 0.0, port: 0 };
        Sandbox::start(spec(&text), options).await.unwrap()
    };
    let sandbox = open().await;
    let root = sandbox.world.organization.root.clone();
    let of_spec = sandbox.manage("ListPolicies", json!({ "Filter": SCPS })).await.unwrap()["Policies"][1]["Id"].clone();
    sandbox.manage("DetachPolicy", on(of_spec.as_str().unwrap(), BETA)).await.unwrap();
    let list = sandbox.made_control("list", SCPS, ALLOW).await;
    sandbox.manage("AttachPolicy", on(&list, ALPHA)).await.unwrap();
    sandbox.manage("DetachPolicy", on("p-FullAWSAccess", ALPHA)).await.unwrap();
    let gone = sandbox.made_control("gone", SCPS, DENY).await;
    sandbox.manage("DeletePolicy", json!({ "PolicyId": gone })).await.unwrap();
    sandbox.manage("DisablePolicyType", json!({ "RootId": root, "PolicyType": RCPS })).await.unwrap();
    sandbox.manage("TagResource", json!({ "ResourceId": list, "Tags": [{ "Key": "a", "Value": "b" }] })).await.unwrap();
    sandbox.manage("EnableAWSServiceAccess", json!({ "ServicePrincipal": "ram.amazonaws.com" })).await.unwrap();
    let delegate = json!({ "AccountId": ALPHA, "ServicePrincipal": "ram.amazonaws.com" });
    sandbox.manage("RegisterDelegatedAdministrator", delegate).await.unwrap();
    sandbox.stop();

    let again = open().await;
    assert_eq!((again.lists(ALPHA).await, again.lists(BETA).await, again.encryption_of_alpha().await), (403, 200, 200));
    assert_eq!(again.attached(ALPHA, SCPS).await, ["list"]);
    let policies = again.manage("ListPolicies", json!({ "Filter": SCPS })).await.unwrap();
    assert_eq!(policies["Policies"].as_array().unwrap().len(), 3);
    assert_eq!(
        again.manage("ListRoots", json!({})).await.unwrap()["Roots"][0]["PolicyTypes"].as_array().unwrap().len(),
        1
    );
    let tags = again.manage("ListTagsForResource", json!({ "ResourceId": list })).await.unwrap();
    assert_eq!(tags["Tags"][0]["Key"], "a");
    let of =
        again.manage("ListDelegatedAdministrators", json!({ "ServicePrincipal": "ram.amazonaws.com" })).await.unwrap();
    assert_eq!(of["DelegatedAdministrators"][0]["Id"], ALPHA);
}

//! Service-managed stack sets: who may have them, where they go, what becomes of failures, and that they outlive the process.

use serde_json::json;

use super::cloudformation::{ALPHA, HERE, NAP, role, template};
use super::iam::{all, one};
use super::{Keys, SMALL, spec, start};
use crate::{Options, Sandbox};

const BETA: &str = "222222222222";

/// A role with the external ID of a parameter.
fn roles() -> String {
    json!({
        "Parameters": { "Id": { "Type": "String", "NoEcho": true } },
        "Resources": { "Member": { "Type": "AWS::IAM::Role", "Properties": {
            "RoleName": "made-by-set",
            "AssumeRolePolicyDocument": { "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "AWS": { "Ref": "AWS::AccountId" } },
                "Condition": { "StringEquals": { "sts:ExternalId": { "Ref": "Id" } } } }] } } } },
    })
    .to_string()
}

fn document() -> String {
    template(json!({ "Nap": { "Type": "AWS::SSM::Document", "Properties": {
        "Name": "Nap", "DocumentType": "Automation", "UpdateMethod": "NewVersion", "Content": NAP } } }))
}

const MANAGED: [(&str, &str); 3] = [
    ("PermissionModel", "SERVICE_MANAGED"),
    ("AutoDeployment.Enabled", "true"),
    ("AutoDeployment.RetainStacksOnAccountRemoval", "false"),
];
const UNIT: &str = "DeploymentTargets.OrganizationalUnitIds.member.1";
const REGION: (&str, &str) = ("Regions.member.1", HERE);

impl Sandbox {
    async fn set(&self, name: &str, body: &str, more: &[(&str, &str)]) -> Result<String, String> {
        let named = ("Capabilities.member.1", "CAPABILITY_NAMED_IAM");
        let fields = [&[("StackSetName", name), ("TemplateBody", body), named][..], &MANAGED, more].concat();
        self.cfn(&self.admin(), "CreateStackSet", &fields).await
    }

    /// An operation on the root in one Region; its status and its results.
    async fn on_root(&self, keys: &Keys, action: &str, name: &str, more: &[(&str, &str)]) -> (String, String) {
        let root = self.world.organization.root.clone();
        let fields = [&[("StackSetName", name), (UNIT, &*root), REGION][..], more].concat();
        let id = one(&self.cfn(keys, action, &fields).await.unwrap(), "OperationId");
        self.operation(keys, name, &id).await
    }

    async fn operation(&self, keys: &Keys, name: &str, id: &str) -> (String, String) {
        let fields = [("StackSetName", name), ("OperationId", id)];
        let shown = self.cfn(keys, "DescribeStackSetOperation", &fields).await.unwrap();
        let results = self.cfn(keys, "ListStackSetOperationResults", &fields).await.unwrap();
        (one(&shown, "Status"), results)
    }

    async fn instances(&self, name: &str) -> String {
        self.cfn(&self.admin(), "ListStackInstances", &[("StackSetName", name)]).await.unwrap()
    }
}

#[tokio::test]
async fn a_set_goes_to_every_member_and_never_into_the_management_account() {
    let sandbox = start(SMALL, 0.0).await;
    let admin = sandbox.admin();
    let id = [("Parameters.member.1.ParameterKey", "Id"), ("Parameters.member.1.ParameterValue", "hush")];
    let set = one(&sandbox.set("roles", &roles(), &id).await.unwrap(), "StackSetId");
    assert!(set.starts_with("roles:"), "{set}");
    let (status, results) = sandbox.on_root(&admin, "CreateStackInstances", "roles", &[]).await;
    assert_eq!(status, "SUCCEEDED", "{results}");
    let mut accounts = all(&results, "Account");
    accounts.sort();
    let mut members = vec![ALPHA.to_string(), BETA.into(), sandbox.security_account().into()];
    members.sort();
    assert_eq!((accounts, all(&results, "Status")[0].as_str()), (members.clone(), "SUCCEEDED"));
    for member in &members {
        assert!(sandbox.has_role(member, "made-by-set"), "{member}");
    }
    assert!(!sandbox.has_role(sandbox.management_account(), "made-by-set"));
    let shown = sandbox.cfn(&admin, "DescribeStackSet", &[("StackSetName", &set)]).await.unwrap();
    assert!(!shown.contains("hush") && shown.contains("****"), "{shown}");
    assert_eq!(one(&shown, "PermissionModel"), "SERVICE_MANAGED");
    assert!(one(&shown, "OrganizationalUnitIds").contains(&sandbox.world.organization.root));
    // Each instance is a stack of its own, made by the role that StackSets has in the account.
    let instance = [("StackSetName", "roles"), ("StackInstanceAccount", ALPHA), ("StackInstanceRegion", HERE)];
    let instance = sandbox.cfn(&admin, "DescribeStackInstance", &instance).await.unwrap();
    assert_eq!((one(&instance, "Status"), one(&instance, "DetailedStatus")), ("CURRENT".into(), "SUCCEEDED".into()));
    let stack = one(&instance, "StackId");
    assert!(stack.starts_with("arn:aws:cloudformation:us-east-1:111111111111:stack/StackSet-roles-"), "{stack}");
    assert_eq!(sandbox.stack_status(&sandbox.session(ALPHA), &stack).await.0, "CREATE_COMPLETE");
    let at = sandbox.world.organization.find(ALPHA).unwrap();
    assert!(sandbox.world.role_records(at).iter().any(|role| role.name.starts_with("stacksets-exec-")));

    // A control policy binds that role too.
    let refused = sandbox.cfn(&admin, "DeleteStackSet", &[("StackSetName", "roles")]).await.unwrap_err();
    assert!(refused.starts_with("StackSetNotEmptyException: "), "{refused}");
    let retain = [("RetainStacks", "false")];
    let (status, _) = sandbox.on_root(&admin, "DeleteStackInstances", "roles", &retain).await;
    assert_eq!(status, "SUCCEEDED");
    assert!(!sandbox.has_role(ALPHA, "made-by-set"));
    assert!(all(&sandbox.instances("roles").await, "Account").is_empty());
    sandbox.cfn(&admin, "DeleteStackSet", &[("StackSetName", "roles")]).await.unwrap();
    let gone = sandbox.cfn(&admin, "DescribeStackSet", &[("StackSetName", "roles")]).await.unwrap_err();
    assert_eq!(gone, "StackSetNotFoundException: StackSet roles not found");
    let deleted = sandbox.cfn(&admin, "ListStackSets", &[("Status", "DELETED")]).await.unwrap();
    assert_eq!(all(&deleted, "StackSetName"), ["roles"]);
}

#[tokio::test]
async fn targets_are_units_and_what_refines_them() {
    let text = SMALL.replacen("id = \"222222222222\"", "id = \"222222222222\"\nstate = \"SUSPENDED\"", 1);
    let sandbox = start(&text, 0.0).await;
    let admin = sandbox.admin();
    sandbox.set("nap", &document(), &[]).await.unwrap();
    let organization = &sandbox.world.organization;
    let (status, results) = sandbox.on_root(&admin, "CreateStackInstances", "nap", &[]).await;
    assert_eq!(status, "SUCCEEDED");
    assert!(!all(&results, "Account").contains(&BETA.to_string()), "suspended");
    let list = sandbox.instances("nap").await;
    let beta = all(&list, "member").into_iter().find(|one| one.contains(BETA)).unwrap();
    assert_eq!(one(&beta, "DetailedStatus"), "SKIPPED_SUSPENDED_ACCOUNT");
    sandbox.on_root(&admin, "DeleteStackInstances", "nap", &[("RetainStacks", "false")]).await;
    assert!(all(&sandbox.instances("nap").await, "Account").is_empty(), "it never had a stack there");

    let accounts = ("DeploymentTargets.Accounts.member.1", ALPHA);
    let filter = |word: &'static str| ("DeploymentTargets.AccountFilterType", word);
    let reached = async |word: &'static str| {
        let (_, results) = sandbox.on_root(&admin, "CreateStackInstances", "nap", &[accounts, filter(word)]).await;
        sandbox.on_root(&admin, "DeleteStackInstances", "nap", &[("RetainStacks", "false")]).await;
        all(&results, "Account")
    };
    assert_eq!(reached("INTERSECTION").await, [ALPHA]);
    assert_eq!(reached("DIFFERENCE").await, [sandbox.security_account()]);
    // A unit stands for what is below it.
    let unit = organization.accounts[organization.find(ALPHA).unwrap()]
        .ou
        .map(|ou| organization.ous[ou as usize].clone())
        .unwrap();
    let top = unit.parent.map_or(unit.id.clone(), |parent| organization.ous[parent as usize].id.clone());
    let fields = [("StackSetName", "nap"), (UNIT, &*top), REGION];
    let id = one(&sandbox.cfn(&admin, "CreateStackInstances", &fields).await.unwrap(), "OperationId");
    let (_, results) = sandbox.operation(&admin, "nap", &id).await;
    assert!(all(&results, "Account").contains(&ALPHA.to_string()), "{results}");
    assert_eq!(one(&results, "OrganizationalUnitId"), top);

    let root = organization.root.clone();
    let name = ("StackSetName", "nap");
    for (fields, words) in [
        (vec![name, REGION], "must name OrganizationalUnitIds"),
        (
            vec![name, REGION, ("Accounts.member.1", ALPHA), (UNIT, &*root)],
            "can only have OrganizationalUnit as target",
        ),
        (vec![name, (UNIT, &*root)], "Value null at &apos;regions&apos;"),
        (vec![name, (UNIT, &*root), ("Regions.member.1", "mars-1")], "Region(s) [mars-1] not valid"),
        (vec![name, REGION, (UNIT, "ou-none-12345678")], "is not in the organization"),
        (vec![name, REGION, (UNIT, "units")], "regular expression pattern"),
        (vec![name, REGION, (UNIT, &*root), accounts], "UNION is not supported"),
        (vec![name, REGION, (UNIT, &*root), accounts, filter("UNION")], "UNION is not supported"),
        (vec![name, REGION, (UNIT, &*root), accounts, filter("NONE")], "AccountFilterType NONE"),
        (vec![name, REGION, (UNIT, &*root), filter("INTERSECTION")], "both must be specified"),
        (vec![name, REGION, (UNIT, &*root), ("DeploymentTargets.AccountsUrl", "s3://x")], "AccountsUrl is unknown"),
        (
            vec![name, REGION, (UNIT, &*root), ("OperationPreferences.MaxConcurrentPercentage", "0")],
            "greater than or equal to 1",
        ),
        (
            vec![
                name,
                REGION,
                (UNIT, &*root),
                ("OperationPreferences.FailureToleranceCount", "1"),
                ("OperationPreferences.FailureTolerancePercentage", "1"),
            ],
            "but not both",
        ),
    ] {
        let refused = sandbox.cfn(&admin, "CreateStackInstances", &fields).await.unwrap_err();
        assert!(refused.starts_with("ValidationError: ") && refused.contains(words), "{words}: {refused}");
    }
    let used = [name, REGION, (UNIT, &*root), ("OperationId", &*id)];
    let refused = sandbox.cfn(&admin, "CreateStackInstances", &used).await.unwrap_err();
    assert!(refused.starts_with("OperationIdAlreadyExistsException: "), "{refused}");
    let other = [name, ("OperationId", "other")];
    let refused = sandbox.cfn(&admin, "DescribeStackSetOperation", &other).await.unwrap_err();
    assert!(refused.starts_with("OperationNotFoundException: "), "{refused}");
    let nowhere = [name, ("StackInstanceAccount", BETA), ("StackInstanceRegion", "eu-west-1")];
    let refused = sandbox.cfn(&admin, "DescribeStackInstance", &nowhere).await.unwrap_err();
    assert!(refused.starts_with("StackInstanceNotFoundException: "), "{refused}");
}

#[tokio::test]
async fn who_may_have_stack_sets() {
    let sandbox = start(SMALL, 0.0).await;
    let (admin, security, member) = (sandbox.admin(), sandbox.security(), sandbox.session(ALPHA));
    let body = document();
    let base = [("StackSetName", "x"), ("TemplateBody", &*body)];
    let create = async |keys: &Keys, more: &[(&str, &str)]| {
        sandbox.cfn(keys, "CreateStackSet", &[&base[..], more].concat()).await
    };
    let delegated = [&MANAGED[..], &[("CallAs", "DELEGATED_ADMIN")]].concat();
    let refused = create(&admin, &[]).await.unwrap_err();
    assert!(refused.contains("Self-managed stack sets are not modelled"), "{refused}");
    let refused = create(&admin, &MANAGED[..1]).await.unwrap_err();
    assert!(refused.contains("AutoDeployment must be specified"), "{refused}");
    let refused = create(&admin, &MANAGED[..2]).await.unwrap_err();
    assert!(refused.contains("RetainStacksOnAccountRemoval must be specified"), "{refused}");
    let refused = create(&member, &MANAGED).await.unwrap_err();
    assert!(refused.contains("You must be the management account or delegated admin account"), "{refused}");
    let refused = create(&member, &delegated).await.unwrap_err();
    assert_eq!(refused, "ValidationError: Account used is not a delegated administrator");
    let made = create(&security, &delegated).await.unwrap();
    assert_eq!(
        create(&security, &delegated).await.unwrap_err(),
        "NameAlreadyExistsException: The StackSet x already exists."
    );
    // It is the management account's.
    let set = sandbox.cfn(&admin, "DescribeStackSet", &[("StackSetName", "x")]).await.unwrap();
    assert_eq!(one(&set, "StackSetId"), one(&made, "StackSetId"));
    assert!(one(&set, "StackSetARN").contains(&format!(":{}:stackset/x:", sandbox.management_account())), "{set}");
    let own = sandbox.cfn(&security, "ListStackSets", &[]).await.unwrap();
    assert!(all(&own, "StackSetName").is_empty(), "it has no self-managed ones");
    let delegated_list = sandbox.cfn(&security, "ListStackSets", &[("CallAs", "DELEGATED_ADMIN")]).await.unwrap();
    assert_eq!(all(&delegated_list, "StackSetName"), ["x"]);
    let refused = sandbox.cfn(&security, "DescribeStackSet", &[("StackSetName", "x")]).await.unwrap_err();
    assert!(refused.starts_with("StackSetNotFoundException: "), "{refused}");
    let (status, _) = sandbox
        .on_root(&admin, "CreateStackInstances", "x", &[("OperationPreferences.FailureTolerancePercentage", "5")])
        .await;
    assert_eq!(status, "SUCCEEDED");

    // Without trusted access, and without the administrator, it is over.
    let service = "member.org.stacksets.cloudformation.amazonaws.com";
    let organizations = ("organizations", "AWSOrganizationsV20161128");
    let ask = async |operation: &str, input| sandbox.json_of(organizations, &admin, HERE, operation, input).await;
    let of = json!({ "AccountId": sandbox.security_account(), "ServicePrincipal": service });
    ask("DeregisterDelegatedAdministrator", of).await.unwrap();
    let refused = sandbox.cfn(&security, "ListStackSets", &[("CallAs", "DELEGATED_ADMIN")]).await.unwrap_err();
    assert!(refused.contains("not a delegated administrator"), "{refused}");
    ask("DisableAWSServiceAccess", json!({ "ServicePrincipal": service })).await.unwrap();
    let root = sandbox.world.organization.root.clone();
    let fields = [("StackSetName", "x"), (UNIT, &*root), REGION];
    let refused = sandbox.cfn(&admin, "CreateStackInstances", &fields).await.unwrap_err();
    assert_eq!(refused, "ValidationError: You must enable organizations access to operate a service managed stack set");
    let body = roles();
    let fields = [&[("StackSetName", "y"), ("TemplateBody", &*body)][..], &MANAGED].concat();
    let refused = sandbox.cfn(&admin, "CreateStackSet", &fields).await.unwrap_err();
    assert!(refused.contains("You must enable organizations access"), "{refused}");
    // IAM is asked as well.
    sandbox.set_role_policy(ALPHA, "orgseal-member", &super::cloudformation::allow("s3:*").to_string()).unwrap();
    let keys = sandbox.session_of(ALPHA, "orgseal-member");
    let refused = sandbox.cfn(&keys, "DescribeStackSet", &[("StackSetName", "x")]).await.unwrap_err();
    assert!(refused.starts_with("AccessDenied: ") && refused.contains("cloudformation:DescribeStackSet"), "{refused}");
}

#[tokio::test]
async fn failures_are_tolerated_as_far_as_they_may_be() {
    let sandbox = start(SMALL, 0.0).await;
    let admin = sandbox.admin();
    // In alpha somebody has made the role already.
    sandbox.stack(&sandbox.session(ALPHA), "own", &template(json!({ "A": role("made-by-set") }))).await.unwrap();
    sandbox.set("roles", &template(json!({ "A": role("made-by-set") })), &[]).await.unwrap();
    let (status, results) = sandbox.on_root(&admin, "CreateStackInstances", "roles", &[]).await;
    assert_eq!(status, "FAILED", "{results}");
    let of = |results: &str, account: &str| {
        let one_result = all(results, "member").into_iter().find(|one| one.contains(account)).unwrap();
        (one(&one_result, "Status"), all(&one_result, "StatusReason").join(""))
    };
    let (state, reason) = of(&results, ALPHA);
    assert_eq!(state, "FAILED");
    assert!(
        reason.starts_with("ResourceLogicalId:A, ResourceType:AWS::IAM::Role, ResourceStatusReason:")
            && reason.contains("already exists"),
        "{reason}"
    );
    assert_eq!(of(&results, BETA).0, "CANCELLED");
    let list = sandbox.instances("roles").await;
    let instance =
        |list: &str, account: &str| all(list, "member").into_iter().find(|one| one.contains(account)).unwrap();
    assert_eq!(one(&instance(&list, ALPHA), "Status"), "OUTDATED");
    let tolerant = [("OperationPreferences.FailureToleranceCount", "1")];
    let (status, results) = sandbox.on_root(&admin, "CreateStackInstances", "roles", &tolerant).await;
    assert_eq!((status.as_str(), of(&results, BETA).0.as_str()), ("SUCCEEDED", "SUCCEEDED"));
    assert!(sandbox.has_role(BETA, "made-by-set"));
    // Once it is out of the way, alpha gets its own.
    sandbox.cfn(&sandbox.session(ALPHA), "DeleteStack", &[("StackName", "own")]).await.unwrap();
    let (status, _) = sandbox.on_root(&admin, "UpdateStackInstances", "roles", &[]).await;
    assert_eq!(status, "SUCCEEDED");
    assert!(sandbox.has_role(ALPHA, "made-by-set"));
    assert_eq!(one(&instance(&sandbox.instances("roles").await, ALPHA), "Status"), "CURRENT");

    // What can not be taken away makes its instance inoperable; it can be let go.
    let detail = format!("arn:aws:iam::{ALPHA}:role/made-by-set");
    let deny = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Deny", "Action": "iam:DeleteRole", "Resource": detail }] });
    sandbox.set_scp("keep", &["root"], &deny.to_string()).unwrap();
    let tolerant = [("RetainStacks", "false"), ("OperationPreferences.FailureToleranceCount", "1")];
    let (_, results) = sandbox.on_root(&admin, "DeleteStackInstances", "roles", &tolerant).await;
    assert!(of(&results, ALPHA).1.contains("service control policy"), "{results}");
    let list = sandbox.instances("roles").await;
    assert_eq!((all(&list, "Account"), one(&list, "Status")), (vec![ALPHA.to_string()], "INOPERABLE".to_string()));
    let (status, _) = sandbox.on_root(&admin, "DeleteStackInstances", "roles", &[("RetainStacks", "true")]).await;
    assert_eq!(status, "SUCCEEDED");
    assert!(sandbox.has_role(ALPHA, "made-by-set"), "retained");
    sandbox.cfn(&admin, "DeleteStackSet", &[("StackSetName", "roles")]).await.unwrap();
}

#[tokio::test]
async fn an_updated_set_updates_its_instances_and_both_outlive_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let options = || Options { directory: Some(directory.path().into()), speed: 0.0, ..Options::default() };
    let sandbox = Sandbox::start(spec(SMALL), options()).await.unwrap();
    let id = [("Parameters.member.1.ParameterKey", "Id"), ("Parameters.member.1.ParameterValue", "one-id")];
    let token = ("ClientRequestToken", "once");
    let first = sandbox.set("roles", &roles(), &[&id[..], &[token]].concat()).await.unwrap();
    let again = sandbox.set("roles", &roles(), &[&id[..], &[token]].concat()).await.unwrap();
    assert_eq!(one(&first, "StackSetId"), one(&again, "StackSetId"), "sent twice");
    sandbox.on_root(&sandbox.admin(), "CreateStackInstances", "roles", &[]).await;
    let trust = |sandbox: &Sandbox, account: &str| {
        let at = sandbox.world.organization.find(account).unwrap();
        sandbox.world.role_record(at, "made-by-set").unwrap().trust.to_string()
    };
    assert!(trust(&sandbox, ALPHA).contains("one-id"));
    sandbox.stop();

    let sandbox = Sandbox::start(spec(SMALL), options()).await.unwrap();
    let admin = sandbox.admin();
    assert_eq!(all(&sandbox.instances("roles").await, "Account").len(), 3);
    let operations = sandbox.cfn(&admin, "ListStackSetOperations", &[("StackSetName", "roles")]).await.unwrap();
    assert_eq!(
        (all(&operations, "Action"), all(&operations, "Status")),
        (vec!["CREATE".to_string()], vec!["SUCCEEDED".to_string()])
    );
    // The parameter and the capabilities stay as they are unless they are named.
    let changed =
        roles().replacen("\"Type\":\"AWS::IAM::Role\"", "\"Type\":\"AWS::IAM::Role\",\"DeletionPolicy\":\"Delete\"", 1);
    let changed =
        changed.replace("\"RoleName\":\"made-by-set\"", "\"RoleName\":\"made-by-set\",\"Description\":\"two\"");
    let previous = [("Parameters.member.1.ParameterKey", "Id"), ("Parameters.member.1.UsePreviousValue", "true")];
    let fields = [&[("StackSetName", "roles"), ("TemplateBody", &*changed)][..], &previous].concat();
    let id = one(&sandbox.cfn(&admin, "UpdateStackSet", &fields).await.unwrap(), "OperationId");
    assert_eq!(sandbox.operation(&admin, "roles", &id).await.0, "SUCCEEDED");
    let at = sandbox.world.organization.find(BETA).unwrap();
    assert_eq!(sandbox.world.role_record(at, "made-by-set").unwrap().description, "two");
    assert!(trust(&sandbox, BETA).contains("one-id"));
    // Instances that are not named are out of date.
    let new = [("Parameters.member.1.ParameterKey", "Id"), ("Parameters.member.1.ParameterValue", "two-id")];
    let root = sandbox.world.organization.root.clone();
    let only = [
        (UNIT, &*root),
        ("DeploymentTargets.Accounts.member.1", ALPHA),
        ("DeploymentTargets.AccountFilterType", "INTERSECTION"),
        REGION,
    ];
    let fields = [&[("StackSetName", "roles"), ("UsePreviousTemplate", "true")][..], &new, &only].concat();
    sandbox.cfn(&admin, "UpdateStackSet", &fields).await.unwrap();
    assert!(trust(&sandbox, ALPHA).contains("two-id") && trust(&sandbox, BETA).contains("one-id"));
    let list = sandbox.instances("roles").await;
    let status =
        |account: &str| one(&all(&list, "member").into_iter().find(|one| one.contains(account)).unwrap(), "Status");
    assert_eq!((status(ALPHA), status(BETA)), ("CURRENT".into(), "OUTDATED".into()));
    let half = [&[("StackSetName", "roles"), ("UsePreviousTemplate", "true"), REGION][..], &previous].concat();
    let refused = sandbox.cfn(&admin, "UpdateStackSet", &half).await.unwrap_err();
    assert!(refused.contains("must be specified together"), "{refused}");
    // An instance may have values of its own.
    let own =
        [("ParameterOverrides.member.1.ParameterKey", "Id"), ("ParameterOverrides.member.1.ParameterValue", "own-id")];
    sandbox.on_root(&admin, "UpdateStackInstances", "roles", &own).await;
    assert!(trust(&sandbox, BETA).contains("own-id"));
    let foreign =
        [("ParameterOverrides.member.1.ParameterKey", "No"), ("ParameterOverrides.member.1.ParameterValue", "x")];
    let fields = [&[("StackSetName", "roles"), (UNIT, &*root), REGION][..], &foreign].concat();
    let refused = sandbox.cfn(&admin, "UpdateStackInstances", &fields).await.unwrap_err();
    assert_eq!(refused, "ValidationError: Parameters: [No] do not exist in the template");
    let summary = sandbox.cfn(&admin, "GetTemplateSummary", &[("StackSetName", "roles")]).await.unwrap();
    assert_eq!(one(&summary, "NoEcho"), "true");
}

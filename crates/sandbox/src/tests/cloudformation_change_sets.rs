//! Change sets: looked at, carried out once, void after another.

use serde_json::json;

use super::cloudformation::{ALPHA, role, template};
use super::iam::{all, one};
use super::{SMALL, start};

#[tokio::test]
async fn a_change_set_makes_a_stack_and_later_changes_it() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let call = async |action: &str, fields: &[(&str, &str)]| sandbox.cfn(&keys, action, fields).await;
    let named = ("Capabilities.member.1", "CAPABILITY_NAMED_IAM");
    let stack = ("StackName", "x");
    let (one_role, two_roles) =
        (template(json!({ "A": role("a") })), template(json!({ "A": role("a"), "B": role("b") })));
    let of = |set: &'static str, kind: &'static str| [stack, ("ChangeSetName", set), ("ChangeSetType", kind), named];
    let without = [stack, ("ChangeSetName", "first"), ("ChangeSetType", "CREATE"), ("TemplateBody", &*one_role)];
    assert!(call("CreateChangeSet", &without).await.unwrap_err().starts_with("InsufficientCapabilitiesException"));
    let body = ("TemplateBody", &*one_role);
    let early = call("CreateChangeSet", &[&of("first", "UPDATE")[..], &[body]].concat()).await.unwrap_err();
    assert_eq!(early, "ValidationError: Stack [x] does not exist");
    let made = call("CreateChangeSet", &[&of("first", "CREATE")[..], &[body]].concat()).await.unwrap();
    let id = one(&made, "Id");
    assert!(id.starts_with("arn:aws:cloudformation:us-east-1:111111111111:changeSet/first/"), "{id}");
    assert_eq!(sandbox.stack_status(&keys, "x").await.0, "REVIEW_IN_PROGRESS");
    assert!(!sandbox.has_role(ALPHA, "a"), "nothing is made yet");
    let twice = call("CreateChangeSet", &[&of("first", "CREATE")[..], &[body]].concat()).await.unwrap_err();
    assert_eq!(twice, "AlreadyExistsException: ChangeSet [first] already exists");
    call("CreateChangeSet", &[&of("second", "CREATE")[..], &[body]].concat()).await.unwrap();
    let shown = call("DescribeChangeSet", &[("ChangeSetName", &id)]).await.unwrap();
    assert_eq!((one(&shown, "Status"), one(&shown, "ExecutionStatus")), ("CREATE_COMPLETE".into(), "AVAILABLE".into()));
    assert_eq!((one(&shown, "Action"), one(&shown, "LogicalResourceId")), ("Add".into(), "A".into()));
    call("ExecuteChangeSet", &[("ChangeSetName", &id), ("DisableRollback", "false")]).await.unwrap();
    assert_eq!(sandbox.stack_status(&keys, "x").await.0, "CREATE_COMPLETE");
    assert!(sandbox.has_role(ALPHA, "a"));
    let listed = call("ListChangeSets", &[stack]).await.unwrap();
    assert_eq!(all(&listed, "ExecutionStatus"), ["EXECUTE_COMPLETE"], "the other one is void");
    let again = call("ExecuteChangeSet", &[("ChangeSetName", &id)]).await.unwrap_err();
    assert!(again.starts_with("InvalidChangeSetStatus: "), "{again}");
    let gone = call("ExecuteChangeSet", &[stack, ("ChangeSetName", "second")]).await.unwrap_err();
    assert_eq!(gone, "ChangeSetNotFound: ChangeSet [second] does not exist");
    let bare = call("DescribeChangeSet", &[("ChangeSetName", "first")]).await.unwrap_err();
    assert!(bare.contains("StackName must be specified"), "{bare}");

    // The same once more is no change; `aws cloudformation deploy` looks for these words.
    let exists = call("CreateChangeSet", &[&of("third", "CREATE")[..], &[body]].concat()).await.unwrap_err();
    assert!(exists.contains("already exists and cannot be created again"), "{exists}");
    call("CreateChangeSet", &[&of("same", "UPDATE")[..], &[body]].concat()).await.unwrap();
    let shown = call("DescribeChangeSet", &[stack, ("ChangeSetName", "same")]).await.unwrap();
    assert_eq!(one(&shown, "Status"), "FAILED");
    assert!(
        one(&shown, "StatusReason").starts_with("The submitted information didn&apos;t contain changes."),
        "{shown}"
    );
    let refused = call("ExecuteChangeSet", &[stack, ("ChangeSetName", "same")]).await.unwrap_err();
    assert!(refused.contains("cannot be executed in its current status of [FAILED]"), "{refused}");

    let body = ("TemplateBody", &*two_roles);
    call("CreateChangeSet", &[&of("more", "UPDATE")[..], &[body]].concat()).await.unwrap();
    let template = call("GetTemplate", &[stack, ("ChangeSetName", "more")]).await.unwrap();
    assert_eq!(one(&template, "TemplateBody").replace("&quot;", "\""), two_roles);
    call("ExecuteChangeSet", &[stack, ("ChangeSetName", "more")]).await.unwrap();
    assert_eq!(sandbox.stack_status(&keys, "x").await.0, "UPDATE_COMPLETE");
    assert!(sandbox.has_role(ALPHA, "b"));
}

#[tokio::test]
async fn a_stack_under_review_can_be_given_up() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let body = template(json!({ "A": role("orgseal-member") }));
    let fields = [
        ("StackName", "x"),
        ("ChangeSetName", "set"),
        ("ChangeSetType", "CREATE"),
        ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
        ("TemplateBody", &*body),
    ];
    sandbox.cfn(&keys, "CreateChangeSet", &fields).await.unwrap();
    let set = [("StackName", "x"), ("ChangeSetName", "set")];
    sandbox.cfn(&keys, "DeleteChangeSet", &set).await.unwrap();
    sandbox.cfn(&keys, "DeleteChangeSet", &set).await.unwrap();
    assert!(sandbox.cfn(&keys, "DescribeChangeSet", &set).await.unwrap_err().starts_with("ChangeSetNotFound: "));
    sandbox.cfn(&keys, "DeleteStack", &[("StackName", "x")]).await.unwrap();
    assert!(sandbox.cfn(&keys, "DescribeStacks", &[("StackName", "x")]).await.is_err());
    // What can not be made is seen only when it is tried.
    sandbox.cfn(&keys, "CreateChangeSet", &fields).await.unwrap();
    sandbox.cfn(&keys, "ExecuteChangeSet", &set).await.unwrap();
    assert_eq!(sandbox.stack_status(&keys, "x").await.0, "ROLLBACK_COMPLETE");
    assert!(sandbox.has_role(ALPHA, "orgseal-member"), "it was there before");
}

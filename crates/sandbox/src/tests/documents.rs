//! The life of an Automation document: made, described, updated, tagged, shared and deleted, over a restart.

use serde_json::{Value, json};

use super::{SMALL, spec, start};
use crate::{Options, Sandbox};

const ALPHA: &str = "111111111111";
const BETA: &str = "222222222222";
const HERE: &str = "us-east-1";

fn nap(seconds: u32) -> String {
    json!({ "schemaVersion": "0.3", "description": "naps", "mainSteps": [
        { "name": "Nap", "action": "aws:sleep", "inputs": { "Duration": format!("PT{seconds}S") } }] })
    .to_string()
}

fn draft(name: &str) -> Value {
    json!({ "Name": name, "Content": nap(1), "DocumentType": "Automation" })
}

fn with(mut input: Value, member: &str, value: Value) -> Value {
    input[member] = value;
    input
}

async fn call(sandbox: &Sandbox, operation: &str, input: Value) -> Result<Value, String> {
    sandbox.json(&sandbox.session(ALPHA), HERE, operation, input).await
}

#[tokio::test]
async fn it_is_described_as_it_was_put_and_outlives_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let open = async || {
        let options = Options { directory: Some(directory.path().into()), speed: 0.0, port: 0 };
        Sandbox::start(spec(SMALL), options).await.unwrap()
    };
    let sandbox = open().await;
    let yaml = "schemaVersion: '0.3'\nmainSteps:\n- name: Nap\n  action: aws:sleep\n  inputs: { Duration: PT1S }\n";
    let create = json!({ "Name": "mine", "Content": yaml, "DocumentType": "Automation", "DocumentFormat": "YAML",
        "VersionName": "first", "TargetType": "/AWS::S3::Bucket", "Tags": [{ "Key": "a", "Value": "b" }] });
    let made = call(&sandbox, "CreateDocument", create).await.unwrap()["DocumentDescription"].clone();
    assert_eq!((&made["TargetType"], &made["Tags"][0]["Key"]), (&json!("/AWS::S3::Bucket"), &json!("a")));
    let update = with(draft("mine"), "DocumentVersion", json!("$LATEST"));
    let mut update = with(update, "TargetType", json!("/"));
    update.as_object_mut().unwrap().remove("DocumentType");
    let updated = call(&sandbox, "UpdateDocument", update.clone()).await.unwrap()["DocumentDescription"].clone();
    assert_eq!((&updated["DocumentVersion"], &updated["LatestVersion"]), (&json!("2"), &json!("2")));
    assert_eq!((&updated["DefaultVersion"], &updated["TargetType"]), (&json!("1"), &json!("/")));
    assert_eq!(call(&sandbox, "UpdateDocument", update.clone()).await.unwrap_err(), "DuplicateDocumentContent");
    for (version, code) in [(json!("1"), "InvalidDocumentVersion"), (Value::Null, "InvalidDocumentVersion")] {
        let input = with(with(update.clone(), "Content", json!(nap(2))), "DocumentVersion", version);
        assert_eq!(call(&sandbox, "UpdateDocument", input).await.unwrap_err(), code);
    }
    let default = |version: &str| json!({ "Name": "mine", "DocumentVersion": version });
    call(&sandbox, "UpdateDocumentDefaultVersion", default("2")).await.unwrap();
    for (version, code) in [("3", "InvalidDocumentVersion"), ("$LATEST", "ValidationException")] {
        let refused = call(&sandbox, "UpdateDocumentDefaultVersion", default(version)).await.unwrap_err();
        assert_eq!(refused, code);
    }
    let on = |tags: Value| with(json!({ "ResourceType": "Document", "ResourceId": "mine" }), "Tags", tags);
    call(&sandbox, "AddTagsToResource", on(json!([{ "Key": "c", "Value": "d" }]))).await.unwrap();
    let gone = json!({ "ResourceType": "Document", "ResourceId": "mine", "TagKeys": ["a"] });
    call(&sandbox, "RemoveTagsFromResource", gone).await.unwrap();
    let share = |member: &str, ids: Value| with(json!({ "Name": "mine", "PermissionType": "Share" }), member, ids);
    call(&sandbox, "ModifyDocumentPermission", share("AccountIdsToAdd", json!([BETA, "333333333333"]))).await.unwrap();
    call(&sandbox, "ModifyDocumentPermission", share("AccountIdsToRemove", json!(["333333333333"]))).await.unwrap();
    sandbox.stop();

    let again = open().await;
    let described = call(&again, "DescribeDocument", json!({ "Name": "mine" })).await.unwrap()["Document"].clone();
    let hash = described["Hash"].as_str().unwrap();
    assert!(hash.len() == 64 && described["HashType"] == "Sha256" && described["Hash"] == updated["Hash"]);
    assert_eq!((&described["DefaultVersion"], &described["DocumentVersion"]), (&json!("2"), &json!("2")));
    assert_eq!((&described["TargetType"], &described["Tags"]), (&json!("/"), &json!([{ "Key": "c", "Value": "d" }])));
    let versions = call(&again, "ListDocumentVersions", json!({ "Name": "mine" })).await.unwrap();
    let first = &versions["DocumentVersions"][1];
    assert_eq!((&first["VersionName"], &first["IsDefaultVersion"]), (&json!("first"), &json!(false)));
    let filter = |kind: &str| json!({ "Filters": [{ "Key": "TargetType", "Values": [kind] }] });
    let listed = call(&again, "ListDocuments", filter("/")).await.unwrap();
    assert_eq!(listed["DocumentIdentifiers"][0]["TargetType"], "/");
    assert_eq!(
        call(&again, "ListDocuments", filter("/AWS::S3::Bucket")).await.unwrap()["DocumentIdentifiers"],
        json!([])
    );
    let permission = json!({ "Name": "mine", "PermissionType": "Share" });
    let shared = call(&again, "DescribeDocumentPermission", permission).await.unwrap();
    assert_eq!(shared["AccountIds"], json!([BETA]));
    // Another account uses it by its ARN, and it cannot be deleted as long as one may.
    let arn = json!({ "Name": format!("arn:aws:ssm:{HERE}:{ALPHA}:document/mine") });
    let seen = async || again.json(&again.session(BETA), HERE, "DescribeDocument", arn.clone()).await;
    assert_eq!(seen().await.unwrap()["Document"]["Hash"], described["Hash"]);
    let delete = json!({ "Name": "mine" });
    assert_eq!(call(&again, "DeleteDocument", delete.clone()).await.unwrap_err(), "InvalidDocumentOperation");
    call(&again, "ModifyDocumentPermission", share("AccountIdsToRemove", json!([BETA]))).await.unwrap();
    assert_eq!(seen().await.unwrap_err(), "InvalidDocument");
    call(&again, "DeleteDocument", delete.clone()).await.unwrap();
    assert_eq!(call(&again, "DeleteDocument", delete).await.unwrap_err(), "InvalidDocument");
}

#[tokio::test]
async fn what_systems_manager_refuses() {
    let sandbox = start(SMALL, 0.0).await;
    call(&sandbox, "CreateDocument", draft("mine")).await.unwrap();
    let tags = |key: &str| json!([{ "Key": key, "Value": "" }]);
    let many: Vec<Value> = (0..51).map(|nth| json!({ "Key": format!("n{nth}"), "Value": "" })).collect();
    let on = |kind: &str, id: &str| json!({ "ResourceType": kind, "ResourceId": id });
    let share = |member: &str, ids: Value| with(json!({ "Name": "mine", "PermissionType": "Share" }), member, ids);
    let sleepless = json!({ "schemaVersion": "0.3", "mainSteps": [{ "name": "Nap", "action": "aws:sleep" }] });
    for (operation, input, code) in [
        ("CreateDocument", draft("mine"), "DocumentAlreadyExists"),
        ("CreateDocument", draft("x"), "ValidationException"),
        ("CreateDocument", draft("Amazon-mine"), "ValidationException"),
        ("CreateDocument", with(draft("new"), "TargetType", json!("AWS::S3::Bucket")), "ValidationException"),
        ("CreateDocument", with(draft("new"), "TargetType", json!("/a b")), "ValidationException"),
        ("CreateDocument", with(draft("new"), "Tags", tags("aws:a")), "ValidationException"),
        ("CreateDocument", with(draft("new"), "Tags", tags("a*")), "ValidationException"),
        ("CreateDocument", with(draft("new"), "Tags", json!(many)), "ValidationException"),
        ("CreateDocument", with(draft("new"), "Content", json!("schemaVersion: '0.3'")), "InvalidDocumentContent"),
        ("CreateDocument", with(draft("new"), "Content", json!(sleepless.to_string())), "InvalidDocumentContent"),
        (
            "CreateDocument",
            with(draft("new"), "Content", json!(nap(1).replace("0.3", "0.4"))),
            "InvalidDocumentSchemaVersion",
        ),
        (
            "CreateDocument",
            with(draft("new"), "Content", json!(format!("{}{}", nap(1), " ".repeat(65_536)))),
            "MaxDocumentSizeExceeded",
        ),
        ("AddTagsToResource", with(on("Document", "none"), "Tags", tags("a")), "InvalidResourceId"),
        ("AddTagsToResource", with(on("Parameter", "mine"), "Tags", tags("a")), "InvalidResourceType"),
        ("AddTagsToResource", with(on("Document", "mine"), "Tags", json!(many)), "TooManyTagsError"),
        ("AddTagsToResource", with(on("Document", "mine"), "Tags", tags("aws:a")), "ValidationException"),
        ("AddTagsToResource", on("Document", "mine"), "ValidationException"),
        ("RemoveTagsFromResource", on("Document", "mine"), "ValidationException"),
        ("ModifyDocumentPermission", json!({ "Name": "mine", "PermissionType": "Share" }), "ValidationException"),
        ("ModifyDocumentPermission", share("AccountIdsToAdd", json!(["everyone"])), "ValidationException"),
        ("ModifyDocumentPermission", share("AccountIdsToRemove", json!(vec![ALPHA; 21])), "ValidationException"),
        (
            "ModifyDocumentPermission",
            with(share("AccountIdsToAdd", json!([BETA])), "PermissionType", json!("Sell")),
            "InvalidPermissionType",
        ),
        (
            "ModifyDocumentPermission",
            with(share("AccountIdsToAdd", json!([BETA])), "Name", json!("none")),
            "InvalidDocument",
        ),
    ] {
        assert_eq!(call(&sandbox, operation, input.clone()).await.unwrap_err(), code, "{operation} {input:.200}");
    }
}

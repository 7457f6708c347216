//! KMS: keys that people make, their policies, aliases, replicas, rotation and tags, and who may do what.

use serde_json::{Value, json};

use super::{Keys, SMALL, spec, start};
use crate::{BucketEncryption, KeyState, Options, Sandbox};

const ALPHA: &str = "111111111111";
const HERE: &str = "us-east-1";
const THERE: &str = "eu-west-1";

impl Sandbox {
    async fn kms(&self, keys: &Keys, region: &str, operation: &str, input: Value) -> Result<Value, String> {
        let target = format!("TrentService.{operation}");
        let scope = format!("{region}/kms");
        let answer = self.send(keys, &scope, "POST", "/", &[("x-amz-target", &target)], &input.to_string()).await;
        let value: Value = serde_json::from_slice(&answer.body).unwrap();
        if answer.status == 200 { Ok(value) } else { Err(value["__type"].as_str().unwrap().to_string()) }
    }

    async fn made_key(&self, keys: &Keys, region: &str, input: Value) -> Value {
        self.kms(keys, region, "CreateKey", input).await.unwrap()["KeyMetadata"].clone()
    }

    fn allow(&self, role: &str, actions: &[&str], resource: &str) -> Keys {
        let trust =
            r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}]}"#;
        self.set_role_trust(ALPHA, role, trust).unwrap();
        let policy = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": actions, "Resource": resource }] });
        self.set_role_policy(ALPHA, role, &policy.to_string()).unwrap();
        self.session_of(ALPHA, role)
    }
}

fn policy(principal: &str, action: &str) -> String {
    json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": { "AWS": principal }, "Action": action, "Resource": "*" }] })
    .to_string()
}

fn root() -> String {
    policy(&format!("arn:aws:iam::{ALPHA}:root"), "kms:*")
}

#[tokio::test]
async fn a_key_policy_is_checked_and_must_not_lock_its_maker_out() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let own = sandbox.made_key(&keys, HERE, json!({ "Policy": root(), "Description": "mine" })).await;
    assert_eq!((&own["Description"], &own["KeyManager"]), (&json!("mine"), &json!("CUSTOMER")));
    let read = sandbox.kms(&keys, HERE, "GetKeyPolicy", json!({ "KeyId": own["KeyId"] })).await.unwrap();
    assert_eq!(read["Policy"], root());
    let by_default = sandbox.made_key(&keys, HERE, json!({})).await;
    let read = sandbox.kms(&keys, HERE, "GetKeyPolicy", json!({ "KeyId": by_default["Arn"] })).await.unwrap();
    assert!(read["Policy"].as_str().unwrap().contains("Enable IAM User Permissions"));
    let names = sandbox.kms(&keys, HERE, "ListKeyPolicies", json!({ "KeyId": own["KeyId"] })).await.unwrap();
    assert_eq!(names, json!({ "PolicyNames": ["default"], "Truncated": false }));

    // Its account may go on: only the role that is not there is wrong.
    let nobody = root().replace(r#":root""#, r#":root","arn:aws:iam::111111111111:role/none"]"#);
    let nobody = nobody.replace(r#"{"AWS":"#, r#"{"AWS":["#);
    let there = nobody.replace("role/none", "role/orgseal-member");
    let elsewhere = nobody.replace("111111111111:role/none", "999999999999:role/none");
    for policy in [there, elsewhere] {
        sandbox
            .kms(&keys, HERE, "PutKeyPolicy", json!({ "KeyId": by_default["KeyId"], "Policy": policy }))
            .await
            .unwrap();
    }
    let weak = policy("111111111111", "kms:Decrypt");
    let long = root().replace("kms:*", &format!("kms:*\",\"kms:{}", "a".repeat(33_000)));
    for (policy, code) in [
        ("{", "MalformedPolicyDocumentException"),
        (r#"{"Version":"2012-10-17"}"#, "MalformedPolicyDocumentException"),
        (&policy("ann", "kms:*"), "MalformedPolicyDocumentException"),
        (&nobody, "MalformedPolicyDocumentException"),
        (&nobody.replace("role/", "user/"), "MalformedPolicyDocumentException"),
        (&weak, "MalformedPolicyDocumentException"),
        (&long, "LimitExceededException"),
        ("", "ValidationException"),
        (&root().replace("2012-10-17", "\u{20ac}"), "ValidationException"),
    ] {
        let refused = sandbox.kms(&keys, HERE, "CreateKey", json!({ "Policy": policy })).await.unwrap_err();
        assert_eq!(refused, code, "{policy:.200}");
        let input = json!({ "KeyId": own["KeyId"], "Policy": policy });
        assert_eq!(sandbox.kms(&keys, HERE, "PutKeyPolicy", input).await.unwrap_err(), code, "{policy:.200}");
    }
    let all = sandbox.kms(&keys, HERE, "ListKeys", json!({})).await.unwrap();
    assert_eq!(all["Keys"].as_array().unwrap().len(), 4, "what is refused makes no key");
    // Bypassed it is taken, and nobody can put the next one.
    let input = json!({ "KeyId": own["KeyId"], "Policy": weak, "BypassPolicyLockoutSafetyCheck": true });
    sandbox.kms(&keys, HERE, "PutKeyPolicy", input.clone()).await.unwrap();
    assert_eq!(sandbox.kms(&keys, HERE, "PutKeyPolicy", input).await.unwrap_err(), "AccessDeniedException");
    for (wrong, code) in [
        (json!({ "KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY" }), "UnsupportedOperationException"),
        (json!({ "KeyUsage": "SIGN_VERIFY" }), "ValidationException"),
        (json!({ "KeyUsage": "EAT" }), "ValidationException"),
        (json!({ "Origin": "MARS" }), "ValidationException"),
        (json!({ "Description": "x".repeat(8193) }), "ValidationException"),
        (json!({ "MultiRegion": "yes" }), "SerializationException"),
        (json!({ "Tags": [{ "TagKey": "aws:a", "TagValue": "" }] }), "TagException"),
        (json!({ "Tags": [{ "TagKey": "a", "TagValue": "" }, { "TagKey": "a", "TagValue": "" }] }), "TagException"),
        (json!({ "Tags": [{ "TagKey": "a" }] }), "ValidationException"),
    ] {
        assert_eq!(sandbox.kms(&keys, HERE, "CreateKey", wrong.clone()).await.unwrap_err(), code, "{wrong}");
    }
    let managed = json!({ "KeyId": "alias/aws/s3" });
    let managed = sandbox.kms(&keys, HERE, "DescribeKey", managed).await.unwrap()["KeyMetadata"]["KeyId"].clone();
    let input = json!({ "KeyId": managed, "Policy": root() });
    assert_eq!(sandbox.kms(&keys, HERE, "PutKeyPolicy", input).await.unwrap_err(), "AccessDeniedException");
}

#[tokio::test]
async fn creating_is_for_iam_and_the_rest_for_the_key_policy_too() {
    let sandbox = start(SMALL, 0.0).await;
    let maker = sandbox.allow("maker", &["kms:CreateKey"], "*");
    let tags = json!({ "Tags": [{ "TagKey": "a", "TagValue": "b" }] });
    assert_eq!(sandbox.kms(&maker, HERE, "CreateKey", tags.clone()).await.unwrap_err(), "AccessDeniedException");
    let lacking = json!({ "Policy": root() });
    let refused = sandbox.kms(&maker, HERE, "CreateKey", lacking).await.unwrap_err();
    assert_eq!(refused, "MalformedPolicyDocumentException", "the account may put policies, this role may not");
    let key = sandbox.made_key(&maker, HERE, json!({})).await;
    let tagger = sandbox.allow("tagger", &["kms:CreateKey", "kms:TagResource"], "*");
    sandbox.made_key(&tagger, HERE, tags).await;
    let describe = json!({ "KeyId": key["KeyId"] });
    assert_eq!(sandbox.kms(&maker, HERE, "DescribeKey", describe.clone()).await.unwrap_err(), "AccessDeniedException");

    // An alias needs both: itself by IAM, the key by its policy, which hands on to IAM.
    let alias = json!({ "AliasName": "alias/mine", "TargetKeyId": key["KeyId"] });
    let of_key = sandbox.allow("of-key", &["kms:*Alias"], key["Arn"].as_str().unwrap());
    assert_eq!(sandbox.kms(&of_key, HERE, "CreateAlias", alias.clone()).await.unwrap_err(), "AccessDeniedException");
    let of_alias = sandbox.allow("of-alias", &["kms:*Alias"], "arn:aws:kms:us-east-1:111111111111:alias/*");
    assert_eq!(sandbox.kms(&of_alias, HERE, "CreateAlias", alias.clone()).await.unwrap_err(), "AccessDeniedException");
    let both = sandbox.allow("both", &["kms:*Alias"], "*");
    sandbox.kms(&both, HERE, "CreateAlias", alias.clone()).await.unwrap();
    for (operation, input) in [("UpdateAlias", alias), ("DeleteAlias", json!({ "AliasName": "alias/mine" }))] {
        for keys in [&of_key, &of_alias] {
            let refused = sandbox.kms(keys, HERE, operation, input.clone()).await.unwrap_err();
            assert_eq!(refused, "AccessDeniedException", "{operation}");
        }
        sandbox.kms(&both, HERE, operation, input).await.unwrap();
    }
    // A key policy that names the role alone: the account's administrator is out.
    let role = policy(&format!("arn:aws:iam::{ALPHA}:role/tagger"), "kms:*");
    let closed = sandbox.made_key(&tagger, HERE, json!({ "Policy": role })).await;
    let input = json!({ "KeyId": closed["Arn"] });
    for operation in ["DescribeKey", "ListResourceTags", "GetKeyRotationStatus", "EnableKeyRotation", "DisableKey"] {
        let administrator = sandbox.session(ALPHA);
        let refused = sandbox.kms(&administrator, HERE, operation, input.clone()).await.unwrap_err();
        assert_eq!(refused, "AccessDeniedException", "{operation}");
        sandbox.kms(&tagger, HERE, operation, input.clone()).await.unwrap();
        let refused = sandbox.kms(&sandbox.security(), HERE, operation, input.clone()).await.unwrap_err();
        assert_eq!(refused, "AccessDeniedException", "{operation} from another account");
    }
}

#[tokio::test]
async fn aliases_are_pointed_elsewhere_deleted_and_listed_by_key() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let call = async |operation: &str, input: Value| sandbox.kms(&keys, HERE, operation, input).await;
    let (one, two) = (sandbox.made_key(&keys, HERE, json!({})).await, sandbox.made_key(&keys, HERE, json!({})).await);
    let aliases = async |key: &Value| {
        let answer = call("ListAliases", json!({ "KeyId": key["Arn"] })).await.unwrap();
        let names = answer["Aliases"].as_array().unwrap().iter().map(|a| a["AliasName"].as_str().unwrap().to_string());
        names.collect::<Vec<_>>()
    };
    let put = |name: &str, key: &Value| json!({ "AliasName": name, "TargetKeyId": key["KeyId"] });
    call("CreateAlias", put("alias/a", &one)).await.unwrap();
    call("CreateAlias", put("alias/b", &one)).await.unwrap();
    assert_eq!(aliases(&one).await, ["alias/a", "alias/b"]);
    call("UpdateAlias", put("alias/a", &two)).await.unwrap();
    assert_eq!((aliases(&one).await, aliases(&two).await), (vec!["alias/b".into()], vec!["alias/a".into()]));
    // A generated alias is an alias like another.
    call("UpdateAlias", put("alias/team-key", &two)).await.unwrap();
    assert_eq!(
        call("DescribeKey", json!({ "KeyId": "alias/team-key" })).await.unwrap()["KeyMetadata"]["Arn"],
        two["Arn"]
    );
    call("DeleteAlias", json!({ "AliasName": "alias/team-key" })).await.unwrap();
    assert_eq!(call("DescribeKey", json!({ "KeyId": "alias/team-key" })).await.unwrap_err(), "NotFoundException");
    call("CreateAlias", put("alias/team-key", &one)).await.unwrap();
    let first = call("ListAliases", json!({ "Limit": 3 })).await.unwrap();
    assert_eq!((first["Truncated"].clone(), first["Aliases"].as_array().unwrap().len()), (json!(true), 3));
    let rest = call("ListAliases", json!({ "Marker": first["NextMarker"] })).await.unwrap();
    assert_eq!(rest["Aliases"][0]["AliasName"], "alias/team-key");
    assert_eq!(call("ListAliases", json!({ "Marker": "x" })).await.unwrap_err(), "InvalidMarkerException");

    sandbox.set_key_state(two["Arn"].as_str().unwrap(), KeyState::PendingDeletion { deletion_ms: 1 }).unwrap();
    let managed = call("DescribeKey", json!({ "KeyId": "alias/aws/s3" })).await.unwrap()["KeyMetadata"].clone();
    for (operation, input, code) in [
        ("CreateAlias", put("alias/a", &one), "AlreadyExistsException"),
        ("CreateAlias", put("alias/c", &two), "KMSInvalidStateException"),
        ("CreateAlias", put("alias/c", &managed), "AccessDeniedException"),
        ("CreateAlias", put("alias/aws/c", &one), "NotAuthorizedException"),
        ("CreateAlias", put("c", &one), "ValidationException"),
        ("CreateAlias", json!({ "AliasName": "alias/c", "TargetKeyId": "alias/b" }), "NotFoundException"),
        ("UpdateAlias", put("alias/c", &one), "NotFoundException"),
        ("UpdateAlias", put("alias/b", &two), "KMSInvalidStateException"),
        ("DeleteAlias", json!({ "AliasName": "alias/c" }), "NotFoundException"),
        ("DeleteAlias", json!({ "AliasName": "alias/aws/s3" }), "NotAuthorizedException"),
    ] {
        assert_eq!(call(operation, input.clone()).await.unwrap_err(), code, "{operation} {input}");
    }
    call("DeleteAlias", json!({ "AliasName": "alias/a" })).await.unwrap();
    for nth in 2..50 {
        call("CreateAlias", put(&format!("alias/n{nth}"), &one)).await.unwrap();
    }
    assert_eq!(call("CreateAlias", put("alias/one-more", &one)).await.unwrap_err(), "LimitExceededException");
}

#[tokio::test]
async fn a_primary_key_is_replicated_once_into_each_region() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let call = async |region: &str, operation: &str, input: Value| sandbox.kms(&keys, region, operation, input).await;
    let primary = sandbox.made_key(&keys, HERE, json!({ "MultiRegion": true, "Description": "first" })).await;
    let id = primary["KeyId"].as_str().unwrap();
    assert!(id.starts_with("mrk-") && primary["MultiRegionConfiguration"]["ReplicaKeys"] == json!([]));
    let tag = json!({ "TagKey": "a", "TagValue": "b" });
    let replicate =
        json!({ "KeyId": id, "ReplicaRegion": THERE, "Description": "second", "Tags": [tag], "Policy": root() });
    let answer = call(HERE, "ReplicateKey", replicate.clone()).await.unwrap();
    let replica = &answer["ReplicaKeyMetadata"];
    assert_eq!((&replica["KeyId"], &replica["Description"]), (&json!(id), &json!("second")));
    assert_eq!((&answer["ReplicaPolicy"], &answer["ReplicaTags"]), (&json!(root()), &json!([tag])));
    let configuration = &replica["MultiRegionConfiguration"];
    assert_eq!(configuration["MultiRegionKeyType"], "REPLICA");
    assert_eq!(configuration["PrimaryKey"], json!({ "Arn": primary["Arn"], "Region": HERE }));
    assert_eq!(configuration["ReplicaKeys"], json!([{ "Arn": replica["Arn"], "Region": THERE }]));
    let seen = call(HERE, "DescribeKey", json!({ "KeyId": id })).await.unwrap()["KeyMetadata"].clone();
    assert_eq!(seen["MultiRegionConfiguration"]["ReplicaKeys"], configuration["ReplicaKeys"]);
    assert_eq!(
        (&seen["Description"], seen["MultiRegionConfiguration"]["MultiRegionKeyType"].as_str()),
        (&json!("first"), Some("PRIMARY"))
    );
    assert_eq!(call(HERE, "ListResourceTags", json!({ "KeyId": id })).await.unwrap()["Tags"], json!([]));
    // They share their material, and the rotation that is set on the primary one.
    let secret = call(HERE, "Encrypt", json!({ "KeyId": id, "Plaintext": "c2VjcmV0" })).await.unwrap();
    let opened = call(THERE, "Decrypt", json!({ "CiphertextBlob": secret["CiphertextBlob"] })).await.unwrap();
    assert_eq!((&opened["Plaintext"], &opened["KeyId"]), (&json!("c2VjcmV0"), &replica["Arn"]));
    call(HERE, "EnableKeyRotation", json!({ "KeyId": id })).await.unwrap();
    assert_eq!(call(THERE, "GetKeyRotationStatus", json!({ "KeyId": id })).await.unwrap()["KeyRotationEnabled"], true);

    let single = sandbox.made_key(&keys, HERE, json!({})).await;
    let to = |key: &Value, region: &str| json!({ "KeyId": key, "ReplicaRegion": region });
    for (region, operation, input, code) in [
        (HERE, "ReplicateKey", replicate, "AlreadyExistsException"),
        (HERE, "ReplicateKey", to(&json!(id), HERE), "AlreadyExistsException"),
        (THERE, "ReplicateKey", to(&json!(id), HERE), "UnsupportedOperationException"),
        (HERE, "ReplicateKey", to(&single["KeyId"], THERE), "UnsupportedOperationException"),
        (HERE, "ReplicateKey", to(&json!(id), "eu-north-1"), "ValidationException"),
        (HERE, "ReplicateKey", to(&json!(id), "Mars"), "ValidationException"),
        (HERE, "ReplicateKey", to(&json!("alias/team-key"), THERE), "NotFoundException"),
        (THERE, "EnableKeyRotation", json!({ "KeyId": id }), "UnsupportedOperationException"),
    ] {
        assert_eq!(call(region, operation, input.clone()).await.unwrap_err(), code, "{operation} {input}");
    }
    let half = sandbox.allow("half", &["kms:ReplicateKey"], "*");
    let other = sandbox.made_key(&keys, HERE, json!({ "MultiRegion": true })).await;
    let refused = sandbox.kms(&half, HERE, "ReplicateKey", to(&other["KeyId"], THERE)).await.unwrap_err();
    assert_eq!(refused, "AccessDeniedException", "kms:CreateKey in the replica's Region is needed too");
    call(HERE, "DisableKey", json!({ "KeyId": other["KeyId"] })).await.unwrap();
    assert_eq!(call(HERE, "ReplicateKey", to(&other["KeyId"], THERE)).await.unwrap_err(), "DisabledException");

    // The primary goes after its replicas.
    let gone = call(HERE, "ScheduleKeyDeletion", json!({ "KeyId": id, "PendingWindowInDays": 9 })).await.unwrap();
    assert_eq!((&gone["KeyState"], gone.get("DeletionDate")), (&json!("PendingReplicaDeletion"), None));
    let seen = call(HERE, "DescribeKey", json!({ "KeyId": id })).await.unwrap()["KeyMetadata"].clone();
    assert_eq!(
        (&seen["KeyState"], &seen["PendingDeletionWindowInDays"]),
        (&json!("PendingReplicaDeletion"), &json!(9))
    );
    assert_eq!(call(THERE, "DescribeKey", json!({ "KeyId": id })).await.unwrap()["KeyMetadata"]["KeyState"], "Enabled");
    call(HERE, "CancelKeyDeletion", json!({ "KeyId": id })).await.unwrap();
    let gone = call(THERE, "ScheduleKeyDeletion", json!({ "KeyId": id })).await.unwrap();
    assert_eq!(gone["KeyState"], "PendingDeletion");
}

#[tokio::test]
async fn rotation_and_tags_are_set_and_refused_by_state() {
    let sandbox = start(SMALL, 0.0).await;
    let keys = sandbox.session(ALPHA);
    let call = async |operation: &str, input: Value| sandbox.kms(&keys, HERE, operation, input).await;
    let key = sandbox.made_key(&keys, HERE, json!({})).await["KeyId"].clone();
    let on = json!({ "KeyId": key });
    assert_eq!(call("GetKeyRotationStatus", on.clone()).await.unwrap()["KeyRotationEnabled"], false);
    call("EnableKeyRotation", json!({ "KeyId": key, "RotationPeriodInDays": 100 })).await.unwrap();
    let status = call("GetKeyRotationStatus", on.clone()).await.unwrap();
    assert_eq!((&status["KeyRotationEnabled"], &status["RotationPeriodInDays"]), (&json!(true), &json!(100)));
    assert!(status["NextRotationDate"].is_f64());
    for days in [json!(89), json!(2561), json!("90")] {
        let input = json!({ "KeyId": key, "RotationPeriodInDays": days });
        assert_eq!(call("EnableKeyRotation", input).await.unwrap_err(), "ValidationException");
    }
    call("DisableKeyRotation", on.clone()).await.unwrap();
    assert_eq!(call("GetKeyRotationStatus", on.clone()).await.unwrap()["KeyRotationEnabled"], false);
    let managed =
        call("DescribeKey", json!({ "KeyId": "alias/aws/s3" })).await.unwrap()["KeyMetadata"]["KeyId"].clone();
    let managed = json!({ "KeyId": managed });
    assert_eq!(call("GetKeyRotationStatus", managed.clone()).await.unwrap()["KeyRotationEnabled"], true);
    assert_eq!(call("DisableKeyRotation", managed).await.unwrap_err(), "AccessDeniedException");
    let external = sandbox.made_key(&keys, HERE, json!({ "Origin": "EXTERNAL" })).await["KeyId"].clone();
    for operation in ["EnableKeyRotation", "GetKeyRotationStatus"] {
        let refused = call(operation, json!({ "KeyId": external })).await.unwrap_err();
        assert_eq!(refused, "UnsupportedOperationException");
    }

    let tag =
        |key: &Value, name: &str, value: &str| json!({ "KeyId": key, "Tags": [{ "TagKey": name, "TagValue": value }] });
    call("TagResource", tag(&key, "a", "1")).await.unwrap();
    call("TagResource", tag(&key, "b", "")).await.unwrap();
    call("TagResource", tag(&key, "a", "2")).await.unwrap();
    let listed = call("ListResourceTags", json!({ "KeyId": key, "Limit": 1 })).await.unwrap();
    assert_eq!((&listed["Tags"], &listed["Truncated"]), (&json!([{ "TagKey": "b", "TagValue": "" }]), &json!(true)));
    call("UntagResource", json!({ "KeyId": key, "TagKeys": ["b", "never"] })).await.unwrap();
    assert_eq!(
        call("ListResourceTags", on.clone()).await.unwrap()["Tags"],
        json!([{ "TagKey": "a", "TagValue": "2" }])
    );
    let many: Vec<Value> = (0..50).map(|nth| json!({ "TagKey": format!("n{nth}"), "TagValue": "" })).collect();
    assert_eq!(call("TagResource", json!({ "KeyId": key, "Tags": many })).await.unwrap_err(), "LimitExceededException");
    assert_eq!(call("TagResource", tag(&key, "aws:x", "")).await.unwrap_err(), "TagException");
    assert_eq!(call("TagResource", tag(&key, "a*", "")).await.unwrap_err(), "TagException");
    assert_eq!(call("UntagResource", on.clone()).await.unwrap_err(), "ValidationException");
    call("UpdateKeyDescription", json!({ "KeyId": key, "Description": "new" })).await.unwrap();
    assert_eq!(call("DescribeKey", on.clone()).await.unwrap()["KeyMetadata"]["Description"], "new");

    call("DisableKey", on.clone()).await.unwrap();
    call("TagResource", tag(&key, "c", "")).await.unwrap();
    assert_eq!(call("EnableKeyRotation", on.clone()).await.unwrap_err(), "DisabledException");
    call("ScheduleKeyDeletion", on.clone()).await.unwrap();
    for (operation, input) in [
        ("TagResource", tag(&key, "d", "")),
        ("UntagResource", json!({ "KeyId": key, "TagKeys": ["c"] })),
        ("EnableKeyRotation", on.clone()),
        ("UpdateKeyDescription", json!({ "KeyId": key, "Description": "x" })),
    ] {
        assert_eq!(call(operation, input).await.unwrap_err(), "KMSInvalidStateException", "{operation}");
    }
}

#[tokio::test]
async fn made_keys_seal_buckets_and_outlive_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let open = async || {
        let options = Options { directory: Some(directory.path().into()), speed: 0.0, port: 0 };
        Sandbox::start(spec(SMALL), options).await.unwrap()
    };
    let sandbox = open().await;
    let keys = sandbox.session(ALPHA);
    let call =
        async |region: &str, operation: &str, input: Value| sandbox.kms(&keys, region, operation, input).await.unwrap();
    let key = sandbox.made_key(&keys, HERE, json!({ "MultiRegion": true, "Policy": root() })).await;
    let id = key["KeyId"].clone();
    call(HERE, "ReplicateKey", json!({ "KeyId": id, "ReplicaRegion": THERE })).await;
    call(THERE, "TagResource", json!({ "KeyId": id, "Tags": [{ "TagKey": "a", "TagValue": "b" }] })).await;
    call(HERE, "EnableKeyRotation", json!({ "KeyId": id, "RotationPeriodInDays": 90 })).await;
    call(HERE, "DeleteAlias", json!({ "AliasName": "alias/team-key" })).await;
    call(HERE, "CreateAlias", json!({ "AliasName": "alias/mine", "TargetKeyId": id })).await;
    let sealed = BucketEncryption {
        algorithm: "aws:kms".into(),
        key: key["Arn"].as_str().map(String::from),
        bucket_key: true,
        blocked: Vec::new(),
    };
    sandbox.set_bucket_encryption("alpha-one", Some(sealed)).unwrap();
    let put = async |sandbox: &Sandbox| {
        sandbox.send(&sandbox.session(ALPHA), "us-east-1/s3", "PUT", "/alpha-one/k", &[], "content").await.status
    };
    assert_eq!(put(&sandbox).await, 200);
    sandbox.stop();

    let again = open().await;
    let keys = again.session(ALPHA);
    let call = async |region: &str, operation: &str, input: Value| again.kms(&keys, region, operation, input).await;
    let on = json!({ "KeyId": id });
    let replica = call(THERE, "DescribeKey", on.clone()).await.unwrap()["KeyMetadata"].clone();
    assert_eq!(replica["MultiRegionConfiguration"]["PrimaryKey"]["Arn"], key["Arn"]);
    assert_eq!(call(THERE, "ListResourceTags", on.clone()).await.unwrap()["Tags"][0]["TagKey"], "a");
    assert_eq!(call(THERE, "GetKeyRotationStatus", on.clone()).await.unwrap()["RotationPeriodInDays"], 90);
    assert_eq!(call(HERE, "GetKeyPolicy", on.clone()).await.unwrap()["Policy"], root());
    assert_eq!(call(HERE, "DescribeKey", json!({ "KeyId": "alias/mine" })).await.unwrap()["KeyMetadata"]["KeyId"], id);
    assert_eq!(call(HERE, "DescribeKey", json!({ "KeyId": "alias/team-key" })).await.unwrap_err(), "NotFoundException");
    assert_eq!(put(&again).await, 200);
    call(HERE, "DisableKey", on).await.unwrap();
    assert_eq!(put(&again).await, 400, "the bucket's default key is disabled");
}

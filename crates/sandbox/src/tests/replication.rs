//! Replication of what is put, and what a KMS key asks of the rule's role.

use serde_json::json;

use super::{Keys, SMALL, start};
use crate::{BucketEncryption, Sandbox};

const ALPHA: &str = "111111111111";
const TRUST: &str = r#"{ "Version": "2012-10-17", "Statement": [ { "Effect": "Allow", "Principal": { "Service": "s3.amazonaws.com" }, "Action": "sts:AssumeRole" } ] }"#;

impl Sandbox {
    async fn replicated(&self, keys: &Keys) -> Option<String> {
        let put = self.send(keys, "us-east-1/s3", "PUT", "/alpha-one/k", &[], "content").await;
        assert_eq!(put.status, 200, "{}", String::from_utf8_lossy(&put.body));
        let head = self.send(keys, "us-east-1/s3", "HEAD", "/alpha-one/k", &[], "").await;
        head.headers.iter().find(|(name, _)| *name == "x-amz-replication-status").map(|(_, status)| status.clone())
    }

    async fn put_rule(&self, keys: &Keys, selection: &str, replica_key: &str) {
        let versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        for (bucket, region) in [("alpha-one", "us-east-1"), ("alpha-ireland", "eu-west-1")] {
            let path = format!("/{bucket}?versioning");
            let answer = self.send(keys, &format!("{region}/s3"), "PUT", &path, &[], versioning).await;
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        }
        let rule = format!(
            "<ReplicationConfiguration><Role>arn:aws:iam::{ALPHA}:role/s3-replication</Role><Rule><ID>all</ID><Priority>1</Priority>\
             <Filter/><Status>Enabled</Status>{selection}<Destination><Bucket>arn:aws:s3:::alpha-ireland</Bucket>{replica_key}</Destination>\
             <DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication></Rule></ReplicationConfiguration>"
        );
        let answer = self.send(keys, "us-east-1/s3", "PUT", "/alpha-one?replication", &[], &rule).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    }
}

#[tokio::test]
async fn a_rule_needs_a_role_that_may_decrypt_at_the_source_and_encrypt_for_the_replica() {
    let role = |kms: serde_json::Value| {
        let objects = json!({ "Effect": "Allow", "Action": ["s3:GetObjectVersionForReplication", "s3:ReplicateObject"], "Resource": "*" });
        json!({ "Version": "2012-10-17", "Statement": [objects, kms] }).to_string()
    };
    let everything = json!({ "Effect": "Allow", "Action": "kms:*", "Resource": "*" });
    let on_objects = json!({ "Effect": "Allow", "Action": ["kms:Decrypt", "kms:Encrypt"], "Resource": "*",
        "Condition": { "StringLike": { "kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::alpha-*/*" } } });
    let none = json!({ "Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*" });
    for (kms, bucket_key, status) in [
        (&everything, true, "COMPLETED"),
        (&on_objects, false, "COMPLETED"),
        // With a Bucket Key the context is the bucket's ARN.
        (&on_objects, true, "FAILED"),
        (&none, false, "FAILED"),
    ] {
        let role = format!(
            "[[account.roles]]\nname = \"s3-replication\"\ntrust = '''{TRUST}'''\npolicy = '''{}'''\n\n[[account]]\nname = \"beta\"",
            role(kms.clone())
        );
        let text = SMALL.replace("[[account]]\nname = \"beta\"", &role);
        let sandbox = start(&text, 0.0).await;
        let keys = sandbox.session(ALPHA);
        let key = sandbox.world.central_arns[0].to_string();
        let selects = "<SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status></SseKmsEncryptedObjects></SourceSelectionCriteria>";
        let of_ireland = sandbox.world.central_arns[1].to_string();
        let replica_key = format!(
            "<EncryptionConfiguration><ReplicaKmsKeyID>{of_ireland}</ReplicaKmsKeyID></EncryptionConfiguration>"
        );
        sandbox.put_rule(&keys, selects, &replica_key).await;
        assert_eq!(sandbox.replicated(&keys).await.as_deref(), Some("COMPLETED"), "SSE-S3 needs no key");
        let encryption =
            BucketEncryption { algorithm: "aws:kms".into(), key: Some(key), bucket_key, blocked: Vec::new() };
        sandbox.set_bucket_encryption("alpha-one", Some(encryption)).unwrap();
        assert_eq!(sandbox.replicated(&keys).await.as_deref(), Some(status), "{kms} {bucket_key}");
        // A rule that does not select objects under KMS keys passes over them.
        sandbox.put_rule(&keys, "", "").await;
        assert_eq!(sandbox.replicated(&keys).await, None);
    }
}

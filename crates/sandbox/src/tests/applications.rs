//! Applications: they write by themselves, a change of default encryption breaks those without rights on the key, and the
//! trail of their account says so. Also what IAM asks of a bucket's own account, both ways.

use serde_json::{Value, json};

use super::{Keys, SMALL, start};
use crate::{BucketEncryption, Sandbox};

const ALPHA: &str = "111111111111";

fn allow(actions: &[&str], resources: &[&str]) -> Value {
    json!({ "Effect": "Allow", "Action": actions, "Resource": resources })
}

fn policy(statements: &[Value]) -> String {
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

fn application(name: &str, policy: &str, more: &str) -> String {
    format!("\n[[application]]\nname = \"{name}\"\naccounts = [\"alpha\"]\npolicy = '{policy}'\n{more}\n")
}

const WRITES: &str = "buckets = [\"alpha-one\"]\nwrites_every_ms = 500\nreads = true";

impl Sandbox {
    fn seal(&self, bucket: &str, bucket_key: bool) -> String {
        let key = self.world.central_arns[0].to_string();
        let encryption =
            BucketEncryption { algorithm: "aws:kms".into(), key: Some(key.clone()), bucket_key, blocked: Vec::new() };
        self.set_bucket_encryption(bucket, Some(encryption)).unwrap();
        key
    }

    /// Waits until the application's state is as wanted.
    async fn until(&self, name: &str, wanted: impl Fn(&crate::ApplicationState) -> bool) -> crate::ApplicationState {
        for _ in 0..4000 {
            let state = self.application(name).unwrap();
            if wanted(&state) {
                return state;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("not so: {:?}", self.application(name));
    }

    pub(super) fn keys_of(&self, name: &str) -> Keys {
        let credentials = self.application_credentials(name).unwrap().remove(0);
        Keys { access_key: credentials.access_key_id, token: credentials.session_token }
    }

    async fn put_and_get(&self, keys: &Keys) -> (u16, u16) {
        let put = self.send_signed(keys, "PUT", "content").await;
        (put, self.send_signed(keys, "GET", "").await)
    }

    async fn send_signed(&self, keys: &Keys, method: &str, content: &str) -> u16 {
        self.send(keys, "us-east-1/s3", method, "/alpha-one/k", &[], content).await.status
    }

    async fn denials(&self, event: &str) -> Vec<Value> {
        let asked = json!({ "LookupAttributes": [{ "AttributeKey": "EventName", "AttributeValue": event }] });
        let target = "CloudTrail_20131101.LookupEvents";
        let (keys, headers) = (self.session(ALPHA), [("x-amz-target", target)]);
        let answer = self.send(&keys, "us-east-1/cloudtrail", "POST", "/", &headers, &asked.to_string()).await;
        let found: Value = serde_json::from_slice(&answer.body).unwrap();
        let events = found["Events"].as_array().unwrap().iter();
        let records = events.map(|event| serde_json::from_str(event["CloudTrailEvent"].as_str().unwrap()).unwrap());
        records.filter(|record: &Value| record["errorCode"] == "AccessDenied").collect()
    }
}

#[tokio::test]
async fn a_seal_breaks_who_has_no_right_on_the_key_and_nobody_else() {
    let objects = allow(&["s3:PutObject", "s3:GetObject"], &["arn:aws:s3:::alpha-one/*"]);
    let keys = allow(&["kms:GenerateDataKey", "kms:Decrypt"], &["arn:aws:kms:*:SECURITY-ACCOUNT:key/*"]);
    let text = SMALL.to_string()
        + &application("without-key", &policy(std::slice::from_ref(&objects)), WRITES)
        + &application("with-key", &policy(&[objects, keys]), &format!("kind = \"user\"\n{WRITES}"));
    let sandbox = start(&text, 0.0).await;
    for name in ["without-key", "with-key"] {
        let state = sandbox.until(name, |state| state.writes > 2 && state.reads > 2).await;
        assert_eq!((state.failed_writes, state.failed_reads, &state.last_error), (0, 0, &None), "{state:?}");
        assert_eq!((state.buckets[0].account.as_str(), state.buckets[0].bucket.as_str()), (ALPHA, "alpha-one"));
    }
    let key = sandbox.seal("alpha-one", true);
    let broken = sandbox.until("without-key", |state| state.failed_writes > 2).await;
    let said = broken.last_error.unwrap();
    assert!(said.starts_with("AccessDenied: ") && said.contains("kms:GenerateDataKey"), "{said}");
    assert!(broken.buckets[0].failing && broken.failed_reads == 0, "what it wrote before stays readable");
    let before = sandbox.application("with-key").unwrap();
    let after = sandbox.until("with-key", |state| state.writes > before.writes + 2 && state.reads > before.reads).await;
    assert_eq!((after.failed_writes, after.failed_reads, after.buckets[0].failing), (0, 0, false));

    let denied = &sandbox.denials("GenerateDataKey").await[0];
    assert_eq!(denied["eventSource"], "kms.amazonaws.com");
    assert_eq!(denied["requestParameters"]["keyId"], json!(key));
    assert_eq!(denied["requestParameters"]["encryptionContext"]["aws:s3:arn"], "arn:aws:s3:::alpha-one");
    let identity = &denied["userIdentity"];
    assert_eq!((&identity["type"], &identity["accountId"]), (&json!("AssumedRole"), &json!(ALPHA)));
    assert_eq!(identity["sessionContext"]["sessionIssuer"]["arn"], "arn:aws:iam::111111111111:role/without-key");
    for value in [&identity["invokedBy"], &denied["sourceIPAddress"], &denied["userAgent"]] {
        assert_eq!(value, "AWS Internal");
    }
    assert_eq!(denied["resources"][0]["ARN"], json!(key));
    assert_eq!(denied["resources"][0]["accountId"], json!(sandbox.security_account()));
    assert!(denied["errorMessage"].as_str().unwrap().contains("because no identity-based policy allows"), "{denied}");
    assert_eq!((&denied["recipientAccountId"], &denied["awsRegion"]), (&json!(ALPHA), &json!("us-east-1")));

    // Undone, it works again.
    let plain = BucketEncryption { algorithm: "AES256".into(), key: None, bucket_key: false, blocked: Vec::new() };
    sandbox.set_bucket_encryption("alpha-one", Some(plain)).unwrap();
    let again = sandbox.until("without-key", |state| !state.buckets[0].failing).await;
    assert!(again.last_error.is_some() && sandbox.counters().all() > 0);
    assert_eq!(sandbox.counters().totals("s3", "PutObject"), 0, "applications are not counted as requests");
}

#[tokio::test]
async fn the_principal_and_the_key_must_both_allow_and_s3_either() {
    let objects = ["arn:aws:s3:::alpha-one/*"];
    let s3 = allow(&["s3:PutObject", "s3:GetObject"], &objects);
    let kms = allow(&["kms:GenerateDataKey", "kms:Decrypt"], &["*"]);
    let apps = [("s3-and-kms", vec![s3.clone(), kms.clone()]), ("s3-alone", vec![s3]), ("kms-alone", vec![kms])];
    for kind in ["role", "user"] {
        let text = apps.iter().fold(SMALL.to_string(), |text, (name, statements)| {
            text + &application(name, &policy(statements), &format!("kind = \"{kind}\""))
        });
        let sandbox = start(&text, 0.0).await;
        let call = async |name: &str| sandbox.put_and_get(&sandbox.keys_of(name)).await;
        // Under SSE-S3 the S3 rights are enough, and KMS's are none.
        assert_eq!(call("s3-alone").await, (200, 200), "{kind}");
        assert_eq!(call("kms-alone").await, (403, 403), "{kind}");
        let arn = format!("arn:aws:iam::{ALPHA}:{kind}/kms-alone");
        let mut open = allow(&["s3:PutObject", "s3:GetObject"], &objects);
        open["Principal"] = json!({ "AWS": arn });
        sandbox.set_bucket_policy("alpha-one", Some(&policy(&[open]))).unwrap();
        assert_eq!(call("kms-alone").await, (200, 200), "{kind}: the bucket's policy suffices within the account");
        let key = sandbox.seal("alpha-one", true);
        assert_eq!(call("s3-alone").await.0, 403, "{kind}: the principal's own policy says nothing of KMS");
        assert_eq!(call("kms-alone").await, (200, 200), "{kind}");
        assert_eq!(call("s3-and-kms").await, (200, 200), "{kind}");
        assert_eq!(call("s3-alone").await, (403, 403), "{kind}: nor may it read");
        assert!(!sandbox.denials("Decrypt").await.is_empty());
        // The other way round: the principal may, the key's policy does not.
        let own = crate::policy::shipped::central_key(
            &sandbox.world.spec,
            sandbox.security_account(),
            sandbox.organization_id(),
            false,
        );
        sandbox.set_key_policy(&key, &own).unwrap();
        assert_eq!(call("s3-and-kms").await, (403, 403), "{kind}");
        let denied = sandbox.denials("GenerateDataKey").await;
        let message = denied[0]["errorMessage"].as_str().unwrap();
        assert!(
            message.contains("because no resource-based policy allows the kms:GenerateDataKey action"),
            "{message}"
        );
        let of = if kind == "role" { "assumed-role/s3-and-kms/application" } else { "user/s3-and-kms" };
        assert!(denied[0]["userIdentity"]["arn"].as_str().unwrap().ends_with(of));
    }
}

#[tokio::test]
async fn boundaries_and_control_policies_bind_applications_too() {
    let rights = policy(&[allow(&["s3:*", "kms:*"], &["*"])]);
    let boundary = policy(&[allow(&["s3:*"], &["*"])]);
    let text = SMALL.to_string()
        + &application("bounded", &rights, &format!("boundary = '{boundary}'\n{WRITES}"))
        + &application("free", &rights, &format!("kind = \"user\"\n{WRITES}"));
    let sandbox = start(&text, 0.0).await;
    sandbox.until("bounded", |state| state.writes > 0).await;
    sandbox.seal("alpha-one", true);
    let said = sandbox.until("bounded", |state| state.failed_writes > 0).await.last_error.unwrap();
    assert!(said.contains("because no permissions boundary allows the kms:GenerateDataKey action"), "{said}");
    assert_eq!(sandbox.application("free").unwrap().last_error, None);
    let deny = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"kms:*","Resource":"*"}}"#;
    sandbox.set_scp("no-keys", &["alpha"], deny).unwrap();
    let said = sandbox.until("free", |state| state.failed_writes > 0).await.last_error.unwrap();
    assert!(said.contains("with an explicit deny in a service control policy"), "{said}");
    sandbox.remove_scp("no-keys").unwrap();
    sandbox.until("free", |state| !state.buckets[0].failing).await;
    sandbox.set_role_policy(ALPHA, "bounded", &boundary).unwrap();
    sandbox.set_role_boundary(ALPHA, "bounded", None).unwrap();
    let said = |state: &crate::ApplicationState| state.last_error.clone().unwrap();
    sandbox.until("bounded", |state| said(state).contains("because no identity-based policy allows")).await;
}

#[tokio::test]
async fn a_policy_bound_to_objects_does_not_fit_a_bucket_key() {
    let mut kms = allow(&["kms:GenerateDataKey", "kms:Decrypt"], &["*"]);
    kms["Condition"] = json!({ "StringLike": { "kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::alpha-one/*" } });
    let statements = [allow(&["s3:PutObject", "s3:GetObject"], &["arn:aws:s3:::alpha-one/*"]), kms];
    let sandbox = start(&(SMALL.to_string() + &application("bound", &policy(&statements), "")), 0.0).await;
    let keys = sandbox.keys_of("bound");
    sandbox.seal("alpha-one", false);
    assert_eq!(sandbox.put_and_get(&keys).await, (200, 200), "the context is the object's ARN");
    sandbox.seal("alpha-one", true);
    assert_eq!(sandbox.send_signed(&keys, "PUT", "content").await, 403, "the context is the bucket's ARN");
    let denied = &sandbox.denials("GenerateDataKey").await[0];
    assert_eq!(denied["requestParameters"]["encryptionContext"]["aws:s3:arn"], "arn:aws:s3:::alpha-one");
}

#[tokio::test]
async fn iam_shows_applications_with_their_groups_and_managed_policies() {
    let rights = policy(&[allow(&["s3:GetObject"], &["arn:aws:s3:::*"])]);
    let text = SMALL.to_string()
        + &application("attached", &rights, "managed_policy = \"reads\"")
        + &application("member", &rights, "kind = \"user\"\ngroup = \"readers\"")
        + &application("bounded", &rights, &format!("kind = \"user\"\nboundary = '{rights}'"));
    let sandbox = start(&text, 0.0).await;
    let form = "Action=GetAccountAuthorizationDetails&Version=2010-05-08";
    let answer = sandbox.send(&sandbox.session(ALPHA), "us-east-1/iam", "POST", "/", &[], form).await;
    let xml = String::from_utf8(answer.body.to_vec()).unwrap();
    for wanted in [
        "<PolicyArn>arn:aws:iam::111111111111:policy/reads</PolicyArn>",
        "<Arn>arn:aws:iam::111111111111:policy/reads</Arn>",
        "<Arn>arn:aws:iam::111111111111:role/attached</Arn>",
        "<GroupList><member>readers</member></GroupList>",
        "<Arn>arn:aws:iam::111111111111:group/readers</Arn>",
        "<PermissionsBoundaryArn>arn:aws:iam::111111111111:policy/bounded-boundary</PermissionsBoundaryArn>",
        "<Arn>arn:aws:iam::111111111111:user/bounded</Arn>",
    ] {
        assert!(xml.contains(wanted), "no {wanted} in {xml}");
    }
    // A group's policy is the user's.
    let keys = sandbox.keys_of("member");
    let answer = sandbox.send(&keys, "us-east-1/s3", "GET", "/alpha-one/none", &[], "").await;
    assert_eq!(answer.status, 404);
    assert!(sandbox.application("nobody").is_none() && sandbox.application_credentials("nobody").is_none());
    let role = format!(
        "Action=AssumeRole&Version=2011-06-15&RoleSessionName=test&RoleArn=arn%3Aaws%3Aiam%3A%3A{ALPHA}%3Arole%2Fattached"
    );
    let assumed = sandbox.send(&sandbox.session(ALPHA), "us-east-1/sts", "POST", "/", &[], &role).await;
    assert_eq!(assumed.status, 200);
}

#[tokio::test]
async fn patterns_take_buckets_of_the_own_account_and_names_any() {
    let rights = policy(&[allow(&["s3:PutObject"], &["*"])]);
    let more = "buckets = [\"alpha-*\", \"beta-*\", \"beta-one\"]\nwrites_every_ms = 1";
    let sandbox = start(&(SMALL.to_string() + &application("wide", &rights, more)), 0.0).await;
    let state = sandbox.until("wide", |state| state.buckets.len() == 3 && state.failed_writes > 1).await;
    let outcome: Vec<(&str, bool)> = state.buckets.iter().map(|b| (b.bucket.as_str(), b.failing)).collect();
    assert_eq!(outcome, [("alpha-ireland", false), ("alpha-one", false), ("beta-one", true)]);
    assert_eq!(sandbox.applications()[0].name, "wide");
}

#[tokio::test]
async fn what_applications_write_is_not_kept_on_disk() {
    let rights = policy(&[allow(&["s3:*"], &["*"])]);
    let folder = tempfile::tempdir().unwrap();
    let text = SMALL.to_string() + &application("busy", &rights, WRITES);
    for _ in 0..2 {
        let options = crate::Options { directory: Some(folder.path().into()), speed: 0.0, port: 0 };
        let sandbox = Sandbox::start(super::spec(&text), options).await.unwrap();
        sandbox.until("busy", |state| state.writes > 3).await;
        let keys = sandbox.session(ALPHA);
        assert_eq!(sandbox.send_signed(&keys, "PUT", "content").await, 200, "what is asked for on the socket is");
    }
    let journal = std::fs::read_to_string(folder.path().join("journal.jsonl")).unwrap();
    assert_eq!(
        (journal.contains("applications/"), journal.lines().filter(|line| line.contains("object_put")).count()),
        (false, 2)
    );
}

//! Tests that need a whole organization: requests go in where the socket would put them, answers come out.

mod access_points;
mod applications;
mod automation;
mod blocked_types;
mod clients;
mod cloudformation;
mod cloudformation_change_sets;
mod cloudformation_resources;
mod cloudformation_stack_sets;
mod cloudformation_templates;
mod cloudformation_updates;
mod cloudtrail;
mod condition_keys;
mod config;
mod config_aggregators;
mod config_packs;
mod config_refusals;
mod disabled_regions;
mod documents;
mod evaluate;
mod faults;
mod fresh;
mod fuzz;
mod generator;
mod guards;
mod iam;
mod iam_consistency;
mod iam_in_force;
mod iam_policies;
mod iam_roles;
mod iam_users;
mod journal;
mod kms;
mod made;
mod objects;
mod observe;
mod organization_writes;
mod organizations;
mod partitions;
mod permissions;
mod protocol;
mod replication;
mod restore;
mod signing;
mod socket;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::request::Request;
use crate::services;
use crate::wire::Answer;
use crate::world::session::{Caller, CallerKind};
use crate::{Options, Sandbox, Spec};

/// Credentials as a request shows them.
#[derive(Clone)]
struct Keys {
    access_key: String,
    token: Option<String>,
}

fn spec(text: &str) -> Spec {
    Spec::from_toml(text, "test").unwrap()
}

/// Two accounts with described buckets beside the management and the security account.
const SMALL: &str = r#"
seed = 11
accounts = 4
suspended = 0
without_member_role = 0
buckets_per_account = 3
regions = ["us-east-1", "eu-west-1"]

[[account]]
name = "alpha"
id = "111111111111"
[[account.buckets]]
name = "alpha-one"
encryption = "sse_s3"
[[account.buckets]]
name = "alpha-ireland"
region = "eu-west-1"
encryption = "none"

[[account]]
name = "beta"
id = "222222222222"
[[account.buckets]]
name = "beta-one"
encryption = "sse_s3"
"#;

async fn start(text: &str, speed: f64) -> Sandbox {
    Sandbox::start(spec(text), Options { speed, ..Options::default() }).await.unwrap()
}

impl Sandbox {
    fn security(&self) -> Keys {
        Keys { access_key: self.credentials().0, token: None }
    }

    /// A session of the account's administrator, for tests that are not about permissions.
    fn session(&self, account: &str) -> Keys {
        self.session_of(account, "OrganizationAccountAccessRole")
    }

    /// A session of a role, without asking its trust.
    fn session_of(&self, account: &str, role: &str) -> Keys {
        let caller = Caller {
            account: self.world.organization.find(account).unwrap(),
            arn: self.world.spec.partition.session_arn(account, role, "test").into(),
            user_id: "AROATEST:test".into(),
            kind: CallerKind::RoleSession,
            session: None,
        };
        let session = self.world.sessions.open(caller, crate::wire::now_ms(), 900);
        Keys { access_key: session.access_key.clone(), token: Some(session.token.clone()) }
    }

    fn secret(&self, keys: &Keys) -> String {
        let described = self.world.applications.user(&keys.access_key);
        for user in [&self.world.security_user, &self.world.management_user].into_iter().chain(described) {
            if user.access_key == keys.access_key {
                return user.secret.clone();
            }
        }
        self.world.sessions.find(&keys.access_key).map(|session| session.secret.clone()).unwrap_or_default()
    }

    async fn send(
        &self,
        keys: &Keys,
        scope: &str,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut builder = http::Request::builder().method(method).uri(uri);
        let host = headers.iter().find(|(name, _)| *name == "host").map_or("127.0.0.1", |(_, value)| value);
        let signing = signing::Signing { keys, secret: &self.secret(keys), scope, host };
        for (name, value) in signing.headers(method, uri, headers, body.as_bytes()) {
            builder = builder.header(name, value);
        }
        for (name, value) in headers.iter().filter(|(name, _)| *name != "host" && !name.starts_with("x-amz-")) {
            builder = builder.header(*name, *value);
        }
        let parts = builder.body(()).unwrap().into_parts().0;
        services::answer(&self.world, &Request::new(parts, Bytes::copy_from_slice(body.as_bytes()))).await
    }

    /// Calls a JSON service: the output, or the error's code.
    async fn json(&self, keys: &Keys, region: &str, operation: &str, input: Value) -> Result<Value, String> {
        let (service, target) = match operation {
            "DescribeKey" | "CreateKey" | "CreateAlias" | "DisableKey" => ("kms", "TrentService"),
            // SSM has an operation of this name as well.
            config if config != "ListTagsForResource" && services::config::OPERATIONS.contains(&config) => {
                ("config", "StarlingDoveService")
            }
            "ListAccounts" => ("organizations", "AWSOrganizationsV20161128"),
            _ => ("ssm", "AmazonSSM"),
        };
        self.json_of((service, target), keys, region, operation, input).await
    }

    /// Calls an operation whose service does not follow from its name.
    async fn json_of(
        &self,
        (service, target): (&str, &str),
        keys: &Keys,
        region: &str,
        operation: &str,
        input: Value,
    ) -> Result<Value, String> {
        let target = format!("{target}.{operation}");
        let scope = format!("{region}/{service}");
        let answer = self.send(keys, &scope, "POST", "/", &[("x-amz-target", &target)], &input.to_string()).await;
        let value: Value = serde_json::from_slice(&answer.body).unwrap();
        if answer.status == 200 { Ok(value) } else { Err(value["__type"].as_str().unwrap().to_string()) }
    }

    async fn start_execution(&self, keys: &Keys, region: &str, input: Value) -> Result<String, String> {
        let output = self.json(keys, region, "StartAutomationExecution", input).await?;
        Ok(output["AutomationExecutionId"].as_str().unwrap().to_string())
    }

    async fn execution(&self, keys: &Keys, region: &str, id: &str) -> Value {
        let input = json!({ "AutomationExecutionId": id });
        self.json(keys, region, "GetAutomationExecution", input).await.unwrap()["AutomationExecution"].clone()
    }

    async fn until_ended(&self, keys: &Keys, region: &str, id: &str) -> Value {
        for _ in 0..2000 {
            let execution = self.execution(keys, region, id).await;
            let status = execution["AutomationExecutionStatus"].as_str().unwrap();
            if !["Pending", "InProgress", "Cancelling"].contains(&status) {
                return execution;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("execution {id} does not end");
    }

    fn bucket(&self, name: &str) -> crate::BucketState {
        self.buckets().into_iter().find(|bucket| bucket.name == name).unwrap()
    }

    async fn create_document(&self, keys: &Keys, region: &str, name: &str, content: &Value) {
        let input = json!({ "Name": name, "Content": content.to_string(), "DocumentType": "Automation" });
        self.json(keys, region, "CreateDocument", input).await.unwrap();
    }
}

/// The parameters of a start of the shipped document.
fn seal(sandbox: &Sandbox, account: &str, region: usize, bucket: &str) -> Value {
    json!({
        "BucketName": [bucket],
        "KMSMasterKeyID": [sandbox.world.central_arns[region].as_ref()],
        "AutomationAssumeRole": [format!("arn:aws:iam::{account}:role/orgseal-automation")],
        "ExpectedBucketOwner": [account],
    })
}

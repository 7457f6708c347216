//! One event, kept small, and the CloudTrail record that is written of it (record contents, event version 1.11).
//! Secrets never get into a record: session tokens, secret keys, data keys and external IDs are left out.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::request::{Request, form_fields};
use crate::wire::iso8601;
use crate::world::World;
use crate::world::session::{Caller, CallerKind};

const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// Longer parameters are left out of the record, as CloudTrail does with those above 100 KB.
pub(crate) const LONGEST_PARAMETERS: usize = 4096;

/// Who did it.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    pub(crate) caller: Option<Caller>,
    pub(crate) access_key: Box<str>,
    pub(crate) source_identity: Option<Arc<str>>,
    /// The AWS service that called on the principal's behalf.
    pub(crate) invoked_by: Option<&'static str>,
}

/// The request's parameters, read only when someone asks for the record.
#[derive(Debug, Clone)]
pub(crate) enum Parameters {
    Json(Box<[u8]>),
    Form(Box<[u8]>),
    S3 { bucket: Box<str>, key: Box<str>, query: Box<[(String, String)]> },
    Value(Box<Value>),
    LeftOut,
}

/// A request as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) at_ms: i64,
    pub(crate) event_id: Uuid,
    /// The same in both accounts that a call across accounts shows in.
    pub(crate) shared_id: Option<Uuid>,
    pub(crate) request_id: Uuid,
    pub(crate) actor: Actor,
    /// The account in whose trail it is.
    pub(crate) recipient: Option<usize>,
    pub(crate) service: Cow<'static, str>,
    pub(crate) operation: Cow<'static, str>,
    /// An index into the spec's Regions; one beyond them is the Region of the global service.
    pub(crate) region: u16,
    pub(crate) parameters: Parameters,
    pub(crate) error: Option<(&'static str, Box<str>)>,
    pub(crate) agent: Arc<str>,
}

/// An id that follows from another one: cheaper than a random one, and as unique.
pub(crate) fn derived(id: Uuid, nth: u128) -> Uuid {
    let mixed = (id.as_u128() ^ (nth + 1)).wrapping_mul(0xda94_2042_e4dd_58b5_9e37_79b9_7f4a_7c15);
    uuid::Builder::from_random_bytes((mixed ^ (mixed >> 61)).to_be_bytes()).into_uuid()
}

/// S3's data events: CloudTrail records them on request only, and LookupEvents never shows them.
pub(crate) fn is_data_event(operation: &str) -> bool {
    let of_objects = operation.contains("Object") && operation != "GetObjectLockConfiguration";
    of_objects || operation.contains("Multipart") || operation == "UploadPart"
}

/// Global services record in the Region that serves them.
pub(crate) fn region_of(world: &World, service: &str, region: &str) -> u16 {
    let name = world.spec.partition.global_region(service).unwrap_or(region);
    world.region_index(name).unwrap_or(world.spec.regions.len()) as u16
}

/// Whether the operation changes nothing.
fn reads(operation: &str) -> bool {
    ["Get", "List", "Describe", "Head", "Lookup", "AssumeRole", "GenerateDataKey", "Decrypt", "Encrypt"]
        .iter()
        .any(|verb| operation.starts_with(verb))
}

impl Parameters {
    pub(crate) fn of(service: &str, request: &Request) -> Parameters {
        if request.body.len() > LONGEST_PARAMETERS {
            return Parameters::LeftOut;
        }
        // Copied, so that the connection's buffer is not kept with it.
        let body = || Box::from(&request.body[..]);
        match service {
            "s3" => {
                let (bucket, key) = crate::services::s3::bucket_and_key(request);
                let public = |name: &str| !name.to_ascii_lowercase().starts_with("x-amz-");
                let query = request.query.iter().filter(|(name, _)| public(name)).cloned().collect();
                Parameters::S3 { bucket: bucket.into(), key: key.into(), query }
            }
            "sts" | "iam" | "cloudformation" => Parameters::Form(body()),
            _ => Parameters::Json(body()),
        }
    }

    /// As in a record: members begin in lower case, secrets are hidden.
    fn value(&self) -> Value {
        let mut members = match self {
            Parameters::LeftOut => return Value::Null,
            Parameters::Json(body) => serde_json::from_slice(body).unwrap_or_default(),
            Parameters::Value(value) => value.as_object().cloned().unwrap_or_default(),
            Parameters::Form(body) => form_fields(body)
                .into_iter()
                .filter(|(name, _)| name != "Action" && name != "Version")
                // A stack's parameters may be secret, and which of them are only its template says.
                .map(|(name, value)| match name.ends_with(".ParameterValue") {
                    true => (name, json!(HIDDEN)),
                    false => (name, json!(value)),
                })
                .collect(),
            Parameters::S3 { bucket, key, query } => {
                let mut members: Map<String, Value> =
                    query.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
                for (name, value) in [("bucketName", bucket), ("key", key)] {
                    if !value.is_empty() {
                        members.insert(name.into(), json!(value));
                    }
                }
                members
            }
        };
        const SECRET: [&str; 5] = ["ExternalId", "SecretAccessKey", "SessionToken", "Plaintext", "WebIdentityToken"];
        for name in SECRET {
            if let Some(value) = members.get_mut(name) {
                *value = json!(HIDDEN);
            }
        }
        members.into_iter().map(|(name, value)| (lower_first(&name), value)).collect()
    }
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect()
}

impl Event {
    fn parameter(&self, name: &str) -> Option<String> {
        self.parameters.value().get(name).and_then(Value::as_str).map(String::from)
    }

    /// The account whose role was assumed.
    pub(crate) fn role_account(&self, world: &World) -> Option<usize> {
        let arn = self.parameter("roleArn")?;
        world.organization.find(world.spec.partition.strip_arn("iam", &arn)?.split(':').nth(1)?)
    }

    pub(crate) fn region_name<'a>(&self, world: &'a World) -> &'a str {
        let beyond = || world.spec.partition.global_region(&self.service).unwrap_or_default();
        world.spec.regions.get(usize::from(self.region)).map_or_else(beyond, String::as_str)
    }

    pub(crate) fn source(&self) -> String {
        format!("{}.amazonaws.com", self.service)
    }

    pub(crate) fn reads(&self) -> bool {
        reads(&self.operation)
    }

    /// The user's name or the session's.
    pub(crate) fn user_name(&self) -> &str {
        self.actor.caller.as_ref().map_or("", |caller| caller.arn.rsplit('/').next().unwrap_or_default())
    }

    /// Types and names of what it was about.
    pub(crate) fn resources(&self) -> Vec<(&'static str, String)> {
        let wanted: &[(&str, &'static str)] = match &*self.service {
            "s3" => &[("bucketName", "AWS::S3::Bucket"), ("bucket", "AWS::S3::Bucket")],
            "sts" => &[("roleArn", "AWS::IAM::Role")],
            "kms" => &[("keyId", "AWS::KMS::Key")],
            "cloudformation" => {
                &[("stackName", "AWS::CloudFormation::Stack"), ("stackSetName", "AWS::CloudFormation::StackSet")]
            }
            "ssm" => &[
                ("documentName", "AWS::SSM::Document"),
                ("name", "AWS::SSM::Document"),
                ("automationExecutionId", "AWS::SSM::AutomationExecution"),
            ],
            _ => &[],
        };
        let value = self.parameters.value();
        wanted.iter().filter_map(|(name, kind)| Some((*kind, value.get(*name)?.as_str()?.to_string()))).collect()
    }

    fn identity(&self, world: &World) -> Value {
        let Some(caller) = &self.actor.caller else {
            return json!({ "type": "Unknown", "accessKeyId": self.actor.access_key });
        };
        let account = &world.organization.accounts[caller.account].id;
        let mut identity = json!({
            "type": "IAMUser",
            "principalId": &*caller.user_id,
            "arn": &*caller.arn,
            "accountId": account,
            "accessKeyId": self.actor.access_key,
        });
        if self.actor.access_key.is_empty()
            && let Some(members) = identity.as_object_mut()
        {
            members.remove("accessKeyId");
        }
        match caller.kind {
            CallerKind::User => identity["userName"] = json!(self.user_name()),
            CallerKind::RoleSession => {
                let role = caller.arn.split("assumed-role/").nth(1).and_then(|rest| rest.rsplit_once('/'));
                let role = role.map_or("", |(role, _)| role);
                identity["type"] = json!("AssumedRole");
                identity["sessionContext"] = json!({
                    "sessionIssuer": {
                        "type": "Role",
                        "principalId": caller.user_id.split(':').next(),
                        "arn": world.spec.partition.iam_arn(account, format_args!("role/{role}")),
                        "accountId": account,
                        "userName": role.rsplit('/').next(),
                    },
                    "attributes": { "creationDate": seconds(self.at_ms), "mfaAuthenticated": "false" },
                });
                if let Some(source) = &self.actor.source_identity {
                    identity["sessionContext"]["sourceIdentity"] = json!(&**source);
                }
            }
        }
        if let Some(service) = self.actor.invoked_by {
            identity["invokedBy"] = json!(service);
        }
        identity
    }

    /// The CloudTrail record.
    pub(crate) fn record(&self, world: &World) -> Value {
        let data = self.service == "s3" && is_data_event(&self.operation);
        let request_id = match &*self.service {
            "s3" => self.request_id.simple().to_string()[..16].to_uppercase(),
            _ => self.request_id.to_string(),
        };
        let resources: Vec<Value> =
            self.resources().into_iter().map(|(kind, name)| self.resource(world, kind, &name)).collect();
        let mut record = json!({
            "eventVersion": "1.11",
            "userIdentity": self.identity(world),
            "eventTime": seconds(self.at_ms),
            "eventSource": self.source(),
            "eventName": self.operation,
            "awsRegion": self.region_name(world),
            "sourceIPAddress": self.actor.invoked_by.unwrap_or("127.0.0.1"),
            "userAgent": &*self.agent,
            "requestParameters": self.parameters.value(),
            "responseElements": null,
            "requestID": request_id,
            "eventID": self.event_id.to_string(),
            "readOnly": self.reads(),
            "resources": resources,
            "eventType": "AwsApiCall",
            "managementEvent": !data,
            "eventCategory": if data { "Data" } else { "Management" },
        });
        if let Some(account) = self.recipient {
            record["recipientAccountId"] = json!(world.organization.accounts[account].id);
        }
        if let Some(id) = self.shared_id {
            record["sharedEventID"] = json!(id.to_string());
        }
        if let Some((code, message)) = &self.error {
            // CloudTrail has one name for being denied, whatever the service calls it.
            let code = if *code == "AccessDeniedException" { "AccessDenied" } else { code };
            record["errorCode"] = json!(code);
            record["errorMessage"] = json!(&**message);
        }
        record
    }

    fn resource(&self, world: &World, kind: &str, name: &str) -> Value {
        let arn = match kind {
            "AWS::S3::Bucket" => world.spec.partition.s3_arn(name),
            _ => name.to_string(),
        };
        let mut resource = json!({ "type": kind, "ARN": arn });
        // A key's owner may be another account than the one that asks.
        let owner = if kind == "AWS::KMS::Key" { name.split(':').nth(4) } else { None };
        if let Some(owner) = owner {
            resource["accountId"] = json!(owner);
        } else if let Some(account) = self.recipient {
            resource["accountId"] = json!(world.organization.accounts[account].id);
        }
        resource
    }
}

fn seconds(ms: i64) -> String {
    let mut text = iso8601(ms);
    text.replace_range(text.len() - 5.., "Z");
    text
}

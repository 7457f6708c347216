//! Get, Put and Delete of the bucket configurations that are stored as they are put: logging, website, replication,
//! tagging, ACL, public access block, ownership, notification, versioning, acceleration. The bucket policy is in `policy`.

use serde_json::{Value, json};

use super::encryption::malformed;
use super::shape::Shape;
use super::{Place, shapes};
use crate::journal::Entry;
use crate::request::Request;
use crate::wire::element::Element;
use crate::wire::error::AwsError;
use crate::wire::rest_xml::NAMESPACE;
use crate::wire::{Answer, rest_xml};
use crate::world::World;
use crate::world::bucket::Bucket;
use crate::world::configuration::Configuration;

/// A configuration as operations know it.
pub(super) struct Kind {
    /// `?logging`
    pub(super) subresource: &'static str,
    pub(super) get: &'static str,
    pub(super) put: &'static str,
    /// Absent where the service has no Delete operation.
    pub(super) delete: Option<&'static str>,
    /// The member of the Put operation's input that is the payload.
    payload: &'static str,
    /// The root element, of Put's payload and of Get's answer.
    root: &'static str,
    shape: &'static Shape,
    which: Configuration,
    /// What Get says when there is none; absent where it answers with an empty structure.
    missing: Option<(&'static str, &'static str)>,
    /// Whether Get's output structure has the payload as a member, and not its members as its own.
    wrapped: bool,
}

/// All of them.
pub(super) const KINDS: &[Kind] = &[
    Kind {
        subresource: "logging",
        get: "GetBucketLogging",
        put: "PutBucketLogging",
        delete: None,
        payload: "BucketLoggingStatus",
        root: "BucketLoggingStatus",
        shape: &shapes::LOGGING,
        which: Configuration::Logging,
        missing: None,
        wrapped: false,
    },
    Kind {
        subresource: "website",
        get: "GetBucketWebsite",
        put: "PutBucketWebsite",
        delete: Some("DeleteBucketWebsite"),
        payload: "WebsiteConfiguration",
        root: "WebsiteConfiguration",
        shape: &shapes::WEBSITE,
        which: Configuration::Website,
        missing: Some(("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration")),
        wrapped: false,
    },
    Kind {
        subresource: "replication",
        get: "GetBucketReplication",
        put: "PutBucketReplication",
        delete: Some("DeleteBucketReplication"),
        payload: "ReplicationConfiguration",
        root: "ReplicationConfiguration",
        shape: &shapes::REPLICATION,
        which: Configuration::Replication,
        missing: Some(("ReplicationConfigurationNotFoundError", "The replication configuration was not found")),
        wrapped: true,
    },
    Kind {
        subresource: "tagging",
        get: "GetBucketTagging",
        put: "PutBucketTagging",
        delete: Some("DeleteBucketTagging"),
        payload: "Tagging",
        root: "Tagging",
        shape: &shapes::TAGGING,
        which: Configuration::Tagging,
        missing: Some(("NoSuchTagSet", "The TagSet does not exist")),
        wrapped: false,
    },
    Kind {
        subresource: "acl",
        get: "GetBucketAcl",
        put: "PutBucketAcl",
        delete: None,
        payload: "AccessControlPolicy",
        root: "AccessControlPolicy",
        shape: &shapes::ACL,
        which: Configuration::Acl,
        missing: None,
        wrapped: false,
    },
    Kind {
        subresource: "publicAccessBlock",
        get: "GetPublicAccessBlock",
        put: "PutPublicAccessBlock",
        delete: Some("DeletePublicAccessBlock"),
        payload: "PublicAccessBlockConfiguration",
        root: "PublicAccessBlockConfiguration",
        shape: &shapes::PUBLIC_ACCESS_BLOCK,
        which: Configuration::PublicAccessBlock,
        missing: Some(("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")),
        wrapped: true,
    },
    Kind {
        subresource: "ownershipControls",
        get: "GetBucketOwnershipControls",
        put: "PutBucketOwnershipControls",
        delete: Some("DeleteBucketOwnershipControls"),
        payload: "OwnershipControls",
        root: "OwnershipControls",
        shape: &shapes::OWNERSHIP_CONTROLS,
        which: Configuration::OwnershipControls,
        missing: Some(("OwnershipControlsNotFoundError", "The bucket ownership controls were not found")),
        wrapped: true,
    },
    Kind {
        subresource: "notification",
        get: "GetBucketNotificationConfiguration",
        put: "PutBucketNotificationConfiguration",
        delete: None,
        payload: "NotificationConfiguration",
        root: "NotificationConfiguration",
        shape: &shapes::NOTIFICATION,
        which: Configuration::Notification,
        missing: None,
        wrapped: false,
    },
    Kind {
        subresource: "versioning",
        get: "GetBucketVersioning",
        put: "PutBucketVersioning",
        delete: None,
        payload: "VersioningConfiguration",
        root: "VersioningConfiguration",
        shape: &shapes::VERSIONING,
        which: Configuration::Versioning,
        missing: None,
        wrapped: false,
    },
    Kind {
        subresource: "accelerate",
        get: "GetBucketAccelerateConfiguration",
        put: "PutBucketAccelerateConfiguration",
        delete: None,
        payload: "AccelerateConfiguration",
        root: "AccelerateConfiguration",
        shape: &shapes::ACCELERATE,
        which: Configuration::Accelerate,
        missing: None,
        wrapped: false,
    },
];

impl Kind {
    pub(super) fn of(operation: &str) -> Option<&'static Kind> {
        KINDS.iter().find(|kind| kind.get == operation || kind.put == operation || kind.delete == Some(operation))
    }

    fn value(&self, world: &World, place: &Place<'_>) -> Result<Value, AwsError> {
        let owner = place.owner(world);
        place.with(world, false, |bucket| match bucket.configurations.get(self.which) {
            Some(value) => Ok(value.clone()),
            None if self.which == Configuration::Acl => Ok(canned_acl(world, owner, "private").unwrap_or_default()),
            None => match self.missing {
                None => Ok(json!({})),
                Some((code, message)) => Err(AwsError::new(404, code, message).with("BucketName", place.bucket)),
            },
        })
    }

    fn store(&self, world: &World, place: &Place<'_>, value: Option<Value>) -> Result<(), AwsError> {
        if let Some(value) = &value {
            refuse_target(world, place, value)?;
        }
        place.with(world, false, |bucket| {
            if let Some(value) = &value {
                self.refuse(bucket, value)?;
            }
            set(world, bucket, self.which, value)
        })
    }

    /// The rules beyond the schema.
    fn refuse(&self, bucket: &Bucket, value: &Value) -> Result<(), AwsError> {
        match self.which {
            Configuration::Tagging => {
                let tags = value["TagSet"].as_array().map(Vec::as_slice).unwrap_or_default();
                let mut keys: Vec<&str> = tags.iter().filter_map(|tag| tag["Key"].as_str()).collect();
                keys.sort_unstable();
                if keys.windows(2).any(|pair| pair[0] == pair[1]) {
                    return Err(AwsError::client("InvalidTag", "Cannot provide multiple Tags with the same key"));
                }
                if keys.iter().any(|key| key.starts_with("aws:")) {
                    return Err(AwsError::client("InvalidTag", "System tags cannot be added/updated by requester"));
                }
                if keys.len() > 50 {
                    return Err(AwsError::client("BadRequest", "Bucket tag count cannot be greater than 50"));
                }
            }
            Configuration::Replication => {
                let versioned = bucket.configurations.get(Configuration::Versioning);
                if versioned.and_then(|v| v["Status"].as_str()) != Some("Enabled") {
                    return Err(AwsError::client(
                        "InvalidRequest",
                        "Versioning must be 'Enabled' on the bucket to apply a replication configuration",
                    ));
                }
            }
            Configuration::Website
                if value.get("RedirectAllRequestsTo").is_none() && value.get("IndexDocument").is_none() =>
            {
                return Err(AwsError::client(
                    "InvalidArgument",
                    "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
                )
                .with("ArgumentName", "IndexDocument"));
            }
            Configuration::Acl => {
                let ownership = bucket.configurations.get(Configuration::OwnershipControls);
                let enforced = ownership.and_then(|o| o["Rules"][0]["ObjectOwnership"].as_str());
                if enforced == Some("BucketOwnerEnforced") {
                    return Err(AwsError::client("AccessControlListNotSupported", "The bucket does not allow ACLs"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Answers whichever of the three operations it is, from XML.
    pub(super) fn answer(
        &self,
        world: &World,
        place: &Place<'_>,
        operation: &str,
        request: &Request,
    ) -> Result<Answer, AwsError> {
        if operation == self.get {
            let value = self.value(world, place)?;
            let mut xml = format!("<{} xmlns=\"{NAMESPACE}\">", self.root);
            self.shape.write(&value, &mut xml);
            xml.push_str(&format!("</{}>", self.root));
            return Ok(rest_xml::answer(&xml));
        }
        // Who may not put learns nothing about the body.
        place.with(world, false, |_| Ok(()))?;
        if operation == self.put {
            let value = match request.header("x-amz-acl") {
                Some(name) if self.which == Configuration::Acl => canned_acl(world, place.owner(world), name)
                    .ok_or_else(|| {
                        AwsError::client("InvalidArgument", "")
                            .with("ArgumentName", "x-amz-acl")
                            .with("ArgumentValue", name)
                    })?,
                _ => {
                    let root = Element::parse(&request.body).filter(|root| root.name == self.root);
                    self.shape.read(&root.ok_or_else(malformed)?)?
                }
            };
            self.store(world, place, Some(value))?;
            // PutBucketTagging answers 204, as the deletions do.
            return Ok(rest_xml::empty(if self.which == Configuration::Tagging { 204 } else { 200 }));
        }
        self.store(world, place, None)?;
        Ok(rest_xml::empty(204))
    }

    /// The same, with structures in and out.
    pub(super) fn call(
        &self,
        world: &World,
        place: &Place<'_>,
        operation: &str,
        input: &Value,
    ) -> Result<Value, AwsError> {
        if operation == self.get {
            let value = self.value(world, place)?;
            return Ok(if self.wrapped { json!({ self.payload: value }) } else { value });
        }
        if operation == self.put {
            let payload = input.get(self.payload).unwrap_or(&Value::Null);
            self.shape.check(payload, self.payload)?;
            self.store(world, place, Some(payload.clone()))?;
        } else {
            self.store(world, place, None)?;
        }
        Ok(json!({}))
    }
}

/// Stores a configuration and makes it durable.
pub(super) fn set(
    world: &World,
    bucket: &mut Bucket,
    configuration: Configuration,
    value: Option<Value>,
) -> Result<(), AwsError> {
    let name = bucket.name.to_string();
    world.journal.append(&Entry::Configured { bucket: name, configuration, value: value.clone() })?;
    bucket.configurations.set(configuration, value);
    Ok(())
}

/// S3 writes access logs into buckets of the same owner only.
fn refuse_target(world: &World, place: &Place<'_>, value: &Value) -> Result<(), AwsError> {
    match value.pointer("/LoggingEnabled/TargetBucket").and_then(Value::as_str) {
        Some(target) if world.bucket_owner(target) != Some(place.owner(world)) => Err(AwsError::client(
            "InvalidTargetBucketForLogging",
            "The owner for the bucket to be logged and the target bucket must be the same.",
        )
        .with("TargetBucket", target)),
        _ => Ok(()),
    }
}

/// What a canned ACL stands for; nothing for an unknown name. Without any, a bucket is `private`.
fn canned_acl(world: &World, account: usize, name: &str) -> Option<Value> {
    let id = world.canonical_id(account);
    let group = |group: &str, permission: &str| {
        let uri = format!("http://acs.amazonaws.com/groups/{group}");
        json!({ "Grantee": { "Type": "Group", "URI": uri }, "Permission": permission })
    };
    let mut grants = vec![json!({ "Grantee": { "Type": "CanonicalUser", "ID": id }, "Permission": "FULL_CONTROL" })];
    match name {
        "private" => {}
        "public-read" => grants.push(group("global/AllUsers", "READ")),
        "public-read-write" => {
            grants.extend([group("global/AllUsers", "READ"), group("global/AllUsers", "WRITE")]);
        }
        "authenticated-read" => grants.push(group("global/AuthenticatedUsers", "READ")),
        "log-delivery-write" => {
            grants.extend([group("s3/LogDelivery", "WRITE"), group("s3/LogDelivery", "READ_ACP")]);
        }
        _ => return None,
    }
    Some(json!({ "Owner": { "ID": id }, "Grants": grants }))
}

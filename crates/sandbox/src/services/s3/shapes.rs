//! The payload structures of the bucket configurations, as the service model has them.

use super::shape::{Member, Shape, optional, required};

const TEXT: Shape = Shape::Text;
const INT: Shape = Shape::Int;
const BOOL: Shape = Shape::Bool;
const ENABLED: Shape = Shape::OneOf(&["Enabled", "Disabled"]);
const PROTOCOL: Shape = Shape::OneOf(&["http", "https"]);
const STATUS: Shape = Shape::Struct(&[required("Status", &ENABLED)]);

const TAG: Shape = Shape::Struct(&[required("Key", &TEXT), required("Value", &TEXT)]);
const TAGS: Shape = Shape::List("Tag", &TAG);
pub(super) const TAGGING: Shape = Shape::Struct(&[required("TagSet", &TAGS)]);

const GRANTEE: Shape = Shape::Struct(&[
    required("Type", &Shape::OneOf(&["CanonicalUser", "AmazonCustomerByEmail", "Group"])).element("type").attribute(),
    optional("DisplayName", &TEXT),
    optional("EmailAddress", &TEXT),
    optional("ID", &TEXT),
    optional("URI", &TEXT),
]);
const LOGGING_GRANT: Shape = Shape::Struct(&[
    optional("Grantee", &GRANTEE),
    optional("Permission", &Shape::OneOf(&["FULL_CONTROL", "READ", "WRITE"])),
]);
const PARTITIONED: Shape =
    Shape::Struct(&[optional("PartitionDateSource", &Shape::OneOf(&["EventTime", "DeliveryTime"]))]);
const LOGGING_ENABLED: Shape = Shape::Struct(&[
    required("TargetBucket", &TEXT),
    optional("TargetGrants", &Shape::List("Grant", &LOGGING_GRANT)),
    required("TargetPrefix", &TEXT),
    optional(
        "TargetObjectKeyFormat",
        &Shape::Struct(&[optional("SimplePrefix", &Shape::Struct(&[])), optional("PartitionedPrefix", &PARTITIONED)]),
    ),
]);
pub(super) const LOGGING: Shape = Shape::Struct(&[optional("LoggingEnabled", &LOGGING_ENABLED)]);

const OWNER: Shape = Shape::Struct(&[optional("DisplayName", &TEXT), optional("ID", &TEXT)]);
const GRANT: Shape = Shape::Struct(&[
    optional("Grantee", &GRANTEE),
    optional("Permission", &Shape::OneOf(&["FULL_CONTROL", "WRITE", "WRITE_ACP", "READ", "READ_ACP"])),
]);
pub(super) const ACL: Shape = Shape::Struct(&[
    optional("Owner", &OWNER),
    optional("Grants", &Shape::List("Grant", &GRANT)).element("AccessControlList"),
]);

const ROUTING_RULE: Shape = Shape::Struct(&[
    optional(
        "Condition",
        &Shape::Struct(&[optional("HttpErrorCodeReturnedEquals", &TEXT), optional("KeyPrefixEquals", &TEXT)]),
    ),
    required(
        "Redirect",
        &Shape::Struct(&[
            optional("HostName", &TEXT),
            optional("HttpRedirectCode", &TEXT),
            optional("Protocol", &PROTOCOL),
            optional("ReplaceKeyPrefixWith", &TEXT),
            optional("ReplaceKeyWith", &TEXT),
        ]),
    ),
]);
pub(super) const WEBSITE: Shape = Shape::Struct(&[
    optional("RedirectAllRequestsTo", &Shape::Struct(&[required("HostName", &TEXT), optional("Protocol", &PROTOCOL)])),
    optional("IndexDocument", &Shape::Struct(&[required("Suffix", &TEXT)])),
    optional("ErrorDocument", &Shape::Struct(&[required("Key", &TEXT)])),
    optional("RoutingRules", &Shape::List("RoutingRule", &ROUTING_RULE)),
]);

const MINUTES: Shape = Shape::Struct(&[optional("Minutes", &INT)]);
const REPLICATION_FILTER: Shape = Shape::Struct(&[
    optional("Prefix", &TEXT),
    optional("Tag", &TAG),
    optional(
        "And",
        &Shape::Struct(&[optional("Prefix", &TEXT), optional("Tags", &Shape::List("Tag", &TAG)).element("Tag").flat()]),
    ),
]);
const DESTINATION: Shape = Shape::Struct(&[
    required("Bucket", &TEXT),
    optional("Account", &TEXT),
    optional(
        "StorageClass",
        &Shape::OneOf(&[
            "STANDARD",
            "REDUCED_REDUNDANCY",
            "STANDARD_IA",
            "ONEZONE_IA",
            "INTELLIGENT_TIERING",
            "GLACIER",
            "DEEP_ARCHIVE",
            "GLACIER_IR",
        ]),
    ),
    optional("AccessControlTranslation", &Shape::Struct(&[required("Owner", &Shape::OneOf(&["Destination"]))])),
    optional("EncryptionConfiguration", &Shape::Struct(&[optional("ReplicaKmsKeyID", &TEXT)])),
    optional("ReplicationTime", &Shape::Struct(&[required("Status", &ENABLED), required("Time", &MINUTES)])),
    optional("Metrics", &Shape::Struct(&[required("Status", &ENABLED), optional("EventThreshold", &MINUTES)])),
]);
const REPLICATION_RULE: Shape = Shape::Struct(&[
    optional("ID", &TEXT),
    optional("Priority", &INT),
    optional("Prefix", &TEXT),
    optional("Filter", &REPLICATION_FILTER),
    required("Status", &ENABLED),
    optional(
        "SourceSelectionCriteria",
        &Shape::Struct(&[optional("SseKmsEncryptedObjects", &STATUS), optional("ReplicaModifications", &STATUS)]),
    ),
    optional("ExistingObjectReplication", &STATUS),
    required("Destination", &DESTINATION),
    optional("DeleteMarkerReplication", &Shape::Struct(&[optional("Status", &ENABLED)])),
]);
pub(super) const REPLICATION: Shape = Shape::Struct(&[
    required("Role", &TEXT),
    required("Rules", &Shape::List("Rule", &REPLICATION_RULE)).element("Rule").flat(),
]);

pub(super) const PUBLIC_ACCESS_BLOCK: Shape = Shape::Struct(&[
    optional("BlockPublicAcls", &BOOL),
    optional("IgnorePublicAcls", &BOOL),
    optional("BlockPublicPolicy", &BOOL),
    optional("RestrictPublicBuckets", &BOOL),
]);

const OWNERSHIP_RULE: Shape = Shape::Struct(&[required(
    "ObjectOwnership",
    &Shape::OneOf(&["BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced"]),
)]);
pub(super) const OWNERSHIP_CONTROLS: Shape =
    Shape::Struct(&[required("Rules", &Shape::List("Rule", &OWNERSHIP_RULE)).element("Rule").flat()]);

const FILTER_RULE: Shape =
    Shape::Struct(&[optional("Name", &Shape::OneOf(&["prefix", "suffix"])), optional("Value", &TEXT)]);
const NOTIFICATION_FILTER: Shape = Shape::Struct(&[optional(
    "Key",
    &Shape::Struct(&[optional("FilterRules", &Shape::List("FilterRule", &FILTER_RULE)).element("FilterRule").flat()]),
)
.element("S3Key")]);
const EVENTS: Member = required("Events", &Shape::List("Event", &TEXT)).element("Event").flat();
const FILTER: Member = optional("Filter", &NOTIFICATION_FILTER);
const TOPIC: Shape =
    Shape::Struct(&[optional("Id", &TEXT), required("TopicArn", &TEXT).element("Topic"), EVENTS, FILTER]);
const QUEUE: Shape =
    Shape::Struct(&[optional("Id", &TEXT), required("QueueArn", &TEXT).element("Queue"), EVENTS, FILTER]);
const FUNCTION: Shape = Shape::Struct(&[
    optional("Id", &TEXT),
    required("LambdaFunctionArn", &TEXT).element("CloudFunction"),
    EVENTS,
    FILTER,
]);
pub(super) const NOTIFICATION: Shape = Shape::Struct(&[
    optional("TopicConfigurations", &Shape::List("", &TOPIC)).element("TopicConfiguration").flat(),
    optional("QueueConfigurations", &Shape::List("", &QUEUE)).element("QueueConfiguration").flat(),
    optional("LambdaFunctionConfigurations", &Shape::List("", &FUNCTION)).element("CloudFunctionConfiguration").flat(),
    optional("EventBridgeConfiguration", &Shape::Struct(&[])),
]);

pub(super) const VERSIONING: Shape = Shape::Struct(&[
    optional("Status", &Shape::OneOf(&["Enabled", "Suspended"])),
    optional("MFADelete", &ENABLED).element("MfaDelete"),
]);
pub(super) const ACCELERATE: Shape = Shape::Struct(&[optional("Status", &Shape::OneOf(&["Enabled", "Suspended"]))]);

const INVENTORY_DESTINATION: Shape = Shape::Struct(&[
    optional("AccountId", &TEXT),
    required("Bucket", &TEXT),
    required("Format", &Shape::OneOf(&["CSV", "ORC", "Parquet"])),
    optional("Prefix", &TEXT),
    optional(
        "Encryption",
        &Shape::Struct(&[
            optional("SSES3", &Shape::Struct(&[])).element("SSE-S3"),
            optional("SSEKMS", &Shape::Struct(&[required("KeyId", &TEXT)])).element("SSE-KMS"),
        ]),
    ),
]);
pub(super) const INVENTORY: Shape = Shape::Struct(&[
    required("Destination", &Shape::Struct(&[required("S3BucketDestination", &INVENTORY_DESTINATION)])),
    required("IsEnabled", &BOOL),
    required("Id", &TEXT),
    required("IncludedObjectVersions", &Shape::OneOf(&["All", "Current"])),
    required("Schedule", &Shape::Struct(&[required("Frequency", &Shape::OneOf(&["Daily", "Weekly"]))])),
]);

//! Replication, as soon as an object is put: S3 assumes the configuration's role, reads the object as that role and writes the
//! replica as it. What became of it shows in `x-amz-replication-status`, as HeadObject has it (S3 user guide, "Getting replication
//! status information"; the rights are those of "Replicating encrypted objects").

use serde_json::Value;

use super::objects::Subject;
use crate::authorize::{Ask, Who, authorize};
use crate::policy::Kind;
use crate::policy::store::bare;
use crate::services::kms;
use crate::world::World;
use crate::world::bucket::{Algorithm, Bucket};
use crate::world::configuration::Configuration;
use crate::world::object::{Object, Sealing};
use crate::world::session::{Caller, CallerKind};

/// A replica to be written.
pub(super) struct Replica {
    pub(super) bucket: String,
    pub(super) object: Object,
}

/// What becomes of an object that is put: its status, and its replica. `None`: no rule selects it.
pub(super) fn replicate(
    world: &World,
    subject: &Subject<'_>,
    bucket: &Bucket,
    object: &Object,
) -> Option<(&'static str, Option<Replica>)> {
    let configuration = bucket.configurations.get(Configuration::Replication)?;
    let rule = configuration["Rules"].as_array()?.iter().find(|rule| selects(rule, subject.key, &object.sealing))?;
    let replica = assume(world, subject.bucket, configuration["Role"].as_str().unwrap_or_default())
        .and_then(|role| replica(world, subject, bucket, &role, rule, object));
    Some((if replica.is_some() { "COMPLETED" } else { "FAILED" }, replica))
}

/// Rules pass over objects under a KMS key unless they select them.
fn selects(rule: &Value, key: &str, sealing: &Sealing) -> bool {
    let prefix =
        rule["Filter"]["Prefix"].as_str().or(rule["Filter"]["And"]["Prefix"].as_str()).or(rule["Prefix"].as_str());
    let takes_kms = rule["SourceSelectionCriteria"]["SseKmsEncryptedObjects"]["Status"] == "Enabled";
    rule["Status"] == "Enabled"
        && key.starts_with(prefix.unwrap_or_default())
        && (takes_kms || !matches!(sealing, Sealing::Kms { .. }))
}

/// The session in which S3 acts as the role; `None` where the bucket's account has no such role, or it does not trust S3.
fn assume(world: &World, bucket: &str, role_arn: &str) -> Option<Caller> {
    let account = world.bucket_owner(bucket)?;
    let id = &world.organization.accounts[account].id;
    let partition = world.spec.partition;
    let name = role_arn.strip_prefix(partition.arn("iam", "", id, "role/").as_str())?;
    let role = world.role(account, name)?;
    let trust = role.policies.trust(id);
    let ask = Ask::new("sts:AssumeRole", role_arn).of(account).trust(&trust);
    authorize(world, Who::Service("s3.amazonaws.com"), &ask).ok()?;
    Some(Caller {
        account,
        arn: partition.arn("sts", "", id, format_args!("assumed-role/{}/s3-replication", bare(name))).into(),
        user_id: format!("{}:s3-replication", role.id).into(),
        kind: CallerKind::RoleSession,
        session: None,
    })
}

fn replica(
    world: &World,
    subject: &Subject<'_>,
    bucket: &Bucket,
    role: &Caller,
    rule: &Value,
    object: &Object,
) -> Option<Replica> {
    may(world, role, "s3:GetObjectVersionForReplication", subject.bucket, bucket, subject.key)?;
    let name = rule["Destination"]["Bucket"].as_str()?.strip_prefix(world.spec.partition.s3_arn("").as_str())?;
    let owner = world.bucket_owner(name)?;
    let destination = world.with_buckets(owner, |buckets| buckets.iter().find(|one| &*one.name == name).cloned())?;
    may(world, role, "s3:ReplicateObject", name, &destination, subject.key)?;
    let sealing = match &object.sealing {
        Sealing::Kms { algorithm, key, bucket_key } => {
            let context = subject.encryption_context(world, *bucket_key);
            kms::may_use(world, role, key, "kms:Decrypt", Some(usize::from(bucket.region)), &context).ok()?;
            let replica_key = rule["Destination"]["EncryptionConfiguration"]["ReplicaKmsKeyID"].as_str()?;
            let bucket_key =
                destination.encryption.as_ref().is_some_and(|one| one.bucket_key) && *algorithm == Algorithm::Kms;
            let context = match bucket_key {
                true => world.spec.partition.s3_arn(name),
                false => world.spec.partition.s3_arn(format_args!("{name}/{}", subject.key)),
            };
            kms::may_use(world, role, replica_key, "kms:Encrypt", Some(usize::from(destination.region)), &context)
                .ok()?;
            Sealing::Kms { algorithm: *algorithm, key: replica_key.to_owned(), bucket_key }
        }
        // The destination's default is not used for objects that are encrypted at the source.
        other => other.clone(),
    };
    let object = Object { sealing, replication: Some("REPLICA".into()), ..object.clone() };
    Some(Replica { bucket: name.to_owned(), object })
}

fn may(world: &World, role: &Caller, action: &str, name: &str, bucket: &Bucket, key: &str) -> Option<()> {
    let policy = bucket.configurations.policy().and_then(|text| world.permissions.load(Kind::Resource, text).ok());
    let arn = world.spec.partition.s3_arn(format_args!("{name}/{key}"));
    let region = &world.spec.regions[usize::from(bucket.region)];
    let ask = Ask::new(action, arn).of(world.bucket_owner(name)?).in_region(region).guarded_by(policy.as_deref());
    authorize(world, role, &ask).ok()
}

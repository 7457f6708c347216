//! Denials of the central key, from what CloudTrail recorded: what shows during a bake that a change broke somebody.
//!
//! Requests across accounts that KMS denies are recorded in the caller's account alone [guide: logging-using-cloudtrail], so
//! it is the member accounts that are asked.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{DenialSource, KeyArn, KnownDenial, SeenDenial, is_service_name, plausible};

/// A request to KMS that was denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyDenial {
    /// When, to the second.
    pub at: Timestamp,
    /// Who was denied: `userIdentity.arn`, or the service or the id where the record has no ARN.
    pub principal: String,
    /// The role behind an assumed one: `sessionIssuer.arn`. It is what policies name.
    pub role: Option<String>,
    /// `GenerateDataKey`, `Decrypt`, …
    pub event: String,
    /// The bucket, from the encryption context `aws:s3:arn`; `None` where the record carries none.
    pub bucket: Option<String>,
    /// KMS's message: it names the kind of policy that denied.
    pub message: String,
    /// The service that asked on the principal's behalf: `s3.amazonaws.com`, or `AWS Internal`.
    pub by_service: Option<String>,
    /// Whether the record names the key. KMS does not always say which key a ciphertext was of; a denial over S3 that names
    /// none may be about another key, and cannot be ruled out.
    pub names_key: bool,
}

impl KeyDenial {
    /// Who is denied what.
    #[must_use]
    pub fn source(&self) -> DenialSource {
        DenialSource {
            principal: self.role.as_deref().unwrap_or(&self.principal).to_owned(),
            operation: self.event.clone(),
            names_key: self.names_key,
            bucket: self.bucket.clone(),
        }
    }
}

/// What is known of denials beforehand in an account and Region.
#[derive(Clone, Copy, Debug, Default)]
pub struct KnownDenials<'a> {
    /// Sources that were denied before the change, too.
    pub before: &'a [KnownDenial],
    /// What a person accepted.
    pub accepted: &'a [SeenDenial],
}

impl KnownDenials<'_> {
    /// Whether a denial says nothing new: its source was denied on the same bucket before the change, or a person has seen it.
    #[must_use]
    pub fn leave_out(&self, denial: &KeyDenial) -> bool {
        let source = denial.source();
        self.accepted.iter().any(|seen| seen.source == source && denial.at <= seen.last)
            || !source.is_vague() && self.contain(&source)
    }

    /// Whether a source was denied before the change. A vague one may be denied more often since.
    #[must_use]
    pub fn contain(&self, source: &DenialSource) -> bool {
        self.before.iter().any(|known| known.source == *source)
    }
}

/// Denials of the same source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// One of them.
    pub denial: KeyDenial,
    /// How many.
    pub count: u64,
    /// When the first one was.
    pub first: Timestamp,
    /// When the last one was.
    pub last: Timestamp,
}

impl Denied {
    /// The first one that is met.
    #[must_use]
    pub fn new(denial: KeyDenial) -> Denied {
        Denied { count: 1, first: denial.at, last: denial.at, denial }
    }

    /// Another one.
    pub fn add(&mut self, denial: &KeyDenial) {
        self.count += 1;
        (self.first, self.last) = (self.first.min(denial.at), self.last.max(denial.at));
    }

    /// More of the same source.
    pub fn merge(&mut self, more: &Denied) {
        self.count += more.count;
        (self.first, self.last) = (self.first.min(more.first), self.last.max(more.last));
    }
}

/// Why a record cannot be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The event is no JSON object.
    #[error("the event is not JSON")]
    NotJson,
    /// `eventTime` or `eventName` is missing, or no time.
    #[error("the event does not say what happened when")]
    NoEvent,
}

/// How the operations begin that using a key takes, or that tools make just before they use it. Others (`GetKeyPolicy`,
/// `ListGrants`, …) are somebody looking around: no change of a bucket breaks them.
const USES: [&str; 6] = ["GenerateDataKey", "Decrypt", "Encrypt", "ReEncrypt", "CreateGrant", "DescribeKey"];

/// The names of orgseal's own sessions in member accounts begin so.
const OWN_SESSIONS: &str = "orgseal-";

/// What a record (`CloudTrailEvent` of an event that `LookupEvents` gave) says of a key: `None` where it is no denial of a use
/// of this key, or one of orgseal's own proofs.
///
/// # Errors
///
/// A record that cannot be read: it may have been a denial, so it must not pass for none.
pub fn key_denial(record: &str, key: &KeyArn) -> Result<Option<KeyDenial>, Unreadable> {
    let record: Value = serde_json::from_str(record).map_err(|_| Unreadable::NotJson)?;
    if !record.is_object() {
        return Err(Unreadable::NotJson);
    }
    let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    // CloudTrail writes the first; the second is KMS's own name for it.
    if !matches!(text("/errorCode"), Some("AccessDenied" | "AccessDeniedException")) {
        return Ok(None);
    }
    let event = text("/eventName").ok_or(Unreadable::NoEvent)?;
    let at: Timestamp = text("/eventTime").and_then(|at| at.parse().ok()).ok_or(Unreadable::NoEvent)?;
    // A time near the end of what the type can hold would overflow where spans are added to it.
    let at = plausible(at.as_second());
    if !USES.iter().any(|verb| event.starts_with(verb)) {
        return Ok(None);
    }
    let bucket = text("/requestParameters/encryptionContext/aws:s3:arn").and_then(bucket_of);
    let by_service =
        text("/userIdentity/invokedBy").or_else(|| text("/sourceIPAddress").filter(|source| is_service(source)));
    let session = text("/userIdentity/arn").filter(|arn| arn.contains(":assumed-role/"));
    let is_own = session.and_then(|arn| arn.rsplit('/').next()).is_some_and(|name| name.starts_with(OWN_SESSIONS));
    // Our own sessions read and write no objects: what they are denied is a proof of the key, which is told of elsewhere.
    if is_own && by_service.is_none() {
        return Ok(None);
    }
    let named = keys_named(&record);
    let names_key = named.iter().any(|named| named.is(key));
    let over_s3 = bucket.is_some() || by_service.is_some_and(|service| service.split('.').any(|part| part == "s3"));
    let may_concern = names_key || (named.is_empty() && over_s3);
    if !may_concern {
        return Ok(None);
    }
    let principal = text("/userIdentity/arn").or(by_service).or_else(|| text("/userIdentity/principalId"));
    Ok(Some(KeyDenial {
        at,
        principal: principal.unwrap_or("unknown").to_owned(),
        role: text("/userIdentity/sessionContext/sessionIssuer/arn").map(str::to_owned),
        event: event.to_owned(),
        bucket,
        message: text("/errorMessage").unwrap_or_default().to_owned(),
        by_service: by_service.map(str::to_owned),
        names_key,
    }))
}

/// A key as a record names it.
enum Named {
    Arn(KeyArn),
    /// A bare id: it resolves in the caller's account, and may be all that is written of a key elsewhere.
    Id(String),
}

impl Named {
    fn is(&self, key: &KeyArn) -> bool {
        match self {
            Named::Arn(arn) => arn == key,
            Named::Id(id) => *id == key.id,
        }
    }

    /// Aliases name no key: what they stood for is not recorded.
    fn parse(text: &str) -> Option<Named> {
        if let Ok(arn) = text.parse() {
            return Some(Named::Arn(arn));
        }
        let is_id = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        is_id.then(|| Named::Id(text.to_owned()))
    }
}

/// The keys that a record names. A denied request often has neither parameters nor resources; then KMS's message is all.
fn keys_named(record: &Value) -> Vec<Named> {
    let resources = record["resources"].as_array().into_iter().flatten().map(|resource| &resource["ARN"]);
    let parameters = &record["requestParameters"];
    let parameters = ["keyId", "sourceKeyId", "destinationKeyId"].into_iter().map(|name| &parameters[name]);
    let fields = resources.chain(parameters).filter_map(Value::as_str).filter_map(Named::parse);
    let message = record["errorMessage"].as_str().unwrap_or_default();
    let words = message.split(|letter: char| letter.is_whitespace() || "\"'(),;".contains(letter));
    let in_message = words.filter_map(|word| word.trim_end_matches(['.', ':']).parse().ok()).map(Named::Arn);
    fields.chain(in_message).collect()
}

/// The bucket's name in the ARN of a bucket (with a Bucket Key) or of an object (without).
fn bucket_of(arn: &str) -> Option<String> {
    let mut parts = arn.splitn(6, ':');
    let service = (parts.next()?, parts.next()?, parts.next()?);
    let resource = parts.nth(2)?;
    let name = resource.split('/').next().filter(|name| !name.is_empty())?;
    (service.0 == "arn" && service.2 == "s3").then(|| name.to_owned())
}

/// Whether `sourceIPAddress` is no address: calls that a service makes carry its name there.
fn is_service(source: &str) -> bool {
    source == "AWS Internal" || is_service_name(source)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    const OTHER: &str = "arn:aws:kms:us-east-1:444455556666:key/0987dcba-09fe-87dc-65ba-ab0987654321";

    fn key() -> KeyArn {
        KEY.parse().unwrap()
    }

    fn judged(record: &Value) -> Option<KeyDenial> {
        key_denial(&record.to_string(), &key()).unwrap()
    }

    /// A role writes an object, S3 asks for a data key on its behalf, and KMS denies.
    fn write() -> Value {
        json!({
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "AssumedRole",
                "principalId": "AROAEXAMPLE:worker",
                "arn": "arn:aws:sts::444455556666:assumed-role/payments/worker",
                "accountId": "444455556666",
                "sessionContext": { "sessionIssuer": {
                    "type": "Role",
                    "arn": "arn:aws:iam::444455556666:role/service/payments",
                    "userName": "payments"
                }},
                "invokedBy": "s3.amazonaws.com"
            },
            "eventTime": "2026-11-25T10:11:12Z",
            "eventSource": "kms.amazonaws.com",
            "eventName": "GenerateDataKey",
            "awsRegion": "us-east-1",
            "sourceIPAddress": "s3.amazonaws.com",
            "userAgent": "s3.amazonaws.com",
            "errorCode": "AccessDenied",
            "errorMessage": format!(
                "User: arn:aws:sts::444455556666:assumed-role/payments/worker is not authorized to perform: \
                 kms:GenerateDataKey on resource: {KEY} because no identity-based policy allows the kms:GenerateDataKey action"
            ),
            "requestParameters": {
                "keyId": KEY, "keySpec": "AES_256", "encryptionContext": { "aws:s3:arn": "arn:aws:s3:::payments-prod" }
            },
            "responseElements": null,
            "resources": [{ "accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": KEY }],
            "recipientAccountId": "444455556666"
        })
    }

    /// What is left of a record when KMS keeps parameters and resources to itself.
    fn bare(message: &str) -> Value {
        let mut record = write();
        record["requestParameters"] = Value::Null;
        record["resources"] = Value::Null;
        record["errorMessage"] = json!(message);
        record
    }

    #[test]
    fn a_denied_write_is_told_with_all_that_is_known() {
        let found = judged(&write()).unwrap();
        assert_eq!(found.at, "2026-11-25T10:11:12Z".parse().unwrap());
        assert_eq!(found.principal, "arn:aws:sts::444455556666:assumed-role/payments/worker");
        assert_eq!(found.role.as_deref(), Some("arn:aws:iam::444455556666:role/service/payments"));
        assert_eq!((found.event.as_str(), found.bucket.as_deref()), ("GenerateDataKey", Some("payments-prod")));
        assert_eq!((found.by_service.as_deref(), found.names_key), (Some("s3.amazonaws.com"), true));
        assert_eq!(found.source().bucket.as_deref(), Some("payments-prod"));
        assert!(found.message.contains("no identity-based policy allows"));
    }

    #[test]
    fn a_denial_is_known_by_its_bucket_and_what_was_accepted_by_its_last_one() {
        let denial = judged(&write()).unwrap();
        let before = |change: &dyn Fn(&mut DenialSource)| {
            let mut source = denial.source();
            change(&mut source);
            [KnownDenial { source, before: None }]
        };
        let left_out = |denial: &KeyDenial, before: &[KnownDenial], accepted: &[SeenDenial]| {
            KnownDenials { before, accepted }.leave_out(denial)
        };
        assert!(left_out(&denial, &before(&|_| {}), &[]));
        let others: [&dyn Fn(&mut DenialSource); 5] = [
            &|source| source.bucket = Some("elsewhere".into()),
            &|source| source.bucket = None,
            &|source| source.names_key = false,
            &|source| source.operation = "Decrypt".into(),
            &|source| source.principal = "arn:aws:iam::444455556666:role/other".into(),
        ];
        for other in others {
            assert!(!left_out(&denial, &before(other), &[]), "{:?}", before(other));
        }
        let (account, region) = ("444455556666".to_owned(), "us-east-1".to_owned());
        let mut seen = SeenDenial { account, region, source: denial.source(), last: denial.at };
        assert!(left_out(&denial, &[], std::slice::from_ref(&seen)));
        seen.last -= jiff::SignedDuration::from_secs(1);
        assert!(!left_out(&denial, &[], &[seen]), "nobody has seen this one");
        // Neither the key nor the bucket: how often it occurs decides.
        let vague = KeyDenial { names_key: false, bucket: None, ..denial };
        let known = [KnownDenial { source: vague.source(), before: None }];
        assert!(
            !left_out(&vague, &known, &[]) && KnownDenials { before: &known, accepted: &[] }.contain(&vague.source())
        );
    }

    #[test]
    fn the_key_is_found_wherever_it_is_named() {
        let only = |pointer: &str, value: Value| {
            let mut record = bare("denied");
            record[pointer] = value;
            record
        };
        let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
        for record in [
            only("resources", json!([{ "ARN": OTHER }, { "ARN": KEY }])),
            only("requestParameters", json!({ "keyId": KEY })),
            only("requestParameters", json!({ "keyId": id })),
            only("requestParameters", json!({ "destinationKeyId": KEY })),
            bare(&format!("User: u is not authorized to perform: kms:Decrypt on resource: {KEY}.")),
            bare(&format!(
                "User: u is not authorized to perform: kms:Decrypt on resource: \"{KEY}\" with an explicit deny"
            )),
        ] {
            assert!(judged(&record).is_some_and(|found| found.names_key), "{record}");
        }
    }

    #[test]
    fn another_key_is_no_concern() {
        let mut record = write();
        record["requestParameters"]["keyId"] = json!(OTHER);
        record["resources"] = json!([{ "ARN": OTHER }]);
        record["errorMessage"] = json!(format!("not authorized to perform: kms:GenerateDataKey on resource: {OTHER}"));
        assert_eq!(judged(&record), None);
        // The same id of another Region is another key to S3, though its material be the same.
        assert_eq!(judged(&bare(&format!("… on resource: {}", KEY.replace("us-east-1", "eu-west-1")))), None);
    }

    #[test]
    fn a_denial_over_s3_that_names_no_key_is_not_ruled_out() {
        let text = "User: u is not authorized to perform: kms:Decrypt on the resource associated with this ciphertext \
                    because no identity-based policy allows the kms:Decrypt action";
        let found = judged(&bare(text)).unwrap();
        assert_eq!((found.names_key, found.bucket), (false, None));
        let mut elsewhere = bare(text);
        elsewhere["userIdentity"]["invokedBy"] = json!("dynamodb.amazonaws.com");
        assert_eq!(judged(&elsewhere), None, "no bucket has to do with it");
        elsewhere["requestParameters"] =
            json!({ "encryptionContext": { "aws:s3:arn": "arn:aws-cn:s3:::logs/2026/11/25.gz" } });
        assert_eq!(judged(&elsewhere).unwrap().bucket.as_deref(), Some("logs"));
        elsewhere["requestParameters"]["keyId"] = json!("alias/central");
        assert!(!judged(&elsewhere).unwrap().names_key, "an alias names no key");
    }

    #[test]
    fn what_is_no_denied_use_is_left_out() {
        for (name, value) in [
            ("errorCode", Value::Null),
            ("errorCode", json!("DisabledException")),
            ("errorCode", json!("DryRunOperationException")),
            ("eventName", json!("GetKeyPolicy")),
            ("eventName", json!("ListGrants")),
        ] {
            let mut record = write();
            record[name] = value;
            assert_eq!(judged(&record), None, "{record}");
        }
        let mut kms_own_name = write();
        kms_own_name["errorCode"] = json!("AccessDeniedException");
        assert!(judged(&kms_own_name).is_some());
    }

    #[test]
    fn our_own_proofs_are_left_out_and_nobody_elses() {
        let mut proof = write();
        proof["userIdentity"]["arn"] = json!("arn:aws:sts::444455556666:assumed-role/orgseal-member/orgseal-c0ffee");
        proof["requestParameters"] = json!({ "keyId": KEY, "keySpec": "AES_256", "dryRun": true });
        proof["sourceIPAddress"] = json!("192.0.2.10");
        proof["userIdentity"]["invokedBy"] = Value::Null;
        assert_eq!(judged(&proof), None);
        let mut written = proof.clone();
        written["requestParameters"]["encryptionContext"] = json!({ "aws:s3:arn": "arn:aws:s3:::payments-prod/a" });
        assert_eq!(judged(&written), None, "a proof names the context of the form that Bucket Keys use");
        written["userIdentity"]["invokedBy"] = json!("s3.amazonaws.com");
        assert!(judged(&written).is_some(), "S3 wrote an object");
        proof["userIdentity"]["arn"] = json!("arn:aws:sts::444455556666:assumed-role/orgseal-member/somebody");
        assert!(judged(&proof).is_some(), "the role is not the session");
        proof["userIdentity"]["arn"] = json!("arn:aws:iam::444455556666:user/orgseal-fan");
        assert!(judged(&proof).is_some(), "a user is no session");
    }

    #[test]
    fn a_service_that_acts_for_itself_is_the_principal() {
        let mut record = write();
        record["userIdentity"] = json!({ "type": "AWSService", "invokedBy": "delivery.logs.amazonaws.com" });
        assert_eq!(judged(&record).unwrap().principal, "delivery.logs.amazonaws.com");
        record["userIdentity"] = json!({ "type": "AWSAccount", "principalId": "AIDAEXAMPLE" });
        record["sourceIPAddress"] = json!("2001:db8::1");
        let found = judged(&record).unwrap();
        assert_eq!((found.principal.as_str(), found.by_service), ("AIDAEXAMPLE", None));
    }

    #[test]
    fn what_cannot_be_read_does_not_pass_for_harmless() {
        for text in ["", "[]", "{\"errorCode\":", "null"] {
            assert_eq!(key_denial(text, &key()), Err(Unreadable::NotJson), "{text}");
        }
        for name in ["eventTime", "eventName"] {
            let mut record = write();
            record[name] = json!("");
            assert_eq!(key_denial(&record.to_string(), &key()), Err(Unreadable::NoEvent), "{name}");
        }
    }
}

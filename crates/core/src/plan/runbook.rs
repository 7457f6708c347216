//! An Automation document (runbook), read far enough to know its exact effect on a bucket before it is started.
//!
//! Only what can be followed with certainty counts: S3 calls, assertions, waits, sleeps and branches on parameters. A
//! document that does anything else is never started, since its result cannot be told beforehand.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::assertion::contradiction;
use super::parameter::{Limit, Parameter};
use crate::model::{
    Algorithm, BlockedTypesElement, Bucket, DefaultEncryption, DocumentContent, EncryptionRule, deserialize_boolean,
    deserialize_text, document_boolean, sha256_hex,
};

/// A document's content as far as orgseal rests on it (schema 0.3).
#[derive(Clone, Debug)]
pub struct Runbook {
    parameters: BTreeMap<String, Parameter>,
    steps: Vec<Step>,
    hash: String,
    content_hash: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    #[serde(deserialize_with = "deserialize_text")]
    schema_version: String,
    assume_role: Option<String>,
    #[serde(default)]
    parameters: BTreeMap<String, Parameter>,
    main_steps: Vec<Step>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    name: String,
    action: String,
    #[serde(default)]
    inputs: Value,
    next_step: Option<String>,
    #[serde(default, deserialize_with = "deserialize_boolean")]
    is_end: bool,
}

/// Why a document must not be started at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunbookError {
    /// Neither YAML nor JSON of schema 0.3.
    #[error("the document's content cannot be read: {0}")]
    Unreadable(String),
    /// Another schema.
    #[error("the document has schema {0}; orgseal starts Automation documents of schema 0.3")]
    Schema(String),
    /// It would run as the caller.
    #[error(
        "the document does not run under its parameter AutomationAssumeRole (assumeRole: '{{{{ AutomationAssumeRole }}}}'), so it would run with the caller's own permissions"
    )]
    NoAssumeRole,
    /// A parameter that the seal needs is not there.
    #[error("the document has no parameter {0}, which is needed")]
    Lacks(&'static str),
    /// A required parameter that nobody knows how to fill.
    #[error("the document requires a parameter {0}, which orgseal does not know how to fill")]
    UnknownParameter(String),
}

/// Why a document cannot bring one bucket to exactly the wanted configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotCarry {
    /// It does something that cannot be followed.
    #[error("its effect could not be determined: step {step} {why}")]
    Unclear {
        /// The step's name.
        step: String,
        /// What about it.
        why: String,
    },
    /// It puts nothing.
    #[error("it never calls PutBucketEncryption on the bucket")]
    PutsNothing,
    /// It would put something else.
    #[error("it would put {would} where {wanted} is wanted")]
    Different {
        /// What it would put.
        would: String,
        /// What is wanted.
        wanted: String,
    },
    /// It would put what is wanted, and then wait for something else.
    #[error("its step {step} asks S3 for {asked}, which the change does not give: every execution would fail")]
    FailsItself {
        /// The step's name.
        step: String,
        /// What it asks for.
        asked: String,
    },
    /// It omits `BlockedEncryptionTypes` on a bucket that blocks some.
    #[error(
        "it omits BlockedEncryptionTypes, and the bucket blocks {0}: AWS does not document that a put without the element keeps the block"
    )]
    OmitsBlockedTypes(String),
    /// It sends `BlockedEncryptionTypes`, which must be omitted here.
    #[error("it always sends BlockedEncryptionTypes, which Automation does not know in this account and Region")]
    SendsBlockedTypes,
    /// A value that the document does not allow: Systems Manager refuses to start it with this value.
    #[error("its parameter {parameter} does not accept the value {value:?}: {limit}")]
    NotAllowed {
        /// The parameter's name.
        parameter: String,
        /// The value.
        value: String,
        /// The limit that the value is outside of.
        limit: Limit,
    },
}

/// One change: what the document is to do.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// The bucket, with the account that must own it.
    pub bucket: &'a Bucket,
    /// The role under which the document runs.
    pub automation_role: &'a str,
    /// The rule that S3 must show afterwards.
    pub rule: &'a EncryptionRule,
}

/// How a start may treat the blocked encryption types of the bucket that it changes.
#[derive(Clone, Copy, Debug)]
pub struct OmissionTerms<'a> {
    /// The configuration that the bucket has now.
    pub found: &'a DefaultEncryption,
    /// Automation does not know the element, so it must be omitted.
    pub must_omit: bool,
    /// The element may also be omitted on a bucket that blocks types (`encryption.blocked_types = "prove"`).
    pub may_omit_block: bool,
}

/// A start that has exactly the wanted result, where S3 keeps what the document omits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedStart {
    /// Values by parameter.
    pub parameters: BTreeMap<String, Vec<String>>,
    /// Whether the put contains `BlockedEncryptionTypes`. Where it does not, read-back must show the present value.
    pub blocked_types: BlockedTypesElement,
}

/// The value with which the shipped documents leave an element out of the rule.
const OMIT: &str = "Omit";

const NEEDED: [&str; 3] = ["BucketName", "KMSMasterKeyID", "AutomationAssumeRole"];

impl Runbook {
    /// Reads a document's content, YAML or JSON, and refuses what must not be started.
    pub fn parse(content: &str) -> Result<Runbook, RunbookError> {
        let tree = DocumentContent::parse(content).map_err(RunbookError::Unreadable)?;
        let parsed: Content =
            serde_json::from_value(tree.tree().clone()).map_err(|error| RunbookError::Unreadable(error.to_string()))?;
        if parsed.schema_version != "0.3" {
            return Err(RunbookError::Schema(parsed.schema_version));
        }
        for name in NEEDED {
            if !parsed.parameters.contains_key(name) {
                return Err(if name == "AutomationAssumeRole" {
                    RunbookError::NoAssumeRole
                } else {
                    RunbookError::Lacks(name)
                });
            }
        }
        if parsed.assume_role.as_deref().and_then(sole_reference) != Some("AutomationAssumeRole") {
            return Err(RunbookError::NoAssumeRole);
        }
        let known =
            BTreeSet::from(["ExpectedBucketOwner", "SSEAlgorithm", "BucketKeyEnabled", "BlockedEncryptionType"]);
        for (name, parameter) in &parsed.parameters {
            let filled = NEEDED.contains(&name.as_str()) || known.contains(name.as_str());
            if parameter.default.is_none() && !filled {
                return Err(RunbookError::UnknownParameter(name.clone()));
            }
        }
        Ok(Runbook {
            parameters: parsed.parameters,
            steps: parsed.main_steps,
            hash: tree.sha256(),
            content_hash: sha256_hex(content.as_bytes()),
        })
    }

    /// SHA-256 of the content's canonical JSON form, in hex. It is not `DescribeDocument`'s `Hash`, which is of the text that was
    /// uploaded.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The parameters, with their `allowedPattern`, of which it is not known which values Systems Manager accepts: the pattern is
    /// valid Java, and not understood here.
    pub fn unreadable_patterns(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().filter_map(|(name, parameter)| Some((name.as_str(), parameter.unreadable_pattern()?)))
    }

    /// Whether a hash in a plan or ledger is this document's: of the canonical JSON form or, as
    /// plans of earlier versions hold it, of the text that `GetDocument` returned.
    #[must_use]
    pub fn has_hash(&self, hash: &str) -> bool {
        hash == self.hash || hash == self.content_hash
    }

    /// The parameters to start the document with, on a bucket that already blocks the wanted encryption types, if the result is
    /// exactly the wanted rule and no block is left to chance.
    pub fn parameters_for(&self, change: &Change<'_>) -> Result<BTreeMap<String, Vec<String>>, CannotCarry> {
        let found = DefaultEncryption::from(change.rule.clone());
        let terms = OmissionTerms { found: &found, must_omit: false, may_omit_block: false };
        self.start_for(change, &terms).map(|start| start.parameters)
    }

    /// The start that gives the bucket the wanted rule. A put without `BlockedEncryptionTypes` is expected to leave the present
    /// value as it is, which read-back must prove.
    pub fn start_for(&self, change: &Change<'_>, terms: &OmissionTerms<'_>) -> Result<PlannedStart, CannotCarry> {
        let rule = change.rule;
        let blocked = match rule.blocked.as_deref() {
            _ if terms.must_omit => OMIT.to_owned(),
            None | Some([]) => OMIT.to_owned(),
            Some(types) => types.join(","),
        };
        let wishes = [
            ("BucketName", change.bucket.name.clone()),
            ("KMSMasterKeyID", rule.key.clone().unwrap_or_else(|| OMIT.to_owned())),
            ("AutomationAssumeRole", change.automation_role.to_owned()),
            ("ExpectedBucketOwner", change.bucket.account.clone()),
            ("SSEAlgorithm", rule.algorithm.as_ref().map_or_else(String::new, |a| a.as_str().to_owned())),
            ("BucketKeyEnabled", rule.has_bucket_key().to_string()),
            ("BlockedEncryptionType", blocked),
        ];
        let mut chosen = BTreeMap::new();
        for (name, value) in wishes {
            let Some(parameter) = self.parameters.get(name) else { continue };
            if let Some(limit) = parameter.refuses(&value) {
                return Err(CannotCarry::NotAllowed { parameter: name.to_owned(), value, limit });
            }
            chosen.insert(name.to_owned(), vec![value]);
        }
        let (put, failing) = self.effect(&chosen, change.bucket)?;
        let element = match put.blocked {
            Some(_) => BlockedTypesElement::Sent,
            None => BlockedTypesElement::Omitted,
        };
        let present = terms.found.only_rule().and_then(|rule| rule.blocked.clone());
        let expected = EncryptionRule { blocked: put.blocked.clone().or(present), ..put };
        if !expected.means(rule) {
            return Err(CannotCarry::Different { would: in_words(&expected), wanted: in_words(rule) });
        }
        let blocks = Vec::from_iter(terms.found.blocked_types());
        match element {
            BlockedTypesElement::Sent if terms.must_omit => return Err(CannotCarry::SendsBlockedTypes),
            BlockedTypesElement::Omitted if !blocks.is_empty() && !terms.may_omit_block => {
                return Err(CannotCarry::OmitsBlockedTypes(blocks.join(", ")));
            }
            _ => {}
        }
        failing.map_or(Ok(PlannedStart { parameters: chosen, blocked_types: element }), Err)
    }

    /// The rule that the bucket has after a run with these parameters: the steps, followed; and the step that would fail for it.
    fn effect(
        &self,
        chosen: &BTreeMap<String, Vec<String>>,
        bucket: &Bucket,
    ) -> Result<(EncryptionRule, Option<CannotCarry>), CannotCarry> {
        let values = self.values(chosen);
        let (mut put, mut failing) = (None, None);
        let mut at = 0;
        // Each step is passed once: a document that goes back cannot be followed to its end.
        let mut passed = BTreeSet::new();
        while let Some(step) = self.steps.get(at) {
            if !passed.insert(at) {
                return Err(unclear(step, "is reached a second time"));
            }
            let mut next = step.next_step.clone();
            match step.action.as_str() {
                "aws:executeAwsApi" => {
                    if let Some(rule) = s3_call(step, &values, bucket)? {
                        put = Some(rule);
                    }
                }
                "aws:assertAwsResourceProperty" | "aws:waitForAwsResourceProperty" => {
                    let asked = put.as_ref().and_then(|rule| contradiction(&resolve(&step.inputs, &values), rule));
                    failing =
                        failing.or(asked.map(|asked| CannotCarry::FailsItself { step: step.name.clone(), asked }));
                }
                "aws:sleep" => {}
                "aws:branch" => next = Some(branch(step, &values)?),
                _ => return Err(unclear(step, &format!("has the action {}", step.action))),
            }
            match next {
                Some(name) => {
                    at = self
                        .steps
                        .iter()
                        .position(|step| step.name == name)
                        .ok_or_else(|| unclear(step, &format!("continues with {name}, which does not exist")))?;
                }
                None if step.is_end => break,
                None => at += 1,
            }
        }
        Ok((put.ok_or(CannotCarry::PutsNothing)?, failing))
    }

    /// Each parameter's value, typed as the document declares it.
    fn values(&self, chosen: &BTreeMap<String, Vec<String>>) -> BTreeMap<String, Value> {
        self.parameters
            .iter()
            .filter_map(|(name, parameter)| {
                let value = match chosen.get(name).and_then(|values| values.first()) {
                    Some(text) => Value::String(text.clone()),
                    None => parameter.default.clone()?,
                };
                // A document may write the default of a Boolean as text.
                let boolean = document_boolean(&value).filter(|_| parameter.is_boolean());
                Some((name.clone(), boolean.map_or(value, Value::Bool)))
            })
            .collect()
    }
}

/// An S3 call of a step: `None` for a read, the rule for a put on the bucket.
fn s3_call(
    step: &Step,
    values: &BTreeMap<String, Value>,
    bucket: &Bucket,
) -> Result<Option<EncryptionRule>, CannotCarry> {
    let inputs = resolve(&step.inputs, values);
    let service = inputs["Service"].as_str().unwrap_or_default().to_ascii_lowercase();
    let api = inputs["Api"].as_str().unwrap_or_default().replace('_', "").to_ascii_lowercase();
    // What another service gives is no business of a document that seals.
    let own = service == "s3" || (service == "sts" && api == "getcalleridentity");
    if own && ["get", "head", "list", "describe"].iter().any(|verb| api.starts_with(verb)) {
        return Ok(None);
    }
    if service != "s3" || api != "putbucketencryption" {
        return Err(unclear(step, &format!("calls {service}:{api}")));
    }
    if inputs["Bucket"].as_str() != Some(&bucket.name) {
        return Err(unclear(step, "puts to a bucket other than BucketName"));
    }
    if !matches!(&inputs["ExpectedBucketOwner"], Value::Null)
        && inputs["ExpectedBucketOwner"].as_str() != Some(&bucket.account)
    {
        return Err(unclear(step, "expects another bucket owner"));
    }
    let Some([rule]) = inputs["ServerSideEncryptionConfiguration"]["Rules"].as_array().map(Vec::as_slice) else {
        return Err(unclear(step, "does not put exactly one rule"));
    };
    if unresolved(&inputs) {
        return Err(unclear(step, "takes values which are known only while it runs"));
    }
    let default = &rule["ApplyServerSideEncryptionByDefault"];
    let bucket_key = match &rule["BucketKeyEnabled"] {
        Value::Null => None,
        value => match document_boolean(value) {
            Some(on) => Some(on),
            None => return Err(unclear(step, "sets BucketKeyEnabled to something that is not a Boolean")),
        },
    };
    let blocked = match &rule["BlockedEncryptionTypes"]["EncryptionType"] {
        Value::Null => None,
        Value::Array(types) => Some(types.iter().map(text).collect()),
        other => Some(vec![text(other)]),
    };
    Ok(Some(EncryptionRule {
        algorithm: default["SSEAlgorithm"].as_str().map(Algorithm::from),
        key: default["KMSMasterKeyID"].as_str().map(str::to_owned),
        bucket_key,
        blocked,
    }))
}

/// Where an `aws:branch` leads, for choices that compare a parameter with a text or a Boolean.
fn branch(step: &Step, values: &BTreeMap<String, Value>) -> Result<String, CannotCarry> {
    for choice in step.inputs["Choices"].as_array().into_iter().flatten() {
        let fields = choice.as_object().ok_or_else(|| unclear(step, "has a choice that is no map"))?;
        if fields.keys().any(|key| !["NextStep", "Variable", "StringEquals", "BooleanEquals"].contains(&key.as_str())) {
            return Err(unclear(step, "compares in a way that is not followed here"));
        }
        let choice = resolve(choice, values);
        if unresolved(&choice) {
            return Err(unclear(step, "branches on a value which is known only while it runs"));
        }
        let matches = match (&choice["StringEquals"], &choice["BooleanEquals"]) {
            (Value::Null, wanted) if document_boolean(wanted).is_some() => {
                document_boolean(&choice["Variable"]) == document_boolean(wanted)
            }
            (Value::String(wanted), Value::Null) => choice["Variable"].as_str() == Some(wanted),
            _ => return Err(unclear(step, "compares in a way that is not followed here")),
        };
        if matches {
            return Ok(text(&choice["NextStep"]));
        }
    }
    match &step.inputs["Default"] {
        Value::String(name) => Ok(name.clone()),
        _ => Err(unclear(step, "matches no choice and has no default")),
    }
}

fn unclear(step: &Step, why: &str) -> CannotCarry {
    CannotCarry::Unclear { step: step.name.clone(), why: why.to_owned() }
}

/// The name in a text that is one reference and nothing else: `{{ Name }}`.
fn sole_reference(text: &str) -> Option<&str> {
    let name = text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
    (!name.contains(['{', '}'])).then_some(name)
}

/// Replaces references to parameters. A sole reference keeps the parameter's type, as Automation does it.
fn resolve(value: &Value, values: &BTreeMap<String, Value>) -> Value {
    match value {
        Value::String(string) => {
            if let Some(whole) = sole_reference(string).and_then(|name| values.get(name)) {
                return whole.clone();
            }
            let mut out = String::new();
            let mut rest = string.as_str();
            while let Some((before, after)) = rest.split_once("{{") {
                let Some((name, tail)) = after.split_once("}}") else { break };
                out.push_str(before);
                match values.get(name.trim()) {
                    Some(value) => out.push_str(&text(value)),
                    None => out.push_str(&format!("{{{{{name}}}}}")),
                }
                rest = tail;
            }
            out.push_str(rest);
            Value::String(out)
        }
        Value::Array(items) => items.iter().map(|item| resolve(item, values)).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(key, value)| (key.clone(), resolve(value, values))).collect())
        }
        other => other.clone(),
    }
}

/// Whether a reference is left, to a step's output say.
fn unresolved(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("{{"),
        Value::Array(items) => items.iter().any(unresolved),
        Value::Object(fields) => fields.values().any(unresolved),
        _ => false,
    }
}

pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Equal in effect: S3 leaves a Bucket Key that is off out of its answer, and `NONE` blocks nothing.
fn in_words(rule: &EncryptionRule) -> String {
    format!(
        "{} with key {}, Bucket Key {}, blocked types {}",
        rule.algorithm.as_ref().map_or("no algorithm", Algorithm::as_str),
        rule.key.as_deref().unwrap_or("none"),
        if rule.has_bucket_key() { "on" } else { "off" },
        match Vec::from_iter(rule.blocked_types()) {
            none if none.is_empty() => "none".to_owned(),
            types => types.join(","),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../../../config/documents/EnableS3BucketEncryptionWithKMS.yaml");
    const RESTORE: &str = include_str!("../../../../config/documents/RestoreS3BucketEncryption.yaml");
    const ORIGINAL: &str = include_str!("../../../../config/documents/original-three-parameters.yaml");
    const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/central";

    fn bucket() -> Bucket {
        Bucket { account: "444455556666".into(), region: "us-east-1".into(), name: "logs".into() }
    }

    fn rule(bucket_key: bool, blocked: Option<&str>) -> EncryptionRule {
        EncryptionRule {
            algorithm: Some(Algorithm::SseKms),
            key: Some(KEY.into()),
            bucket_key: Some(bucket_key),
            blocked: blocked.map(|kind| vec![kind.into()]),
        }
    }

    fn carry(content: &str, rule: &EncryptionRule) -> Result<BTreeMap<String, Vec<String>>, CannotCarry> {
        let role = "arn:aws:iam::444455556666:role/orgseal-automation";
        Runbook::parse(content).unwrap().parameters_for(&Change { bucket: &bucket(), automation_role: role, rule })
    }

    #[test]
    fn the_shipped_document_carries_every_part_of_the_rule() {
        for bucket_key in [true, false] {
            for blocked in [None, Some("SSE-C"), Some("NONE")] {
                let parameters = carry(SHIPPED, &rule(bucket_key, blocked)).unwrap();
                assert_eq!(parameters["BucketKeyEnabled"], [bucket_key.to_string()]);
                assert_eq!(parameters["BlockedEncryptionType"], [blocked.unwrap_or("Omit")]);
                assert_eq!(parameters["ExpectedBucketOwner"], ["444455556666"]);
            }
        }
        let dsse = EncryptionRule { algorithm: Some(Algorithm::DsseKms), ..rule(false, None) };
        assert_eq!(carry(SHIPPED, &dsse).unwrap()["SSEAlgorithm"], ["aws:kms:dsse"]);
    }

    #[test]
    fn the_restoring_document_carries_every_form_of_a_former_rule() {
        for algorithm in [Algorithm::SseS3, Algorithm::SseKms, Algorithm::DsseKms] {
            for key in [None, Some("alias/team-key"), Some("1234abcd-12ab-34cd-56ef-1234567890ab"), Some(KEY)] {
                for bucket_key in [None, Some(false), Some(true)] {
                    for blocked in [None, Some("SSE-C"), Some("NONE")] {
                        let rule = EncryptionRule {
                            algorithm: Some(algorithm.clone()),
                            key: key.map(Into::into),
                            bucket_key,
                            blocked: blocked.map(|kind| vec![kind.into()]),
                        };
                        let parameters = carry(RESTORE, &rule).unwrap_or_else(|error| panic!("{rule:?}: {error}"));
                        assert_eq!(parameters["KMSMasterKeyID"], [key.unwrap_or("Omit")]);
                        assert_eq!(parameters["SSEAlgorithm"], [algorithm.as_str()]);
                    }
                }
            }
        }
        // What it cannot put is not started: two blocked types, say.
        let two = EncryptionRule { blocked: Some(vec!["SSE-C".into(), "X".into()]), ..EncryptionRule::SSE_S3 };
        assert!(matches!(carry(RESTORE, &two), Err(CannotCarry::NotAllowed { .. })));
    }

    #[test]
    fn the_original_document_carries_only_what_it_can() {
        assert!(carry(ORIGINAL, &rule(false, None)).is_ok());
        assert!(carry(ORIGINAL, &rule(false, Some("NONE"))).is_ok(), "S3 returns NONE although nobody set it");
        let error = carry(ORIGINAL, &rule(true, None)).unwrap_err();
        assert!(matches!(error, CannotCarry::Different { .. }), "{error}");
        let error = carry(ORIGINAL, &rule(false, Some("SSE-C"))).unwrap_err();
        assert!(matches!(error, CannotCarry::OmitsBlockedTypes(_)), "{error}");
    }

    #[test]
    fn an_omitted_element_is_expected_to_keep_the_present_value() {
        use BlockedTypesElement::{Omitted, Sent};
        let start = |content: &str, wanted: Option<&str>, present: Option<&str>, must_omit, may_omit_block| {
            let (rule, found) = (rule(false, wanted), DefaultEncryption::from(rule(false, present)));
            let change = Change { bucket: &bucket(), automation_role: "arn:aws:iam::4:role/a", rule: &rule };
            let terms = OmissionTerms { found: &found, must_omit, may_omit_block };
            let start = Runbook::parse(content).unwrap().start_for(&change, &terms)?;
            let sent = start.parameters.get("BlockedEncryptionType").map(|values| values[0].clone());
            Ok::<_, CannotCarry>((start.blocked_types, sent))
        };
        let (block, none) = (Some("SSE-C"), Some("NONE"));
        // The shipped document sends the present value, and leaves it out where S3 does or where it must.
        assert_eq!(start(SHIPPED, block, block, false, false), Ok((Sent, Some("SSE-C".into()))));
        assert_eq!(start(SHIPPED, none, none, false, false), Ok((Sent, Some("NONE".into()))));
        assert_eq!(start(SHIPPED, None, None, false, false), Ok((Omitted, Some("Omit".into()))));
        assert_eq!(start(SHIPPED, none, none, true, false), Ok((Omitted, Some("Omit".into()))));
        for content in [SHIPPED, ORIGINAL] {
            let held = start(content, block, block, true, false);
            assert_eq!(held, Err(CannotCarry::OmitsBlockedTypes("SSE-C".into())));
            assert_eq!(start(content, block, block, true, true).unwrap().0, Omitted);
            // Omitting changes nothing, in whichever direction.
            for (wanted, present) in [(block, none), (block, None), (none, block), (None, block)] {
                let other = start(content, wanted, present, true, true);
                assert!(matches!(other, Err(CannotCarry::Different { .. })), "{wanted:?} {present:?}: {other:?}");
            }
        }
        assert_eq!(start(SHIPPED, block, none, false, false), Ok((Sent, Some("SSE-C".into()))), "it is set again");
        let stubborn = SHIPPED.replace("StringEquals: Omit", "StringEquals: Never");
        assert!(start(&stubborn, none, none, true, false).is_err());
    }

    #[test]
    fn a_document_that_skips_the_effect_is_not_started() {
        let idle = SHIPPED.replace("Api: PutBucketEncryption", "Api: GetBucketEncryption");
        assert_eq!(carry(&idle, &rule(true, None)).unwrap_err(), CannotCarry::PutsNothing);
    }

    #[test]
    fn a_document_that_puts_a_fixed_key_or_bucket_is_not_started() {
        let fixed = SHIPPED.replace(
            "KMSMasterKeyID: '{{ KMSMasterKeyID }}'",
            "KMSMasterKeyID: arn:aws:kms:us-east-1:111122223333:key/old",
        );
        assert!(matches!(carry(&fixed, &rule(true, None)), Err(CannotCarry::Different { .. })));
        let elsewhere = SHIPPED.replace("Bucket: '{{ BucketName }}'", "Bucket: other");
        assert!(matches!(carry(&elsewhere, &rule(true, None)), Err(CannotCarry::Unclear { .. })));
    }

    #[test]
    fn a_document_that_runs_a_script_is_not_started() {
        let script = ORIGINAL.replace("action: aws:executeAwsApi", "action: aws:executeScript");
        assert!(matches!(carry(&script, &rule(false, None)), Err(CannotCarry::Unclear { .. })));
    }

    #[test]
    fn a_document_without_its_role_or_with_unknown_needs_is_refused() {
        let as_caller = ORIGINAL.replace("assumeRole: '{{ AutomationAssumeRole }}'\n", "");
        assert_eq!(Runbook::parse(&as_caller).unwrap_err(), RunbookError::NoAssumeRole);
        let fixed = ORIGINAL.replace("assumeRole: '{{ AutomationAssumeRole }}'", "assumeRole: arn:aws:iam::1:role/x");
        assert_eq!(Runbook::parse(&fixed).unwrap_err(), RunbookError::NoAssumeRole);
        let keyless = ORIGINAL.replace("  KMSMasterKeyID:\n    type", "  Key:\n    type");
        assert_eq!(Runbook::parse(&keyless).unwrap_err(), RunbookError::Lacks("KMSMasterKeyID"));
        let more = ORIGINAL.replace("mainSteps:", "  Ticket:\n    type: String\nmainSteps:");
        assert_eq!(Runbook::parse(&more).unwrap_err(), RunbookError::UnknownParameter("Ticket".into()));
    }

    /// A document as CloudFormation may hand it on: Booleans and numbers as text.
    fn as_text(value: &Value) -> Value {
        match value {
            Value::Bool(_) | Value::Number(_) => Value::String(value.to_string()),
            Value::Array(items) => items.iter().map(as_text).collect(),
            Value::Object(members) => Value::Object(members.iter().map(|(k, v)| (k.clone(), as_text(v))).collect()),
            other => other.clone(),
        }
    }

    #[test]
    fn booleans_and_numbers_may_be_written_as_text() {
        for document in [SHIPPED, RESTORE, ORIGINAL] {
            let tree: Value = serde_norway::from_str(document).unwrap();
            let wild = as_text(&tree).to_string();
            assert_ne!(wild, tree.to_string());
            for (bucket_key, blocked) in [(true, Some("SSE-C")), (false, None)] {
                let rule = rule(bucket_key, blocked);
                assert_eq!(carry(&wild, &rule), carry(document, &rule));
            }
            assert_ne!(Runbook::parse(document).unwrap().hash(), Runbook::parse(&wild).unwrap().hash());
        }
        let unquoted = ORIGINAL.replace("schemaVersion: '0.3'", "schemaVersion: 0.3");
        assert!(unquoted != ORIGINAL && carry(&unquoted, &rule(false, None)).is_ok());
        let neither = SHIPPED.replacen("isEnd: true", "isEnd: perhaps", 1);
        assert!(
            matches!(Runbook::parse(&neither).unwrap_err(), RunbookError::Unreadable(why) if why.contains("perhaps"))
        );
    }

    #[test]
    fn a_branch_compares_a_boolean_that_is_written_as_text() {
        let branch = "  Idle: {type: Boolean, default: 'False'}
mainSteps:
  - name: Choose
    action: aws:branch
    inputs:
      Choices:
        - {Variable: '{{ Idle }}', BooleanEquals: 'true', NextStep: Nothing}
        - {Variable: '{{ Idle }}', BooleanEquals: 'false', NextStep: STEP}";
        let branches = ORIGINAL.replace("mainSteps:", branch);
        let step = &Runbook::parse(ORIGINAL).unwrap().steps[0].name;
        assert!(carry(&branches.replace("STEP", step), &rule(false, None)).is_ok());
    }

    #[test]
    fn the_hash_is_of_the_canonical_json_and_earlier_ones_are_known() {
        let json = serde_json::to_string_pretty(&serde_norway::from_str::<Value>(SHIPPED).unwrap()).unwrap();
        let (yaml, json_form) = (Runbook::parse(SHIPPED).unwrap(), Runbook::parse(&json).unwrap());
        assert_eq!(yaml.hash(), json_form.hash());
        let of_text = sha256_hex(json.as_bytes());
        assert!(json_form.has_hash(&of_text) && json_form.has_hash(yaml.hash()) && !yaml.has_hash(&of_text));
        assert_ne!(yaml.hash(), sha256_hex(SHIPPED.as_bytes()));
    }

    #[test]
    fn json_is_read_as_well() {
        let json = serde_json::to_string(&serde_norway::from_str::<Value>(SHIPPED).unwrap()).unwrap();
        assert!(carry(&json, &rule(true, Some("SSE-C"))).is_ok());
    }
}

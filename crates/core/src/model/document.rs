//! The content of a Systems Manager document, as YAML or JSON: one canonical JSON form, its hash, and whether two contents are the
//! same document.
//!
//! `GetDocument` without `DocumentFormat` returns JSON whatever the document was created from, so the text that is read is not the
//! text that was uploaded, and its hash is not `DescribeDocument`'s. The canonical form is the same for both texts: members sorted
//! by name, no white space, JSON as RFC 8259 writes it.

use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::unique_json::{self, Unique};

/// A document's content as a tree.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentContent(Value);

impl DocumentContent {
    /// Reads JSON or YAML.
    pub fn parse(text: &str) -> Result<DocumentContent, String> {
        if let Ok(tree) = unique_json::parse(text) {
            return Ok(DocumentContent(tree));
        }
        let tree: Unique = serde_norway::from_str(text).map_err(|error| error.to_string())?;
        Ok(DocumentContent(tree.0))
    }

    /// The tree.
    #[must_use]
    pub fn tree(&self) -> &Value {
        &self.0
    }

    /// SHA-256 of the canonical JSON form, in hex: `jq -jcS . | sha256sum` of the content as JSON.
    #[must_use]
    pub fn sha256(&self) -> String {
        let mut text = String::new();
        write_canonical(&self.0, &mut text);
        sha256_hex(text.as_bytes())
    }

    /// Whether both are the same document: CloudFormation may turn Booleans and numbers of an object-valued `Content` into text
    /// (aws-cloudformation/cloudformation-cli#435), and Systems Manager reads both alike.
    #[must_use]
    pub fn is_same_document(&self, other: &DocumentContent) -> bool {
        same(&self.0, &other.0)
    }
}

/// SHA-256 in hex.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            // Sorted here: whether serde_json keeps the order of the source is a feature that another crate may switch on.
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (place, (name, member)) in members.into_iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write_canonical(member, out);
            }
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, member)| other.get(name).is_some_and(|other| same(member, other)))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (one, other) => one == other || scalar_text(one).is_some_and(|text| Some(text) == scalar_text(other)),
    }
}

/// A string, Boolean or number as text.
fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

/// A Boolean of a document, also where it is written as text: `isEnd: "true"`.
#[must_use]
pub fn document_boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// For `#[serde(deserialize_with)]`: [`document_boolean`].
pub fn deserialize_boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let value = Value::deserialize(deserializer)?;
    document_boolean(&value).ok_or_else(|| D::Error::custom(format!("{value} is not a Boolean")))
}

/// For `#[serde(deserialize_with)]`: a text, also where YAML reads it as a number: `schemaVersion: 0.3`.
pub fn deserialize_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let value = Value::deserialize(deserializer)?;
    scalar_text(&value).ok_or_else(|| D::Error::custom(format!("{value} is not a text")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> DocumentContent {
        DocumentContent::parse(text).unwrap()
    }

    #[test]
    fn a_document_that_names_a_member_twice_is_not_understood() {
        for text in [
            r#"{"schemaVersion":"0.3","mainSteps":[],"mainSteps":[{"name":"other"}]}"#,
            "schemaVersion: '0.3'\nmainSteps: []\nmainSteps:\n- name: other\n",
        ] {
            let error = DocumentContent::parse(text).unwrap_err();
            assert!(error.contains("two members") || error.contains("duplicate"), "{error}");
        }
    }

    #[test]
    fn yaml_and_json_have_one_hash() {
        let yaml = read("b: 'x'\na: {d: [1, true], c: null}\n");
        let json = read("{ \"a\": { \"c\": null, \"d\": [ 1, true ] }, \"b\": \"x\" }");
        assert_eq!(yaml.sha256(), json.sha256());
        assert_eq!(yaml.sha256(), sha256_hex(br#"{"a":{"c":null,"d":[1,true]},"b":"x"}"#));
        assert_ne!(yaml.sha256(), read("b: 'x'\na: {d: [1, 'true'], c: null}\n").sha256());
        assert!(DocumentContent::parse("a: [").is_err());
    }

    #[test]
    fn booleans_and_numbers_as_text_are_the_same_document() {
        let document = read("steps: [{isEnd: true, timeoutSeconds: 600}]");
        assert!(document.is_same_document(&read("steps: [{isEnd: 'true', timeoutSeconds: '600'}]")));
        for other in ["steps: [{isEnd: false, timeoutSeconds: 600}]", "steps: [{isEnd: true}]", "steps: []"] {
            assert!(!document.is_same_document(&read(other)), "{other}");
        }
        assert!(!read("a: null").is_same_document(&read("a: 'null'")));
    }
}

//! A resource's properties, with the small liberties that CloudFormation takes: numbers and flags may be texts.

use serde_json::{Map, Value, json};

use crate::services::config::intrinsic::text;

/// Properties in which every function was carried out.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Properties {
    members: Map<String, Value>,
}

impl Properties {
    pub(crate) fn new(members: Map<String, Value>) -> Properties {
        Properties { members }
    }

    /// With the stack's tags beside its own, which come first.
    pub(crate) fn with_tags(mut self, tags: &[(String, String)]) -> Properties {
        if tags.is_empty() {
            return self;
        }
        let own = self.tags();
        let mut all = own.clone();
        all.extend(tags.iter().filter(|(key, _)| own.iter().all(|(other, _)| other != key)).cloned());
        self.members.insert("Tags".into(), super::tag_list(&all));
        self
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        text(self.get(name)?)
    }

    /// As a JSON service takes it: null when it is not there.
    pub(crate) fn value(&self, name: &str) -> Value {
        self.get(name).cloned().unwrap_or_default()
    }

    /// A number, also where the template has it as a text.
    pub(crate) fn number(&self, name: &str) -> Value {
        self.text(name).map_or(Value::Null, |text| text.parse::<i64>().map_or(json!(text), |number| json!(number)))
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        match self.text(name)?.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        self.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(text).collect()
    }

    pub(crate) fn list(&self, name: &str) -> &[Value] {
        self.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// A document: an object's JSON text, or the text itself.
    pub(crate) fn document(&self, name: &str) -> Option<String> {
        self.get(name).map(document_text)
    }

    pub(crate) fn tags(&self) -> Vec<(String, String)> {
        let tag = |tag: &Value| Some((text(&tag["Key"])?, text(&tag["Value"])?));
        self.list("Tags").iter().filter_map(tag).collect()
    }

    /// Whether one of these is not the same in the other.
    pub(crate) fn differs(&self, other: &Properties, name: &str) -> bool {
        self.get(name) != other.get(name)
    }

    /// The same for the same properties.
    pub(crate) fn hash(&self) -> String {
        use sha2::Digest as _;
        let hash = sha2::Sha256::digest(Value::Object(self.members.clone()).to_string().as_bytes());
        hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect()
    }
}

pub(crate) fn document_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

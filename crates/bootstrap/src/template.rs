//! Templates: YAML with a few marks that the campaign fills in.
//!
//! `@name@` in a text is a text. A text that is `@@name` alone is a tree; where the campaign has none, the member or item that
//! holds it is left out. An item with the member `@if: name` is left out where the campaign has no `name`.

use std::collections::BTreeMap;

use serde_norway::{Mapping, Value};

/// What fills the marks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filling {
    texts: BTreeMap<&'static str, String>,
    trees: BTreeMap<&'static str, Option<Value>>,
}

impl Filling {
    /// Fills `@name@`.
    pub(crate) fn text(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.texts.insert(name, value.into());
        self
    }

    /// Fills `@@name`, and decides `@if: name`.
    pub(crate) fn tree(mut self, name: &'static str, value: Option<Value>) -> Self {
        self.trees.insert(name, value);
        self
    }

    /// A text with its marks filled.
    pub(crate) fn fill_text(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        for (name, value) in &self.texts {
            filled = filled.replace(&format!("@{name}@"), value);
        }
        filled
    }

    /// A template's text, read and filled.
    pub(crate) fn fill(&self, template: &str) -> Value {
        let tree: Value = serde_norway::from_str(template).unwrap_or_default();
        self.filled(tree).unwrap_or_default()
    }

    /// A tree with its marks filled.
    pub(crate) fn fill_tree(&self, tree: Value) -> Value {
        self.filled(tree).unwrap_or_default()
    }

    fn filled(&self, tree: Value) -> Option<Value> {
        match tree {
            Value::String(text) => match text.strip_prefix("@@") {
                Some(name) => self.trees.get(name).cloned().flatten(),
                None => Some(Value::String(self.fill_text(&text))),
            },
            Value::Sequence(items) => {
                Some(Value::Sequence(items.into_iter().filter_map(|item| self.filled(item)).collect()))
            }
            Value::Mapping(members) => {
                let asked = members.get("@if").and_then(Value::as_str);
                if asked.is_some_and(|name| self.trees.get(name).is_none_or(Option::is_none)) {
                    return None;
                }
                let members = members.into_iter().filter(|(name, _)| name.as_str() != Some("@if"));
                let filled = members.filter_map(|(name, item)| {
                    let name = name.as_str().map(|name| Value::String(self.fill_text(name))).unwrap_or(name);
                    Some((name, self.filled(item)?))
                });
                Some(Value::Mapping(filled.collect::<Mapping>()))
            }
            other => Some(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::minified;
    use crate::tree::text;

    #[test]
    fn marks_are_filled_and_what_is_not_there_is_left_out() {
        let filling = Filling::default().text("who", "me").tree("some", Some(text("x"))).tree("none", None);
        let template = "a: '@who@ and @who@'\nb: '@@some'\nc: '@@none'\nd: [{'@if': none, e: 1}, {'@if': some, e: 2}]\n'@who@': 3\n";
        assert_eq!(minified(&filling.fill(template)), r#"{"a":"me and me","b":"x","d":[{"e":2}],"me":3}"#);
    }
}

//! A parameter of an Automation document: which values Systems Manager accepts for it.
//!
//! `StartAutomationExecution` answers InvalidAutomationExecutionParametersException for any other value (Systems Manager user guide,
//! "Data elements and parameters"), so a plan has to know before it.

use std::fmt;

use regex_lite::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::runbook::text;

/// One entry of the document's `parameters`.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Declared")]
pub(super) struct Parameter {
    kind: String,
    pub(super) default: Option<Value>,
    allowed_values: Option<Vec<Value>>,
    allowed_pattern: Option<AllowedPattern>,
    min_chars: Option<u64>,
    max_chars: Option<u64>,
}

/// The entry as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Declared {
    #[serde(default)]
    r#type: String,
    default: Option<Value>,
    allowed_values: Option<Vec<Value>>,
    allowed_pattern: Option<String>,
    min_chars: Option<Value>,
    max_chars: Option<Value>,
}

#[derive(Clone, Debug)]
struct AllowedPattern {
    text: String,
    /// `None`: the syntax is not understood here. Lookahead, for one, is valid in Java alone.
    regex: Option<Regex>,
}

/// The limit of a parameter that a value is outside of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The value is not in this list.
    AllowedValues(Vec<String>),
    /// The value does not match this regular expression.
    AllowedPattern(String),
    /// The value has fewer characters.
    MinChars(u64),
    /// The value has more characters.
    MaxChars(u64),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::AllowedValues(values) => write!(f, "allowedValues is [{}]", values.join(", ")),
            Limit::AllowedPattern(pattern) => write!(f, "allowedPattern is {pattern}"),
            Limit::MinChars(count) => write!(f, "minChars is {count}"),
            Limit::MaxChars(count) => write!(f, "maxChars is {count}"),
        }
    }
}

impl Limit {
    /// The name of the document's element.
    #[must_use]
    pub fn element(&self) -> &'static str {
        match self {
            Limit::AllowedValues(_) => "allowedValues",
            Limit::AllowedPattern(_) => "allowedPattern",
            Limit::MinChars(_) => "minChars",
            Limit::MaxChars(_) => "maxChars",
        }
    }
}

impl From<Declared> for Parameter {
    fn from(declared: Declared) -> Parameter {
        // The whole value has to match, as with Java's `String.matches`: AWS's own AWS-RunShellScript limits executionTimeout to
        // 172800 by a pattern without anchors.
        let pattern = |text: String| AllowedPattern { regex: Regex::new(&format!("^(?:{text})$")).ok(), text };
        // Documents in the wild quote their numbers.
        let number = |value: Value| text(&value).trim().parse().ok();
        Parameter {
            kind: declared.r#type,
            default: declared.default,
            allowed_values: declared.allowed_values,
            allowed_pattern: declared.allowed_pattern.map(pattern),
            min_chars: declared.min_chars.and_then(number),
            max_chars: declared.max_chars.and_then(number),
        }
    }
}

impl Parameter {
    pub(super) fn is_boolean(&self) -> bool {
        self.kind == "Boolean"
    }

    /// The limit that a value is outside of; `None`: Systems Manager accepts the value, as far as this is known.
    pub(super) fn refuses(&self, value: &str) -> Option<Limit> {
        if let Some(allowed) = &self.allowed_values
            && !allowed.iter().any(|allowed| text(allowed) == value)
        {
            return Some(Limit::AllowedValues(allowed.iter().map(text).collect()));
        }
        if let Some(AllowedPattern { text, regex: Some(regex) }) = &self.allowed_pattern
            && !regex.is_match(value)
        {
            return Some(Limit::AllowedPattern(text.clone()));
        }
        let chars = value.chars().count() as u64;
        let too_few = self.min_chars.filter(|min| chars < *min).map(Limit::MinChars);
        too_few.or_else(|| self.max_chars.filter(|max| chars > *max).map(Limit::MaxChars))
    }

    /// The `allowedPattern`, where it is not understood here.
    pub(super) fn unreadable_pattern(&self) -> Option<&str> {
        self.allowed_pattern.as_ref().filter(|pattern| pattern.regex.is_none()).map(|pattern| pattern.text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(yaml: &str) -> Parameter {
        serde_norway::from_str(yaml).unwrap()
    }

    #[test]
    fn each_limit_refuses_the_values_outside_of_it() {
        for (limits, value, refused) in [
            ("allowedValues: [true, 7, x]", "true", None),
            ("allowedValues: [true, 7, x]", "7", None),
            ("allowedValues: [x, y]", "z", Some("allowedValues is [x, y]")),
            ("allowedPattern: ^prod-", "prod-", None),
            ("allowedPattern: ^prod-", "prod-logs", Some("allowedPattern is ^prod-")),
            ("allowedPattern: a|b", "b", None),
            ("allowedPattern: a|b", "ab", Some("allowedPattern is a|b")),
            ("allowedPattern: '^[a-z.-]{3,63}$'", "Old_Bucket", Some("allowedPattern is ^[a-z.-]{3,63}$")),
            ("minChars: 4", "abc", Some("minChars is 4")),
            ("minChars: 3", "abc", None),
            ("maxChars: 3", "abcd", Some("maxChars is 3")),
            ("maxChars: '3'", "abcd", Some("maxChars is 3")),
            ("maxChars: 4", "äöüß", None),
        ] {
            let found = parameter(&format!("type: String\n{limits}")).refuses(value).map(|limit| limit.to_string());
            assert_eq!(found.as_deref(), refused, "{limits} {value}");
        }
    }

    #[test]
    fn a_pattern_that_is_not_understood_refuses_nothing_and_is_named() {
        let lookahead = parameter("type: String\nallowedPattern: '^(?!xn--)[a-z]+$'");
        assert_eq!((lookahead.refuses("XX"), lookahead.unreadable_pattern()), (None, Some("^(?!xn--)[a-z]+$")));
        assert_eq!(parameter("type: String\nallowedPattern: '^[a-z]+$'").unreadable_pattern(), None);
    }
}

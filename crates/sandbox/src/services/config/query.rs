//! The part of Config's query language that runs here: `SELECT` a list of properties or `*`, `WHERE` comparisons with `=` and
//! `LIKE`, joined by `AND`, one of them `resourceType = 'AWS::S3::Bucket'`. Everything else is refused.

use serde_json::{Map, Value};

use super::item::{PROPERTIES, SCALARS, is_property};
use crate::world::config::BUCKET;

/// A query that was read.
#[derive(Debug, PartialEq)]
pub(super) struct Query {
    /// The properties as they are named; empty stands for `*`.
    select: Vec<String>,
    wanted: Vec<Comparison>,
}

#[derive(Debug, PartialEq)]
struct Comparison {
    path: String,
    with: Operand,
}

#[derive(Debug, PartialEq)]
enum Operand {
    Is(Value),
    /// `LIKE 'text%'`
    Begins(String),
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            c if c.is_whitespace() => {}
            '\'' => {
                let mut found = String::new();
                loop {
                    match letters.next() {
                        // A quote within a text is written twice.
                        Some('\'') if letters.next_if_eq(&'\'').is_some() => found.push('\''),
                        Some('\'') => break,
                        Some(c) => found.push(c),
                        None => return Err("a text without its closing quote".into()),
                    }
                }
                tokens.push(Token::Text(found));
            }
            c if c.is_ascii_alphanumeric() || c == '_' => {
                let mut word = String::from(c);
                while let Some(c) = letters.next_if(|c| c.is_ascii_alphanumeric() || "_.:-".contains(*c)) {
                    word.push(c);
                }
                tokens.push(Token::Word(word));
            }
            c if "*,=".contains(c) => tokens.push(Token::Sign(c)),
            c => return Err(format!("'{c}' is not understood here")),
        }
    }
    Ok(tokens)
}

fn is_word(token: Option<&Token>, word: &str) -> bool {
    matches!(token, Some(Token::Word(found)) if found.eq_ignore_ascii_case(word))
}

fn property(token: Option<&Token>) -> Result<String, String> {
    match token {
        Some(Token::Word(path)) if is_property(path) => Ok(path.clone()),
        Some(Token::Word(path)) => Err(format!("Property {path} is not valid, or not in this sandbox")),
        other => Err(format!("a property is expected, not {other:?}")),
    }
}

impl Query {
    pub(super) fn read(expression: &str) -> Result<Query, String> {
        let tokens = tokens(expression)?;
        let mut left = tokens.iter().peekable();
        if !is_word(left.next(), "SELECT") {
            return Err("a query begins with SELECT".into());
        }
        let mut select = Vec::new();
        if left.next_if_eq(&&Token::Sign('*')).is_none() {
            loop {
                select.push(property(left.next())?);
                if left.next_if_eq(&&Token::Sign(',')).is_none() {
                    break;
                }
            }
        }
        if !is_word(left.next(), "WHERE") {
            return Err("WHERE is expected after the properties".into());
        }
        let mut wanted = Vec::new();
        loop {
            let path = property(left.next())?;
            let with = match left.next() {
                Some(Token::Sign('=')) => Operand::Is(match left.next() {
                    Some(Token::Text(text)) => Value::from(text.as_str()),
                    Some(Token::Word(word)) if word == "true" || word == "false" => Value::from(word == "true"),
                    other => return Err(format!("a text in quotes, true or false is expected after =, not {other:?}")),
                }),
                like if is_word(like, "LIKE") => match left.next() {
                    Some(Token::Text(text)) => like_of(text)?,
                    other => return Err(format!("a text in quotes is expected after LIKE, not {other:?}")),
                },
                other => return Err(format!("= or LIKE is expected after {path}, not {other:?}")),
            };
            wanted.push(Comparison { path, with });
            match left.next() {
                None => break,
                and if is_word(and, "AND") => {}
                other => return Err(format!("AND or the end is expected, not {other:?}")),
            }
        }
        let buckets = Comparison { path: "resourceType".into(), with: Operand::Is(BUCKET.into()) };
        match wanted.contains(&buckets) {
            true => Ok(Query { select, wanted }),
            false => Err(format!("this sandbox records buckets alone: write resourceType = '{BUCKET}' AND …")),
        }
    }

    /// The names that QueryInfo shows.
    pub(super) fn fields(&self) -> Vec<&str> {
        match self.select.is_empty() {
            true => PROPERTIES[..SCALARS].to_vec(),
            false => self.select.iter().map(String::as_str).collect(),
        }
    }

    /// What the query shows of an item; nothing when the item is not wanted.
    pub(super) fn of(&self, item: &Value) -> Option<Value> {
        if !self.wanted.iter().all(|comparison| holds(comparison, item)) {
            return None;
        }
        let mut shown = Value::Object(Map::new());
        for path in self.fields() {
            let parts: Vec<&str> = path.split('.').collect();
            if let Some(part) = projected(item, &parts) {
                merge(&mut shown, part);
            }
        }
        Some(shown)
    }
}

/// Wildcards stand at the end alone.
fn like_of(text: &str) -> Result<Operand, String> {
    let before = text.strip_suffix('%');
    match (before, before.unwrap_or(text).contains(['%', '_'])) {
        (Some(before), false) => Ok(Operand::Begins(before.into())),
        (None, false) => Ok(Operand::Is(text.into())),
        (_, true) => Err("LIKE takes one % at the end alone".into()),
    }
}

/// Whether any of the values at a path is the wanted one: there may be several below an array.
fn holds(comparison: &Comparison, item: &Value) -> bool {
    fn any(value: &Value, parts: &[&str], fits: &impl Fn(&Value) -> bool) -> bool {
        match (value, parts) {
            (Value::Array(items), _) => items.iter().any(|item| any(item, parts, fits)),
            (value, []) => fits(value),
            (value, [first, rest @ ..]) => any(&value[*first], rest, fits),
        }
    }
    let parts: Vec<&str> = comparison.path.split('.').collect();
    any(item, &parts, &|value| match &comparison.with {
        Operand::Is(wanted) => value == wanted,
        Operand::Begins(start) => value.as_str().is_some_and(|text| text.starts_with(start)),
    })
}

/// The part of a value that a path names, in the objects and arrays around it.
fn projected(value: &Value, parts: &[&str]) -> Option<Value> {
    match (value, parts) {
        (Value::Null, _) => None,
        (value, []) => Some(value.clone()),
        (Value::Array(items), _) => Some(items.iter().filter_map(|item| projected(item, parts)).collect()),
        (value, [first, rest @ ..]) => {
            let below = projected(&value[*first], rest)?;
            Some(Value::Object(Map::from_iter([((*first).to_owned(), below)])))
        }
    }
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(members), Value::Object(added)) => {
            for (name, value) in added {
                match members.get_mut(&name) {
                    Some(there) => merge(there, value),
                    None => drop(members.insert(name, value)),
                }
            }
        }
        (Value::Array(items), Value::Array(added)) if items.len() == added.len() => {
            items.iter_mut().zip(added).for_each(|(item, value)| merge(item, value));
        }
        (into, from) => *into = from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KEY: &str = "supplementaryConfiguration.ServerSideEncryptionConfiguration.rules.applyServerSideEncryptionByDefault.sseAlgorithm";

    fn item() -> Value {
        let rules =
            json!([{ "applyServerSideEncryptionByDefault": { "sseAlgorithm": "AES256" }, "bucketKeyEnabled": true }]);
        json!({
            "resourceType": BUCKET, "resourceId": "it's", "accountId": "111111111111", "awsRegion": "eu-west-1",
            "supplementaryConfiguration": { "ServerSideEncryptionConfiguration": { "rules": rules } },
        })
    }

    #[test]
    fn what_is_wanted_is_shown_in_its_place() {
        let ask = |what: &str, also: &str| {
            Query::read(&format!("SELECT {what} WHERE resourceType = '{BUCKET}'{also}")).unwrap().of(&item())
        };
        assert_eq!(ask("resourceId", ""), Some(json!({ "resourceId": "it's" })));
        assert_eq!(ask("*", " and accountId = '111111111111'").unwrap()["awsRegion"], "eu-west-1");
        assert!(
            ask("*", "").unwrap().get("supplementaryConfiguration").is_none(),
            "only what is scalar and at the top"
        );
        let both = ask(
            &format!("{KEY}, {}", KEY.replace("applyServerSideEncryptionByDefault.sseAlgorithm", "bucketKeyEnabled")),
            "",
        );
        assert_eq!(both.unwrap()["supplementaryConfiguration"], item()["supplementaryConfiguration"]);
        for also in
            [format!(" AND {KEY} = 'AES256'"), " AND resourceId LIKE 'it%'".into(), " AND resourceId = 'it''s'".into()]
        {
            assert!(ask("resourceId", &also).is_some(), "{also}");
        }
        for also in
            [format!(" AND {KEY} = 'aws:kms'"), " AND resourceId LIKE 'its%'".into(), " AND tags.key = 'x'".into()]
        {
            assert_eq!(ask("resourceId", &also), None, "{also}");
        }
    }

    #[test]
    fn what_cannot_be_carried_out_is_refused() {
        for expression in [
            "",
            "DELETE resourceId",
            "SELECT resourceId",
            "SELECT resourceId WHERE accountId = '1'",
            "SELECT resourceId WHERE resourceType = 'AWS::EC2::Instance'",
            "SELECT resourceId, WHERE resourceType = 'AWS::S3::Bucket'",
            "SELECT colour WHERE resourceType = 'AWS::S3::Bucket'",
            "SELECT config WHERE resourceType = 'AWS::S3::Bucket'",
            "SELECT COUNT(*) WHERE resourceType = 'AWS::S3::Bucket'",
            "SELECT resourceId WHERE resourceType = 'AWS::S3::Bucket' OR accountId = '1'",
            "SELECT resourceId WHERE resourceType = 'AWS::S3::Bucket' AND accountId <> '1'",
            "SELECT resourceId WHERE resourceType = 'AWS::S3::Bucket' AND resourceId LIKE '%x'",
            "SELECT resourceId WHERE resourceType = 'AWS::S3::Bucket' AND resourceId = 'x",
            "SELECT resourceId WHERE resourceType = 'AWS::S3::Bucket' ORDER BY resourceId",
        ] {
            assert!(Query::read(expression).is_err(), "{expression}");
        }
    }
}

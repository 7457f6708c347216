//! Unknown keys, all of them at once: the file's tree held against the schema that is made from the types.

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::Problem;

/// The unknown keys of a campaign file.
pub(super) fn find(table: &DeTable<'_>, schema: &Value) -> Vec<Problem> {
    let mut found = Vec::new();
    walk(table, schema, schema, "", &mut found);
    found
}

/// What is wrong with a path that an override names; `None` when it leads to a setting.
pub(super) fn find_path(path: &[String], schema: &Value) -> Option<Problem> {
    let mut here = schema;
    for (depth, name) in path.iter().enumerate() {
        here = resolve(here, schema);
        let known = here["properties"].as_object();
        match known.and_then(|known| known.get(name)) {
            Some(below) => here = below,
            None if here["additionalProperties"] != Value::Bool(false) => return None,
            None => {
                let whole = path[..=depth].join(".");
                let names: Vec<&str> = known.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
                return Some(Problem::new(&whole, format!("unknown setting `{whole}`"), advice(name, &names)));
            }
        }
    }
    None
}

/// Whether the setting of a path is a text.
pub(super) fn is_text(path: &[String], schema: &Value) -> bool {
    let setting = path.iter().fold(schema, |here, name| {
        let here = resolve(here, schema);
        here["properties"].get(name).unwrap_or(&here["additionalProperties"])
    });
    let kind = &resolve(setting, schema)["type"];
    kind == "string" || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "string"))
}

fn walk(table: &DeTable<'_>, here: &Value, root: &Value, path: &str, found: &mut Vec<Problem>) {
    let here = resolve(here, root);
    let known = here["properties"].as_object();
    let open = here["additionalProperties"] != Value::Bool(false);
    for (key, value) in table {
        let name: &str = key.get_ref();
        let below = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match known.and_then(|known| known.get(name)) {
            Some(schema) => descend(value.get_ref(), schema, root, &below, found),
            None if open => {}
            None => {
                let names: Vec<&str> = known.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
                found.push(Problem {
                    span: Some(key.span()),
                    ..Problem::new(&below, format!("unknown setting `{below}`"), advice(name, &names))
                });
            }
        }
    }
}

fn descend(value: &DeValue<'_>, schema: &Value, root: &Value, path: &str, found: &mut Vec<Problem>) {
    match value {
        DeValue::Table(table) => walk(table, schema, root, path, found),
        DeValue::Array(items) => {
            let items_schema = &resolve(schema, root)["items"];
            for (index, item) in items.iter().enumerate() {
                descend(item.get_ref(), items_schema, root, &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}

/// Follows `$ref`, and takes the object out of "object or null".
fn resolve<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/")) {
        return resolve(&root["$defs"][name], root);
    }
    match schema["anyOf"].as_array() {
        Some(choices) => {
            choices.iter().map(|choice| resolve(choice, root)).find(|c| c["type"] != "null").unwrap_or(schema)
        }
        None => schema,
    }
}

/// The nearest of the names that are known, or all of them.
pub(super) fn advice(name: &str, known: &[&str]) -> String {
    match near(name, known.iter().copied()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("one of {}", known.join(", ")),
    }
}

/// The one of the names that a misspelt one was most likely meant to be: two letters away at most.
pub fn near<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Whatever differs by more in length differs by more in letters: a key of a megabyte is not compared.
    let candidates = known.into_iter().filter(|candidate| candidate.len().abs_diff(name.len()) <= 8);
    let (steps, nearest) = candidates.map(|candidate| (distance(name, candidate), candidate)).min()?;
    (steps <= 2).then_some(nearest)
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let next = (row[j + 1] + 1).min(row[j] + 1).min(diagonal + usize::from(x != *y));
            diagonal = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[b.len()]
}

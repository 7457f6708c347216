//! `{{ references }}` and `$.selectors`: how a runbook's text becomes values, and how values are found in answers.

use serde_json::Value;

/// The names inside `{{ }}` in a text.
pub(crate) fn names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else { break };
        names.push(name.trim());
        rest = behind;
    }
    names
}

/// The system variables that are modelled.
pub(crate) fn is_system(name: &str) -> bool {
    matches!(
        name,
        "global:ACCOUNT_ID" | "global:REGION" | "global:DATE" | "global:DATE_TIME" | "automation:EXECUTION_ID"
    )
}

/// Puts values in place of references. A text that is nothing but one reference takes the value's own type.
pub(crate) fn resolve(value: &Value, lookup: &dyn Fn(&str) -> Option<Value>) -> Result<Value, String> {
    let find = |name: &str| lookup(name).ok_or_else(|| format!("{{{{ {name} }}}} has no value"));
    Ok(match value {
        Value::String(text) => {
            let trimmed = text.trim();
            let sole = trimmed
                .strip_prefix("{{")
                .and_then(|rest| rest.strip_suffix("}}"))
                .filter(|inner| !inner.contains("{{") && !inner.contains("}}"));
            if let Some(name) = sole {
                return find(name.trim());
            }
            let mut built = String::new();
            let mut rest = text.as_str();
            while let Some((before, after)) = rest.split_once("{{") {
                let Some((name, behind)) = after.split_once("}}") else { break };
                built.push_str(before);
                built.push_str(&text_of(&find(name.trim())?));
                rest = behind;
            }
            built.push_str(rest);
            Value::String(built)
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| resolve(item, lookup)).collect::<Result<_, _>>()?),
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, item)| Ok((name.clone(), resolve(item, lookup)?)))
                .collect::<Result<_, String>>()?,
        ),
        other => other.clone(),
    })
}

/// A value as text: strings bare, the rest as JSON.
pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Finds `$.a.b[0].c` in an answer; `Ok(None)` when nothing is there.
pub(crate) fn select<'a>(value: &'a Value, selector: &str) -> Result<Option<&'a Value>, String> {
    let fault = || format!("{selector} is not a selector of the form $.Name.List[0].Name");
    let mut rest = selector.trim().strip_prefix('$').ok_or_else(fault)?;
    let mut at = Some(value);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let name = &after[..end];
            if name.is_empty() || name.contains('*') {
                return Err(fault());
            }
            at = at.and_then(|value| value.get(name));
            rest = &after[end..];
        } else if let Some(after) = rest.strip_prefix('[') {
            let (index, behind) = after.split_once(']').ok_or_else(fault)?;
            at = match index.trim_matches(['\'', '"']) {
                quoted if quoted.len() < index.len() => at.and_then(|value| value.get(quoted)),
                number => {
                    let number: usize = number.parse().map_err(|_| fault())?;
                    at.and_then(|value| value.get(number))
                }
            };
            rest = behind;
        } else {
            return Err(fault());
        }
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_sole_reference_keeps_its_type_and_an_embedded_one_becomes_text() {
        let lookup = |name: &str| match name {
            "Flag" => Some(json!(true)),
            "A.List" => Some(json!(["x"])),
            _ => None,
        };
        assert_eq!(resolve(&json!("{{ Flag }}"), &lookup).unwrap(), json!(true));
        assert_eq!(resolve(&json!("is {{Flag}}, {{ A.List }}"), &lookup).unwrap(), json!("is true, [\"x\"]"));
        assert_eq!(resolve(&json!({"a": ["{{A.List}}"]}), &lookup).unwrap(), json!({"a": [["x"]]}));
        assert!(resolve(&json!("{{ Nope }}"), &lookup).unwrap_err().contains("Nope"));
    }

    #[test]
    fn selectors_walk_members_and_lists() {
        let value = json!({"A": {"B": [{"C": 1}, {"C": 2}]}});
        assert_eq!(select(&value, "$.A.B[1].C").unwrap(), Some(&json!(2)));
        assert_eq!(select(&value, "$.A['B'][0]").unwrap(), Some(&json!({"C": 1})));
        assert_eq!(select(&value, "$.A.X.Y").unwrap(), None);
        assert!(select(&value, "A.B").is_err());
        assert!(select(&value, "$..C").is_err());
    }
}

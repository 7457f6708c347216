//! Reads a policy document and checks it whole, with IAM's rules for its kind. What is refused is said with its place.

use serde_json::{Map, Value};

use super::condition::Condition;
use super::pattern::{Pattern, Reading};
use super::principal::{self, Principals};
use super::{Effect, Kind, Named, Policy, Statement};

/// Organizations' own limit for service and resource control policies.
pub(crate) const LARGEST_CONTROL_POLICY: usize = 5_120;

impl Policy {
    /// # Errors
    /// In words: what is wrong and in which statement.
    pub(crate) fn load(kind: Kind, text: &str) -> Result<Policy, String> {
        let length = text.chars().count();
        if matches!(kind, Kind::Scp | Kind::Rcp) && length > LARGEST_CONTROL_POLICY {
            return Err(format!("the policy has {length} characters, the limit is {LARGEST_CONTROL_POLICY}"));
        }
        let document: Value = serde_json::from_str(text).map_err(|error| format!("the policy is not JSON: {error}"))?;
        let document = document.as_object().ok_or("the policy is not a JSON object")?;
        if let Some(name) = document.keys().find(|name| !["Version", "Id", "Statement"].contains(&name.as_str())) {
            return Err(format!("the policy has an unknown element {name}: Version, Id and Statement are known"));
        }
        let variables = match document.get("Version").map(|version| version.as_str()) {
            None | Some(Some("2008-10-17")) => false,
            Some(Some("2012-10-17")) => true,
            _ => return Err("Version must be \"2012-10-17\" or \"2008-10-17\"".into()),
        };
        let list = match document.get("Statement") {
            Some(Value::Array(list)) => list.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            _ => return Err("the policy has no Statement".into()),
        };
        if list.is_empty() {
            return Err("the policy has no Statement".into());
        }
        let mut seen = Vec::new();
        let mut statements = Vec::with_capacity(list.len());
        for (nth, value) in list.into_iter().enumerate() {
            let sid = value.get("Sid").and_then(Value::as_str);
            let place = match sid {
                Some(sid) => format!("Statement {} ({sid})", nth + 1),
                None => format!("Statement {}", nth + 1),
            };
            if sid.is_some_and(|sid| seen.contains(&sid)) {
                return Err(format!("{place}: the Sid is not unique in the policy"));
            }
            seen.extend(sid);
            statements.push(statement(kind, value, variables).map_err(|what| format!("{place}: {what}"))?);
        }
        Ok(Policy { statements, text: text.into() })
    }
}

fn statement(kind: Kind, value: &Value, variables: bool) -> Result<Statement, String> {
    const KNOWN: [&str; 9] =
        ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];
    let members = value.as_object().ok_or("it is not a JSON object")?;
    if let Some(name) = members.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(format!("unknown element {name}"));
    }
    if members.get("Sid").is_some_and(|sid| !sid.is_string()) {
        return Err("Sid must be a string".into());
    }
    let effect = match members.get("Effect").and_then(Value::as_str) {
        Some("Allow") => Effect::Allow,
        Some("Deny") => Effect::Deny,
        _ => return Err("Effect must be Allow or Deny".into()),
    };
    if kind == Kind::Rcp && effect == Effect::Allow {
        return Err("a resource control policy can only Deny".into());
    }
    let principals = principals(kind, members)?;
    if kind == Kind::Rcp && principals.as_ref().is_none_or(|p| p.negated || p.named != [principal::Named::Everyone]) {
        return Err("a resource control policy takes Principal \"*\" alone".into());
    }
    let actions =
        one_of(members, "Action", "NotAction", &|text| action(text))?.ok_or("it has neither Action nor NotAction")?;
    let everything =
        members.get("Action").is_some_and(|action| texts("Action", action).is_ok_and(|a| a.contains(&"*".into())));
    if kind == Kind::Rcp && (actions.negated || everything) {
        return Err(
            "a resource control policy names its actions with their service: no NotAction, no Action \"*\"".into()
        );
    }
    let reading = Reading { wildcards: true, variables, ignore_case: false };
    let resources = one_of(members, "Resource", "NotResource", &|text| {
        if text != "*" && !text.starts_with("arn:") {
            return Err(format!("Resource {text} must be in ARN format or \"*\""));
        }
        Pattern::read(text, reading)
    })?;
    match (kind, &resources) {
        (Kind::Trust, Some(_)) => return Err("a trust policy has no Resource: it covers its own role".into()),
        (Kind::Trust, None) | (_, Some(_)) => {}
        (_, None) => return Err("it has neither Resource nor NotResource".into()),
    }
    Ok(Statement { effect, principals, actions, resources, conditions: conditions(members, variables)? })
}

/// A string or a list of strings.
fn texts(name: &str, value: &Value) -> Result<Vec<String>, String> {
    let wrong = || format!("{name} must be a string or a list of strings");
    let list = match value {
        Value::Array(list) => list.iter().map(|item| item.as_str().map(String::from)).collect::<Option<Vec<String>>>(),
        Value::String(text) => Some(vec![text.clone()]),
        _ => None,
    };
    list.filter(|list| !list.is_empty()).ok_or_else(wrong)
}

fn one_of(
    members: &Map<String, Value>,
    name: &str,
    negated: &str,
    read: &dyn Fn(&str) -> Result<Pattern, String>,
) -> Result<Option<Named>, String> {
    let (name, value, negated) = match (members.get(name), members.get(negated)) {
        (Some(_), Some(_)) => return Err(format!("it has both {name} and {negated}")),
        (Some(value), None) => (name, value, false),
        (None, Some(value)) => (negated, value, true),
        (None, None) => return Ok(None),
    };
    let patterns: Result<Vec<Pattern>, String> = texts(name, value)?.iter().map(|text| read(text)).collect();
    Ok(Some(Named { negated, patterns: patterns? }))
}

fn action(text: &str) -> Result<Pattern, String> {
    let known = |c: char| c.is_ascii_alphanumeric() || "-_*?".contains(c);
    match text.split_once(':') {
        _ if text == "*" => {}
        Some((service, name))
            if !service.is_empty() && !name.is_empty() && text.replacen(':', "", 1).chars().all(known) => {}
        _ => return Err(format!("Action {text} is not of the form service:Action")),
    }
    // Questions come in lower case, so that comparing is cheap.
    Pattern::read(&text.to_lowercase(), Reading { wildcards: true, variables: false, ignore_case: false })
}

fn principals(kind: Kind, members: &Map<String, Value>) -> Result<Option<Principals>, String> {
    let takes = !matches!(kind, Kind::Identity | Kind::Session | Kind::Scp);
    let (value, negated) = match (members.get("Principal"), members.get("NotPrincipal")) {
        (Some(_), Some(_)) => return Err("it has both Principal and NotPrincipal".into()),
        (Some(value), None) => (value, false),
        (None, Some(value)) => (value, true),
        (None, None) if takes => return Err("it has no Principal".into()),
        (None, None) => return Ok(None),
    };
    if !takes {
        return Err(
            "Principal is not allowed in a policy of this kind: it covers the principal that it is attached to".into(),
        );
    }
    let mut named = Vec::new();
    match value {
        Value::String(text) if text == "*" => named.push(principal::Named::Everyone),
        Value::Object(kinds) if !kinds.is_empty() => {
            for (of, value) in kinds {
                for text in texts("Principal", value)? {
                    named.push(principal::Named::read(of, &text)?);
                }
            }
        }
        _ => return Err("Principal must be \"*\" or an object such as { \"AWS\": \"…\" }".into()),
    }
    Ok(Some(Principals { negated, named }))
}

fn conditions(members: &Map<String, Value>, variables: bool) -> Result<Vec<Condition>, String> {
    let Some(value) = members.get("Condition") else { return Ok(Vec::new()) };
    let operators = value.as_object().ok_or("Condition must be an object of operators")?;
    let mut all = Vec::new();
    for (operator, keys) in operators {
        let keys = keys.as_object().ok_or_else(|| format!("Condition {operator} must be an object of keys"))?;
        for (key, value) in keys {
            let scalar = |value: &Value| match value {
                Value::String(text) => Some(text.clone()),
                Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
                _ => None,
            };
            let values: Option<Vec<String>> = match value {
                Value::Array(list) => list.iter().map(scalar).collect(),
                one => scalar(one).map(|one| vec![one]),
            };
            let values =
                values.ok_or_else(|| format!("the values of {key} in Condition {operator} must be strings"))?;
            all.push(Condition::read(operator, key, &values, variables).map_err(|what| format!("Condition: {what}"))?);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOW: &str = r#""Effect":"Allow","Action":"s3:*","Resource":"*""#;

    fn refusal(kind: Kind, statement: &str) -> String {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"Mine",{statement}}}]}}"#);
        Policy::load(kind, &text).unwrap_err()
    }

    #[test]
    fn what_iam_refuses_is_refused_with_its_place() {
        for (kind, statement, words) in [
            (Kind::Identity, r#""Effect":"Maybe","Action":"s3:*","Resource":"*""#, "Effect"),
            (Kind::Identity, r#""Effect":"Allow","Resource":"*""#, "neither Action nor NotAction"),
            (
                Kind::Identity,
                r#""Effect":"Allow","Action":"s3:*","NotAction":"s3:Get*","Resource":"*""#,
                "both Action and NotAction",
            ),
            (Kind::Identity, r#""Effect":"Allow","Action":"GetObject","Resource":"*""#, "service:Action"),
            (Kind::Identity, r#""Effect":"Allow","Action":"s3:*","Resource":"mine""#, "ARN format"),
            (Kind::Identity, r#""Effect":"Allow","Action":"s3:*""#, "neither Resource"),
            (Kind::Identity, r#""Effect":"Allow","Action":"s3:*","Resource":"*","Principal":"*""#, "Principal"),
            (Kind::Identity, r#""Effect":"Allow","Action":"s3:*","Resource":"*","Conditions":{}"#, "Conditions"),
            (
                Kind::Identity,
                r#""Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringIs":{"a":"b"}}"#,
                "\"StringIs\" is not a condition operator",
            ),
            (Kind::Resource, ALLOW, "no Principal"),
            (
                Kind::Trust,
                r#""Effect":"Allow","Action":"sts:AssumeRole","Resource":"*","Principal":"*""#,
                "no Resource",
            ),
            (Kind::Rcp, r#""Effect":"Allow","Action":"s3:*","Resource":"*","Principal":"*""#, "only Deny"),
            (
                Kind::Rcp,
                r#""Effect":"Deny","Action":"s3:*","Resource":"*","Principal":{"AWS":"111122223333"}"#,
                "alone",
            ),
            (Kind::Rcp, r#""Effect":"Deny","Action":"*","Resource":"*","Principal":"*""#, "no NotAction"),
            (Kind::Rcp, r#""Effect":"Deny","NotAction":"s3:*","Resource":"*","Principal":"*""#, "no NotAction"),
        ] {
            let said = refusal(kind, statement);
            assert!(said.starts_with("Statement 1 (Mine): ") && said.contains(words), "{statement}: {said}");
        }
        for (text, words) in [
            ("{", "not JSON"),
            ("[]", "not a JSON object"),
            ("{}", "no Statement"),
            (r#"{"Statement":[]}"#, "no Statement"),
            (r#"{"Version":"2026-01-01","Statement":[]}"#, "Version"),
            (r#"{"Statements":[]}"#, "unknown element Statements"),
        ] {
            let said = Policy::load(Kind::Identity, text).unwrap_err();
            assert!(said.contains(words), "{text}: {said}");
        }
        let twice = format!(r#"{{"Statement":[{{"Sid":"A",{ALLOW}}},{{"Sid":"A",{ALLOW}}}]}}"#);
        assert!(Policy::load(Kind::Identity, &twice).unwrap_err().contains("not unique"));
        let long = format!(r#"{{"Statement":{{{ALLOW},"Sid":"{}"}}}}"#, "a".repeat(5120));
        assert!(Policy::load(Kind::Scp, &long).unwrap_err().contains("5120"));
        assert!(Policy::load(Kind::Identity, &long).is_ok());
    }

    #[test]
    fn one_statement_need_not_be_in_a_list() {
        assert_eq!(
            Policy::load(Kind::Identity, &format!(r#"{{"Statement":{{{ALLOW}}}}}"#)).unwrap().statements.len(),
            1
        );
    }
}

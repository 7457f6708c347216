//! Whether a policy document, read by itself, admits a request. It serves where one document decides: a bucket policy for
//! callers from elsewhere, a key policy, a trust policy, the inline policies of a made role. It does not weigh policies
//! against each other.

use serde_json::Value;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asker<'a> {
    Anonymous,
    Principal {
        account: &'a str,
        arn: &'a str,
    },
    Service(&'a str),
    /// The principal that the policy is attached to: an identity policy names none.
    Holder,
}

/// What is asked.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) asker: Asker<'a>,
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
    /// Condition keys and their values.
    pub(crate) context: &'a [(&'a str, &'a str)],
}

/// True when a statement allows it and none denies it.
pub(crate) fn admits(policy: &str, ask: &Ask<'_>) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return false };
    let mut allowed = false;
    for statement in statements(&policy) {
        if !applies(statement, ask) {
            continue;
        }
        match statement.get("Effect").and_then(Value::as_str) {
            Some("Allow") => allowed = true,
            _ => return false,
        }
    }
    allowed
}

/// The statements of a policy, which may be one or a list.
pub(crate) fn statements(policy: &Value) -> Vec<&Value> {
    match policy.get("Statement") {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

/// A text or a list of texts.
pub(crate) fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one],
        _ => Vec::new(),
    }
}

fn applies(statement: &Value, ask: &Ask<'_>) -> bool {
    let action = |pattern: &&str| matches(&pattern.to_lowercase(), &ask.action.to_lowercase());
    let named = |name: &str, not: &str, fits: &dyn Fn(&&str) -> bool| match statement.get(name) {
        Some(list) => texts(Some(list)).iter().any(fits),
        None => statement.get(not).is_none_or(|list| !texts(Some(list)).iter().any(fits)),
    };
    principal(statement, ask.asker)
        && named("Action", "NotAction", &action)
        && named("Resource", "NotResource", &|pattern| matches(pattern, ask.resource))
        && conditions(statement.get("Condition"), ask.context)
}

fn principal(statement: &Value, asker: Asker<'_>) -> bool {
    let one = |kind: &str, name: &str| match asker {
        _ if kind == "AWS" && name == "*" => true,
        Asker::Principal { account, arn } => {
            kind == "AWS"
                && (name == account || name == arn || name == format!("arn:aws:iam::{account}:root") || {
                    // A role in a policy means its sessions too.
                    role_of_session(arn).is_some_and(|role| name == format!("arn:aws:iam::{account}:role/{role}"))
                })
        }
        Asker::Service(service) => kind == "Service" && name == service,
        Asker::Anonymous | Asker::Holder => false,
    };
    let any = |principals: &Value| match principals {
        Value::String(all) => all == "*",
        Value::Object(kinds) => kinds.iter().any(|(kind, names)| texts(Some(names)).iter().any(|name| one(kind, name))),
        _ => false,
    };
    match (statement.get("Principal"), statement.get("NotPrincipal")) {
        (Some(principals), _) => any(principals),
        (None, Some(principals)) => !any(principals),
        (None, None) => matches!(asker, Asker::Holder),
    }
}

/// The role's name in `arn:aws:sts::ID:assumed-role/NAME/SESSION`.
pub(crate) fn role_of_session(arn: &str) -> Option<&str> {
    arn.split_once(":assumed-role/")?.1.split('/').next()
}

/// Every operator must hold; one that is not known here holds for nobody, so that nothing is allowed by it.
fn conditions(condition: Option<&Value>, context: &[(&str, &str)]) -> bool {
    let Some(operators) = condition.and_then(Value::as_object) else { return condition.is_none() };
    operators.iter().all(|(operator, keys)| {
        let Some(keys) = keys.as_object() else { return false };
        keys.iter().all(|(key, wanted)| {
            let found = context.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| *value);
            let wanted = texts(Some(wanted));
            let (operator, if_exists) = match operator.strip_suffix("IfExists") {
                Some(plain) => (plain, true),
                None => (operator.as_str(), false),
            };
            let any = |fits: &dyn Fn(&str, &str) -> bool| match found {
                Some(value) => wanted.iter().any(|pattern| fits(pattern, value)),
                None => if_exists,
            };
            match operator {
                "StringEquals" | "Bool" => any(&|pattern, value| pattern == value),
                "StringEqualsIgnoreCase" => any(&|pattern, value| pattern.eq_ignore_ascii_case(value)),
                "StringLike" | "ArnLike" | "ArnEquals" => any(&matches),
                // A negated operator holds when the key is absent.
                "StringNotEquals" => found.is_none_or(|value| !wanted.contains(&value)),
                "StringNotLike" | "ArnNotLike" => {
                    found.is_none_or(|value| !wanted.iter().any(|pattern| matches(pattern, value)))
                }
                "Null" => wanted.iter().any(|text| (*text == "true") == found.is_none()),
                _ => false,
            }
        })
    })
}

/// `*` is any text and `?` any one character.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut from, mut star) = (0, 0, None);
    while from < text.len() {
        if at < pattern.len() && pattern[at] == b'*' {
            star = Some((at, from));
            at += 1;
        } else if at < pattern.len() && (pattern[at] == b'?' || pattern[at] == text[from]) {
            at += 1;
            from += 1;
        } else if let Some((place, taken)) = star {
            star = Some((place, taken + 1));
            at = place + 1;
            from = taken + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_iam_matches() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b/k/l", true),
            ("s3:get*", "s3:getobject", true),
            ("a?c", "abc", true),
            ("a*c*e", "abcde", true),
            ("a*c", "abd", false),
            ("abc", "abcd", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    fn asks(policy: &str, asker: Asker<'_>, context: &[(&str, &str)]) -> bool {
        admits(policy, &Ask { asker, action: "s3:GetObject", resource: "arn:aws:s3:::b/k", context })
    }

    #[test]
    fn a_deny_wins_and_an_unknown_condition_admits_nobody() {
        let someone = Asker::Principal { account: "111111111111", arn: "arn:aws:sts::111111111111:assumed-role/r/s" };
        let public = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:Get*","Resource":"*"}}"#;
        assert!(asks(public, Asker::Anonymous, &[]) && asks(public, someone, &[]));
        let role = r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:role/r"},"Action":"*","Resource":"*"}]}"#;
        assert!(asks(role, someone, &[]) && !asks(role, Asker::Anonymous, &[]));
        let denied = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"},
            {"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"*",
             "Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-1"}}}]}"#;
        assert!(!asks(denied, someone, &[]), "a negated operator holds without the key");
        assert!(asks(denied, someone, &[("aws:PrincipalOrgID", "o-1")]));
        let odd = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"Odd":{"a":"b"}}}]}"#;
        assert!(!asks(odd, someone, &[("a", "b")]));
        let org = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":["o-1","o-2"]}}}]}"#;
        assert!(!asks(org, someone, &[]) && asks(org, someone, &[("aws:principalorgid", "o-2")]));
    }
}

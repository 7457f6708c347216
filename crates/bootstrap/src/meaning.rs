//! What two policies say, and in what one says something else: order, white space, statement ids and ways of writing do not count.

use std::collections::{BTreeMap, BTreeSet};

use orgseal_core::unique_json;
use serde_json::Value;

/// Values that are nobody's to read, even where they are wrong.
const SECRET: &str = "sts:externalid";

/// In what a policy that was found differs from the one that is wanted, in words; empty where both say the same.
pub(crate) fn differences(wanted: &str, found: &str) -> Vec<String> {
    let (wanted, found) = match (statements(wanted), statements(found)) {
        (Ok(wanted), Ok(found)) => (wanted, found),
        (_, Err(why)) => return vec![format!("not a valid policy: {why}")],
        (Err(why), _) => return vec![format!("the expected policy is not valid: {why}")],
    };
    let ((version, wanted), (other, mut extra)) = (wanted, found);
    let mut missing = Vec::new();
    for statement in wanted {
        match extra.iter().position(|other| other.says == statement.says) {
            Some(place) => drop(extra.remove(place)),
            None => missing.push(statement),
        }
    }
    let mut said = Vec::new();
    if version != other {
        said.push(format!("its Version is {other} instead of {version}"));
    }
    for statement in missing {
        // A statement that was edited has kept its name, or is the only one left.
        let same = extra.iter().position(|other| other.sid == statement.sid && other.sid.is_some());
        let same = same.or((extra.len() == 1 && statement.sid.is_none()).then_some(0));
        match same.map(|place| extra.remove(place)) {
            Some(other) => said.extend(edited(&statement, &other)),
            None => said.push(format!("{} is missing", statement.called())),
        }
    }
    said.extend(extra.iter().map(|statement| format!("{} is not part of the policy of orgseal", statement.called())));
    said
}

/// One statement: each of its elements as a set of what it names.
#[derive(Debug)]
struct Statement {
    sid: Option<String>,
    says: BTreeMap<String, BTreeSet<String>>,
}

impl Statement {
    fn called(&self) -> String {
        if let Some(sid) = &self.sid {
            return format!("statement {sid}");
        }
        let named = |element: &str| Some(self.says.get(element)?.iter().cloned().collect::<Vec<_>>().join(", "));
        let part = |either: &str, or: &str| named(either).or_else(|| Some(format!("all but {}", named(or)?)));
        let parts = ["Effect"].into_iter().filter_map(&named);
        let parts: Vec<String> = parts
            .chain(part("Action", "NotAction"))
            .chain(part("Principal", "NotPrincipal").map(|who| format!("to {who}")))
            .chain(part("Resource", "NotResource").map(|what| format!("on {what}")))
            .collect();
        format!("a statement ({})", parts.join(" "))
    }
}

fn edited(wanted: &Statement, found: &Statement) -> Vec<String> {
    let none = BTreeSet::new();
    let elements: BTreeSet<&String> = wanted.says.keys().chain(found.says.keys()).collect();
    let said = elements.into_iter().filter_map(|element| {
        let (wants, has) = (wanted.says.get(element).unwrap_or(&none), found.says.get(element).unwrap_or(&none));
        if wants == has {
            return None;
        }
        let listed = |values: Vec<&String>| match element.to_ascii_lowercase().contains(SECRET) {
            true => "…".to_owned(),
            false => values.into_iter().cloned().collect::<Vec<_>>().join(", "),
        };
        let (more, less): (Vec<_>, Vec<_>) = (has.difference(wants).collect(), wants.difference(has).collect());
        let change = match (more.is_empty(), less.is_empty()) {
            (false, false) => format!("has {} instead of {}", listed(more), listed(less)),
            (false, true) => format!("has {} besides", listed(more)),
            (true, _) => format!("lacks {}", listed(less)),
        };
        Some(format!("{}: {element} {change}", wanted.called()))
    });
    said.collect()
}

/// The Sids that earlier versions of orgseal deployed, and what they are now: a statement with the earlier one is the same statement.
const RENAMED_SIDS: [(&str, &str); 3] = [
    ("ServicesForTheOrganization", "AllowServicesOfOrganization"),
    ("ServicesForListedAccounts", "AllowServicesForListedAccounts"),
    ("ServicesWithoutCondition", "AllowServicesUnconditionally"),
];

fn current_sid(sid: &str) -> String {
    let renamed = RENAMED_SIDS.iter().find(|(earlier, _)| *earlier == sid);
    renamed.map_or(sid, |(_, now)| now).to_owned()
}

/// The version of the policy's language, and its statements.
fn statements(text: &str) -> Result<(String, Vec<Statement>), String> {
    let tree = unique_json::parse(text).map_err(|error| error.to_string())?;
    let listed = tree.get("Statement").ok_or("it has no Statement")?;
    // Where a policy says nothing, it is the old language, in which `${…}` is a text.
    let version = tree.get("Version").and_then(Value::as_str).unwrap_or("2008-10-17").to_owned();
    Ok((version, one_or_many(listed).into_iter().map(statement).collect::<Result<_, _>>()?))
}

fn statement(tree: &Value) -> Result<Statement, String> {
    let members = tree.as_object().ok_or("a statement is not an object")?;
    let mut says = BTreeMap::new();
    let mut sid = None;
    for (element, value) in members {
        match element.as_str() {
            "Sid" => sid = value.as_str().filter(|sid| !sid.is_empty()).map(current_sid),
            "Action" | "NotAction" => {
                says.insert(element.clone(), texts(value).map(|action| action.to_ascii_lowercase()).collect());
            }
            "Principal" | "NotPrincipal" => {
                says.insert(element.clone(), principals(value));
            }
            "Condition" => {
                for (operator, keys) in value.as_object().into_iter().flatten() {
                    for (key, values) in keys.as_object().into_iter().flatten() {
                        let name = format!("Condition {operator} {}", key.to_ascii_lowercase());
                        says.insert(name, texts(values).collect());
                    }
                }
            }
            _ => {
                says.insert(element.clone(), texts(value).collect());
            }
        }
    }
    Ok(Statement { sid, says })
}

/// Every principal with its kind. An account's number and its root's ARN are the same.
fn principals(value: &Value) -> BTreeSet<String> {
    let Some(kinds) = value.as_object() else { return texts(value).map(|all| format!("AWS {all}")).collect() };
    let named = kinds.iter().flat_map(|(kind, values)| {
        texts(values).map(move |name| match name.strip_suffix(":root").and_then(|arn| arn.rsplit(':').next()) {
            Some(account) if kind == "AWS" => format!("{kind} {account}"),
            _ => format!("{kind} {name}"),
        })
    });
    named.collect()
}

/// Texts, numbers and truth values are written in either way.
fn texts(value: &Value) -> impl Iterator<Item = String> {
    one_or_many(value).into_iter().map(|value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

fn one_or_many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Caller","Effect":"Allow",
        "Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":["sts:AssumeRole","sts:TagSession"],
        "Condition":{"StringEquals":{"sts:ExternalId":"secret"},"Bool":{"aws:SecureTransport":"true"}}}]}"#;

    #[test]
    fn the_same_in_other_words_is_the_same() {
        let other = r#"{"Statement":{"Effect":"Allow","Action":["STS:TagSession","sts:assumerole"],
            "Condition":{"Bool":{"aws:securetransport":true},"StringEquals":{"STS:ExternalId":["secret"]}},
            "Principal":{"AWS":["111122223333"]}},"Version":"2012-10-17"}"#;
        assert_eq!(differences(TRUST, other), Vec::<String>::new());
    }

    #[test]
    fn what_was_edited_is_named_and_no_secret() {
        let weak = TRUST.replace("arn:aws:iam::111122223333:root", "*");
        assert_eq!(differences(TRUST, &weak), ["statement Caller: Principal has AWS * instead of AWS 111122223333"]);
        let open = TRUST.replace(r#""StringEquals":{"sts:ExternalId":"secret"},"#, "");
        assert_eq!(differences(TRUST, &open), ["statement Caller: Condition StringEquals sts:externalid lacks …"]);
        let other = TRUST.replace("secret", "guessed");
        let said = differences(TRUST, &other).join("\n");
        assert!(!said.contains("guessed") && !said.contains("secret") && said.contains("sts:externalid"), "{said}");
        let less = TRUST.replace(r#","sts:TagSession""#, "");
        assert_eq!(differences(TRUST, &less), ["statement Caller: Action lacks sts:tagsession"]);
    }

    #[test]
    fn what_is_more_or_less_is_named() {
        let wide = TRUST.replace("}]}", r#"},{"Effect":"Allow","Principal":"*","Action":"sts:*"}]}"#);
        assert_eq!(
            differences(TRUST, &wide),
            ["a statement (Allow sts:* to AWS *) is not part of the policy of orgseal"]
        );
        assert_eq!(differences(&wide, TRUST), ["a statement (Allow sts:* to AWS *) is missing"]);
        let old = TRUST.replace("2012-10-17", "2008-10-17");
        assert_eq!(differences(TRUST, &old), ["its Version is 2008-10-17 instead of 2012-10-17"]);
        assert_eq!(differences(TRUST, "nothing").len(), 1);
        assert_eq!(differences(TRUST, "{}"), ["not a valid policy: it has no Statement"]);
    }

    #[test]
    fn a_statement_with_the_sid_of_an_earlier_version_is_the_same_statement() {
        let services = |sid: &str, action: &str| {
            format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"{sid}","Effect":"Allow","Principal":{{"Service":"x.amazonaws.com"}},
                "Action":"{action}","Resource":"*"}}]}}"#
            )
        };
        for (earlier, now) in RENAMED_SIDS {
            let wanted = services(now, "kms:Decrypt");
            assert_eq!(differences(&wanted, &services(earlier, "kms:Decrypt")), Vec::<String>::new());
            // Two statements, so that the Sid alone can tell which one was edited.
            let (one, more) = (services(earlier, "kms:*"), services("Other", "kms:Encrypt"));
            let both = one.replace("}]}", &format!("}},{}]}}", more.split_once('[').unwrap().1.trim_end_matches("]}")));
            assert_eq!(
                differences(&wanted, &both),
                [
                    format!("statement {now}: Action has kms:* instead of kms:decrypt"),
                    "statement Other is not part of the policy of orgseal".to_owned()
                ]
            );
        }
    }
}

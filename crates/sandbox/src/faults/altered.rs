//! Answers that say something else than the service said: cut short, empty, with tokens that never end a list, or with numbers beyond
//! all bounds. Each is delivered as a complete HTTP message, so that only its content tells.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Fault, FaultKind};
use crate::request::{Request, form_fields};
use crate::wire::Answer;

/// Tokens that a cycling list names in turn.
const CYCLE: [&str; 3] = ["token-one", "token-two", "token-three"];

/// The names under which lists of the modelled services take and give their continuation tokens.
const TOKENS: [&str; 6] = ["NextToken", "nextToken", "NextMarker", "Marker", "continuation-token", "ContinuationToken"];

/// A stand-in for a number while JSON is written.
const PLACEHOLDER: &str = "@extreme@";

/// What is changed in an answer.
#[derive(Debug, Clone)]
pub(crate) enum Alteration {
    Truncate {
        before: Option<String>,
    },
    /// The same, of an error.
    TruncateError {
        before: Option<String>,
    },
    Empty,
    /// The first member of this name is left out, or is empty.
    Member {
        name: String,
        is_empty: bool,
    },
    /// Each element of a list stands there twice.
    Repeat,
    /// The tokens that pages name in turn.
    Tokens(&'static [&'static str]),
    Numbers(Vec<String>),
}

impl Alteration {
    pub(crate) fn of(fault: &Fault) -> Option<Alteration> {
        Some(match fault.kind {
            FaultKind::TruncatedBody => Alteration::Truncate { before: fault.before.clone() },
            FaultKind::TruncatedError => Alteration::TruncateError { before: fault.before.clone() },
            FaultKind::EmptyBody => Alteration::Empty,
            FaultKind::MissingMember => Alteration::Member { name: fault.member.clone()?, is_empty: false },
            FaultKind::EmptyMember => Alteration::Member { name: fault.member.clone()?, is_empty: true },
            FaultKind::RepeatedElements => Alteration::Repeat,
            FaultKind::RepeatedToken => Alteration::Tokens(&CYCLE[..1]),
            FaultKind::CyclingToken => Alteration::Tokens(&CYCLE),
            FaultKind::ExtremeNumbers => Alteration::Numbers(fault.numbers.clone()),
            _ => return None,
        })
    }

    /// Whether answers with this status are changed.
    pub(crate) fn is_for(&self, status: u16) -> bool {
        match self {
            Alteration::TruncateError { .. } => (400..500).contains(&status),
            _ => status == 200,
        }
    }

    /// The request that is carried out instead: a token that this fault gave means the first page again.
    pub(crate) fn request(&self, request: &Request) -> Option<Request> {
        let Alteration::Tokens(tokens) = self else { return None };
        token_of(request).filter(|token| tokens.contains(&token.as_str()))?;
        Some(without_token(request))
    }

    pub(crate) fn apply(&self, request: &Request, answer: &mut Answer) {
        match self {
            Alteration::Truncate { before } | Alteration::TruncateError { before } => {
                let text = String::from_utf8_lossy(&answer.body).into_owned();
                let end = match before {
                    Some(before) => text.find(before.as_str()),
                    None => Some(answer.body.len() / 2),
                };
                answer.body = end.map_or(answer.body.clone(), |end| answer.body.slice(..end));
            }
            Alteration::Empty => answer.body = Bytes::new(),
            Alteration::Member { name, is_empty } => change_member(answer, name, *is_empty),
            Alteration::Repeat => repeat_elements(answer),
            Alteration::Tokens(tokens) => {
                let given = token_of(request);
                let at = tokens.iter().position(|token| Some(*token) == given.as_deref()).map_or(0, |at| at + 1);
                name_next_page(answer, tokens[at % tokens.len()]);
            }
            Alteration::Numbers(numbers) => replace_numbers(answer, numbers),
        }
    }
}

fn token_of(request: &Request) -> Option<String> {
    let named = |fields: &[(String, String)]| {
        fields.iter().find(|(name, _)| TOKENS.contains(&name.as_str())).map(|(_, value)| value.clone())
    };
    if let Some(token) = named(&request.query).or_else(|| named(&form_fields(&request.body))) {
        return Some(token);
    }
    let body: Value = serde_json::from_slice(&request.body).ok()?;
    TOKENS.iter().find_map(|name| body[*name].as_str().map(str::to_owned))
}

fn without_token(request: &Request) -> Request {
    let query = request.query.iter().filter(|(name, _)| !TOKENS.contains(&name.as_str())).cloned().collect();
    let body = match serde_json::from_slice::<Value>(&request.body) {
        Ok(Value::Object(mut members)) => {
            members.retain(|name, _| !TOKENS.contains(&name.as_str()));
            Value::Object(members).to_string().into()
        }
        _ => {
            let text = String::from_utf8_lossy(&request.body).into_owned();
            let of_token = |part: &&str| part.split('=').next().is_some_and(|name| TOKENS.contains(&name));
            text.split('&').filter(|part| !of_token(part)).collect::<Vec<_>>().join("&").into()
        }
    };
    Request {
        method: request.method.clone(),
        uri: request.uri.clone(),
        path: request.path.clone(),
        query,
        headers: request.headers.clone(),
        body,
        signed: request.signed.clone(),
        session_token: request.session_token.clone(),
        host_bucket: request.host_bucket.clone(),
    }
}

/// Names a next page in a list, as each service's lists do.
fn name_next_page(answer: &mut Answer, token: &str) {
    if let Ok(Value::Object(mut members)) = serde_json::from_slice::<Value>(&answer.body) {
        match members.contains_key("Truncated") {
            true => members.extend([("Truncated".to_owned(), json!(true)), ("NextMarker".to_owned(), json!(token))]),
            false => members.extend([("NextToken".to_owned(), json!(token))]),
        }
        answer.body = Value::Object(members).to_string().into();
        return;
    }
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let insert = |text: &str, before: &str, element: String| {
        let at = text.rfind(before).unwrap_or(text.len());
        format!("{}{element}{}", &text[..at], &text[at..])
    };
    let named = |name: &str| format!("<{name}>{token}</{name}>");
    let body = if text.contains("<ListAllMyBucketsResult") || text.contains("<ListAllMyDirectoryBucketsResult") {
        insert(&without(&text, "ContinuationToken"), "</ListAllMy", named("ContinuationToken"))
    } else if text.contains("<ListAccessPointsResult") {
        insert(&without(&text, "NextToken"), "</ListAccessPointsResult>", named("NextToken"))
    } else if text.contains("<IsTruncated>") {
        // The query protocol: members stand in the element `ActionResult`.
        let text = without(&without(&text, "Marker"), "IsTruncated");
        let members = format!("<IsTruncated>true</IsTruncated>{}", named("Marker"));
        text.replacen("Result>", &format!("Result>{members}"), 1)
    } else {
        text
    };
    answer.body = body.into();
}

/// A text without the first element of a name.
fn without(text: &str, name: &str) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    match (text.find(&open), text.find(&close)) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &text[..from], &text[to + close.len()..]),
        _ => text.to_owned(),
    }
}

fn change_member(answer: &mut Answer, name: &str, is_empty: bool) {
    if let Ok(mut value) = serde_json::from_slice::<Value>(&answer.body) {
        change_first(&mut value, name, is_empty);
        answer.body = value.to_string().into();
        return;
    }
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    if let Some((before, rest)) = text.split_once(&open)
        && let Some((_, after)) = rest.split_once(&close)
    {
        let instead = if is_empty { format!("{open}{close}") } else { String::new() };
        answer.body = format!("{before}{instead}{after}").into();
    }
}

/// Changes the first member of a name; whether there is one.
fn change_first(value: &mut Value, name: &str, is_empty: bool) -> bool {
    match value {
        Value::Object(members) if members.contains_key(name) => {
            match is_empty {
                true => members.insert(name.to_owned(), json!("")),
                false => members.remove(name),
            };
            true
        }
        Value::Object(members) => members.values_mut().any(|member| change_first(member, name, is_empty)),
        Value::Array(items) => items.iter_mut().any(|item| change_first(item, name, is_empty)),
        _ => false,
    }
}

fn repeat_elements(answer: &mut Answer) {
    if let Ok(Value::Object(mut members)) = serde_json::from_slice::<Value>(&answer.body) {
        for list in members.values_mut().filter_map(Value::as_array_mut) {
            *list = list.iter().flat_map(|item| [item.clone(), item.clone()]).collect();
        }
        answer.body = Value::Object(members).to_string().into();
        return;
    }
    let mut text = String::from_utf8_lossy(&answer.body).into_owned();
    for name in ["Bucket", "AccessPoint", "Tag"] {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let parts: Vec<&str> = text.split(&open).collect();
        let [first, elements @ ..] = parts.as_slice() else { continue };
        let twice = elements.iter().map(|part| match part.split_once(&close) {
            Some((inner, after)) => format!("{open}{inner}{close}{open}{inner}{close}{after}"),
            None => format!("{open}{part}"),
        });
        text = std::iter::once((*first).to_owned()).chain(twice).collect();
    }
    answer.body = text.into();
}

fn replace_numbers(answer: &mut Answer, numbers: &[String]) {
    if let Ok(mut value) = serde_json::from_slice::<Value>(&answer.body) {
        replace_in(&mut value);
        let (text, mark) = (value.to_string(), format!("\"{PLACEHOLDER}\""));
        let mut in_turn = numbers.iter().cycle();
        let mut parts = text.split(&mark);
        let mut body = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            body.push_str(in_turn.next().map_or("0", String::as_str));
            body.push_str(part);
        }
        answer.body = body.into();
        return;
    }
    let time = if numbers.iter().any(|number| number.starts_with('-')) {
        "0001-01-01T00:00:00Z"
    } else {
        "9999-12-31T23:59:59Z"
    };
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let parts = text.split('>').map(|part| match part.split_once('<') {
        Some((content, rest)) if is_time(content) => format!("{time}<{rest}"),
        _ => part.to_owned(),
    });
    answer.body = parts.collect::<Vec<_>>().join(">").into();
}

fn is_time(text: &str) -> bool {
    text.len() >= 20
        && text.ends_with('Z')
        && text.as_bytes()[10] == b'T'
        && text[..4].bytes().all(|b| b.is_ascii_digit())
}

fn replace_in(value: &mut Value) {
    match value {
        Value::Number(_) => *value = json!(PLACEHOLDER),
        Value::Array(items) => items.iter_mut().for_each(replace_in),
        Value::Object(members) => members.values_mut().for_each(replace_in),
        _ => {}
    }
}

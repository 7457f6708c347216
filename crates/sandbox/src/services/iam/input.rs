//! The parameters of IAM's operations, with the limits of the service model and AWS's words for what breaks them.

use std::ops::Range;

use percent_encoding::percent_decode_str;

use super::shapes::encoded;
use crate::partition::Partition;
use crate::wire::error::AwsError;
use crate::wire::query_xml::Form;

/// `roleName` of `RoleName`: what AWS calls a parameter in its messages.
fn member(field: &str) -> String {
    let mut letters = field.chars();
    letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect()
}

pub(super) fn failed(field: &str, value: &str, constraint: &str) -> AwsError {
    let member = member(field);
    // A value that is missing has no quotes.
    let value = if value == "null" { value.to_string() } else { format!("'{value}'") };
    let message =
        format!("1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: {constraint}");
    AwsError::client("ValidationError", message)
}

pub(super) fn required<'a>(form: &'a Form, field: &str) -> Result<&'a str, AwsError> {
    form.get(field).ok_or_else(|| failed(field, "null", "Member must not be null"))
}

/// The length of a text in characters.
pub(super) fn length(field: &str, text: &str, least: usize, most: usize) -> Result<(), AwsError> {
    match text.chars().count() {
        short if short < least => {
            Err(failed(field, text, &format!("Member must have length greater than or equal to {least}")))
        }
        long if long > most => {
            Err(failed(field, text, &format!("Member must have length less than or equal to {most}")))
        }
        _ => Ok(()),
    }
}

/// A required name of letters, digits and `+=,.@_-`.
pub(super) fn name<'a>(form: &'a Form, field: &str, most: usize) -> Result<&'a str, AwsError> {
    let name = required(form, field)?;
    length(field, name, 1, most)?;
    let legal = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    if !name.chars().all(legal) {
        let message = format!(
            "The specified value for {} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-",
            member(field)
        );
        return Err(AwsError::client("ValidationError", message));
    }
    Ok(name)
}

/// A required ARN of a managed policy.
pub(super) fn policy_arn<'a>(partition: Partition, form: &'a Form, field: &str) -> Result<&'a str, AwsError> {
    let arn = required(form, field)?;
    length(field, arn, 20, 2048)?;
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts[..] {
        ["arn", name, "iam", "", account, resource]
            if name == partition.name() && !account.is_empty() && resource.starts_with("policy/") =>
        {
            Ok(arn)
        }
        _ => Err(AwsError::client("InvalidInput", format!("ARN {arn} is not valid."))),
    }
}

/// `Path`, or its default. A role's may have other characters than a policy's.
pub(super) fn path(form: &Form, legal: fn(char) -> bool) -> Result<&str, AwsError> {
    let path = form.get("Path").unwrap_or("/");
    length("Path", path, 1, 512)?;
    if !path.starts_with('/') || !path.ends_with('/') || path.contains("//") || !path.chars().all(legal) {
        let message = "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric \
                       characters and/or / characters.";
        return Err(AwsError::client("ValidationError", message));
    }
    Ok(path)
}

/// `PathPrefix`, or the default, which takes everything.
pub(super) fn path_prefix(form: &Form) -> Result<&str, AwsError> {
    let prefix = form.get("PathPrefix").unwrap_or("/");
    length("PathPrefix", prefix, 1, 512)?;
    if !prefix.starts_with('/') {
        return Err(AwsError::client(
            "ValidationError",
            "The specified value for pathPrefix is invalid. It must begin with /",
        ));
    }
    Ok(prefix)
}

/// `Description`, where there is one.
pub(super) fn description(form: &Form) -> Result<Option<&str>, AwsError> {
    let Some(text) = form.get("Description") else { return Ok(None) };
    length("Description", text, 0, 1000)?;
    let legal = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{7e}' | '\u{a1}'..='\u{ff}');
    if !text.chars().all(legal) {
        let pattern =
            "Member must satisfy regular expression pattern: [\\u0009\\u000A\\u000D\\u0020-\\u007E\\u00A1-\\u00FF]*";
        return Err(failed("Description", text, pattern));
    }
    Ok(Some(text))
}

fn number(form: &Form, field: &str, least: u32, most: u32) -> Result<Option<u32>, AwsError> {
    let Some(text) = form.get(field) else { return Ok(None) };
    let number: i64 = text
        .parse()
        .map_err(|_| AwsError::client("MalformedInput", format!("{field} can not be converted to an Integer")))?;
    match u32::try_from(number) {
        Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
        _ if number > i64::from(most) => {
            Err(failed(field, text, &format!("Member must have value less than or equal to {most}")))
        }
        _ => Err(failed(field, text, &format!("Member must have value greater than or equal to {least}"))),
    }
}

pub(super) fn max_session_seconds(form: &Form) -> Result<Option<u32>, AwsError> {
    number(form, "MaxSessionDuration", 3600, 43_200)
}

/// `MaxItems`, or its default.
pub(super) fn max_items(form: &Form) -> Result<usize, AwsError> {
    Ok(number(form, "MaxItems", 1, 1000)?.unwrap_or(100) as usize)
}

pub(super) fn flag(form: &Form, field: &str) -> Result<bool, AwsError> {
    match form.get(field) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(AwsError::client("MalformedInput", format!("{field} can not be converted to a Boolean"))),
    }
}

/// One of an enum's values, where one is given.
pub(super) fn one_of<'a>(form: &'a Form, field: &str, known: &[&str]) -> Result<Option<&'a str>, AwsError> {
    match form.get(field) {
        Some(value) if !known.contains(&value) => {
            let set = known.join(", ");
            Err(failed(field, value, &format!("Member must satisfy enum value set: [{set}]")))
        }
        value => Ok(value),
    }
}

/// Which of the things whose keys these are, in order, a page shows, and the elements that say where the next one begins:
/// a marker names the last thing shown, so that pages stay right while others come and go.
pub(super) fn cut(form: &Form, keys: &[&str]) -> Result<(Range<usize>, String), AwsError> {
    let most = max_items(form)?;
    let after = match form.get("Marker") {
        None => None,
        Some(marker) => {
            let key = marker.strip_prefix("after-").and_then(|key| percent_decode_str(key).decode_utf8().ok());
            Some(key.ok_or_else(|| AwsError::client("ValidationError", "Invalid Marker."))?)
        }
    };
    let begin = after.map_or(0, |after| keys.partition_point(|key| **key <= *after));
    let end = (begin + most).min(keys.len());
    let more = end < keys.len();
    let mut xml = format!("<IsTruncated>{more}</IsTruncated>\n");
    if more {
        xml.push_str(&format!("<Marker>after-{}</Marker>\n", encoded(keys[end - 1])));
    }
    Ok((begin..end, xml))
}

/// A page of one list, whose items come with their keys.
pub(super) fn page(form: &Form, list: &str, items: &[(String, String)]) -> Result<String, AwsError> {
    let keys: Vec<&str> = items.iter().map(|(key, _)| key.as_str()).collect();
    let (shown, end) = cut(form, &keys)?;
    let members: String = items[shown].iter().map(|(_, xml)| format!("<member>{xml}</member>")).collect();
    Ok(format!("<{list}>{members}</{list}>\n{end}"))
}

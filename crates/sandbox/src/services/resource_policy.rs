//! How the text of a policy is taken apart where its form alone counts: is a bucket policy public, is a put one well-formed.
//! What a policy allows is decided in `policy`.

use serde_json::Value;

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
}

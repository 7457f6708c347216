//! Patterns with `*` and `?`, as IAM reads them, against a text that is known whole or only by its beginning.

use crate::glob::matches;

/// A text of a request: an ARN, an account id, the value of a condition key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// It is known.
    Exactly(String),
    /// It begins so, and at least one more character follows: the objects of a bucket, the sessions of a role.
    Beginning(String),
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text::Exactly(text)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text::Exactly(text.to_owned())
    }
}

/// How many of the texts that a [`Text`] may stand for are covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Coverage {
    /// None.
    None,
    /// Some, as far as can be told; never more is claimed than is certain.
    Some,
    /// All.
    All,
}

/// How much of a text a pattern covers.
#[must_use]
pub fn coverage(pattern: &str, text: &Text) -> Coverage {
    let beginning = match text {
        Text::Exactly(text) => return whole(matches(pattern, text)),
        Text::Beginning(beginning) => beginning,
    };
    // Most patterns name another bucket, or end in their one `*`: their letters up to the first wildcard tell.
    let (literal, wildcards) = pattern.split_at(pattern.find(['*', '?']).unwrap_or(pattern.len()));
    if literal.bytes().zip(beginning.bytes()).any(|(wanted, letter)| wanted != letter) {
        return Coverage::None;
    }
    let goes_on = literal.len() > beginning.len();
    if wildcards.bytes().all(|letter| letter == b'*') {
        return match (goes_on, wildcards.is_empty()) {
            (true, _) => Coverage::Some,
            (false, true) => Coverage::None,
            (false, false) => Coverage::All,
        };
    }
    let pattern: Vec<char> = pattern.chars().collect();
    // Where in the pattern one can be when the beginning has been read.
    let mut at = vec![false; pattern.len() + 1];
    at[0] = true;
    skip_stars(&pattern, &mut at);
    for letter in beginning.chars() {
        let mut next = vec![false; pattern.len() + 1];
        for place in (0..pattern.len()).filter(|&place| at[place]) {
            match pattern[place] {
                '*' => next[place] = true,
                wanted if wanted == '?' || wanted == letter => next[place + 1] = true,
                _ => {}
            }
        }
        skip_stars(&pattern, &mut next);
        at = next;
    }
    let mut found = Coverage::None;
    for place in (0..pattern.len()).filter(|&place| at[place]) {
        let takes_all = pattern[place..].iter().all(|&letter| letter == '*');
        found = found.max(if takes_all { Coverage::All } else { Coverage::Some });
    }
    found
}

fn skip_stars(pattern: &[char], at: &mut [bool]) {
    for place in 0..pattern.len() {
        if at[place] && pattern[place] == '*' {
            at[place + 1] = true;
        }
    }
}

/// [`coverage`] by `StringEquals`: the letters alone, `*` and `?` being letters too.
#[must_use]
pub fn coverage_of_letters(value: &str, text: &Text) -> Coverage {
    match text {
        Text::Exactly(text) => whole(value == text),
        Text::Beginning(start) if value.len() > start.len() && value.starts_with(start.as_str()) => Coverage::Some,
        Text::Beginning(_) => Coverage::None,
    }
}

/// [`coverage`] by `ArnLike`: each of the six parts of an ARN by itself. `None` where the pattern is no ARN.
#[must_use]
pub fn coverage_of_arn(pattern: &str, text: &Text) -> Option<Coverage> {
    let wanted: Vec<&str> = pattern.splitn(6, ':').collect();
    let (Text::Exactly(known) | Text::Beginning(known)) = text;
    let parts: Vec<&str> = known.splitn(6, ':').collect();
    if wanted.len() < 6 {
        return None;
    }
    if parts.len() < 6 {
        return (matches!(text, Text::Exactly(_))).then_some(Coverage::None);
    }
    if !wanted[..5].iter().zip(&parts[..5]).all(|(wanted, part)| matches(wanted, part)) {
        return Some(Coverage::None);
    }
    Some(match text {
        Text::Exactly(_) => whole(matches(wanted[5], parts[5])),
        Text::Beginning(_) => coverage(wanted[5], &Text::Beginning(parts[5].to_owned())),
    })
}

fn whole(covered: bool) -> Coverage {
    if covered { Coverage::All } else { Coverage::None }
}

/// A pattern with each policy variable (`${…}`) as `*`: it covers no less than whatever the variables stand for. `None`
/// where there is none.
#[must_use]
pub fn widened(pattern: &str) -> Option<String> {
    let mut rest = pattern;
    let mut wide = String::new();
    while let Some((before, after)) = rest.split_once("${") {
        wide.push_str(before);
        wide.push('*');
        // One that is never closed is as good as any text.
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    (!wide.is_empty()).then(|| wide + rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_a_beginning_is_covered_what_is_certain() {
        let objects = Text::Beginning("arn:aws:s3:::b/".to_owned());
        for (pattern, covered) in [
            ("*", Coverage::All),
            ("arn:aws:s3:::*", Coverage::All),
            ("arn:aws:s3:::b/*", Coverage::All),
            ("arn:aws:s3:::?/**", Coverage::All),
            ("arn:aws:s3:::b*", Coverage::All),
            ("arn:aws:s3:::*/logs/*", Coverage::Some),
            ("arn:aws:s3:::b/?", Coverage::Some),
            ("arn:aws:s3:::b/x", Coverage::Some),
            ("arn:aws:s3:::b", Coverage::None),
            ("arn:aws:s3:::b/", Coverage::None),
            ("arn:aws:s3:::c/*", Coverage::None),
        ] {
            assert_eq!(coverage(pattern, &objects), covered, "{pattern}");
        }
        assert_eq!(coverage_of_arn("arn:aws:s3:::b/*", &objects), Some(Coverage::All));
        assert_eq!(coverage_of_arn("*", &objects), None);
        assert_eq!(coverage_of_letters("arn:aws:s3:::b/*", &objects), Coverage::Some);
        assert_eq!(coverage_of_letters("arn:aws:s3:::b", &objects), Coverage::None);
    }

    #[test]
    fn a_part_of_an_arn_ends_at_its_colon() {
        let arn = Text::from("arn:aws:iam::111122223333:role/path/writer");
        assert_eq!(coverage_of_arn("arn:aws:iam::*:role/*", &arn), Some(Coverage::All));
        assert_eq!(coverage_of_arn("arn:aws:*:role/path/writer:x:y:z", &arn), Some(Coverage::None));
        assert_eq!(coverage_of_arn("arn:*", &arn), None);
    }

    #[test]
    fn variables_are_widened() {
        assert_eq!(widened("a/${aws:username}/${x}b").as_deref(), Some("a/*/*b"));
        assert_eq!(widened("${aws:username").as_deref(), Some("*"));
        assert_eq!(widened("plain"), None);
    }

    proptest! {
        #[test]
        fn a_coverage_claims_no_more_than_is_true(pattern in "[ab*?]{0,6}", start in "[ab]{0,4}", rest in "[ab]{1,4}") {
            let matched = matches(&pattern, &format!("{start}{rest}"));
            match coverage(&pattern, &Text::Beginning(start)) {
                Coverage::All => prop_assert!(matched),
                Coverage::None => prop_assert!(!matched),
                Coverage::Some => {}
            }
        }
    }
}

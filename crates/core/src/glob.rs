//! Patterns with `*` and `?`: the same in the campaign file, on the command line, in exemptions and in IAM policies.

/// Whether a pattern covers the whole of a text. `*` stands for any run of characters, `?` for one.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    matches_by(pattern, text, |a, b| a == b)
}

/// [`matches`] without regard to ASCII case, as for actions.
#[must_use]
pub fn matches_ignoring_case(pattern: &str, text: &str) -> bool {
    matches_by(pattern, text, |a, b| a.eq_ignore_ascii_case(&b))
}

/// Whether a pattern is a plain text.
#[must_use]
pub fn is_literal(pattern: &str) -> bool {
    !pattern.contains(['*', '?'])
}

// Works on the texts as they are: it runs for each principal of an account on each of its buckets.
fn matches_by(pattern: &str, text: &str, same: impl Fn(char, char) -> bool) -> bool {
    let (mut left, mut rest) = (pattern, text);
    let mut star: Option<(&str, &str)> = None;
    while let Some(letter) = rest.chars().next() {
        let wanted = left.chars().next();
        if wanted == Some('*') {
            left = &left[1..];
            star = Some((left, rest));
        } else if let Some(wanted) = wanted.filter(|&wanted| wanted == '?' || same(wanted, letter)) {
            left = &left[wanted.len_utf8()..];
            rest = &rest[letter.len_utf8()..];
        } else if let Some((after, from)) = star {
            let mut skipped = from.chars();
            skipped.next();
            left = after;
            rest = skipped.as_str();
            star = Some((after, rest));
        } else {
            return false;
        }
    }
    left.chars().all(|letter| letter == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, whether) in [
            ("logs", "logs", true),
            ("logs", "log", false),
            ("", "a", false),
            ("log?", "logs", true),
            ("log?", "log", false),
            ("a?c", "ac", false),
            ("?", "é", true),
            ("*", "", true),
            ("a*b*c", "aXXbYYc", true),
            ("a*b*c", "aXXbYY", false),
            ("*a*b*", "xaxbx", true),
            ("*-logs", "team-logs-logs", true),
            ("**", "x", true),
            ("a*", "*", false),
            ("*a", "*a", true),
            ("s3:*Object", "s3:PutObject", true),
            ("s3:Get*", "s3:PutObject", false),
            ("A", "a", false),
        ] {
            assert_eq!(matches(pattern, text), whether, "{pattern} on {text}");
        }
        assert!(matches_ignoring_case("S3:putobject*", "s3:PutObjectAcl"));
        assert!(!matches_ignoring_case("s3:Get*", "s3:PutObject"));
    }
}

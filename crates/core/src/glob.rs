//! Patterns with `*` and `?`: the same in the campaign file, on the command line, in exemptions and in IAM policies.

/// Whether a pattern covers the whole of a text. `*` stands for any run of characters, `?` for one.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        if at < pattern.len() && pattern[at] == '*' {
            star = Some((at, seen));
            at += 1;
        } else if at < pattern.len() && (pattern[at] == '?' || pattern[at] == text[seen]) {
            at += 1;
            seen += 1;
        } else if let Some((star_at, star_seen)) = star {
            star = Some((star_at, star_seen + 1));
            at = star_at + 1;
            seen = star_seen + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|&letter| letter == '*')
}

/// Whether a pattern is a plain text.
#[must_use]
pub fn is_literal(pattern: &str) -> bool {
    !pattern.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, whether) in [
            ("logs", "logs", true),
            ("logs", "log", false),
            ("log?", "logs", true),
            ("log?", "log", false),
            ("*", "", true),
            ("a*b*c", "aXXbYYc", true),
            ("a*b*c", "aXXbYY", false),
            ("*-logs", "team-logs-logs", true),
            ("**", "x", true),
            ("a*", "*", false),
            ("*a", "*a", true),
        ] {
            assert_eq!(matches(pattern, text), whether, "{pattern} on {text}");
        }
    }
}

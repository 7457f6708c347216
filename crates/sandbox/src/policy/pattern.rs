//! Patterns of actions, resources and condition values: `*`, `?` and policy variables such as `${aws:username}`.

use super::Keys;

/// A pattern, cut into pieces when the policy is loaded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pattern {
    pieces: Vec<Piece>,
    /// Actions and the operators that end in `IgnoreCase`.
    ignore_case: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(Box<str>),
    /// `*`
    Any,
    /// `?`
    One,
    Variable {
        key: Box<str>,
        default: Option<Box<str>>,
    },
}

/// How the text of a pattern is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) wildcards: bool,
    /// Policies of Version 2008-10-17 know no variables.
    pub(crate) variables: bool,
    pub(crate) ignore_case: bool,
}

impl Pattern {
    /// # Errors
    /// When a variable is not closed.
    pub(crate) fn read(text: &str, reading: Reading) -> Result<Pattern, String> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        let flush = |plain: &mut String, pieces: &mut Vec<Piece>| {
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(plain).into()));
            }
        };
        while let Some(letter) = rest.chars().next() {
            if reading.variables && rest.starts_with("${") {
                let (inside, after) =
                    rest[2..].split_once('}').ok_or_else(|| format!("the variable in \"{text}\" is not closed"))?;
                rest = after;
                match inside {
                    // The variables that stand for the special characters themselves.
                    "*" | "?" | "$" => plain.push_str(inside),
                    _ => {
                        flush(&mut plain, &mut pieces);
                        let (key, default) = match inside.split_once(',') {
                            None => (inside, None),
                            Some((key, default)) => (key, Some(default.trim().trim_matches('\'').into())),
                        };
                        pieces.push(Piece::Variable { key: key.trim().to_lowercase().into(), default });
                    }
                }
                continue;
            }
            rest = &rest[letter.len_utf8()..];
            match letter {
                '*' | '?' if reading.wildcards => {
                    flush(&mut plain, &mut pieces);
                    let piece = if letter == '*' { Piece::Any } else { Piece::One };
                    if piece != Piece::Any || pieces.last() != Some(&Piece::Any) {
                        pieces.push(piece);
                    }
                }
                _ => plain.push(letter),
            }
        }
        flush(&mut plain, &mut pieces);
        Ok(Pattern { pieces, ignore_case: reading.ignore_case })
    }

    /// Whether the whole text fits. A variable whose key is absent fits nothing; what a variable stands for is taken
    /// literally.
    pub(crate) fn matches(&self, text: &str, keys: &dyn Keys) -> bool {
        match &self.pieces[..] {
            [Piece::Any] => return true,
            [Piece::Text(wanted)] => return self.same(wanted, text),
            [] => return text.is_empty(),
            _ => {}
        }
        if !self.pieces.iter().any(|piece| matches!(piece, Piece::Variable { .. })) {
            return self.fits(&self.pieces, text);
        }
        let mut resolved = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            resolved.push(match piece {
                Piece::Variable { key, default } => {
                    let values = keys.values(key);
                    match (&values[..], default) {
                        ([one], _) => Piece::Text(one.as_ref().into()),
                        ([], Some(default)) => Piece::Text(default.clone()),
                        _ => return false,
                    }
                }
                other => other.clone(),
            });
        }
        self.fits(&resolved, text)
    }

    fn same(&self, wanted: &str, text: &str) -> bool {
        if self.ignore_case { wanted.eq_ignore_ascii_case(text) } else { wanted == text }
    }

    /// Goes back to the last `*` only: what it gave up before need not be tried again.
    fn fits(&self, pieces: &[Piece], text: &str) -> bool {
        let (mut at, mut rest) = (0, text);
        let mut star: Option<(usize, &str)> = None;
        loop {
            let step = match pieces.get(at) {
                None if rest.is_empty() => return true,
                None | Some(Piece::Variable { .. }) => None,
                Some(Piece::Any) => {
                    star = Some((at + 1, rest));
                    Some(rest)
                }
                Some(Piece::One) => rest.chars().next().map(|letter| &rest[letter.len_utf8()..]),
                Some(Piece::Text(wanted)) => {
                    rest.get(..wanted.len()).filter(|head| self.same(wanted, head)).map(|head| &rest[head.len()..])
                }
            };
            if let Some(after) = step {
                (at, rest) = (at + 1, after);
                continue;
            }
            let Some((back, from)) = star else { return false };
            let Some(letter) = from.chars().next() else { return false };
            let from = &from[letter.len_utf8()..];
            star = Some((back, from));
            (at, rest) = (back, from);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    struct Alice;

    impl Keys for Alice {
        fn values(&self, key: &str) -> Vec<Cow<'_, str>> {
            if key == "aws:username" { vec!["al*ce".into()] } else { Vec::new() }
        }
    }

    fn fits(pattern: &str, text: &str) -> bool {
        let reading = Reading { wildcards: true, variables: true, ignore_case: false };
        Pattern::read(pattern, reading).unwrap().matches(text, &Alice)
    }

    #[test]
    fn wildcards_and_variables() {
        for (pattern, text, wanted) in [
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "abcd", false),
            ("a?c", "ac", false),
            ("a?c", "aéc", true),
            ("*b*b", "abab", true),
            ("*a*b*c", "aXbXbXc", true),
            ("*a*b*c", "aXbXbX", false),
            ("arn:aws:s3:::*", "arn:aws:s3:::b/k:x", true),
            ("home/${aws:username}/*", "home/al*ce/x", true),
            ("home/${aws:username}/*", "home/alice/x", false),
            ("${aws:principaltag/team, 'none'}", "none", true),
            ("${aws:PrincipalTag/team}", "", false),
            ("a${*}b", "a*b", true),
            ("a${*}b", "axb", false),
        ] {
            assert_eq!(fits(pattern, text), wanted, "{pattern} {text}");
        }
        assert!(Pattern::read("${open", Reading { wildcards: true, variables: true, ignore_case: false }).is_err());
    }

    #[test]
    fn many_stars_do_not_hang() {
        assert!(!fits(&"*a".repeat(200), &format!("{}b", "a".repeat(5000))));
    }
}

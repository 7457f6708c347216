//! What a list of patterns leaves in: `app-*` takes in, `!app-tmp-*` leaves out.

use crate::glob::{is_literal, matches};

/// Patterns that take in and patterns that leave out. Without any that take in, everything is in that is not left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patterns {
    include: Vec<String>,
    exclude: Vec<String>,
}

impl Patterns {
    /// From the command line's form: a `!` before a pattern leaves out what it covers.
    pub fn of<'a>(written: impl IntoIterator<Item = &'a String>) -> Patterns {
        let mut patterns = Patterns::default();
        for pattern in written {
            match pattern.strip_prefix('!') {
                Some(pattern) => patterns.exclude.push(pattern.to_owned()),
                None => patterns.include.push(pattern.clone()),
            }
        }
        patterns
    }

    /// From lists of what to take in and what to leave out.
    #[must_use]
    pub fn from_lists(include: &[String], exclude: &[String]) -> Patterns {
        Patterns { include: include.to_vec(), exclude: exclude.to_vec() }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    /// Whether a thing is in that has these names. One covered name is enough to take it in, or to leave it out.
    #[must_use]
    pub fn takes(&self, names: &[&str]) -> bool {
        let covered =
            |patterns: &[String]| patterns.iter().any(|pattern| names.iter().any(|name| matches(pattern, name)));
        (self.include.is_empty() || covered(&self.include)) && !covered(&self.exclude)
    }

    /// The patterns that cover nothing, as they are written: a slip of the pen, most likely. One that leaves nothing out counts as
    /// well, since what it was meant to leave out is in.
    pub fn idle(&self, mut covers: impl FnMut(&str) -> bool) -> Vec<String> {
        let taking = self.include.iter().map(|pattern| (pattern, pattern.clone()));
        let leaving = self.exclude.iter().map(|pattern| (pattern, format!("!{pattern}")));
        taking.chain(leaving).filter(|(pattern, _)| !covers(pattern)).map(|(_, written)| written).collect()
    }

    /// The texts without `*` and `?` that take in.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.include.iter().map(String::as_str).filter(|pattern| is_literal(pattern))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(written: &[&str], name: &str) -> bool {
        let written: Vec<String> = written.iter().map(|&pattern| pattern.to_owned()).collect();
        Patterns::of(&written).takes(&[name])
    }

    #[test]
    fn what_is_left_out_wins() {
        assert!(takes(&[], "a"));
        assert!(takes(&["app-*"], "app-1") && !takes(&["app-*"], "web-1"));
        assert!(!takes(&["app-*", "!app-tmp-*"], "app-tmp-1"));
        assert!(takes(&["!tmp-*"], "app") && !takes(&["!tmp-*"], "tmp-1"));
    }

    #[test]
    fn what_covers_nothing_is_named_as_it_was_written() {
        let patterns = Patterns::of(&["app-*".to_owned(), "wbe-*".to_owned(), "!tmp".to_owned()]);
        assert_eq!(patterns.idle(|pattern| matches(pattern, "app-1")), ["wbe-*", "!tmp"]);
    }

    #[test]
    fn any_name_of_a_thing_will_do() {
        let patterns = Patterns::of(&["pay*".to_owned()]);
        assert!(patterns.takes(&["444455556666", "payments"]));
        assert!(!patterns.takes(&["444455556666", "web"]));
    }
}

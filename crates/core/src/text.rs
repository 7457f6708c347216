//! Text of others (AWS's messages, names of accounts) on its way to a line that a person reads.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character must not be written as it is: control characters move the cursor, forge lines or set colours of a
/// terminal; bidirectional and invisible ones show another text than the one that is there.
#[must_use]
pub fn is_unfit(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text in one line, in which such characters stand as their escapes: `\n`, `\u{202e}`.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, is_unfit)
}

/// The same for a text of several lines: tabs and line ends stay, but not what goes back to the beginning of a line.
#[must_use]
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| is_unfit(letter) && !matches!(letter, '\n' | '\t'))
}

fn escaped(text: &str, unfit: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&unfit) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            letter if !unfit(letter) => out.push(letter),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            letter => {
                // A string takes everything that is written to it.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(letter));
            }
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_bidirectional_characters_are_shown_as_escapes() {
        assert_eq!(visible("a\u{1b}[2Jb\nc\u{202e}d\u{85}"), "a\\u{1b}[2Jb\\nc\\u{202e}d\\u{85}");
        assert_eq!(visible("\u{61c}\u{2066}\u{feff}\u{e0041}"), "\\u{61c}\\u{2066}\\u{feff}\\u{e0041}");
        assert_eq!(visible_lines("a\tb\n\u{1b}\r"), "a\tb\n\\u{1b}\\r");
        assert!(matches!(visible("Ünïcode 口座 👩‍🚒"), Cow::Borrowed(_)));
    }
}

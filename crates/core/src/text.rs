//! Text of others (AWS's messages, names of accounts) on its way to a line that a person reads.

use std::borrow::Cow;
use std::fmt::Write;
use std::io;

/// Whether a character must not be written as it is: control characters move the cursor, forge lines or set colours of a
/// terminal; bidirectional and invisible ones show another text than the one that is there.
#[must_use]
pub fn is_unfit(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            // Unicode's category Cf, and the line and paragraph separators. The joiners U+200C and U+200D belong to words and emoji.
            '\u{00ad}' | '\u{0600}'..='\u{0605}' | '\u{061c}' | '\u{06dd}' | '\u{070f}' | '\u{0890}'..='\u{0891}' | '\u{08e2}'
            | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
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

/// A JSON document in which such characters stand as `\uXXXX`, which a JSON parser reads as the same text. A document is often shown
/// on a terminal as it is.
#[must_use]
pub fn visible_json(json: &str) -> Cow<'_, str> {
    // Serializers escape those of ASCII, and line ends belong to the document's form.
    let unfit = |letter: char| letter >= '\u{7f}' && is_unfit(letter);
    if !json.contains(unfit) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for letter in json.chars() {
        match unfit(letter) {
            false => out.push(letter),
            true => letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                let _ = write!(out, "\\u{unit:04x}");
            }),
        }
    }
    Cow::Owned(out)
}

/// Writes JSON on, with [`visible_json`]. A serializer hands over whole characters.
pub struct VisibleJson<W>(pub W);

impl<W: io::Write> io::Write for VisibleJson<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.0.write_all(visible_json(text).as_bytes())?,
            Err(_) => self.0.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
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
    fn a_json_document_shows_what_it_holds_and_reads_the_same() {
        let name = "a\u{202e}b\u{9b}c\u{7f}d\u{e0041}é\n";
        let mut out = Vec::new();
        serde_json::to_writer_pretty(VisibleJson(&mut out), &[name]).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains(|letter| letter != '\n' && is_unfit(letter)), "{text:?}");
        assert!(text.contains("a\\u202eb\\u009bc\\u007fd\\udb40\\udc41é"), "{text}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), [name]);
        assert_eq!(visible_json(&serde_json::to_string(name).unwrap()).len(), text.len() - "[\n  \n]".len());
    }

    #[test]
    fn control_and_bidirectional_characters_are_shown_as_escapes() {
        assert_eq!(visible("a\u{1b}[2Jb\nc\u{202e}d\u{85}"), "a\\u{1b}[2Jb\\nc\\u{202e}d\\u{85}");
        assert_eq!(visible("\u{61c}\u{2066}\u{feff}\u{e0041}"), "\\u{61c}\\u{2066}\\u{feff}\\u{e0041}");
        assert_eq!(visible("a\u{200b}b\u{ad}c\u{180e}d\u{1d173}"), "a\\u{200b}b\\u{ad}c\\u{180e}d\\u{1d173}");
        assert_eq!(visible_lines("a\tb\n\u{1b}\r"), "a\tb\n\\u{1b}\\r");
        assert!(matches!(visible("Ünïcode 口座 👩‍🚒"), Cow::Borrowed(_)));
    }
}

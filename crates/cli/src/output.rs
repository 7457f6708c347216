//! The two streams: documents on standard output, words for people on standard error. Colour only where it is wanted.

use std::io::{IsTerminal, Write};

use miette::{GraphicalTheme, ThemeCharacters, ThemeStyles};
use orgseal_core::text::{visible_json, visible_lines};

use crate::failure::completed;

/// Whether standard error is a terminal that wants bars.
pub(crate) fn bars_wanted() -> bool {
    let plain = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal()
        && !plain("NO_COLOR")
        && !plain("CI")
        && std::env::var("TERM").is_ok_and(|term| term != "dumb")
}

fn color_wanted(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Whether standard output takes colour.
pub(crate) fn stdout_color() -> bool {
    color_wanted(std::io::stdout().is_terminal())
}

/// Whether standard error takes colour.
pub(crate) fn stderr_color() -> bool {
    color_wanted(std::io::stderr().is_terminal())
}

/// Columns of standard output's terminal; 100 where there is none.
pub(crate) fn stdout_width() -> u16 {
    width(&indicatif::TermLike::width(&console::Term::stdout()), std::io::stdout().is_terminal())
}

/// Columns of standard error's terminal; 100 where there is none.
pub(crate) fn stderr_width() -> usize {
    usize::from(width(&indicatif::TermLike::width(&console::Term::stderr()), std::io::stderr().is_terminal()))
}

fn width(columns: &u16, terminal: bool) -> u16 {
    if terminal { (*columns).max(40) } else { 100 }
}

/// miette's look: quiet, and plain where colour is not wanted.
pub(crate) fn miette_theme() -> GraphicalTheme {
    GraphicalTheme {
        characters: if std::io::stderr().is_terminal() { ThemeCharacters::unicode() } else { ThemeCharacters::ascii() },
        styles: if stderr_color() { ThemeStyles::ansi() } else { ThemeStyles::none() },
    }
}

/// A line for people. It may hold texts of others, which must not reach a terminal as they are.
pub(crate) fn err(text: &str) {
    err_styled(&visible_lines(text));
}

/// The same with colours of ours in it.
pub(crate) fn err_styled(text: &str) {
    // Nobody reads standard error any more: there is nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Running text for people, broken between words where the terminal ends.
pub(crate) fn err_wrapped(text: &str) {
    broken(&completed(text), stderr_width()).iter().for_each(|line| err(line));
}

/// The same on standard output.
pub(crate) fn out_wrapped(text: &str) -> std::io::Result<()> {
    let lines = broken(&completed(text), usize::from(stdout_width()));
    if lines.is_empty() { out("") } else { lines.iter().try_for_each(|line| out(line)) }
}

/// What is set in goes on set in; words, flags and names stay whole, since they may be copied.
fn broken(text: &str, width: usize) -> Vec<String> {
    let lines = text.lines().flat_map(|line| {
        let indent = &line[..line.len() - line.trim_start().len()];
        let options = textwrap::Options::new(width)
            .subsequent_indent(indent)
            .break_words(false)
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        textwrap::wrap(line, options).into_iter().map(std::borrow::Cow::into_owned).collect::<Vec<_>>()
    });
    lines.collect()
}

/// A line on standard output, for people.
pub(crate) fn out(text: &str) -> std::io::Result<()> {
    out_whole(&visible_lines(text))
}

/// A reader that closes a pipe early has read enough.
fn out_whole(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// A document on standard output.
pub(crate) fn out_json(value: &serde_json::Value) -> std::io::Result<()> {
    out_whole(&visible_json(&serde_json::to_string_pretty(value).unwrap_or_default()))
}

/// A question: no line end, and seen at once.
pub(crate) fn ask(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = write!(stderr, "{text}");
    let _ = stderr.flush();
}

#[cfg(test)]
mod tests {
    use super::broken;

    #[test]
    fn text_is_broken_between_words() {
        assert_eq!(broken("one two three", 7), ["one two", "three"]);
        assert_eq!(broken("incomprehensible a", 4), ["incomprehensible", "a"]);
        assert_eq!(broken("--state /tmp/a/b", 9), ["--state", "/tmp/a/b"]);
        assert_eq!(broken("\n  one two --three-four", 10), ["", "  one two", "  --three-four"]);
    }
}

//! One line for each event of the log, as JSON or text. A line goes out in one write, so that lines never mix.

use std::fmt::{self, Write as _};
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use orgseal_core::clock;
use orgseal_core::text::{is_unfit, visible};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::log;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text { color: bool },
    Json,
}

/// Writes the events of the log.
pub(super) struct LogLines {
    form: Form,
    out: Mutex<Box<dyn Write + Send>>,
}

impl LogLines {
    pub(super) fn new(form: Form, out: Box<dyn Write + Send>) -> LogLines {
        LogLines { form, out: Mutex::new(out) }
    }
}

impl<S: Subscriber> Layer<S> for LogLines {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = *event.metadata().level();
        let line = line(self.form, &format!("{:.3}", clock::now()), level, log::run().as_deref(), &fields);
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // A log that nobody reads any more (`2>&1 | head`) stops nothing.
        let _ = out.write_all(line.as_bytes());
    }
}

/// An event's message and its other fields, in their order.
#[derive(Debug, Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => self.others.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }
}

fn line(form: Form, timestamp: &str, level: Level, run: Option<&str>, fields: &Fields) -> String {
    let mut line = match form {
        Form::Json => json(timestamp, level, run, fields),
        Form::Text { color } => text(timestamp, level, run, fields, color),
    };
    line.push('\n');
    line
}

fn json(timestamp: &str, level: Level, run: Option<&str>, fields: &Fields) -> String {
    let mut object = Map::new();
    object.insert("timestamp".to_owned(), timestamp.into());
    object.insert("level".to_owned(), level.as_str().into());
    object.insert("run".to_owned(), run.into());
    object.insert("message".to_owned(), fields.message.as_str().into());
    for (name, value) in &fields.others {
        object.insert((*name).to_owned(), value.clone());
    }
    ascii_where_unfit(&Value::Object(object).to_string())
}

/// JSON in which no character turns the direction of writing or is a control character: the same document, in escapes.
fn ascii_where_unfit(document: &str) -> String {
    if !document.contains(is_unfit) {
        return document.to_owned();
    }
    let mut out = String::with_capacity(document.len() + 16);
    for letter in document.chars() {
        if is_unfit(letter) {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                // A string takes everything that is written to it.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(letter);
        }
    }
    out
}

fn text(timestamp: &str, level: Level, run: Option<&str>, fields: &Fields, color: bool) -> String {
    let mut out = timestamp.to_owned();
    let shown = format!("{:>5}", level.as_str());
    let (on, off) = if color { (style(level), "\u{1b}[0m") } else { ("", "") };
    // A string takes everything that is written to it.
    let _ = write!(out, " {on}{shown}{off} {}", visible(&fields.message));
    for (name, value) in &fields.others {
        let _ = match value {
            Value::String(text) => write!(out, " {name}={}", quoted(text)),
            other => write!(out, " {name}={other}"),
        };
    }
    if let Some(run) = run {
        let _ = write!(out, " run={}", quoted(run));
    }
    out
}

/// A value in one word: in quotes where it has to be, so that no value looks like another field.
fn quoted(text: &str) -> String {
    let plain = !text.is_empty() && !text.contains(|letter: char| letter.is_whitespace() || "\"=\\".contains(letter));
    let escaped =
        if plain { text.to_owned() } else { format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")) };
    visible(&escaped).into_owned()
}

/// The colour of a level, as an ANSI sequence.
fn style(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\u{1b}[31m",
        Level::WARN => "\u{1b}[33m",
        Level::INFO => "\u{1b}[32m",
        Level::DEBUG => "\u{1b}[34m",
        Level::TRACE => "\u{1b}[35m",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hostile() -> Fields {
        Fields {
            message: "account unread".to_owned(),
            others: vec![
                ("name", "evil\u{1b}[2J\n2030-01-01T00:00:00Z  INFO forged=\"x\" \u{202e}\u{e0041}".into()),
                ("buckets", 3.into()),
            ],
        }
    }

    #[test]
    fn a_text_line_is_one_line_without_escapes_of_others() {
        let line = line(Form::Text { color: false }, "T", Level::WARN, Some("rollout-1"), &hostile());
        assert_eq!(
            line,
            "T  WARN account unread name=\"evil\\u{1b}[2J\\n2030-01-01T00:00:00Z  INFO forged=\\\"x\\\" \\u{202e}\\u{e0041}\" \
             buckets=3 run=rollout-1\n"
        );
    }

    #[test]
    fn a_json_line_holds_the_same_text_in_escapes() {
        let line = line(Form::Json, "T", Level::WARN, None, &hostile());
        assert_eq!(line.matches('\n').count(), 1);
        assert!(!line.trim_end().contains(is_unfit), "{line:?}");
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["name"], hostile().others[0].1);
        assert_eq!((&read["run"], &read["buckets"], &read["level"]), (&Value::Null, &3.into(), &"WARN".into()));
    }

    #[test]
    fn colour_is_of_the_level_alone() {
        let line = line(Form::Text { color: true }, "T", Level::INFO, None, &Fields::default());
        assert_eq!(line, "T \u{1b}[32m INFO\u{1b}[0m \n");
    }
}

//! The external ID is a secret shared with the member accounts: no message and no excerpt of the file may show it.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::load::{Override, parsed, unquoted};

/// With more different values than this the file is no campaign file, and all of its text is masked.
const MOST: usize = 32;

/// The values that must not be shown, wherever they stand.
pub(super) struct Secrets(BTreeSet<String>);

impl Secrets {
    /// Those of a file, which may be one that does not parse, and of what overrides it.
    pub(super) fn of(text: &str, overrides: &[Override]) -> Secrets {
        let mut found = BTreeSet::new();
        let (tree, errors) = DeTable::parse_recoverable(text);
        collect_table(tree.get_ref(), text, false, &mut found);
        if !errors.is_empty() {
            from_lines(text, &mut found);
        }
        for over in overrides {
            from_override(over, &mut found);
        }
        // STS accepts no shorter one, and a single letter would mask half of the text.
        found.retain(|secret| secret.len() > 1);
        Secrets(found)
    }

    /// The text with as many dots in place of each of them, so that offsets and lines stay right.
    pub(super) fn masked(&self, text: &str) -> String {
        if self.0.len() > MOST {
            return dots(text);
        }
        // The longest first: one may be a part of another.
        let mut longest: Vec<&String> = self.0.iter().collect();
        longest.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        longest.into_iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), &dots(secret)))
    }
}

fn dots(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { '.' }).collect()
}

/// Whether a key is the external ID's, also where it is misspelt.
fn is_secret(key: &str) -> bool {
    let bare: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
    bare.to_ascii_lowercase().contains("externalid")
}

fn collect_table(table: &DeTable<'_>, text: &str, secret: bool, found: &mut BTreeSet<String>) {
    for (key, value) in table {
        collect(value, text, secret || is_secret(key.get_ref()), found);
    }
}

/// A value as it is written, as it is meant, and as an error message quotes it.
fn collect(value: &Spanned<DeValue<'_>>, text: &str, secret: bool, found: &mut BTreeSet<String>) {
    let meant = match value.get_ref() {
        DeValue::Table(table) => return collect_table(table, text, secret, found),
        DeValue::Array(items) => return items.iter().for_each(|item| collect(item, text, secret, found)),
        // `true` is no secret, and would mask every other one.
        DeValue::Boolean(_) => return,
        DeValue::String(meant) => meant.to_string(),
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => number.to_string(),
            Err(_) => number.as_str().to_owned(),
        },
        DeValue::Float(number) => {
            number.as_str().parse::<f64>().map_or_else(|_| number.as_str().to_owned(), |number| number.to_string())
        }
        DeValue::Datetime(time) => time.to_string(),
    };
    if secret {
        let written = text.get(value.span()).unwrap_or_default();
        found.insert(written.trim_matches(['"', '\'']).to_owned());
        found.insert(format!("{meant:?}").trim_matches('"').to_owned());
        found.insert(meant);
    }
}

/// Of a file that does not parse: whatever stands after the key, with the rest of a text of several lines.
fn from_lines(text: &str, found: &mut BTreeSet<String>) {
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if !is_secret(line) {
            continue;
        }
        let Some((_, rest)) = line.split_once(['=', ':']) else { continue };
        let rest = rest.trim();
        found.insert(rest.to_owned());
        found.extend(rest.split(['"', '\'', '#', '}', ']']).map(|part| part.trim().to_owned()));
        for quotes in ["\"\"\"", "'''"] {
            if rest.matches(quotes).count() == 1 {
                let more = lines.by_ref().map_while(|line| (!line.contains(quotes)).then_some(line));
                found.extend(more.map(|line| line.trim().to_owned()));
            }
        }
    }
}

fn from_override(over: &Override, found: &mut BTreeSet<String>) {
    if over.path.iter().any(|part| is_secret(part)) {
        found.insert(unquoted(&over.value).to_owned());
    } else if !is_secret(&over.value) {
        return;
    } else if parsed(&over.value).is_none() {
        // It stays a text, and an error about its type would show all of it.
        found.insert(over.value.clone());
        found.insert(format!("{:?}", over.value).trim_matches('"').to_owned());
    }
    let under = over.path.last().map_or("v", String::as_str);
    let table = format!("\"{under}\" = {}", over.value);
    if let Ok(tree) = DeTable::parse(&table) {
        collect_table(tree.get_ref(), &table, false, found);
    }
}

//! Plain English in what people read: `--help`, messages, documentation. Snapshots of every `--help`, and phrases that no text may have.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Wording that a reader has to decode: each phrase has a plain word in `docs/glossary.md` or in the AWS documentation.
const REJECTED: &[&str] = &[
    "look at",
    "looks at",
    "look whether",
    "looks whether",
    "look after",
    "go on",
    "goes on",
    "going on",
    "take in",
    "takes in",
    "taken in",
    "take away",
    "takes away",
    "taken away",
    "way in",
    "cannot tell",
    "cannot be told",
    "room",
    "groundwork",
    "lay over",
    "laid over",
    "is to come",
    "are to come",
    "in the way",
    "keeps from",
    "answers to",
    "speak against",
    "speaks against",
    "spoke against",
    "says no",
    "bears the",
    "kept elsewhere",
    "at once leave",
    "by itself",
    "by themselves",
    "folder",
    "folders",
    "done with",
    "at work",
    "put back",
    "puts back",
    "stands there",
    "stands in",
    "be entered",
    "are entered",
    "is entered",
    "the record",
    "by force",
    "speaks of",
    "nobody",
    "whoever",
    "somebody",
];

/// Files of code that only tests use.
const OF_TESTS: &[&str] = &["tests.rs", "extremes.rs"];

/// Texts that name a setting, a code or a file by its old name, which stays for compatibility.
const KEPT: &[&str] = &["groundwork = ", "bootstrap render groundwork", "groundwork/shell"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn help(path: &[&str], columns: u16) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orgseal"));
    let output = command.args(path).arg("--help").env("COLUMNS", columns.to_string()).output().unwrap();
    assert!(output.status.success(), "{path:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The `--help` of a command and of all commands below it.
fn every_help(path: &[&str], columns: u16, all: &mut String) {
    let text = help(path, columns);
    all.push_str(&format!("$ orgseal {}\n{text}\n", [path, &["--help"]].concat().join(" ")));
    let commands = text.split("\nCommands:\n").nth(1).map(|rest| rest.split("\n\n").next().unwrap_or_default());
    let names = commands.unwrap_or_default().lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    for name in names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        every_help(&[path, &[name]].concat(), columns, all);
    }
}

#[test]
fn every_help_text_is_reviewed() {
    for columns in [80, 120] {
        let mut all = String::new();
        every_help(&[], columns, &mut all);
        assert!(all.contains("$ orgseal ledger verify --help"), "{all}");
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("help_{columns}"), all);
        });
    }
}

/// The rejected phrases of a text, as whole words.
fn found(text: &str) -> Vec<&'static str> {
    let mut text = text.to_lowercase();
    for kept in KEPT {
        text = text.replace(kept, "");
    }
    let is_word =
        |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || "_-`".contains(letter));
    let has = |phrase: &&&str| {
        text.match_indices(**phrase).any(|(at, _)| {
            !is_word(text[..at].chars().next_back()) && !is_word(text[at + phrase.len()..].chars().next())
        })
    };
    REJECTED.iter().filter(has).copied().collect()
}

/// The string literals of Rust code, without its tests, with their lines.
fn literals(source: &str) -> Vec<(usize, String)> {
    let source = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let (mut texts, mut rest) = (Vec::new(), source);
    let line = |rest: &str| source[..source.len() - rest.len()].lines().count();
    while let Some(letter) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if letter == '"' {
            let end = end_of_literal(&rest[1..]);
            texts.push((line(rest), unbroken(&rest[1..=end])));
            end + 2
        } else if let Some(raw) = rest.strip_prefix("r#\"") {
            let end = raw.find("\"#").unwrap_or(raw.len());
            texts.push((line(rest), raw[..end].to_owned()));
            end + 5
        } else if let Some(raw) = rest.strip_prefix("r\"") {
            raw.find('"').unwrap_or(raw.len()) + 3
        } else if let Some(quoted) = rest.strip_prefix('\'') {
            // A character literal, or a lifetime.
            match quoted.char_indices().nth(1) {
                Some((at, '\'')) => at + 2,
                _ if quoted.starts_with('\\') => quoted[2..].find('\'').map_or(1, |at| at + 4),
                _ => 1,
            }
        } else {
            letter.len_utf8()
        };
        rest = rest.get(skipped..).unwrap_or_default();
    }
    texts
}

/// Where a string literal ends whose opening quote is left out.
fn end_of_literal(text: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            '"' if !escaped => return at,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// A literal whose lines are joined as the compiler joins them.
fn unbroken(literal: &str) -> String {
    let mut lines = literal.split("\\\n");
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |text, line| text + line.trim_start())
}

fn files(directory: &Path, extension: &str, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            files(&path, extension, all);
        } else if path.extension().is_some_and(|found| found == extension)
            && !OF_TESTS.iter().any(|name| path.ends_with(name))
        {
            all.push(path);
        }
    }
}

#[test]
fn no_message_and_no_page_has_a_rejected_phrase() {
    let mut faults = Vec::new();
    let mut sources = Vec::new();
    for name in ["bootstrap", "cli", "core", "report", "sandbox"] {
        files(&root().join("crates").join(name).join("src"), "rs", &mut sources);
    }
    let mut checked = 0;
    for path in sources {
        for (line, text) in literals(&std::fs::read_to_string(&path).unwrap()) {
            // A single word is a code or a key, not a sentence.
            if text.contains(' ') {
                checked += 1;
                faults.extend(found(&text).iter().map(|phrase| format!("{}:{line}: {phrase}: {text}", path.display())));
            }
        }
    }
    assert!(checked > 2000, "the literals of the code are read: {checked}");
    let mut pages = Vec::new();
    files(&root().join("docs"), "md", &mut pages);
    pages.extend(["README.md", "CONTRIBUTING.md", "SECURITY.md", "config/README.md"].map(|page| root().join(page)));
    for path in pages {
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in (1..).zip(text.lines()) {
            // Names of tests, codes and settings stand between backticks.
            let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
            faults.extend(found(&prose).iter().map(|phrase| format!("{}:{number}: {phrase}: {line}", path.display())));
        }
    }
    let mut all = String::new();
    every_help(&[], 200, &mut all);
    faults.extend(found(&all).iter().map(|phrase| format!("--help: {phrase}")));
    assert!(faults.is_empty(), "{} texts\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn literals_are_told_from_comments_and_characters() {
    let source = "let a = 'x'; // \"a comment\"\nlet b = \"one \\\n    two \\\"three\\\"\"; let c: &'static str = r#\"raw\"#; let d = ['\"', '\\'']; let e = \"end\";";
    let texts: Vec<String> = literals(source).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["one two \\\"three\\\"", "raw", "end"]);
    assert_eq!(found("the folder goes on"), ["goes on", "folder"]);
    assert!(found("a folderless `folder` mushroom").is_empty());
}

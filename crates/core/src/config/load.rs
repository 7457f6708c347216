//! Reading a campaign file: text, overrides, unknown keys, types, values. Every problem gets its place in the file.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{CampaignFile, Exemptions, Problem, unknown};

/// A single value laid over the file: from a flag or an `ORGSEAL_*` variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The setting's path, its parts split.
    pub path: Vec<String>,
    /// The value as written: TOML where it parses as such, a string otherwise.
    pub value: String,
    /// Where it comes from, for messages: `--set limits.accounts=…`, `ORGSEAL_LIMITS__ACCOUNTS`.
    pub origin: String,
}

/// A campaign file that passed its checks.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub campaign: CampaignFile,
    /// SHA-256 of the settings in force (file and overrides), in hex.
    pub hash: String,
    /// The exemptions in force; none where the campaign file names no file of them.
    pub exemptions: Exemptions,
}

/// A campaign file that must not be used, with every problem found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The file's name, as given.
    pub origin: String,
    /// The file's text.
    pub text: String,
    /// What is wrong, in the order of the file.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}", self.origin)?;
            if let Some(line) = problem.line {
                write!(f, ":{line}")?;
            }
            write!(f, ": {}; {}", problem.message, problem.instead)?;
        }
        Ok(())
    }
}

/// Reads and checks a campaign file. `origin` is its name in messages.
pub fn load(text: &str, origin: &str, overrides: &[Override]) -> Result<Loaded, ConfigError> {
    let secrets = secrets(text, overrides);
    let fail = |mut problems: Vec<Problem>| {
        for problem in &mut problems {
            problem.line = problem.span.as_ref().map(|span| line_of(text, span.start));
            problem.message = masked(&problem.message, &secrets);
            problem.instead = masked(&problem.instead, &secrets);
        }
        problems.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
        ConfigError { origin: origin.to_owned(), text: masked(text, &secrets), problems }
    };
    let tree = DeTable::parse(text).map_err(|error| fail(vec![syntax(&error)]))?;
    let schema = CampaignFile::schema();
    let mut unknown = unknown::find(tree.get_ref(), schema.as_value());
    unknown.extend(overrides.iter().filter_map(|over| {
        let problem = unknown::find_path(&over.path, schema.as_value())?;
        Some(Problem { message: format!("{} (from {})", problem.message, over.origin), ..problem })
    }));
    if !unknown.is_empty() {
        return Err(fail(unknown));
    }
    let campaign = if overrides.is_empty() {
        toml::from_str(text).map_err(|error| fail(vec![syntax(&error)]))?
    } else {
        overlaid(text, overrides, schema.as_value()).map_err(|problem| fail(vec![problem]))?
    };
    let mut problems = CampaignFile::problems(&campaign);
    if problems.is_empty() {
        let canonical = serde_json::to_vec(&campaign).unwrap_or_default();
        let hash = Sha256::digest(&canonical).iter().map(|byte| format!("{byte:02x}")).collect();
        return Ok(Loaded { campaign, hash, exemptions: Exemptions::default() });
    }
    for problem in &mut problems {
        let over = overrides.iter().find(|over| over.path.join(".") == problem.path);
        match over {
            Some(over) => problem.message = format!("{} (from {})", problem.message, over.origin),
            None => problem.span = locate(tree.get_ref(), &problem.path),
        }
    }
    Err(fail(problems))
}

/// Reads and checks another file of ours in the same way: unknown keys, types, values, each with its line.
pub(super) fn load_table<T: serde::de::DeserializeOwned>(
    text: &str,
    origin: &str,
    schema: &schemars::Schema,
    problems: impl Fn(&T) -> Vec<Problem>,
) -> Result<T, ConfigError> {
    let fail = |mut problems: Vec<Problem>| {
        for problem in &mut problems {
            problem.line = problem.span.as_ref().map(|span| line_of(text, span.start));
        }
        ConfigError { origin: origin.to_owned(), text: text.to_owned(), problems }
    };
    let tree = DeTable::parse(text).map_err(|error| fail(vec![syntax(&error)]))?;
    let unknown = unknown::find(tree.get_ref(), schema.as_value());
    if !unknown.is_empty() {
        return Err(fail(unknown));
    }
    let table = toml::from_str(text).map_err(|error| fail(vec![syntax(&error)]))?;
    let mut found = problems(&table);
    if found.is_empty() {
        return Ok(table);
    }
    for problem in &mut found {
        problem.span = locate(tree.get_ref(), &problem.path);
    }
    Err(fail(found))
}

fn syntax(error: &toml::de::Error) -> Problem {
    let message = error.message();
    let instead = if message.starts_with("missing field") {
        "add it; config/orgseal.toml shows every setting with its meaning"
    } else {
        "config/orgseal.toml shows every setting with its form"
    };
    Problem { span: error.span(), ..Problem::new("", message.replace('\n', " "), instead) }
}

fn overlaid(text: &str, overrides: &[Override], schema: &serde_json::Value) -> Result<CampaignFile, Problem> {
    let mut table: toml::Table = toml::from_str(text).map_err(|error| syntax(&error))?;
    for over in overrides {
        // A number for a setting that is a text is that text: an account id, a version, an external ID.
        let value = if unknown::is_text(&over.path, schema) { None } else { parsed(&over.value) };
        let value = value.unwrap_or_else(|| toml::Value::String(unquoted(&over.value).to_owned()));
        set(&mut table, &over.path, value).map_err(|()| {
            Problem::new(
                "",
                format!("{} goes through a value that is no table", over.origin),
                "name a setting that exists",
            )
        })?;
    }
    CampaignFile::deserialize(table).map_err(|error| {
        // The file alone may show the fault with its line; else it came with an override.
        match toml::from_str::<CampaignFile>(text) {
            Err(own) if own.message() == error.message() => syntax(&own),
            _ => {
                let origins: Vec<&str> = overrides.iter().map(|over| over.origin.as_str()).collect();
                Problem::new(
                    "",
                    format!("{} (after {})", error.message().replace('\n', " "), origins.join(", ")),
                    "correct the overriding value",
                )
            }
        }
    })
}

/// A value that is written as TOML writes it.
fn parsed(value: &str) -> Option<toml::Value> {
    format!("v = {value}").parse::<toml::Table>().ok()?.remove("v")
}

/// A text without the quotes that TOML would want around it.
fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// The values that must not be shown, wherever they stand: the external ID is a secret shared with the member accounts.
fn secrets(text: &str, overrides: &[Override]) -> Vec<String> {
    // Line by line, since the file may be one that does not parse.
    let lines = text.lines().filter(|line| line.contains(SECRET)).filter_map(|line| line.split_once(SECRET));
    let in_file = lines.filter_map(|(_, rest)| {
        let value = rest.trim_start_matches(['"', '\'', ' ', '\t']).strip_prefix('=')?;
        Some(
            value
                .trim_start()
                .trim_start_matches(['"', '\''])
                .split(['"', '\'', '#', ',', '}'])
                .next()?
                .trim()
                .to_owned(),
        )
    });
    let laid_over = overrides.iter().filter(|over| over.path.last().is_some_and(|last| last == SECRET));
    let laid_over = laid_over.map(|over| unquoted(&over.value).to_owned());
    in_file.chain(laid_over).filter(|secret| secret.len() > 1).collect()
}

const SECRET: &str = "external_id";

/// Each secret replaced by as many dots, so that spans stay right.
fn masked(text: &str, secrets: &[String]) -> String {
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), &".".repeat(secret.len())))
}

fn set(table: &mut toml::Table, path: &[String], value: toml::Value) -> Result<(), ()> {
    match path {
        [] => Err(()),
        [last] => {
            table.insert(last.clone(), value);
            Ok(())
        }
        [first, rest @ ..] => {
            let next = table.entry(first.clone()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            set(next.as_table_mut().ok_or(())?, rest, value)
        }
    }
}

/// The bytes of a setting: its value where it is there, else the nearest table above it.
fn locate(table: &DeTable<'_>, path: &str) -> Option<Range<usize>> {
    let mut found = None;
    let mut here = table;
    let mut rest = path;
    loop {
        // Region names and tags hold no dot, so a path splits at dots alone; `list[2]` names an entry.
        let (part, tail) = rest.split_once('.').map_or((rest, None), |(part, tail)| (part, Some(tail)));
        let (name, index) = match part.split_once('[') {
            Some((name, index)) => (name, index.trim_end_matches(']').parse::<usize>().ok()),
            None => (part, None),
        };
        let (key, value) = here.iter().find(|(key, _)| key.get_ref() == name)?;
        found = Some(whole(key, value)).or(found);
        let mut value = value;
        if let Some(index) = index {
            let DeValue::Array(items) = value.get_ref() else { return found };
            let Some(item) = items.get(index) else { return found };
            value = item;
            found = Some(item.span());
        }
        let Some(tail) = tail else { return found };
        let DeValue::Table(next) = value.get_ref() else { return found };
        if !next.iter().any(|(key, _)| tail.starts_with(&**key.get_ref())) {
            return found;
        }
        here = next;
        rest = tail;
    }
}

fn whole<K>(key: &Spanned<K>, value: &Spanned<DeValue<'_>>) -> Range<usize> {
    match value.get_ref() {
        DeValue::Table(_) => key.span(),
        _ => key.span().start..value.span().end.max(key.span().end),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = r#"[member_role]
name = "orgseal-member"
[central_key]
us-east-1 = "arn:aws:kms:us-east-1:111122223333:key/abc"
eu-west-1 = "arn:aws:kms:eu-west-1:111122223333:key/def"
[document]
name = "EnableS3BucketEncryptionWithKMS"
[automation_role]
name = "orgseal-automation"
[limits]
accounts = 20
"#;

    fn shown(text: &str) -> String {
        load(text, "c.toml", &[]).unwrap_err().to_string()
    }

    #[test]
    fn the_least_that_is_needed_is_enough() {
        let loaded = load(LEAST, "c.toml", &[]).unwrap();
        assert_eq!(loaded.campaign.limits.executions_per_account, 10);
        assert_eq!(loaded.hash.len(), 64);
    }

    #[test]
    fn the_shipped_campaign_file_passes() {
        let text = include_str!("../../../../config/orgseal.toml");
        load(text, "config/orgseal.toml", &[]).unwrap();
    }

    #[test]
    fn each_problem_is_named_with_its_line_and_what_to_write() {
        insta::assert_snapshot!(shown(&LEAST.replace("accounts = 20", "acounts = 20\nexecution = 3")), @r"
        c.toml:11: unknown setting `limits.acounts`; did you mean `accounts`?
        c.toml:12: unknown setting `limits.execution`; one of account_read_deadline, accounts, executions_per_account, executions_per_account_region, overrides, reads_per_account
        ");
        insta::assert_snapshot!(shown(&LEAST.replace("us-east-1:111122223333:key/abc", "eu-west-1:111122223333:key/abc").replace("accounts = 20", "accounts = 0\nexecutions_per_account_region = 50")), @r"
        c.toml:4: the key for us-east-1 is in eu-west-1, and S3 can use a key only in its own Region; write the ARN of a key in us-east-1
        c.toml:11: limits.accounts is 0; write a number from 1 to 1000
        c.toml:12: executions_per_account_region (50) is above executions_per_account (10), so it could never be reached; lower it to 10, or raise executions_per_account
        ");
        insta::assert_snapshot!(shown(&LEAST.replace("[automation_role]\nname = \"orgseal-automation\"\n", "")), @"c.toml:1: missing field `automation_role`; add it; config/orgseal.toml shows every setting with its meaning");
        insta::assert_snapshot!(shown(&LEAST.replace("eu-west-1 = ", "alias = ")), @"c.toml:5: `alias` is not a Region; write a Region's name such as us-east-1, or `multi_region_key`");
        insta::assert_snapshot!(shown(&format!("regions = [\"us-west-2\"]\n{LEAST}")), @"c.toml:1: no central key for us-west-2, which `regions` names; add `us-west-2 = \"arn:…\"` to [central_key], or take the Region out of `regions`");
    }

    #[test]
    fn a_single_value_can_be_laid_over_the_file() {
        let over = |path: &[&str], value: &str| Override {
            path: path.iter().map(|&part| part.to_owned()).collect(),
            value: value.to_owned(),
            origin: "ORGSEAL_X".to_owned(),
        };
        let loaded = load(LEAST, "c.toml", &[over(&["limits", "accounts"], "3")]).unwrap();
        assert_eq!(loaded.campaign.limits.accounts, 3);
        let loaded = load(LEAST, "c.toml", &[over(&["member_role", "external_id"], "secret-one")]).unwrap();
        assert_eq!(loaded.campaign.member_role.external_id.as_deref(), Some("secret-one"));
        let error = load(LEAST, "c.toml", &[over(&["limits", "accounts"], "0")]).unwrap_err();
        assert!(error.to_string().contains("(from ORGSEAL_X)"), "{error}");
        let error = load(LEAST, "c.toml", &[over(&["limits", "acounts"], "3")]).unwrap_err();
        assert!(error.to_string().contains("did you mean `accounts`?"), "{error}");
        assert!(error.to_string().contains("(from ORGSEAL_X)"), "{error}");
        // A number for a text is that text.
        let loaded =
            load(LEAST, "c.toml", &[over(&["document", "version"], "3"), over(&["document", "owner"], "111122223333")]);
        let document = loaded.unwrap().campaign.document;
        assert_eq!((document.version.as_deref(), document.owner.as_deref()), (Some("3"), Some("111122223333")));
    }

    #[test]
    fn the_external_id_is_never_shown() {
        let secret = "hush-123456";
        let with = |line: &str| LEAST.replace("[central_key]", &format!("{line}\n[central_key]"));
        for text in [
            with(&format!("external_id = \"{secret}\"\nsession_duration = 3")),
            with(&format!("external_id = \"{secret}")),
            with(&format!("external_id = {secret}")),
            with(&format!("external_id = \"{secret}\"\nexternal_id = \"{secret}\"")),
            with(&format!("external_id = \"{secret} !\"")),
            with(&format!("external_idd = \"{secret}\"")).replace("external_idd", "\"external_id\" "),
        ] {
            if let Err(error) = load(&text, "c.toml", &[]) {
                assert!(!format!("{error}\n{error:?}").contains(secret), "{error:?}");
            }
        }
        for value in ["123456789012", "\"x y z 123456789012\""] {
            let over = Override {
                path: vec!["member_role".into(), "external_id".into()],
                value: value.into(),
                origin: "ORGSEAL_MEMBER_ROLE__EXTERNAL_ID".into(),
            };
            if let Err(error) = load(&LEAST.replace("20", "0"), "c.toml", &[over]) {
                assert!(!format!("{error}\n{error:?}").contains("123456789012"), "{error:?}");
            }
        }
    }

    #[test]
    fn two_files_that_differ_have_different_hashes() {
        let other = LEAST.replace("accounts = 20", "accounts = 19");
        assert_ne!(load(LEAST, "c", &[]).unwrap().hash, load(&other, "c", &[]).unwrap().hash);
        let commented = format!("# a comment\n{LEAST}");
        assert_eq!(load(LEAST, "c", &[]).unwrap().hash, load(&commented, "c", &[]).unwrap().hash);
    }
}

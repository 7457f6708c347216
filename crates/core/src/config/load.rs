//! Reading a campaign file: text, overrides, unknown keys, types, values. Every problem gets its place in the file.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::secrets::Secrets;
use super::{CampaignFile, Exemptions, Problem, empty, unknown};

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
    /// The file's name, as given.
    pub origin: String,
    /// The settings.
    pub campaign: CampaignFile,
    /// SHA-256 of the settings in force (file and overrides), in hex.
    pub hash: String,
    /// The exemptions in force; none where the campaign file names no file of them.
    pub exemptions: Exemptions,
    /// The `--set` values in force, as `KEY=VALUE`: a suggested command repeats them. Secrets are left out.
    pub set: Vec<String>,
}

/// A campaign file that must not be used, with every problem found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The file's name, as given.
    pub origin: String,
    /// The file's text.
    pub text: String,
    /// What is wrong, in the order of the file: at most [`MOST_PROBLEMS`].
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub more: usize,
}

/// So many problems of one file are told: more are of no use before these are corrected.
pub const MOST_PROBLEMS: usize = 20;

impl ConfigError {
    /// Cuts the list short. It comes with places, or none of it does.
    fn new(origin: &str, text: &str, mut problems: Vec<Problem>, tree: Option<&DeTable<'_>>) -> ConfigError {
        problems.sort_by_key(|problem| problem.span.as_ref().map_or(usize::MAX, |span| span.start));
        let more = problems.len().saturating_sub(MOST_PROBLEMS);
        problems.truncate(MOST_PROBLEMS);
        if let Some(tree) = tree {
            for problem in problems.iter_mut().filter(|problem| problem.span.is_none() && !problem.path.is_empty()) {
                problem.span = locate(tree, &problem.path);
            }
        }
        for problem in &mut problems {
            problem.line = problem.span.as_ref().map(|span| line_of(text, span.start));
        }
        problems.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
        ConfigError { origin: origin.to_owned(), text: text.to_owned(), problems, more }
    }
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
        if self.more > 0 {
            write!(f, "\n{}: {} more problems are not shown", self.origin, self.more)?;
        }
        Ok(())
    }
}

/// Reads and checks a campaign file. `origin` is its name in messages.
pub fn load(text: &str, origin: &str, overrides: &[Override]) -> Result<Loaded, ConfigError> {
    let fail = |problems: Vec<Problem>, tree: Option<&DeTable<'_>>| {
        let mut error = ConfigError::new(origin, text, problems, tree);
        let secrets = Secrets::of(text, overrides);
        for problem in &mut error.problems {
            problem.message = secrets.masked(&problem.message);
            problem.instead = secrets.masked(&problem.instead);
        }
        error.text = secrets.masked(&error.text);
        error
    };
    let tree = DeTable::parse(text).map_err(|error| fail(vec![syntax(&error)], None))?;
    let tree = tree.get_ref();
    let schema = CampaignFile::schema();
    let mut unknown = unknown::find(tree, schema.as_value());
    unknown.extend(empty::find(tree));
    for over in overrides {
        let named = |problem: Problem| Problem { message: from_override(&problem.message, over), ..problem };
        unknown.extend(unknown::find_path(&over.path, schema.as_value()).map(named));
        unknown.extend(empty::find_in_override(&over.path, &over.value).into_iter().map(named));
    }
    if !unknown.is_empty() {
        return Err(fail(unknown, None));
    }
    let campaign = if overrides.is_empty() {
        toml::from_str(text).map_err(|error| fail(vec![syntax(&error)], None))?
    } else {
        overlaid(text, overrides, schema.as_value()).map_err(|problem| fail(vec![problem], None))?
    };
    let mut problems = CampaignFile::problems(&campaign);
    if problems.is_empty() {
        let canonical = serde_json::to_vec(&campaign).unwrap_or_default();
        let hash = Sha256::digest(&canonical).iter().map(|byte| format!("{byte:02x}")).collect();
        return Ok(Loaded {
            origin: origin.to_owned(),
            campaign,
            hash,
            exemptions: Exemptions::default(),
            set: shown(overrides),
        });
    }
    let overridden: BTreeMap<String, &Override> = overrides.iter().map(|over| (over.path.join("."), over)).collect();
    for problem in &mut problems {
        if let Some(over) = overridden.get(&problem.path) {
            problem.message = from_override(&problem.message, over);
            // Its place is the override, not the file.
            problem.path.clear();
        }
    }
    Err(fail(problems, Some(tree)))
}

fn from_override(message: &str, over: &Override) -> String {
    format!("{message} (from {})", over.origin)
}

/// Reads and checks another file of ours in the same way: unknown keys, types, values, each with its line.
pub(super) fn load_table<T: serde::de::DeserializeOwned>(
    text: &str,
    origin: &str,
    schema: &schemars::Schema,
    problems: impl Fn(&T) -> Vec<Problem>,
) -> Result<T, ConfigError> {
    let fail = |problems, tree: Option<&DeTable<'_>>| ConfigError::new(origin, text, problems, tree);
    let tree = DeTable::parse(text).map_err(|error| fail(vec![syntax(&error)], None))?;
    let tree = tree.get_ref();
    let mut unknown = unknown::find(tree, schema.as_value());
    unknown.extend(empty::find(tree));
    if !unknown.is_empty() {
        return Err(fail(unknown, None));
    }
    let table = toml::from_str(text).map_err(|error| fail(vec![syntax(&error)], None))?;
    let found = problems(&table);
    if found.is_empty() { Ok(table) } else { Err(fail(found, Some(tree))) }
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
pub(super) fn parsed(value: &str) -> Option<toml::Value> {
    format!("v = {value}").parse::<toml::Table>().ok()?.remove("v")
}

/// A text without the quotes that TOML would want around it.
pub(super) fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// The `--set` values as they can be shown and kept. A variable's value is in force for the next command as well.
fn shown(overrides: &[Override]) -> Vec<String> {
    // Flags come after variables: the last one of a setting counts.
    let last = |(index, over): &(usize, &Override)| overrides[index + 1..].iter().all(|later| later.path != over.path);
    let in_force = overrides.iter().enumerate().filter(last);
    let texts = in_force.map(|(_, over)| format!("{}={}", over.path.join("."), over.value));
    texts.filter(|text| !text.contains("external_id")).collect()
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
        let Some((key, value)) = here.get_key_value(name) else { return found };
        found = Some(whole(key, value));
        let mut value = value;
        if let Some(index) = index {
            let DeValue::Array(items) = value.get_ref() else { return found };
            let Some(item) = items.get(index) else { return found };
            value = item;
            found = Some(item.span());
        }
        let Some(tail) = tail else { return found };
        let DeValue::Table(next) = value.get_ref() else { return found };
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
        for (text, shown) in [
            // Letters that STS accepts and TOML knows elsewhere, escapes, other types, other tables.
            (with("external_id = [\"hush,123456\"]"), "123456"),
            (with("external_id = \"hush,123456#7\"\npath = 7"), "123456"),
            (with("external_id = [\"hush\\u002d123456\"]"), "123456"),
            (with("external_id = 0x75BCD15"), "123456789"),
            (with("external_id = 123_456_789"), "456"),
            (with("external_id = { value = \"hush-123456\" }"), "123456"),
            (with("external_id = \"\"\"\nhush-123456\"\"\"\npath = 7"), "123456"),
            (with("external_id = \"\"\"\nhush-123456"), "123456"),
            (with("externalId = \"hush-123456\""), "123456"),
            (with("external_id = hush-123456 # 99"), "123456"),
            ("member_role = { external_id = [\"hush-123456\"] }".to_owned(), "123456"),
        ] {
            let error = load(&text, "c.toml", &[]).unwrap_err();
            assert!(!format!("{error}\n{error:?}").contains(shown), "{error:?}");
        }
        for value in [
            "{ name = \"x\", external_id = [\"hush-123456\"] }",
            "{ name = \"x\", external_id = \"hush-123456\"",
            "external_id = hush-123456",
        ] {
            let path = vec!["member_role".to_owned()];
            let over = Override { path, value: value.to_owned(), origin: "--set member_role=…".to_owned() };
            let error = load(LEAST, "c.toml", &[over]).unwrap_err();
            assert!(!format!("{error}\n{error:?}").contains("123456"), "{error:?}");
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
    fn an_empty_list_that_means_all_is_refused_with_its_line() {
        let text = LEAST.replace("[limits]", "[accounts.include]\nids = []\n[limits]");
        insta::assert_snapshot!(shown(&text), @"c.toml:11: accounts.include.ids is empty, and would mean all; leave it out if all are meant, otherwise name those that are");
        let over = Override {
            path: vec!["buckets".into(), "include".into()],
            value: "[]".into(),
            origin: "ORGSEAL_BUCKETS__INCLUDE".into(),
        };
        let error = load(LEAST, "c.toml", &[over]).unwrap_err().to_string();
        assert!(
            error.contains("buckets.include is empty, and would mean all (from ORGSEAL_BUCKETS__INCLUDE)"),
            "{error}"
        );
    }

    /// Each of these took time with the square of its length, and minutes for a file of a megabyte.
    #[test]
    fn many_problems_and_many_waves_are_told_in_short() {
        let began = std::time::Instant::now();
        let waves = |count: usize, line: &dyn Fn(usize) -> String| -> String {
            (0..count).map(|wave| format!("[[waves]]\nname = \"w{wave}\"\n{}\n", line(wave))).collect()
        };
        let good =
            waves(8_000, &|wave| format!("buckets_percent = {}", f64::from(u32::try_from(wave).unwrap() + 1) / 100.0));
        load(&format!("{LEAST}{good}"), "c.toml", &[]).unwrap();
        let regions: Vec<String> = (0..20_000).map(|number| format!("\"mars-north-{}\"", number % 250)).collect();
        let regions = format!("regions = [{}]\n{LEAST}", regions.join(", "));
        for text in [
            format!("{LEAST}{}", waves(8_000, &|_| "accounts_percent = 0".to_owned())),
            format!("{LEAST}{}", waves(8_000, &|wave| format!("nmae{wave} = 1"))),
            format!("{LEAST}{}", (0..20_000).map(|key| format!("k{key} = 1\n")).collect::<String>()),
            format!("{LEAST}{}", (0..20_000).map(|_| "external_id = \"hush-123456\"\n").collect::<String>()),
            format!(
                "{LEAST}{}",
                (0..20_000).map(|key| format!("external_id{key} = \"hush-{key}\"\n")).collect::<String>()
            ),
            regions,
        ] {
            let error = load(&text, "c.toml", &[]).unwrap_err();
            assert!(error.problems.len() <= MOST_PROBLEMS, "{}", error.problems.len());
            assert!(error.problems.len() == 1 || error.more > 1_000, "{}", error.more);
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    }

    #[test]
    fn two_files_that_differ_have_different_hashes() {
        let other = LEAST.replace("accounts = 20", "accounts = 19");
        assert_ne!(load(LEAST, "c", &[]).unwrap().hash, load(&other, "c", &[]).unwrap().hash);
        let commented = format!("# a comment\n{LEAST}");
        assert_eq!(load(LEAST, "c", &[]).unwrap().hash, load(&commented, "c", &[]).unwrap().hash);
    }
}

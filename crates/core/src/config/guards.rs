//! `[guards]`: what becomes of a bucket whose change would break something.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{GuardOverride, Problem, is_account_id, is_principal_pattern};
use crate::judge::guards::{self, Guard, Need, Ruling, Terms};
use crate::judge::{OwnerTags, default_terraform_tags};
use crate::model::{Bucket, Severity, now};

/// What becomes of a bucket whose change would break something. Each guard has a page in docs/guards.md.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(transform = name_each_guard)]
pub struct Guards {
    /// Seconds: guards are asked again at a bucket's start when their word is older.
    #[schemars(range(min = 0, max = 86400))]
    pub max_age: u32,
    /// The tag by which a team keeps its bucket out of the campaign: `key`, for any value but `false`, or `key=value`.
    pub opt_out_tag: String,
    /// Principals that need no look, as ARNs with `*` and `?`: break-glass roles and the like.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignored_principals: Vec<String>,
    /// Accounts outside the organization that are known to hold rights on the central key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trusted_accounts: Vec<String>,
    /// More tags of code that owns buckets: `key`, for any value but `false`, or `key=value`; both may hold `*` and `?`. Letter case
    /// does not matter. docs/guards.md lists the owners that are known without it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owner_tags: Vec<String>,
    /// Older name of `owner_tags`, for Terraform alone: where it is given, its tags count instead of those known for Terraform.
    pub terraform_tags: Vec<String>,
    /// Another severity for some buckets. The last match counts, and wins over the guard's own key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<GuardOverride>,
    /// The severity of each guard that is not to have its own.
    #[serde(flatten)]
    pub severities: BTreeMap<String, Severity>,
}

impl Default for Guards {
    fn default() -> Self {
        Guards {
            max_age: 3600,
            opt_out_tag: "orgseal:opt-out".to_owned(),
            ignored_principals: Vec::new(),
            trusted_accounts: Vec::new(),
            owner_tags: Vec::new(),
            terraform_tags: default_terraform_tags(),
            overrides: Vec::new(),
            severities: BTreeMap::new(),
        }
    }
}

/// Puts each guard's name into the schema, so that a guard that does not exist is an unknown setting like any other.
fn name_each_guard(schema: &mut Schema) {
    let severity = schema.remove("additionalProperties").unwrap_or_default();
    if let Some(properties) = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut) {
        for guard in guards::ALL {
            let mut named = severity.clone();
            if let Some(named) = named.as_object_mut() {
                named.insert("description".into(), guard.keeps_from().into());
                named.insert("default".into(), guard.severity().as_str().into());
            }
            properties.insert(guard.name().to_owned(), named);
        }
    }
    schema.insert("additionalProperties".into(), false.into());
}

impl Guards {
    /// How old what guards said may be.
    #[must_use]
    pub fn max_age(&self) -> Duration {
        Duration::from_secs(u64::from(self.max_age))
    }

    /// What the file makes of a guard for a bucket, today (UTC).
    #[must_use]
    pub fn ruling(&self, guard: &dyn Guard, bucket: &Bucket) -> Ruling {
        self.ruling_on(guard, bucket, TimeZone::UTC.to_datetime(now()).date())
    }

    /// The same, on a day.
    fn ruling_on(&self, guard: &dyn Guard, bucket: &Bucket, day: Date) -> Ruling {
        let name = guard.name();
        let over = self.overrides.iter().rev().find(|over| over.guard == name && over.is_for(bucket, day));
        match over {
            Some(over) => Ruling { severity: over.severity, because: Some(over.in_words()) },
            None => self.ruling_elsewhere(guard),
        }
    }

    /// What the file makes of a guard where no override speaks.
    #[must_use]
    pub fn ruling_elsewhere(&self, guard: &dyn Guard) -> Ruling {
        let severity = self.severities.get(guard.name()).copied().unwrap_or_else(|| guard.severity());
        Ruling { severity, because: None }
    }

    /// What guards need that are asked of any bucket at all.
    #[must_use]
    pub fn needs_somewhere(&self) -> BTreeSet<Need> {
        guards::needs(|guard| match self.overrides.iter().find(|over| over.guard == guard.name()) {
            Some(over) => Ruling { severity: over.severity, because: Some(over.in_words()) },
            None => self.ruling_elsewhere(guard),
        })
    }

    /// What guards are told besides their severity.
    #[must_use]
    pub fn terms(&self) -> Terms {
        let (key, value) = key_and_value(&self.opt_out_tag);
        Terms {
            opt_out_tag: Some((key.to_owned(), value.map(str::to_owned))),
            ignored_principals: self.ignored_principals.clone(),
            trusted_accounts: self.trusted_accounts.iter().cloned().collect(),
            owner_tags: OwnerTags {
                more: self.owner_tags.clone(),
                terraform: Some(&self.terraform_tags).filter(|tags| **tags != default_terraform_tags()).cloned(),
            },
        }
    }

    pub(super) fn check(&self, found: &mut Vec<Problem>) {
        if self.max_age > 86_400 {
            found.push(Problem::new(
                "guards.max_age",
                format!("max_age is {}", self.max_age),
                "write seconds from 0 to 86400",
            ));
        }
        let tags = std::iter::once(("guards.opt_out_tag".to_owned(), &self.opt_out_tag));
        let listed = [("owner_tags", &self.owner_tags), ("terraform_tags", &self.terraform_tags)];
        let listed = listed.into_iter().flat_map(|(name, listed)| {
            listed.iter().enumerate().map(move |(index, tag)| (format!("guards.{name}[{index}]"), tag))
        });
        for (path, tag) in tags.chain(listed) {
            let (key, value) = key_and_value(tag);
            if key.is_empty() || value == Some("") {
                let advice = "write a tag's key, or key=value";
                found.push(Problem::new(path, format!("`{tag}` names no tag"), advice));
            }
        }
        if ["hold", "warn", "off"].contains(&self.opt_out_tag.as_str()) {
            found.push(Problem::new(
                "guards.opt_out_tag",
                format!("`{}` is a severity, and opt_out_tag is a tag's key", self.opt_out_tag),
                format!(
                    "write opt-out-tag = \"{}\" for the guard; a tag of that name is written {0}=VALUE",
                    self.opt_out_tag
                ),
            ));
        }
        for (index, arn) in self.ignored_principals.iter().enumerate() {
            if !is_principal_pattern(arn) {
                found.push(Problem::new(
                    format!("guards.ignored_principals[{index}]"),
                    format!("`{arn}` is not a principal's ARN"),
                    "write an ARN such as arn:aws:iam::*:role/break-glass; `*` and `?` may stand in it",
                ));
            }
        }
        for (index, id) in self.trusted_accounts.iter().enumerate().filter(|(_, id)| !is_account_id(id)) {
            found.push(Problem::new(
                format!("guards.trusted_accounts[{index}]"),
                format!("`{id}` is not an account id"),
                "write twelve digits in quotes",
            ));
        }
        for (index, over) in self.overrides.iter().enumerate() {
            over.check(&format!("guards.overrides[{index}]"), found);
        }
    }
}

/// `key`, or `key=value`. A key may hold colons; the first `=` parts it from its value.
fn key_and_value(tag: &str) -> (&str, Option<&str>) {
    tag.split_once('=').map_or((tag, None), |(key, value)| (key, Some(value)))
}

#[cfg(test)]
mod tests {
    use super::super::{ConfigError, Loaded, load};
    use super::*;

    const LEAST: &str = r#"
[member_role]
name = "orgseal-member"
[central_key]
us-east-1 = "arn:aws:kms:us-east-1:111122223333:key/abc"
[document]
name = "EnableS3BucketEncryptionWithKMS"
[automation_role]
name = "orgseal-automation"
"#;

    fn loaded(text: &str) -> Result<Loaded, ConfigError> {
        load(&format!("{LEAST}{text}"), "c.toml", &[])
    }

    fn guard(name: &str) -> &'static dyn Guard {
        *guards::ALL.iter().find(|guard| guard.name() == name).unwrap()
    }

    fn bucket(account: &str, name: &str) -> Bucket {
        Bucket { account: account.into(), region: "us-east-1".into(), name: name.into() }
    }

    #[test]
    fn every_guard_has_its_own_severity_until_the_file_says_otherwise() {
        let guards = loaded("").unwrap().campaign.guards;
        let logs = bucket("444455556666", "logs");
        for guard in guards::ALL {
            assert_eq!(guards.ruling(*guard, &logs).severity, guard.severity(), "{}", guard.name());
        }
        let guards = loaded("[guards]\naccess-log-target = \"warn\"\n").unwrap().campaign.guards;
        assert_eq!(guards.ruling(guard("access-log-target"), &logs).severity, Severity::Warn);
        assert_eq!(guards.ruling(guard("replication-source"), &logs).severity, Severity::Hold);
    }

    #[test]
    fn one_hold_can_be_switched_off_for_one_bucket() {
        let text = r#"
[guards]
access-log-target = "hold"
[[guards.overrides]]
guard = "access-log-target"
accounts = ["444455556666"]
buckets = ["logs-*"]
severity = "off"
reason = "its key policy admits the logging service: CHG-1"
owner = "storage@example.com"
until = 2030-06-30
"#;
        let guards = loaded(text).unwrap().campaign.guards;
        let day = |text: &str| text.parse::<Date>().unwrap();
        let on = |account, name, when| {
            guards.ruling_on(guard("access-log-target"), &bucket(account, name), day(when)).severity
        };
        assert_eq!(on("444455556666", "logs-a", "2030-06-30"), Severity::Off);
        assert_eq!(on("444455556666", "logs-a", "2030-07-01"), Severity::Hold);
        assert_eq!(on("444455556666", "data", "2030-06-30"), Severity::Hold);
        assert_eq!(on("777788889999", "logs-a", "2030-06-30"), Severity::Hold);
        let written = loaded(&text.replace("2030-06-30", "\"2030-06-30\"")).unwrap().campaign.guards;
        assert_eq!(written, guards);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let shown = |text: &str| loaded(text).unwrap_err().to_string();
        insta::assert_snapshot!(shown("[guards]\naccess-log-targett = \"off\"\n"), @"c.toml:11: unknown setting `guards.access-log-targett`; did you mean `access-log-target`?");
        insta::assert_snapshot!(shown(
            r#"[guards]
max_age = 100000
opt_out_tag = "=x"
ignored_principals = ["*"]
trusted_accounts = ["12"]
[[guards.overrides]]
guard = "access-log-targett"
severity = "off"
reason = " "
[[guards.overrides]]
guard = "opt-out-tag"
accounts = ["1"]
buckets = [""]
severity = "off"
reason = "asked"
"#
        ), @r#"
        c.toml:11: max_age is 100000; write seconds from 0 to 86400
        c.toml:12: `=x` names no tag; write a tag's key, or key=value
        c.toml:13: `*` is not a principal's ARN; write an ARN such as arn:aws:iam::*:role/break-glass; `*` and `?` may stand in it
        c.toml:14: `12` is not an account id; write twelve digits in quotes
        c.toml:15: this override names neither accounts nor buckets; add them, or write access-log-targett = "off" under [guards]
        c.toml:16: there is no guard `access-log-targett`; did you mean `access-log-target`?
        c.toml:18: the reason is empty; say why: the reason is written to the ledger
        c.toml:21: `1` is not an account id; write twelve digits in quotes
        c.toml:22: `` is not a bucket's name; write a name, with `*` for any letters
        "#);
        assert!(shown("[guards]\nopt-out-tag = \"never\"\n").contains("unknown variant `never`"));
        assert!(shown("[guards]\nopt_out_tag = \"off\"\n").contains("write opt-out-tag = \"off\" for the guard"));
        let undated = "[[guards.overrides]]\nguard = \"opt-out-tag\"\nseverity = \"off\"\nreason = \"x\"\nbuckets = [\"x\"]\nuntil = \"soon\"\n";
        assert!(shown(undated).contains("write a date such as"), "{}", shown(undated));
        let unexplained = undated.replace("reason = \"x\"\n", "").replace("soon", "2030-01-01");
        assert!(shown(&unexplained).contains("missing field `reason`"));
    }

    #[test]
    fn tags_are_read_as_key_or_key_and_value() {
        let terms = |text: &str| loaded(text).unwrap().campaign.guards.terms();
        assert_eq!(terms("").opt_out_tag, Some(("orgseal:opt-out".into(), None)));
        let pair = terms("[guards]\nopt_out_tag = \"seal=no\"\n").opt_out_tag;
        assert_eq!(pair, Some(("seal".into(), Some("no".into()))));
        assert_eq!(terms("").owner_tags, OwnerTags::default());
        let own = terms("[guards]\nowner_tags = [\"pipeline\"]\nterraform_tags = [\"tf\"]\n").owner_tags;
        assert_eq!(own, OwnerTags { more: vec!["pipeline".into()], terraform: Some(vec!["tf".into()]) });
        let wrong = loaded("[guards]\nowner_tags = [\"=x\"]\n").unwrap_err().to_string();
        assert_eq!(wrong, "c.toml:11: `=x` names no tag; write a tag's key, or key=value");
    }
}

//! The exemptions: a file of its own, since its decisions have owners of their own.

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::day::day;
use super::load::load_table;
use super::{ConfigError, Problem};
use crate::glob::matches;
use crate::model::{Account, Bucket};

/// The file of exemptions.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "orgseal exemptions")]
pub struct Exemptions {
    /// Each a person's decision that some buckets stay as they are.
    pub exemption: Vec<Exemption>,
}

/// A person's decision that some buckets stay as they are. A bucket must answer to each selector that is given; within a list one
/// match is enough, and of tags all must be there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exemption {
    /// Account ids or names, with `*` and `?`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// Ids of organizational units, with `*` and `?`; what is below them is meant too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ous: Vec<String>,
    /// Tags of the account: key = value, with `*` and `?` in the value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub account_tags: BTreeMap<String, String>,
    /// Bucket names, with `*` and `?`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buckets: Vec<String>,
    /// Tags of the bucket: key = value, with `*` and `?` in the value. Read of buckets that are not as wanted alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bucket_tags: BTreeMap<String, String>,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// Where it was decided.
    pub ticket: String,
    /// The last day on which it holds, in UTC.
    #[serde(deserialize_with = "day")]
    #[schemars(with = "String", extend("format" = "date"))]
    pub until: Date,
}

impl Exemption {
    /// Whether it names an account, as far as the account decides.
    #[must_use]
    pub fn names_account(&self, account: &Account) -> bool {
        let by_name = |pattern: &String| matches(pattern, &account.id) || matches(pattern, &account.name);
        (self.accounts.is_empty() || self.accounts.iter().any(by_name))
            && (self.ous.is_empty() || self.ous.iter().any(|pattern| account.ous.iter().any(|ou| matches(pattern, ou))))
            && has_all(&self.account_tags, &account.tags)
    }

    /// Whether it names a bucket of an account that it names. `None`: the bucket's tags decide, and they are not given.
    #[must_use]
    pub fn names_bucket(&self, bucket: &Bucket, tags: Option<&BTreeMap<String, String>>) -> Option<bool> {
        if !self.buckets.is_empty() && !self.buckets.iter().any(|pattern| matches(pattern, &bucket.name)) {
            return Some(false);
        }
        match (self.bucket_tags.is_empty(), tags) {
            (true, _) => Some(true),
            (false, Some(tags)) => Some(has_all(&self.bucket_tags, tags)),
            (false, None) => None,
        }
    }

    /// Whether it does not hold any more on a day.
    #[must_use]
    pub fn is_over(&self, today: Date) -> bool {
        today > self.until
    }
}

fn has_all(wanted: &BTreeMap<String, String>, tags: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| tags.get(key).is_some_and(|found| matches(value, found)))
}

impl Exemptions {
    /// Reads and checks a file of exemptions. `origin` is its name in messages.
    pub fn load(text: &str, origin: &str) -> Result<Exemptions, ConfigError> {
        load_table(text, origin, &Exemptions::schema(), Exemptions::problems)
    }

    /// The JSON Schema of the file, for editors.
    #[must_use]
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Exemptions)
    }

    /// SHA-256 of what it says, in hex.
    #[must_use]
    pub fn hash(&self) -> String {
        let canonical = serde_json::to_vec(self).unwrap_or_default();
        Sha256::digest(&canonical).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether one of them asks for the OUs above an account, and whether one asks for its tags.
    #[must_use]
    pub fn need(&self) -> (bool, bool) {
        (
            self.exemption.iter().any(|exemption| !exemption.ous.is_empty()),
            self.exemption.iter().any(|exemption| !exemption.account_tags.is_empty()),
        )
    }

    fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        for (index, exemption) in self.exemption.iter().enumerate() {
            let path = |name: &str| format!("exemption[{index}].{name}");
            let words = [("reason", &exemption.reason), ("owner", &exemption.owner), ("ticket", &exemption.ticket)];
            for (name, text) in words {
                if text.trim().is_empty() {
                    found.push(Problem::new(
                        path(name),
                        format!("an exemption without {name}"),
                        "an auditor will ask: write it down",
                    ));
                }
            }
            let lists = [("accounts", &exemption.accounts), ("ous", &exemption.ous), ("buckets", &exemption.buckets)];
            for (name, patterns) in lists {
                if patterns.iter().any(|pattern| pattern.trim().is_empty()) {
                    found.push(Problem::new(path(name), format!("a pattern of {name} is empty"), "take it out"));
                }
            }
            let names_nothing = exemption.accounts.is_empty()
                && exemption.ous.is_empty()
                && exemption.account_tags.is_empty()
                && exemption.buckets.is_empty()
                && exemption.bucket_tags.is_empty();
            if names_nothing {
                found.push(Problem::new(
                    format!("exemption[{index}]"),
                    "an exemption that names nothing would exempt every bucket",
                    "name accounts, ous, account_tags, buckets or bucket_tags",
                ));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"
[[exemption]]
accounts = ["pay*"]
buckets = ["legacy-*"]
reason = "reads with SigV2 clients until the migration"
owner = "payments team"
ticket = "SEC-1"
until = "2027-01-31"
"#;

    fn bucket(name: &str) -> Bucket {
        Bucket { account: "444455556666".into(), region: "us-east-1".into(), name: name.into() }
    }

    fn account(name: &str) -> Account {
        Account {
            id: "444455556666".into(),
            name: name.into(),
            state: "ACTIVE".into(),
            ous: vec!["ou-ab12-prod".into()],
            tags: BTreeMap::from([("env".into(), "prod".into())]),
        }
    }

    #[test]
    fn each_selector_must_answer() {
        let exemption = &Exemptions::load(ONE, "e.toml").unwrap().exemption[0];
        assert!(exemption.names_account(&account("payments")) && !exemption.names_account(&account("web")));
        assert_eq!(exemption.names_bucket(&bucket("legacy-1"), None), Some(true));
        assert_eq!(exemption.names_bucket(&bucket("new-1"), None), Some(false));
        let tagged = Exemption {
            bucket_tags: BTreeMap::from([("keep".into(), "*".into())]),
            ous: vec!["ou-ab12-prod".into()],
            ..exemption.clone()
        };
        assert_eq!(tagged.names_bucket(&bucket("legacy-1"), None), None);
        assert_eq!(tagged.names_bucket(&bucket("new-1"), None), Some(false), "the name decides without its tags");
        assert_eq!(
            tagged.names_bucket(&bucket("legacy-1"), Some(&BTreeMap::from([("keep".into(), "x".into())]))),
            Some(true)
        );
        assert_eq!(tagged.names_bucket(&bucket("legacy-1"), Some(&BTreeMap::new())), Some(false));
    }

    #[test]
    fn all_tags_must_be_there_and_an_ou_may_be_a_pattern() {
        let exemption = |text: &str| {
            let text = ONE.replace("buckets = [\"legacy-*\"]\n", text);
            Exemptions::load(&text, "e.toml").unwrap().exemption.remove(0)
        };
        assert!(exemption("ous = [\"ou-ab12-*\"]\n").names_account(&account("payments")));
        let both = exemption("account_tags = { env = \"prod\", team = \"*\" }\n");
        assert!(!both.names_account(&account("payments")));
        assert!(exemption("account_tags = { env = \"p*\" }\n").names_account(&account("payments")));
        let empty = Exemptions::load(&ONE.replace("legacy-*", ""), "e.toml").unwrap_err().to_string();
        assert!(empty.contains("a pattern of buckets is empty"), "{empty}");
    }

    #[test]
    fn an_empty_list_does_not_exempt_everything() {
        for (list, name) in [
            ("accounts = []", "accounts"),
            ("ous = []", "ous"),
            ("buckets = []", "buckets"),
            ("account_tags = {}", "account_tags"),
            ("bucket_tags = {}", "bucket_tags"),
        ] {
            let text =
                ONE.replace(if name == "buckets" { "buckets = [\"legacy-*\"]" } else { "accounts = [\"pay*\"]" }, list);
            let shown = Exemptions::load(&text, "e.toml").unwrap_err().to_string();
            assert!(shown.contains(&format!("exemption[0].{name} is empty, and would mean all")), "{shown}");
        }
    }

    #[test]
    fn it_holds_to_the_end_of_its_last_day() {
        let exemption = &Exemptions::load(ONE, "e.toml").unwrap().exemption[0];
        assert!(!exemption.is_over("2027-01-31".parse().unwrap()));
        assert!(exemption.is_over("2027-02-01".parse().unwrap()));
        let bare = &Exemptions::load(&ONE.replace("\"2027-01-31\"", "2027-01-31"), "e.toml").unwrap().exemption[0];
        assert_eq!(bare.until, exemption.until);
    }

    #[test]
    fn what_is_missing_is_named_with_its_line() {
        let shown = |text: &str| Exemptions::load(text, "e.toml").unwrap_err().to_string();
        insta::assert_snapshot!(shown(&ONE.replace("SEC-1", " ")), @"e.toml:7: an exemption without ticket; an auditor will ask: write it down");
        insta::assert_snapshot!(shown(&ONE.replace("accounts = [\"pay*\"]\nbuckets = [\"legacy-*\"]\n", "")), @"e.toml:2: an exemption that names nothing would exempt every bucket; name accounts, ous, account_tags, buckets or bucket_tags");
        insta::assert_snapshot!(shown(&ONE.replace("until", "untill")), @"e.toml:8: unknown setting `exemption[0].untill`; did you mean `until`?");
        insta::assert_snapshot!(shown(&ONE.replace("2027-01-31", "soon")), @"e.toml:8: `soon` is not a date: write a date such as 2030-12-31; config/orgseal.toml shows every setting with its form");
    }
}

//! `[[central_key_overrides]]`: other keys for some accounts, so that not every bucket hangs on one key.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::central_key::check_key;
use super::{AccountSelection, Problem};
use crate::model::{Account, KeyArn, KeyMap};

/// Keys for the accounts that it names: one match is enough. Regions that it leaves out keep the campaign's key. Of several that
/// name an account, the last one counts in each Region.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CentralKeyOverride {
    /// Account ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// Ids of organizational units; what is below them is meant too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ous: Vec<String>,
    /// Tags of the account: key = value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// A full key ARN for each Region, all of the account that owns the campaign's keys.
    pub keys: BTreeMap<String, String>,
}

impl CentralKeyOverride {
    fn selection(&self) -> AccountSelection {
        AccountSelection {
            ids: self.accounts.clone(),
            ous: self.ous.clone(),
            tags: self.tags.clone(),
            names: Vec::new(),
        }
    }

    /// Whether it names an account.
    #[must_use]
    pub fn names(&self, account: &Account) -> bool {
        self.selection().matches(account)
    }

    /// Its keys.
    #[must_use]
    pub fn keys(&self) -> KeyMap {
        self.keys.iter().filter_map(|(region, arn)| Some((region.clone(), arn.parse::<KeyArn>().ok()?))).collect()
    }

    /// `owner` is the account of the campaign's own keys, where they are right.
    pub(super) fn check(&self, index: usize, owner: Option<&str>, found: &mut Vec<Problem>) {
        let path = format!("central_key_overrides[{index}]");
        if self.selection().is_empty() {
            found.push(Problem::new(&path, "this override names no account", "name accounts, ous or tags"));
        }
        self.selection().check(&path, found);
        if self.keys.is_empty() {
            found.push(Problem::new(
                format!("{path}.keys"),
                "this override names no key",
                "add a line for each Region: us-east-1 = \"arn:aws:kms:us-east-1:ACCOUNT:key/ID\"",
            ));
        }
        for (region, arn) in &self.keys {
            let path = format!("{path}.keys.{region}");
            if let Some(key) = check_key(&path, region, arn, found)
                && owner.is_some_and(|owner| owner != key.account)
            {
                found.push(Problem::new(
                    path,
                    format!("the key belongs to account {}, and the campaign's keys do not", key.account),
                    "name a key of the organization's key account",
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::load;

    const LEAST: &str = r#"[member_role]
name = "orgseal-member"
[central_key]
us-east-1 = "arn:aws:kms:us-east-1:111122223333:key/abc"
eu-west-1 = "arn:aws:kms:eu-west-1:111122223333:key/def"
[document]
name = "EnableS3BucketEncryptionWithKMS"
[automation_role]
name = "orgseal-automation"
[[central_key_overrides]]
ous = ["ou-ab12-payments"]
keys = { us-east-1 = "arn:aws:kms:us-east-1:111122223333:key/pay" }
[[central_key_overrides]]
accounts = ["444455556666"]
keys = { us-east-1 = "arn:aws:kms:us-east-1:111122223333:key/own" }
"#;

    #[test]
    fn the_last_match_counts_and_other_regions_keep_the_campaigns_key() {
        let file = load(LEAST, "c.toml", &[]).unwrap().campaign;
        let account = |id: &str| crate::model::Account {
            id: id.into(),
            name: "x".into(),
            state: "ACTIVE".into(),
            ous: vec!["ou-ab12-payments".into()],
            tags: Default::default(),
        };
        let key = |id: &str, region: &str| file.keys_of(&account(id)).get(region).unwrap().id.clone();
        assert_eq!(key("777788889999", "us-east-1"), "pay");
        assert_eq!(key("444455556666", "us-east-1"), "own");
        assert_eq!(key("444455556666", "eu-west-1"), "def");
        assert_eq!(file.all_keys().len(), 4);
        assert!(file.needs_of_accounts().0, "OUs decide");
    }

    #[test]
    fn what_cannot_be_a_key_is_named() {
        let wrong =
            LEAST.replace("111122223333:key/own", "999999999999:key/own").replace("ous = [\"ou-ab12-payments\"]\n", "");
        insta::assert_snapshot!(load(&wrong, "c.toml", &[]).unwrap_err().to_string(), @r"
        c.toml:10: this override names no account; name accounts, ous or tags
        c.toml:14: the key belongs to account 999999999999, and the campaign's keys do not; name a key of the organization's key account
        ");
    }
}

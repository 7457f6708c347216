//! The central keys: compared, and made where the campaign file says `key/NEW`.

use std::time::Duration;

use orgseal_core::aws::Member;
use orgseal_core::aws::make::NewKey;
use orgseal_core::model::{AwsError, KeyArn};
use serde::Serialize;

use super::look::Found;
use super::{Finding, Kind, Site, State};
use crate::meaning::differences;

const DESCRIPTION: &str = "The central key of the organization's buckets (orgseal)";

/// A replica is looked at so often while it is being made.
const REPLICA_LOOKS: u32 = 60;
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// How a key came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyStep {
    /// It was made.
    Made,
    /// It is a replica of the key of the home Region, and was made.
    Replicated,
    /// It was there: an earlier deployment made it and did not get further.
    Found,
}

/// A key that stands in place of one which the campaign file called new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyMade {
    /// What the campaign file says.
    pub placeholder: String,
    /// What it is to say.
    pub arn: KeyArn,
    /// How it came about.
    pub step: KeyStep,
}

impl Site {
    /// The keys that the campaign file calls new, the home Region's first; none where the security account is not in scope.
    ///
    /// # Errors
    ///
    /// Where a new key is wanted that a deployment does not make: of another account, or for some accounts alone.
    pub fn new_keys(&self) -> Result<Vec<KeyArn>, AwsError> {
        let refused = |message: String| AwsError {
            code: "NotMade".to_owned(),
            message,
            hint: "create that key, and write its ARN into the campaign file".to_owned(),
        };
        for over in &self.groundwork.file.central_key_overrides {
            if over.keys().iter().any(|(_, key)| key.is_placeholder()) {
                return Err(refused("deploy creates no key for [[central_key_overrides]]".to_owned()));
            }
        }
        let mut keys: Vec<KeyArn> = self.groundwork.keys.iter().filter(|key| key.is_placeholder()).cloned().collect();
        if let Some(key) = keys.iter().find(|key| key.account != self.groundwork.security) {
            let message = format!(
                "the key for {} belongs to account {}, but deploy creates keys in the security account {} only",
                key.region, key.account, self.groundwork.security
            );
            return Err(refused(message));
        }
        if !self.accounts.iter().any(|account| account.id == self.groundwork.security) {
            keys.clear();
        }
        keys.sort_by_key(|key| (key.region != self.groundwork.home_region, key.region.clone()));
        Ok(keys)
    }

    /// Makes the key of a Region with its alias, or finds the one that an earlier deployment made.
    pub async fn make_key(&self, wanted: &KeyArn) -> Result<KeyMade, AwsError> {
        let owner = self.owner().await?;
        let (alias, policy) = (&self.groundwork.file.bootstrap.key_alias, self.groundwork.key_policy());
        let made = |arn: KeyArn, step| KeyMade { placeholder: wanted.to_string(), arn, step };
        let multi_region = wanted.id.starts_with("mrk-");
        if let Some(facts) = owner.alias(&wanted.region, alias).await? {
            let arn = read(&facts.arn)?;
            let fits = facts.state == "Enabled" && arn.id.starts_with("mrk-") == multi_region;
            if !fits || !owner.key_is_ours(&arn).await? {
                return Err(AwsError {
                    code: "NotOurs".to_owned(),
                    message: format!(
                        "{alias} in {} refers to {arn}, which is {} and was not created by a deployment of orgseal",
                        wanted.region, facts.state
                    ),
                    hint: "if this is the right key, write its ARN into the campaign file; otherwise set another \
                         bootstrap.key_alias"
                        .to_owned(),
                });
            }
            self.rotate(&owner, &arn).await?;
            return Ok(made(arn, KeyStep::Found));
        }
        let new = NewKey { region: &wanted.region, description: DESCRIPTION, policy: &policy, multi_region };
        // It may have been made, and the deployment killed before its alias was.
        let unnamed = owner.key_without_alias(&wanted.region, DESCRIPTION).await?;
        if let Some(arn) = unnamed.filter(|arn| arn.id.starts_with("mrk-") == multi_region) {
            self.rotate(&owner, &arn).await?;
            owner.create_alias(&arn, alias).await?;
            return Ok(made(arn, KeyStep::Found));
        }
        let home = &self.groundwork.home_region;
        let primary = match multi_region && wanted.region != *home {
            true => owner.alias(home, alias).await?,
            false => None,
        };
        let (arn, step) = match primary {
            Some(primary) => (owner.replicate_key(&read(&primary.arn)?, &new).await?, KeyStep::Replicated),
            None => (owner.create_key(&new).await?, KeyStep::Made),
        };
        if step == KeyStep::Replicated {
            self.is_there(&owner, &arn).await?;
        }
        owner.create_alias(&arn, alias).await?;
        Ok(made(arn, step))
    }

    /// The deployment that made it may have been killed before it rotated. A replica's rotation is its primary key's.
    async fn rotate(&self, owner: &Member, key: &KeyArn) -> Result<(), AwsError> {
        match key.id.starts_with("mrk-") && key.region != self.groundwork.home_region {
            true => Ok(()),
            false => owner.rotate_key(key).await,
        }
    }

    /// A replica takes no alias while it is being made (`Creating`), which takes seconds.
    async fn is_there(&self, owner: &Member, key: &KeyArn) -> Result<(), AwsError> {
        for _ in 0..REPLICA_LOOKS {
            match owner.describe_key(&key.region, &key.to_string()).await {
                Ok(facts) if facts.state != "Creating" => return Ok(()),
                Err(error) if error.code != "NotFoundException" => return Err(error),
                _ => tokio::time::sleep(BETWEEN_LOOKS).await,
            }
        }
        Err(AwsError {
            code: "Timeout".to_owned(),
            message: format!("the replica {key} is still being created"),
            hint: "run deploy again in a few minutes: it continues with this replica".to_owned(),
        })
    }

    /// Every central key of the security account: its state, policy and alias.
    pub(super) async fn keys_found(&self, owner: &Member) -> Found {
        let mut found = Vec::new();
        for key in self.groundwork.keys.iter().filter(|key| key.account == self.groundwork.security) {
            let (name, region) = (key.id.clone(), Some(key.region.as_str()));
            if key.is_placeholder() {
                let says = vec!["not created yet".to_owned()];
                found.push(Some(Finding { says, ..Finding::missing(Kind::Key, name, region) }));
                continue;
            }
            match owner.describe_key(&key.region, &key.to_string()).await {
                Err(error) if error.code == "NotFoundException" => {
                    found.push(Some(Finding::missing(Kind::Key, name, region)));
                    continue;
                }
                Err(error) => {
                    found.push(Some(Finding::unread(Kind::Key, name, region, &error)));
                    continue;
                }
                Ok(facts) => {
                    let says = (facts.state != "Enabled").then(|| format!("it is {}", facts.state));
                    found.push(Finding::differing(Kind::Key, name.clone(), region, says.into_iter().collect()));
                }
            }
            found.push(match owner.key_policy(key).await {
                Ok(policy) => {
                    let says = differences(&self.groundwork.key_policy(), &policy);
                    Finding::differing(Kind::KeyPolicy, name.clone(), region, says)
                }
                Err(error) => Some(Finding::unread(Kind::KeyPolicy, name.clone(), region, &error)),
            });
            found.push(self.alias_found(owner, key).await);
            found.push(match owner.key_rotates(key).await {
                Ok(true) => None,
                Ok(false) => {
                    Finding::differing(Kind::KeyRotation, name, region, vec!["automatic rotation is off".to_owned()])
                }
                Err(error) => Some(Finding::unread(Kind::KeyRotation, name, region, &error)),
            });
        }
        found
    }

    async fn alias_found(&self, owner: &Member, key: &KeyArn) -> Option<Finding> {
        let (alias, region) = (&self.groundwork.file.bootstrap.key_alias, Some(key.region.as_str()));
        match owner.alias(&key.region, alias).await {
            Ok(Some(facts)) if facts.arn == key.to_string() => None,
            // Another key of the Region may be the campaign's for all accounts, and this one for a few.
            Ok(Some(facts)) if self.groundwork.keys.iter().any(|other| other.to_string() == facts.arn) => None,
            Ok(Some(facts)) => Some(Finding {
                says: vec![format!("it is {}'s", facts.arn)],
                ..Finding::new(Kind::KeyAlias, alias, region, State::Differs)
            }),
            Ok(None) => Some(Finding::missing(Kind::KeyAlias, alias, region)),
            Err(error) => Some(Finding::unread(Kind::KeyAlias, alias, region, &error)),
        }
    }
}

fn read(arn: &str) -> Result<KeyArn, AwsError> {
    arn.parse().map_err(|error| super::look::fault(&error))
}

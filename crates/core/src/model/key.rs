//! KMS keys: the ARN of one, the ways in which S3 may name one, and the central key of each Region.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The full ARN of a KMS key: `arn:<partition>:kms:<region>:<account>:key/<id>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyArn {
    /// `aws`, `aws-us-gov`, `aws-cn`, …
    pub partition: String,
    /// The only Region in which S3 can use the key.
    pub region: String,
    /// The account that owns the key.
    pub account: String,
    /// A UUID, or `mrk-…` for a multi-Region key.
    pub id: String,
}

/// Why a text is no key ARN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID)")]
pub struct KeyArnError(String);

impl KeyArn {
    /// Whether it stands for a key that is yet to be made: `key/NEW`, or `key/mrk-NEW`. AWS gives no such id, so that nothing is
    /// ever sealed with it.
    #[must_use]
    pub fn is_placeholder(&self) -> bool {
        matches!(self.id.as_str(), "NEW" | "mrk-NEW")
    }
}

impl FromStr for KeyArn {
    type Err = KeyArnError;

    fn from_str(text: &str) -> Result<Self, KeyArnError> {
        let wrong = || KeyArnError(text.to_owned());
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let [arn, partition, service, region, account, resource] = parts.as_slice() else { return Err(wrong()) };
        let id = resource.strip_prefix("key/").ok_or_else(wrong)?;
        let id_is_plain = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let account_is_plain = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        if *arn != "arn"
            || !partition.starts_with("aws")
            || *service != "kms"
            || region.is_empty()
            || !account_is_plain
            || !id_is_plain
        {
            return Err(wrong());
        }
        Ok(KeyArn {
            partition: (*partition).to_owned(),
            region: (*region).to_owned(),
            account: (*account).to_owned(),
            id: id.to_owned(),
        })
    }
}

impl fmt::Display for KeyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:{}:kms:{}:{}:key/{}", self.partition, self.region, self.account, self.id)
    }
}

impl TryFrom<String> for KeyArn {
    type Error = KeyArnError;
    fn try_from(text: String) -> Result<Self, KeyArnError> {
        text.parse()
    }
}

impl From<KeyArn> for String {
    fn from(arn: KeyArn) -> String {
        arn.to_string()
    }
}

/// What `DescribeKey` says of a key, in the model's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// The key's own ARN.
    pub arn: String,
    /// `AWSAccountId`.
    pub account: String,
    /// `Enabled`, `Disabled`, `PendingDeletion`, …
    pub state: String,
    /// `ENCRYPT_DECRYPT`, `SIGN_VERIFY`, …
    pub usage: String,
    /// `SYMMETRIC_DEFAULT`, `RSA_2048`, …
    pub spec: String,
    /// `CUSTOMER` or `AWS`.
    pub manager: String,
    /// When a key that is pending deletion goes (`DeletionDate`).
    pub deletion_date: Option<jiff::Timestamp>,
    /// When its imported key material expires (`ValidTo`); `None` where it does not.
    pub valid_to: Option<jiff::Timestamp>,
}

/// What `KMSMasterKeyID` may hold. S3 gives back whatever was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyReference {
    /// A full key ARN: the only form that names one key, whoever asks.
    Key(KeyArn),
    /// `alias/aws/s3`, bare or as an ARN: the AWS managed key of S3.
    AwsManaged,
    /// Another alias, a bare key id, or anything else: it resolves in the requester's account.
    Unproven(String),
}

impl KeyReference {
    /// Reads what S3 returned.
    #[must_use]
    pub fn parse(text: &str) -> KeyReference {
        if text == "alias/aws/s3" || (text.starts_with("arn:") && text.ends_with(":alias/aws/s3")) {
            return KeyReference::AwsManaged;
        }
        match text.parse() {
            Ok(arn) => KeyReference::Key(arn),
            Err(_) => KeyReference::Unproven(text.to_owned()),
        }
    }
}

/// The central key of each Region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyMap(BTreeMap<String, KeyArn>);

impl KeyMap {
    /// The central key of a Region, if the campaign has one there.
    #[must_use]
    pub fn get(&self, region: &str) -> Option<&KeyArn> {
        self.0.get(region)
    }

    /// The same with other keys laid over it.
    #[must_use]
    pub fn overlaid(mut self, over: &KeyMap) -> KeyMap {
        self.0.extend(over.0.iter().map(|(region, key)| (region.clone(), key.clone())));
        self
    }

    /// Whether a key is one of the central keys, of whichever Region.
    #[must_use]
    pub fn contains(&self, key: &KeyArn) -> bool {
        self.0.values().any(|central| central == key)
    }

    /// Regions with their keys, by Region name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &KeyArn)> {
        self.0.iter().map(|(region, key)| (region.as_str(), key))
    }
}

impl FromIterator<(String, KeyArn)> for KeyMap {
    fn from_iter<I: IntoIterator<Item = (String, KeyArn)>>(pairs: I) -> Self {
        KeyMap(pairs.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_is_read_and_written_back() {
        let text = "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-0123456789abcdef";
        assert_eq!(text.parse::<KeyArn>().unwrap().to_string(), text);
    }

    #[test]
    fn only_a_whole_key_arn_is_one() {
        for text in [
            "",
            "alias/aws/s3",
            "1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws:kms:us-east-1:111122223333:alias/team",
            "arn:aws:kms:us-east-1:1111:key/abc",
            "arn:aws:kms::111122223333:key/abc",
            "arn:aws:kms:us-east-1:111122223333:key/",
            "arn:aws:kms:us-east-1:111122223333:key/a b",
            "arn:aws:s3:us-east-1:111122223333:key/abc",
        ] {
            assert!(text.parse::<KeyArn>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_aws_managed_key_is_known_by_its_alias() {
        for text in ["alias/aws/s3", "arn:aws:kms:eu-west-1:444455556666:alias/aws/s3"] {
            assert_eq!(KeyReference::parse(text), KeyReference::AwsManaged);
        }
        assert!(matches!(KeyReference::parse("alias/team"), KeyReference::Unproven(_)));
    }
}

//! `[failure_tolerance]`: when a campaign stops by itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;

/// How much may fail before a campaign stops, in the way of CloudFormation StackSets. Without it, nothing that befalls a
/// bucket or an account stops the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FailureTolerance {
    /// Failed buckets that are tolerated: a number, or a part of the buckets to change such as "5%". One more stops the campaign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buckets: Option<Tolerated>,
    /// Accounts with a failed bucket that are tolerated: a number, or a part of the accounts to change such as "10%".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Tolerated>,
    /// `soft`: what is in flight when the tolerance is passed ends as it may. `strict`: never more is in flight than could
    /// fail without passing the tolerance by more than the one failure that stops the campaign.
    pub mode: ToleranceMode,
}

/// A number, or a part of the whole in percent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Tolerated {
    /// So many.
    Count(u64),
    /// `"5%"`: rounded down, as StackSets does it.
    Percent(String),
}

/// What "never passed" is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToleranceMode {
    /// Full concurrency up to the moment at which the tolerance is passed.
    #[default]
    Soft,
    /// Concurrency is lowered as failures come in.
    Strict,
}

impl Tolerated {
    /// How many of `whole` that is, rounded down.
    #[must_use]
    pub fn of(&self, whole: u64) -> u64 {
        match self {
            Tolerated::Count(count) => *count,
            Tolerated::Percent(text) => whole * u64::from(percent(text).unwrap_or(0)) / 100,
        }
    }
}

fn percent(text: &str) -> Option<u8> {
    let number = text.strip_suffix('%')?.trim().parse().ok()?;
    (number <= 100).then_some(number)
}

impl FailureTolerance {
    pub(super) fn check(&self, found: &mut Vec<Problem>) {
        for (name, value) in [("buckets", &self.buckets), ("accounts", &self.accounts)] {
            if let Some(Tolerated::Percent(text)) = value
                && percent(text).is_none()
            {
                found.push(Problem::new(
                    format!("failure_tolerance.{name}"),
                    format!("`{text}` is neither a number nor a part of the whole"),
                    "write a number such as 10, or a text such as \"5%\"",
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_rounded_down() {
        let part = Tolerated::Percent("5%".into());
        assert_eq!((part.of(100), part.of(119), part.of(10)), (5, 5, 0));
        assert_eq!(Tolerated::Count(3).of(1), 3);
    }

    #[test]
    fn what_is_no_part_is_named() {
        for wrong in ["5", "101%", "-1%", "five%"] {
            let mut found = Vec::new();
            let tolerance =
                FailureTolerance { buckets: Some(Tolerated::Percent(wrong.into())), ..FailureTolerance::default() };
            tolerance.check(&mut found);
            assert_eq!(found.len(), 1, "{wrong}");
        }
    }
}

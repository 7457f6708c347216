//! `[[waves]]`: which buckets are changed first, and what must hold before the next ones are.

use std::collections::BTreeSet;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::span::Span;
use super::{CampaignFile, FailureTolerance, Limits, Problem};

/// What goes together. A bucket belongs to the first wave that takes it; one that none takes is held.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Wave {
    /// What people call it.
    pub name: String,
    /// Account ids or names, with `*` and `?`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// Ids of organizational units; what is below them is meant too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ous: Vec<String>,
    /// So many percent of all accounts of the campaign, those of earlier waves counted in: 1, then 10, then 100. Which ones is
    /// drawn by their ids, the same in every run.
    #[schemars(range(min = 0, max = 100))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accounts_percent: Option<f64>,
    /// So many percent of all buckets, drawn by account and name, the same in every run.
    #[schemars(range(min = 0, max = 100))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buckets_percent: Option<f64>,
    /// How long to wait and watch when all of it is changed: seconds, or words such as "30m", "4h", "2 days".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bake: Option<Span>,
    /// How often to look meanwhile; 5 minutes where it is left out. The last look is at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_every: Option<Span>,
    /// How long to wait for CloudTrail after the bake, which delivers events late: seconds, or words such as "30m". Where it is left
    /// out, `settle` of `[cloudtrail]`; it means nothing where `denials` is false or there is no bake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settle: Option<Span>,
    /// A command of your own, run at each look with ORGSEAL_CAMPAIGN and ORGSEAL_WAVE set: anything but exit code 0 stops the
    /// campaign.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Whether CloudTrail is asked for denied uses of the central key; on unless it says `false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denials: Option<bool>,
    /// Whether a person must approve it before it begins: `--approve-wave NUMBER`, or the answer to a prompt.
    pub approval: bool,
    /// Lower limits than the campaign's.
    pub limits: WaveLimits,
    /// Another failure tolerance than the campaign's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_tolerance: Option<FailureTolerance>,
}

/// Limits of a wave. What is left out stays as it is; none can be raised here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WaveLimits {
    /// Accounts worked on at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accounts: Option<usize>,
    /// Automation executions in flight in one account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executions_per_account: Option<usize>,
    /// Automation executions in flight in one account and Region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executions_per_account_region: Option<usize>,
}

impl Wave {
    /// What there is where the campaign file names no waves: everything at once.
    #[must_use]
    pub fn everything() -> Wave {
        Wave { name: "all".to_owned(), accounts_percent: Some(100.0), ..Wave::default() }
    }

    /// How long to wait and watch.
    #[must_use]
    pub fn bake(&self) -> Duration {
        self.bake.as_ref().and_then(Span::duration).unwrap_or_default()
    }

    /// How often to look meanwhile.
    #[must_use]
    pub fn check_every(&self) -> Duration {
        self.check_every.as_ref().and_then(Span::duration).unwrap_or(Duration::from_secs(300))
    }

    /// Whether CloudTrail is asked for denied uses of the central key.
    #[must_use]
    pub fn looks_for_denials(&self) -> bool {
        self.denials.unwrap_or(true)
    }

    /// What decides who belongs to it.
    pub(super) fn membership(&self) -> Value {
        json!({
            "name": self.name,
            "accounts": self.accounts,
            "ous": self.ous,
            "accounts_percent": self.accounts_percent,
            "buckets_percent": self.buckets_percent,
        })
    }
}

/// Waves that are watched for a shorter time than CloudTrail takes to deliver.
pub(super) fn warnings(file: &CampaignFile) -> Vec<Problem> {
    let mut found = Vec::new();
    for (index, wave) in file.waves.iter().enumerate() {
        let (bake, settle) = (wave.bake(), file.settle_of(wave));
        if settle > bake {
            found.push(Problem::new(
                format!("waves[{index}].bake"),
                format!(
                    "wave {} bakes for {}, which is shorter than the {} for which it waits for CloudTrail afterwards (settle): what \
                     breaks later than that is not seen",
                    wave.name,
                    in_words(bake),
                    in_words(settle)
                ),
                "bake for an hour or more, so that an application's ordinary work falls into it",
            ));
        }
        if wave.settle.is_some() && settle.is_zero() && wave.settle.as_ref().and_then(Span::duration) != Some(settle) {
            found.push(Problem::new(
                format!("waves[{index}].settle"),
                format!("wave {} has no bake, or does not look for denials: it waits for nothing", wave.name),
                "give it a bake, and leave denials = false out",
            ));
        }
    }
    found
}

fn in_words(time: Duration) -> String {
    jiff::SignedDuration::try_from(time).map_or_else(|_| format!("{} s", time.as_secs()), |time| format!("{time:#}"))
}

/// Checks all waves together.
pub(super) fn check(waves: &[Wave], limits: &Limits, found: &mut Vec<Problem>) {
    let mut names = BTreeSet::new();
    let (mut accounts_before, mut buckets_before) = (0.0, 0.0);
    for (index, wave) in waves.iter().enumerate() {
        let path = |name: &str| format!("waves[{index}].{name}");
        if wave.name.trim().is_empty() {
            found.push(Problem::new(path("name"), "a wave without a name", "give it one: canary, say"));
        } else if !names.insert(&wave.name) {
            found.push(Problem::new(path("name"), format!("two waves are called {}", wave.name), "name each once"));
        }
        let takes_nothing = wave.accounts.is_empty()
            && wave.ous.is_empty()
            && wave.accounts_percent.is_none()
            && wave.buckets_percent.is_none();
        if takes_nothing {
            found.push(Problem::new(
                format!("waves[{index}]"),
                format!("wave {} takes nothing", wave.name),
                "name accounts, ous, accounts_percent or buckets_percent; accounts_percent = 100 takes all that is left",
            ));
        }
        for (name, part, before) in [
            ("accounts_percent", wave.accounts_percent, &mut accounts_before),
            ("buckets_percent", wave.buckets_percent, &mut buckets_before),
        ] {
            let Some(part) = part else { continue };
            if !(0.0..=100.0).contains(&part) {
                found.push(Problem::new(path(name), format!("{part} is no part of a whole"), "write 0 to 100"));
            } else if part <= *before {
                found.push(Problem::new(
                    path(name),
                    format!("{part} percent counts the earlier waves in, and those have {before} already"),
                    "write more than the wave before: 1, 10, 100",
                ));
            }
            *before = part;
        }
        for (name, span) in [("bake", &wave.bake), ("check_every", &wave.check_every), ("settle", &wave.settle)] {
            if span.as_ref().is_some_and(|span| span.duration().is_none()) {
                found.push(Problem::new(
                    path(name),
                    "not a length of time",
                    "write seconds, or words such as \"30m\", \"4h\", \"2 days\"",
                ));
            }
        }
        if wave.command.first().is_some_and(|program| program.trim().is_empty()) {
            found.push(Problem::new(path("command"), "the command has no program", "name one, then its arguments"));
        }
        if wave.check_every.as_ref().and_then(Span::duration).is_some_and(|time| time.is_zero()) {
            found.push(Problem::new(path("check_every"), "no time at all between two looks", "write 1 or more"));
        }
        let WaveLimits { accounts, executions_per_account, executions_per_account_region } = wave.limits;
        let region = limits.executions_per_account_region.unwrap_or(Limits::EXECUTIONS_PER_REGION);
        for (name, own, whole) in [
            ("accounts", accounts, limits.accounts),
            ("executions_per_account", executions_per_account, limits.executions_per_account),
            ("executions_per_account_region", executions_per_account_region, region),
        ] {
            if own == Some(0) || own.is_some_and(|own| own > whole) {
                found.push(Problem::new(
                    path(&format!("limits.{name}")),
                    format!("a wave's limit is from 1 to the campaign's, which is {whole}"),
                    "lower it, or raise the one in [limits]",
                ));
            }
        }
        if let Some(tolerance) = &wave.failure_tolerance {
            let mut own = Vec::new();
            tolerance.check(&mut own);
            found.extend(
                own.into_iter().map(|problem| Problem { path: format!("waves[{index}].{}", problem.path), ..problem }),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        #[derive(Deserialize)]
        struct File {
            waves: Vec<Wave>,
        }
        let file: File = toml::from_str(text).unwrap();
        let mut found = Vec::new();
        check(&file.waves, &Limits::default(), &mut found);
        found.into_iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
    }

    #[test]
    fn a_usual_set_of_waves_passes() {
        let text = r#"
[[waves]]
name = "canary"
accounts = ["sandbox-*"]
bake = "30m"
[[waves]]
name = "one in a hundred"
accounts_percent = 1
bake = "1d"
approval = true
[[waves]]
name = "the rest"
accounts_percent = 100
limits = { executions_per_account = 4 }
failure_tolerance = { buckets = "1%" }
"#;
        assert_eq!(problems(text), Vec::<String>::new());
    }

    #[test]
    fn what_cannot_be_is_named() {
        let text = r#"
[[waves]]
name = "a"
accounts_percent = 10
[[waves]]
name = "a"
accounts_percent = 5
bake = "soon"
limits = { accounts = 2000 }
[[waves]]
name = "b"
"#;
        insta::assert_snapshot!(problems(text).join("\n"), @r"
        waves[1].name: two waves are called a
        waves[1].accounts_percent: 5 percent counts the earlier waves in, and those have 10 already
        waves[1].bake: not a length of time
        waves[1].limits.accounts: a wave's limit is from 1 to the campaign's, which is 20
        waves[2]: wave b takes nothing
        ");
    }
}

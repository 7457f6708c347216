//! The one constructor of commands that a person is told to run next. A suggested command selects what its run selected, with
//! the same `--set` values, in the same state directory: it must never do more or less than the line beside it says.

use orgseal_core::campaign::{Narrowed, Target};
use orgseal_core::ledger::Run;

/// Overrides that belong to one command alone.
const OF_ONE_COMMAND: [&str; 1] = ["audit.count_out_of_scope"];

/// Where the present command works: what the next one needs to find the same ledger and organization.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// `--config`, `--state` and the sandbox's flags, ready for a shell, each with a space before it.
    pub flags: String,
    /// The `--set` values of the present command, as `KEY=VALUE`; secrets are left out.
    pub set: Vec<String>,
    /// The selection of the present command.
    pub narrowed: Narrowed,
}

/// Builds the commands that follow from one run, or from the present command line.
#[derive(Clone, Debug)]
pub struct Suggest {
    flags: String,
    set: Vec<String>,
    narrowed: Narrowed,
}

impl Suggest {
    /// Commands about what the present command was about.
    #[must_use]
    pub fn here(place: &Place) -> Suggest {
        Suggest { flags: place.flags.clone(), set: kept(&[], &place.set), narrowed: place.narrowed.clone() }
    }

    /// Commands about what a recorded run was about, whatever the present command shows of it.
    #[must_use]
    pub fn of_run(place: &Place, run: &Run) -> Suggest {
        let Target { narrowed, set, .. } = Target::of(run);
        Suggest { flags: place.flags.clone(), set: kept(&set, &place.set), narrowed }
    }

    /// Commands about a plan: it is narrowed as the plan's head says.
    #[must_use]
    pub fn of_plan(place: &Place, narrowed: &Narrowed) -> Suggest {
        Suggest { narrowed: narrowed.clone(), ..Suggest::here(place) }
    }

    /// A command that selects anew: it needs the selection and the settings.
    #[must_use]
    pub fn anew(&self, command: &str) -> String {
        format!("orgseal {command}{}{}{}", selection(&self.narrowed), settings(&self.set), self.flags)
    }

    /// The same for one account.
    #[must_use]
    pub fn anew_in(&self, command: &str, account: &str) -> String {
        let narrowed = Narrowed { accounts: vec![account.to_owned()], ous: Vec::new(), ..self.narrowed.clone() };
        Suggest { narrowed, ..self.clone() }.anew(command)
    }

    /// The same for a command that is about accounts and Regions, and takes no buckets.
    #[must_use]
    pub fn anew_for_accounts(&self, command: &str) -> String {
        let narrowed = Narrowed { buckets: Vec::new(), ..self.narrowed.clone() };
        Suggest { narrowed, ..self.clone() }.anew(command)
    }

    /// A command that goes on with a recorded run: the ledger holds its selection.
    #[must_use]
    pub fn recorded(&self, command: &str) -> String {
        format!("orgseal {command}{}{}", settings(&self.set), self.flags)
    }

    /// A command that reads the ledger alone.
    #[must_use]
    pub fn reading(&self, command: &str) -> String {
        format!("orgseal {command}{}", self.flags)
    }
}

/// The recorded `--set` values; those of the present command replace them key by key.
fn kept(recorded: &[String], present: &[String]) -> Vec<String> {
    let key = |set: &String| set.split_once('=').map_or(set.clone(), |(key, _)| key.to_owned());
    let is_replaced = |set: &&String| present.iter().any(|newer| key(newer) == key(set));
    let all = recorded.iter().filter(|set| !is_replaced(set)).chain(present);
    all.filter(|set| !OF_ONE_COMMAND.contains(&key(set).as_str())).cloned().collect()
}

fn settings(set: &[String]) -> String {
    set.iter().map(|set| format!(" --set {}", quoted(set))).collect()
}

/// The flags of a selection, each with a space before it.
fn selection(narrowed: &Narrowed) -> String {
    let lists = [
        ("account", &narrowed.accounts),
        ("ou", &narrowed.ous),
        ("region", &narrowed.regions),
        ("bucket", &narrowed.buckets),
    ];
    // With `=`, since a value may begin with a dash.
    let flags = lists.iter().flat_map(|(flag, values)| values.iter().map(move |value| (flag, value)));
    flags.map(|(flag, value)| format!(" --{flag}={}", quoted(value))).collect()
}

/// A word as a POSIX shell takes it.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn a_command_that_selects_anew_repeats_selection_settings_and_place() {
        let place = Place {
            flags: " --state /tmp/s".to_owned(),
            set: texts(&["limits.accounts=5", "audit.count_out_of_scope=true"]),
            narrowed: Narrowed {
                accounts: texts(&["pay*"]),
                regions: texts(&["!eu-west-1"]),
                buckets: texts(&["-a"]),
                ..Narrowed::default()
            },
        };
        let suggest = Suggest::here(&place);
        assert_eq!(
            suggest.anew("plan"),
            "orgseal plan --account='pay*' --region='!eu-west-1' --bucket=-a --set limits.accounts=5 --state /tmp/s"
        );
        assert_eq!(suggest.recorded("resume"), "orgseal resume --set limits.accounts=5 --state /tmp/s");
        assert_eq!(suggest.reading("report"), "orgseal report --state /tmp/s");
        assert_eq!(
            suggest.anew_in("audit", "111122223333"),
            "orgseal audit --account=111122223333 --region='!eu-west-1' --bucket=-a --set limits.accounts=5 --state /tmp/s"
        );
    }

    #[test]
    fn a_present_setting_replaces_the_recorded_one() {
        let set = kept(&texts(&["limits.accounts=5", "guards.max_age='1 h'"]), &texts(&["limits.accounts=9"]));
        assert_eq!(set, ["guards.max_age='1 h'", "limits.accounts=9"]);
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("$(x)"), "'$(x)'");
    }
}

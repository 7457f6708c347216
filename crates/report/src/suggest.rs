//! The one constructor of commands that a person is told to run next. A suggested command selects what its run selected, with
//! the same `--set` values, in the same state directory: it must never do more or less than the line beside it says.

use std::borrow::Cow;

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
    /// `--through` of a `bootstrap` command.
    pub through: Option<String>,
}

/// Builds the commands that follow from one run, or from the present command line.
#[derive(Clone, Debug)]
pub struct Suggest {
    flags: String,
    set: Vec<String>,
    narrowed: Narrowed,
    through: Option<String>,
    run: Recorded,
}

/// The recorded run that the commands are about.
#[derive(Clone, Debug)]
enum Recorded {
    /// None in particular.
    No,
    /// A rollout or a rollback, which can be resumed.
    Campaign(String),
    /// A run that only reads, with the command that repeats it.
    Reading(String, String),
}

impl Recorded {
    fn of(run: &Run) -> Recorded {
        match (run.kind.as_str(), run.state.as_str()) {
            ("rollout" | "rollback", "dry_run") => Recorded::Reading(run.id.clone(), format!("{} --dry-run", run.kind)),
            ("rollout" | "rollback", _) => Recorded::Campaign(run.id.clone()),
            (kind, _) => Recorded::Reading(run.id.clone(), kind.to_owned()),
        }
    }

    fn id(&self) -> Option<&str> {
        match self {
            Recorded::No => None,
            Recorded::Campaign(id) | Recorded::Reading(id, _) => Some(id),
        }
    }
}

impl Suggest {
    /// Commands about what the present command was about.
    #[must_use]
    pub fn here(place: &Place) -> Suggest {
        Suggest {
            flags: place.flags.clone(),
            set: kept(&[], &place.set),
            narrowed: place.narrowed.clone(),
            through: place.through.clone(),
            run: Recorded::No,
        }
    }

    /// Commands about what a recorded run was about, whatever the present command shows of it.
    #[must_use]
    pub fn of_run(place: &Place, run: &Run) -> Suggest {
        let Target { narrowed, set, .. } = Target::of(run);
        Suggest { set: kept(&set, &place.set), narrowed, run: Recorded::of(run), ..Suggest::here(place) }
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

    /// The same for a few accounts.
    #[must_use]
    pub fn anew_in(&self, command: &str, accounts: Vec<String>) -> String {
        let narrowed = Narrowed { accounts, ous: Vec::new(), ..self.narrowed.clone() };
        Suggest { narrowed, ..self.clone() }.anew(command)
    }

    /// The same for a few buckets: their names belong to them alone.
    #[must_use]
    pub fn anew_about(&self, command: &str, buckets: Vec<String>) -> String {
        let narrowed = Narrowed { buckets, ..self.narrowed.clone() };
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

impl Suggest {
    /// A text with its commands completed: each `orgseal …` between backticks gets the run, the selection, the settings and the
    /// place that it needs. Hints are worded where none of that is known; a command that is copied from one must do what it says.
    #[must_use]
    pub fn completed<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !text.contains("`orgseal ") {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len() + 64);
        // What follows a backtick and comes before another one: a text of others may hold a single one anywhere.
        let last = text.matches('`').count();
        for (number, part) in text.split('`').enumerate() {
            if number > 0 {
                out.push('`');
            }
            match part.strip_prefix("orgseal ").filter(|_| (1..last).contains(&number)) {
                Some(command) => out.push_str(&self.complete(command)),
                None => out.push_str(part),
            }
        }
        Cow::Owned(out)
    }

    /// A command without the program's name, as its hint has it.
    fn complete(&self, command: &str) -> String {
        let words: Vec<&str> = command.split_whitespace().collect();
        let has = |flag: &str| words.iter().any(|word| *word == flag || word.starts_with(&format!("{flag}=")));
        if has("--config") || has("--state") || has("--sandbox") {
            return format!("orgseal {command}");
        }
        let of_run = |id: &str| match has("--campaign") {
            true => command.to_owned(),
            false => format!("{command} --campaign {id}"),
        };
        match (words.as_slice(), &self.run) {
            // A run that only reads is repeated, not resumed.
            (["resume", ..], Recorded::Reading(_, again)) => self.anew(again),
            (["resume" | "rollback", ..], Recorded::Campaign(id)) => self.recorded(&of_run(id)),
            (["resume" | "rollback", ..] | ["rollout", "--plan", ..], _) => self.recorded(command),
            (["status" | "report", ..], run) => self.reading(&run.id().map_or_else(|| command.to_owned(), of_run)),
            (["runs" | "ledger", ..] | ["plan", "show" | "diff", ..], _) => self.reading(command),
            (["audit" | "plan" | "rollout", ..], _) => self.anew(command),
            (["preflight", ..], _) => self.anew_for_accounts(command),
            (["bootstrap", "diff" | "deploy" | "destroy", ..], _) => {
                let through = self.through.as_ref().filter(|_| !has("--through"));
                let through = through.map(|role| format!(" --through {}", quoted(role))).unwrap_or_default();
                self.anew_for_accounts(&format!("{command}{through}"))
            }
            // Commands about files alone.
            _ => format!("orgseal {command}"),
        }
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
    set.iter().map(|set| flagged("--set", set)).collect()
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

/// A flag with its value, with a space before it. A value that begins with a dash would be taken for a flag without the `=`.
#[must_use]
pub fn flagged(flag: &str, value: &str) -> String {
    let between = if value.starts_with('-') { '=' } else { ' ' };
    format!(" {flag}{between}{}", quoted(value))
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
            through: None,
        };
        let suggest = Suggest::here(&place);
        assert_eq!(
            suggest.anew("plan"),
            "orgseal plan --account='pay*' --region='!eu-west-1' --bucket=-a --set limits.accounts=5 --state /tmp/s"
        );
        assert_eq!(suggest.recorded("resume"), "orgseal resume --set limits.accounts=5 --state /tmp/s");
        assert_eq!(suggest.reading("report"), "orgseal report --state /tmp/s");
        assert_eq!(
            suggest.anew_in("audit", texts(&["111122223333", "444455556666"])),
            "orgseal audit --account=111122223333 --account=444455556666 --region='!eu-west-1' --bucket=-a --set limits.accounts=5 \
             --state /tmp/s"
        );
        assert_eq!(
            suggest.anew_about("audit", texts(&["b"])),
            "orgseal audit --account='pay*' --region='!eu-west-1' --bucket=b --set limits.accounts=5 --state /tmp/s"
        );
    }

    #[test]
    fn the_commands_of_a_hint_get_what_they_need() {
        let place = Place {
            flags: " --config c.toml --state /s".to_owned(),
            set: texts(&["limits.accounts=5"]),
            narrowed: Narrowed { accounts: texts(&["pay"]), buckets: texts(&["b"]), ..Narrowed::default() },
            through: Some("admin".to_owned()),
        };
        let here = Suggest::here(&place);
        let end = "--config c.toml --state /s";
        for (hint, completed) in [
            (
                "then `orgseal resume --retry-failed`",
                format!("then `orgseal resume --retry-failed --set limits.accounts=5 {end}`"),
            ),
            ("`orgseal status` and `ls`", format!("`orgseal status {end}` and `ls`")),
            (
                "make it with `orgseal plan`.",
                format!("make it with `orgseal plan --account=pay --bucket=b --set limits.accounts=5 {end}`."),
            ),
            ("`orgseal plan show p.json`", format!("`orgseal plan show p.json {end}`")),
            (
                "`orgseal bootstrap diff`",
                format!("`orgseal bootstrap diff --through admin --account=pay --set limits.accounts=5 {end}`"),
            ),
            ("`orgseal bootstrap render DIR`", "`orgseal bootstrap render DIR`".to_owned()),
            ("`orgseal status --config x`", "`orgseal status --config x`".to_owned()),
            ("no command: orgseal resume", "no command: orgseal resume".to_owned()),
        ] {
            assert_eq!(here.completed(hint), completed);
        }
    }

    #[test]
    fn a_hint_of_a_run_is_about_that_run() {
        let place = Place { flags: " --state /s".to_owned(), ..Place::default() };
        let of = |kind: &str, state: &str| {
            let mut run = Run::default();
            (run.id, run.kind, run.state) = ("r-1".to_owned(), kind.to_owned(), state.to_owned());
            Suggest::of_run(&place, &run).completed("`orgseal resume --retry-failed`").into_owned()
        };
        assert_eq!(of("rollout", "finished"), "`orgseal resume --retry-failed --campaign r-1 --state /s`");
        assert_eq!(of("rollout", "dry_run"), "`orgseal rollout --dry-run --state /s`");
        // There is nothing to resume.
        assert_eq!(of("plan", "finished"), "`orgseal plan --state /s`");
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
        assert_eq!(flagged("--state", "-dash"), " --state=-dash");
        assert_eq!(flagged("--state", "a b"), " --state 'a b'");
    }
}

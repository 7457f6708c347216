//! What is said when a command itself fails: what, where, why, what now. Exit code 1.

use std::path::Path;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use orgseal_core::aws::ConnectError;
use orgseal_core::campaign::{CampaignError, PARTITION_FIX};
use orgseal_core::config::{ConfigError, Problem, nearest_region};
use orgseal_core::ledger::LedgerError;
use orgseal_core::plan::{Content, PlanError};
use orgseal_core::text::{is_unfit, visible, visible_lines};
use orgseal_report::{ReportError, Suggest};

use crate::signals::INTERRUPTED;
use crate::{connect, listen, output};

/// What to do when no file or connection can be opened any more.
const OPEN_FILES: &str = "raise this process's limit on open files (`ulimit -n 4096`), or lower limits.accounts";

/// A failure of the command itself.
pub(crate) struct Failure {
    says: Vec<Saying>,
    exit: u8,
    /// How many more things are wrong that are not told.
    more: usize,
    /// Nothing is wrong: one line says it all.
    brief: bool,
}

/// One thing that is wrong, with its place in a file if it has one.
#[derive(Debug)]
struct Saying {
    message: String,
    help: String,
    source: Option<NamedSource<String>>,
    span: Option<(usize, usize)>,
    line: Option<usize>,
}

impl Failure {
    /// What went wrong, and what to do now.
    pub(crate) fn plain(message: impl Into<String>, help: impl Into<String>) -> Failure {
        let message = message.into();
        let help = match () {
            // EMFILE and ENFILE say nothing of what could not be opened.
            () if message.contains("Too many open files") => OPEN_FILES.to_owned(),
            // SQLite does not tell why a file cannot be opened.
            () if message.contains("unable to open database file") => {
                format!("{}; if the path is right, {OPEN_FILES}", help.into())
            }
            () => help.into(),
        };
        Failure {
            says: vec![Saying { message, help, source: None, span: None, line: None }],
            exit: 1,
            more: 0,
            brief: false,
        }
    }

    /// The command was told to stop before its run began.
    pub(crate) fn stopped() -> Failure {
        let (message, help) = ("stopped before the run began: nothing was read or changed", "run the command again");
        Failure { exit: INTERRUPTED, brief: true, ..Failure::plain(message, help) }
    }

    /// The exit code of the command.
    pub(crate) fn exit(&self) -> u8 {
        self.exit
    }

    pub(crate) fn file(doing: &str, path: &Path, error: &std::io::Error) -> Failure {
        Failure::plain(format!("{doing} {}: {error}", path.display()), "check the path and its permissions")
    }

    /// Shows it on standard error; with `--json`, as a document on standard output too.
    pub(crate) fn show(&self, json: bool) {
        for saying in &self.says {
            if self.brief {
                listen::say(&saying.message);
                continue;
            }
            let mut text = String::new();
            // A path or a campaign's id that is broken at a hyphen or slash cannot be copied.
            let handler = miette::GraphicalReportHandler::new_themed(output::miette_theme())
                .with_word_separator(textwrap::WordSeparator::AsciiSpace)
                .with_word_splitter(textwrap::WordSplitter::NoHyphenation);
            if handler.with_width(output::stderr_width()).render_report(&mut text, saying).is_err() {
                text = saying.to_string();
            }
            output::err_styled(text.trim_matches('\n'));
            // A command that the help had to break over lines stands once more in one line, to be copied.
            let help = visible_lines(&completed(&saying.help)).into_owned();
            for command in commands(&help).filter(|command| !text.contains(command)) {
                output::err(&format!("        {command}"));
            }
        }
        if self.more > 0 {
            output::err(&format!("{} more problems are not shown: correct these first", self.more));
        }
        if json {
            self.document();
        }
    }

    /// The document on standard output.
    pub(crate) fn document(&self) {
        let errors: Vec<_> = self
            .says
            .iter()
            .map(|saying| {
                let (message, hint) = (completed(&saying.message), completed(&saying.help));
                serde_json::json!({ "message": message, "hint": hint, "line": saying.line })
            })
            .collect();
        let mut document = serde_json::json!({ "schema": "orgseal.error/1", "errors": errors });
        if self.more > 0 {
            document["more"] = self.more.into();
        }
        // With standard output gone too, the exit code is all that is left to say.
        let _ = output::out_json(&document);
    }

    /// How many more problems there are than are told.
    pub(crate) fn more(&self) -> usize {
        self.more
    }

    /// For `config check --json`.
    pub(crate) fn problems(&self) -> Vec<serde_json::Value> {
        self.says
            .iter()
            .map(|saying| serde_json::json!({ "line": saying.line, "message": saying.message, "instead": saying.help }))
            .collect()
    }
}

/// The commands of orgseal that a text names between backticks.
fn commands(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2).filter(|quoted| quoted.starts_with("orgseal "))
}

impl std::fmt::Display for Saying {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&visible_lines(&completed(&self.message)))
    }
}

impl std::error::Error for Saying {}

impl Diagnostic for Saying {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new(visible_lines(&completed(&self.help)).into_owned()))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (start, length) = self.span?;
        Some(Box::new(std::iter::once(LabeledSpan::new(None, start, length))))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        let shown = same_length(&error.text);
        let saying = |problem: Problem| Saying {
            message: match problem.line {
                Some(line) => format!("{}:{line}: {}", error.origin, visible(&problem.message)),
                None => format!("{}: {}", error.origin, visible(&problem.message)),
            },
            help: visible(&problem.instead).into_owned(),
            source: problem.span.as_ref().map(|_| NamedSource::new(&error.origin, shown.clone())),
            span: problem.span.map(|span| (span.start, span.len().min(60))),
            line: problem.line,
        };
        Failure { more: error.more, says: error.problems.into_iter().map(saying).collect(), exit: 1, brief: false }
    }
}

/// The text with question marks for what a terminal would obey, in which each offset stays right.
fn same_length(text: &str) -> String {
    let fit = |letter: char| !is_unfit(letter) || letter == '\n' || letter == '\t';
    let shown = |letter: char| if fit(letter) { letter.to_string() } else { "?".repeat(letter.len_utf8()) };
    text.chars().map(shown).collect()
}

impl From<CampaignError> for Failure {
    fn from(error: CampaignError) -> Failure {
        let help = match &error {
            CampaignError::StoppedBefore => return Failure::stopped(),
            CampaignError::Connect(error) => connect_help(error),
            CampaignError::Organization(error) => error.hint.clone(),
            CampaignError::OtherOrganization { .. } => {
                "use credentials of the organization that organization.id names, or another campaign file".to_owned()
            }
            CampaignError::OtherPartition { .. } => PARTITION_FIX.to_owned(),
            CampaignError::NoSuchAccount(_) => {
                "check the pattern: aws organizations list-accounts shows ids and names, and an OU is named by its id (ou-…)".to_owned()
            }
            CampaignError::NoAccounts => {
                "an organization has at least its management account: check `aws organizations list-accounts`, and the proxy or endpoint \
                 between orgseal and AWS"
                    .to_owned()
            }
            CampaignError::NothingSelected(_) => {
                "check --account, --ou, --region and --bucket, and [accounts] and [buckets] in the campaign file".to_owned()
            }
            CampaignError::NothingChangedInWave { campaign, .. } => {
                format!("`{}` shows what each wave changed", suggested(&format!("status --campaign {campaign}")))
            }
            CampaignError::NothingToUndo(_) => "`orgseal status` shows the newest campaign".to_owned(),
            CampaignError::NoCampaign(_) => "begin one: `orgseal plan` writes a plan for approval".to_owned(),
            CampaignError::NotThat { .. } => {
                "name a rollout or a rollback with --campaign; `orgseal status` shows the newest one".to_owned()
            }
            CampaignError::OtherTarget { .. } => {
                "resume with the values that it began with, or begin a new rollout: limits, tolerances and times may change, but not the encryption that buckets get"
                    .to_owned()
            }
            CampaignError::Undone { .. } => {
                "begin a new rollout: it reads every bucket anew, and seals what is not sealed".to_owned()
            }
            CampaignError::WaveRolledBack { id, wave, .. } => format!(
                "to seal it again under the same plan and approvals: `{}`; to have another plan approved: `{}`",
                suggested(&format!("resume --campaign {id} --redo-wave {wave}")),
                suggested("plan"),
            ),
            CampaignError::NotRolledBack { id, .. } => {
                format!("`{}` shows which waves are rolled back", suggested(&format!("status --campaign {id}")))
            }
            CampaignError::RollbackRequested { campaign, request } => format!(
                "choose: continue it with `{}`, or cancel it with `{}` and then resume the campaign",
                Suggest::of_plan(&connect::present_place(), &request.narrowed).anew(&format!(
                    "rollback --campaign {campaign}{}",
                    request.wave.map(|wave| format!(" --wave {wave}")).unwrap_or_default()
                )),
                suggested(&format!("rollback --cancel --campaign {campaign}")),
            ),
            CampaignError::NoRollbackRequested(_) => "`orgseal status` shows the newest campaign".to_owned(),
            CampaignError::OtherRollbackOpen { rollback, campaign, wave, narrowed, .. } => format!(
                "finish the open one first: `{}`; then run `{}`",
                suggested(&format!("resume --campaign {rollback}")),
                Suggest::of_plan(&connect::present_place(), narrowed).anew(&format!(
                    "rollback --campaign {campaign}{}",
                    wave.map(|wave| format!(" --wave {wave}")).unwrap_or_default()
                )),
            ),
            CampaignError::RollbackOpen(id) => format!("finish it first: {}", suggested(&format!("resume --campaign {id}"))),
            CampaignError::Plan(PlanError::Altered { .. }) => {
                "take the plan from where it was approved, or make a new one with `orgseal plan`".to_owned()
            }
            CampaignError::Plan(PlanError::NoPlan { .. }) => "make one with `orgseal plan`".to_owned(),
            CampaignError::Plan(PlanError::NoPlace { of, .. }) => format!(
                "nothing was replaced: name another file with {}",
                if *of == Content::Plan { "--output" } else { "--markdown" }
            ),
            CampaignError::Plan(_) => "check the path and its permissions".to_owned(),
            CampaignError::OtherPlan { .. } => {
                "nothing was started: compare the two with the command plan diff, and have the right one approved".to_owned()
            }
            CampaignError::UnknownPlan(_) => {
                "give the SHA-256 that was printed when the plan was made with --plan-sha256, or use the state directory in which it was created"
                    .to_owned()
            }
            CampaignError::PlanOfOtherSettings { .. } => {
                "make a new plan with `orgseal plan`, and have it approved".to_owned()
            }
            CampaignError::KeptPlan { sha256, .. } => {
                format!("put the approved plan back there: its sha256 is {sha256}")
            }
            CampaignError::PlanOfOther { .. } => "make a plan here with `orgseal plan`".to_owned(),
            CampaignError::PlanFromFuture { .. } => {
                "correct that machine's clock, make a new plan with `orgseal plan`, and have it approved".to_owned()
            }
            CampaignError::PlanTooOld { .. } => {
                "make a new one with `orgseal plan`; the command plan diff shows what changed since".to_owned()
            }
            CampaignError::WaveOpen { campaign, wave, .. } => format!(
                "continue it: {} (with --approve-wave {wave} to accept the findings against it); or undo the wave: {}",
                suggested(&format!("resume --campaign {campaign}")),
                suggested(&format!("rollback --campaign {campaign} --wave {wave}")),
            ),
            CampaignError::NobodyInWave { .. } => {
                "correct it in [[waves]]: account IDs or names in `accounts`, OU IDs in `ous`".to_owned()
            }
            CampaignError::NoSuchWave { .. } => "check --until-wave, --approve-wave, --redo-wave and --wave against [[waves]]".to_owned(),
            CampaignError::TooManyToShare { .. } => orgseal_core::campaign::STACK_SET_WAY.to_owned(),
            CampaignError::Ledger(error) => ledger_help(error),
            CampaignError::Task(_) => "this is a fault of orgseal: run again with --log text and report it".to_owned(),
        };
        // Not everything was read or finished: a task that is lost says nothing of what it worked on.
        let exit = if error.is_internal() { 3 } else { 1 };
        Failure { exit, ..Failure::plain(error.to_string(), help) }
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Failure {
        CampaignError::from(error).into()
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Failure {
        let help = ledger_help(&error);
        Failure::plain(error.to_string(), help)
    }
}

/// A text in which every command leads to the same ledger and organization as the present one.
pub(crate) fn completed(text: &str) -> String {
    Suggest::here(&connect::present_place()).completed(text).into_owned()
}

/// A command about a recorded run, with the flags by which it finds the same ledger and organization.
pub(crate) fn suggested(command: &str) -> String {
    Suggest::here(&connect::present_place()).recorded(command)
}

fn connect_help(error: &ConnectError) -> String {
    match error {
        ConnectError::NoRegion => "set AWS_REGION, or set `region` in your AWS profile".to_owned(),
        ConnectError::EmptyRegion(variable) => {
            format!("set {variable} to a Region, such as us-east-1, or unset it to use the Region of your AWS profile")
        }
        ConnectError::UnknownRegion { setting, region, error } => match nearest_region(region) {
            Some(nearest) => format!("set {setting} to {nearest}, if that is what you meant"),
            None => format!("correct {setting}; where the Region exists: {}", error.hint),
        },
        ConnectError::NoProfile { setting, known, .. } if known.is_empty() => format!(
            "check {setting}: there are no profiles in ~/.aws/config and ~/.aws/credentials; `aws configure sso` and `aws login` \
             create one"
        ),
        ConnectError::NoProfile { setting, known, .. } => format!("check {setting}: {}", shortened(known)),
        ConnectError::ConfigFile(_) => {
            "correct the file that AWS_CONFIG_FILE or AWS_SHARED_CREDENTIALS_FILE names, or the one in ~/.aws"
                .to_owned()
        }
        ConnectError::Proxy { variable, .. } => {
            format!("set {variable} to a URL such as http://proxy.example.com:8080, or unset it")
        }
        ConnectError::CaBundle { setting, .. } => {
            format!(
                "set {setting} to a PEM file with the CA certificates to trust, or remove the setting to trust the machine's own"
            )
        }
        ConnectError::NoCaller(error) => error.hint.clone(),
    }
}

/// The profiles that exist, as far as a person wants to read them.
fn shortened(profiles: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown = profiles.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match profiles.len().saturating_sub(SHOWN) {
        0 => format!("the profiles that exist are {shown}"),
        more => format!("the profiles that exist are {shown} and {more} more"),
    }
}

fn ledger_help(error: &LedgerError) -> String {
    match error {
        LedgerError::Database { .. } | LedgerError::Stopped(_) => {
            "check the free disk space and the permissions of the state directory, then run `orgseal resume`: every entry so far is kept, and nothing is started without an entry"
                .to_owned()
        }
        LedgerError::Damaged { .. } => {
            "keep the file, and restore a backup of the whole state directory; `orgseal ledger verify` says how far a \
             ledger is sound. Without a backup begin anew with another --state: buckets that are sealed are found sealed"
                .to_owned()
        }
        LedgerError::NoHead { .. } => {
            "nothing was started. Restore the whole state directory from a backup; or confirm the end of the ledger with the head that \
             its last report printed: `orgseal ledger verify --head HASH` creates the file anew where HASH is the hash of the last entry"
                .to_owned()
        }
        LedgerError::Incomplete { .. } | LedgerError::Altered { .. } | LedgerError::Schema { .. } => {
            "nothing was started. Keep the state directory unchanged for the investigation (`orgseal ledger verify` names what is \
             wrong), and restore the whole state directory from a backup. Without a backup, begin with another --state: buckets that \
             are sealed are found sealed"
                .to_owned()
        }
        LedgerError::NothingSelected { .. } => {
            "check --account, --ou, --region and --bucket; without them everything is shown".to_owned()
        }
        LedgerError::NoSuchRun(_) => {
            "`orgseal runs` lists the runs in this ledger; `orgseal report` without --campaign is about the last run that changed a \
             bucket"
                .to_owned()
        }
        LedgerError::Illegal { .. } => {
            "this is a fault of orgseal: report it with the output of `orgseal ledger export`. Nothing is lost: `orgseal resume` \
             continues from the ledger"
                .to_owned()
        }
        _ => "the state directory is --state, ORGSEAL_STATE, or orgseal in the XDG state directory".to_owned(),
    }
}

/// Standard output is the only stream whose errors come so: files are named in [`Failure::file`].
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::plain(
            format!("standard output cannot be written: {error}"),
            "check where it goes: disk, pipe, permissions",
        )
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Failure {
        match error {
            ReportError::Ledger(error) => error.into(),
            ReportError::Plan(error) => error.into(),
            error => Failure::plain(error.to_string(), "check where it goes: disk, pipe, permissions"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commands_of_orgseal_are_repeated_to_be_copied() {
        let help = "set `limits.accounts`, then run `orgseal resume --campaign r-1` or `orgseal status`";
        assert_eq!(commands(help).collect::<Vec<_>>(), ["orgseal resume --campaign r-1", "orgseal status"]);
    }

    #[test]
    fn a_process_without_file_descriptors_is_told_what_it_lacks() {
        let help = |message: &str| Failure::plain(message, "check the path").says[0].help.clone();
        assert_eq!(help("plan.json: No such file or directory (os error 2)"), "check the path");
        assert_eq!(help("plan.json: Too many open files (os error 24)"), OPEN_FILES);
        assert_eq!(
            help("/state: unable to open database file"),
            format!("check the path; if the path is right, {OPEN_FILES}")
        );
    }

    #[test]
    fn a_lost_task_is_incomplete_and_not_only_a_failed_command() {
        assert_eq!(Failure::from(CampaignError::Task("panicked".into())).exit(), 3);
        assert_eq!(Failure::from(CampaignError::NoCampaign("x".into())).exit(), 1);
    }
}

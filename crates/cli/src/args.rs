//! The command-line arguments. Options that every command accepts are global.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing::level_filters::LevelFilter;

/// Seal an AWS Organization: every S3 bucket's default encryption on the central KMS key, with proof.
///
/// orgseal runs in the security account. It assumes a role in each member account, finds the buckets whose default encryption does
/// not use the central key, changes them with a Systems Manager Automation document, reads each bucket back, and writes every step
/// to a ledger.
///
/// Exit codes: 0 everything is sealed, or the command succeeded; 1 the command failed; 2 something is not as required; 3 something
/// could not be read or finished; 130 interrupted.
#[derive(Parser)]
#[command(
    version,
    propagate_version = true,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) log: Log,
    /// Print one JSON document to standard output; messages for people go to standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Do not ask for confirmation
    #[arg(long, short, global = true)]
    pub(crate) yes: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Read every bucket of the organization and report its default encryption; changes nothing
    ///
    /// Out of scope: directory buckets (S3 Express One Zone), S3 Tables, and S3 on Outposts. ListBuckets does not return them,
    /// and no verdict covers them.
    Audit(Audit),
    /// Write a plan of what a rollout would change, for approval; changes nothing
    Plan(Plan),
    /// Check whether a rollout would succeed in every account and Region; changes nothing
    Preflight(Preflight),
    /// Seal the buckets that are not sealed: asks for confirmation, changes buckets, reads them back
    Rollout(Rollout),
    /// List the runs in the ledger: id, kind, start, caller, selection, state, counts, and the rollback that undid them
    Runs(Runs),
    /// Show the progress of a campaign, also while it runs
    Status(Status),
    /// Resume a stopped, killed or paused campaign
    Resume(Resume),
    /// Undo a campaign: asks for confirmation, then restores each bucket's former default encryption
    Rollback(Rollback),
    /// Report on a run in the ledger, as terminal text, JSON, CSV or HTML
    Report(Report),
    /// Verify or export the ledger
    Ledger(Ledger),
    /// Render, compare, deploy or destroy the prerequisites: key, roles, documents, AWS Config rule, guardrails
    Bootstrap(Bootstrap),
    /// Serve a simulated organization on a loopback port, for any AWS tool
    Sandbox(Sandbox),
    /// Check the campaign file, or print its JSON Schema
    Config(Config),
}

impl Command {
    /// The role of `--through`, of the commands that have it.
    pub(crate) fn through(&self) -> Option<&str> {
        let Command::Bootstrap(bootstrap) = self else { return None };
        let way = match &bootstrap.verb {
            BootstrapVerb::Render { .. } => return None,
            BootstrapVerb::Diff { way } => way,
            BootstrapVerb::Deploy(deploy) => &deploy.way,
            BootstrapVerb::Destroy(destroy) => &destroy.way,
            BootstrapVerb::Remediation { verb: RemediationVerb::On { way, .. } | RemediationVerb::Off { way } } => way,
        };
        way.through.as_deref()
    }
}

/// Options of every command.
#[derive(Args, Clone)]
pub(crate) struct Common {
    /// The campaign file [default: orgseal.toml, otherwise config/orgseal.toml, in the current directory]
    #[arg(long, global = true, env = "ORGSEAL_CONFIG", value_name = "FILE", help_heading = "Campaign")]
    pub(crate) config: Option<PathBuf>,
    /// Override one setting of the campaign file, for example `limits.accounts=5`; the variable ORGSEAL_LIMITS__ACCOUNTS=5 does the same
    #[arg(long, global = true, value_name = "KEY=VALUE", help_heading = "Campaign")]
    pub(crate) set: Vec<String>,
    /// The state directory, with the ledger and its lock [default: orgseal in the XDG state directory]
    #[arg(long, global = true, env = "ORGSEAL_STATE", value_name = "DIR", help_heading = "Campaign")]
    pub(crate) state: Option<PathBuf>,
    /// Only accounts with this id or name; `*` and `?` are wildcards, a leading `!` excludes; can be repeated
    #[arg(long, global = true, value_name = "PATTERN", value_parser = pattern, help_heading = "Selection")]
    pub(crate) account: Vec<String>,
    /// Only accounts in this OU or below it, by its id (ou-…); patterns as above
    #[arg(long, global = true, value_name = "PATTERN", value_parser = pattern, help_heading = "Selection")]
    pub(crate) ou: Vec<String>,
    /// Only buckets in this Region; patterns as above
    #[arg(long, global = true, value_name = "PATTERN", value_parser = pattern, help_heading = "Selection")]
    pub(crate) region: Vec<String>,
    /// Only buckets with this name; patterns as above
    #[arg(long, global = true, value_name = "PATTERN", value_parser = pattern, help_heading = "Selection")]
    pub(crate) bucket: Vec<String>,
    /// Use a simulated organization inside this process, from a spec file or the default one; your AWS credentials are not read
    #[arg(long, global = true, value_name = "SPEC", num_args = 0..=1, require_equals = true, help_heading = "Sandbox")]
    pub(crate) sandbox: Option<Option<PathBuf>>,
    /// Generate another organization with this seed instead of the spec's
    #[arg(long, global = true, value_name = "NUMBER", requires = "sandbox", help_heading = "Sandbox")]
    pub(crate) sandbox_seed: Option<u64>,
    /// How much faster than AWS the sandbox answers: 2 is twice as fast, 0 does not wait at all [default: 1]
    #[arg(long, global = true, value_name = "FACTOR", value_parser = speed, requires = "sandbox", help_heading = "Sandbox")]
    pub(crate) sandbox_speed: Option<f64>,
    /// First delete the sandbox of this seed and its ledger
    #[arg(long, global = true, requires = "sandbox", help_heading = "Sandbox")]
    pub(crate) fresh: bool,
}

/// A pattern of a selection. An empty one matches nothing, and often comes from a variable that is not set.
fn pattern(text: &str) -> Result<String, String> {
    match text.trim_start_matches('!').trim() {
        "" => Err("it is empty; write a name or a pattern, or omit the option".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

/// A SHA-256 in hex.
fn sha256(text: &str) -> Result<String, String> {
    match text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit()) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err("write the 64 hex digits that were printed when the plan was made".to_owned()),
    }
}

/// Who approved a plan: one readable line for the ledger.
fn approver(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("name a person, or a ticket".to_owned()),
        name if name.chars().any(char::is_control) => Err("write it in one line".to_owned()),
        name => Ok(name.to_owned()),
    }
}

/// A factor to divide times by; zero means that the sandbox does not wait.
fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor.is_finite() && factor >= 0.0 => Ok(factor),
        _ => Err("write a number from 0 up, such as 10 for ten times faster".to_owned()),
    }
}

/// How logs are written.
#[derive(Args, Clone)]
pub(crate) struct Log {
    /// Log events to standard error, as text or as one JSON object per line
    #[arg(long, global = true, value_name = "FORMAT", env = "ORGSEAL_LOG", help_heading = "Logs")]
    pub(crate) log: Option<LogFormat>,
    /// Log this level and more severe ones; `debug` includes each AWS call with its request id, attempts and latency [default:
    /// RUST_LOG, otherwise debug]
    #[arg(long, global = true, value_name = "LEVEL", requires = "log", help_heading = "Logs")]
    pub(crate) log_level: Option<LogLevel>,
    /// Log to this file instead of standard error
    #[arg(long, global = true, value_name = "FILE", requires = "log", help_heading = "Logs")]
    pub(crate) log_file: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    pub(crate) fn filter(self) -> LevelFilter {
        match self {
            LogLevel::Error => LevelFilter::ERROR,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Debug => LevelFilter::DEBUG,
            LogLevel::Trace => LevelFilter::TRACE,
        }
    }
}

#[derive(Args)]
pub(crate) struct Audit {
    /// Evaluate the guards, as a plan does; without it, a bucket that is not sealed is a rollout candidate, guards not evaluated
    #[arg(long)]
    pub(crate) guards: bool,
    /// Count the directory buckets of each account (they are out of scope); the member role needs
    /// s3express:ListAllMyDirectoryBuckets
    #[arg(long)]
    pub(crate) count_out_of_scope: bool,
}

#[derive(Args)]
pub(crate) struct Preflight {}

#[derive(Args)]
pub(crate) struct Rollout {
    /// Change only what this plan contains; a bucket that differs from the plan by then is not changed
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// The SHA-256 of the approved plan, as `orgseal plan` printed it; required with --yes
    #[arg(long, value_name = "HEX", requires = "plan", value_parser = sha256)]
    pub(crate) plan_sha256: Option<String>,
    /// Who approved the plan; written to the ledger [default: the caller's ARN]
    #[arg(long, value_name = "NAME", requires = "plan", value_parser = approver)]
    pub(crate) approved_by: Option<String>,
    #[command(flatten)]
    pub(crate) waves: Waves,
    /// Stop before the first change, and show what would be changed
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Which waves may start.
#[derive(Args, Clone)]
pub(crate) struct Waves {
    /// Stop after this wave; `orgseal resume` continues
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) until_wave: Option<u32>,
    /// Approve this wave, or continue it after a failed check; can be repeated
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) approve_wave: Vec<u32>,
}

#[derive(Args)]
pub(crate) struct Plan {
    #[command(subcommand)]
    pub(crate) verb: Option<PlanVerb>,
    /// Write the plan to this file [default: PLAN-ID.json in the current directory]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write the plan as Markdown too
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Print the code that the owning team should merge for each bucket that CloudFormation or Terraform manages
    #[arg(long)]
    pub(crate) suggest_iac: bool,
}

#[derive(Subcommand)]
pub(crate) enum PlanVerb {
    /// Show a plan file
    Show {
        /// The plan file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Print Markdown
        #[arg(long)]
        markdown: bool,
    },
    /// Compare two plans; exit code 2 if they differ
    Diff {
        /// The earlier plan
        #[arg(value_name = "A")]
        before: PathBuf,
        /// The later plan
        #[arg(value_name = "B")]
        after: PathBuf,
    },
}

#[derive(Args)]
pub(crate) struct Runs {
    /// List at most this many runs, the newest first
    #[arg(long, default_value_t = 50, value_name = "NUMBER")]
    pub(crate) limit: usize,
}

#[derive(Args)]
pub(crate) struct Status {
    /// The campaign [default: the newest one]
    #[arg(long, value_name = "ID")]
    pub(crate) campaign: Option<String>,
}

#[derive(Args)]
pub(crate) struct Resume {
    #[command(flatten)]
    pub(crate) waves: Waves,
    /// The campaign: the id of a rollout or a rollback [default: the newest one]
    #[arg(long, value_name = "ID")]
    pub(crate) campaign: Option<String>,
    /// Retry the buckets that failed, and those held for a cause that may be resolved
    #[arg(long)]
    pub(crate) retry_failed: bool,
    /// Seal the rolled-back buckets of this wave again, under the campaign's own plan and approvals, then continue with later waves;
    /// a campaign without waves is wave 1; may be given more than once, or as a list (2,3)
    #[arg(long, value_name = "NUMBER", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) redo_wave: Vec<u32>,
}

#[derive(Args)]
pub(crate) struct Rollback {
    /// The campaign to undo [default: the newest rollout that changed a bucket]
    #[arg(long, value_name = "ID")]
    pub(crate) campaign: Option<String>,
    /// Restore only the buckets that this wave changed
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) wave: Option<u32>,
    /// Cancel a requested rollback that has not changed a bucket yet; `orgseal resume` then continues the campaign
    #[arg(long, conflicts_with_all = ["wave", "dry_run"])]
    pub(crate) cancel: bool,
    /// Stop before the first change, and show what would be changed
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Args)]
pub(crate) struct Report {
    /// The id of the run [default: the last run that changed a bucket; if there is none, the newest run]
    #[arg(long, alias = "run", value_name = "ID")]
    pub(crate) campaign: Option<String>,
    /// The format of the report
    #[arg(long, value_name = "FORMAT", help = "The format of the report [default: terminal]")]
    pub(crate) format: Option<ReportFormat>,
    /// Write to this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Ledger {
    #[command(subcommand)]
    pub(crate) verb: LedgerVerb,
}

#[derive(Subcommand)]
pub(crate) enum LedgerVerb {
    /// Check the ledger for entries that were edited, removed or reordered; exit code 2 if there is one
    Verify(Verify),
    /// Write the entries as JSON Lines, each with its hash
    Export(Export),
}

#[derive(Args)]
pub(crate) struct Verify {
    /// A head hash saved earlier; fails if it is no longer in the ledger
    #[arg(long, value_name = "HASH")]
    pub(crate) head: Option<String>,
}

#[derive(Args)]
pub(crate) struct Export {
    /// Only entries of this run
    #[arg(long, alias = "run", value_name = "ID")]
    pub(crate) campaign: Option<String>,
    /// Write to this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    Terminal,
    Json,
    Csv,
    Html,
}

#[derive(Args)]
pub(crate) struct Sandbox {
    /// Spec file of the organization [default: a built-in organization]
    #[arg(long, value_name = "FILE")]
    pub(crate) spec: Option<PathBuf>,
    /// Port on 127.0.0.1; 0 chooses a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub(crate) port: u16,
    /// Write a campaign file for this organization
    #[arg(long, value_name = "FILE")]
    pub(crate) write_config: Option<PathBuf>,
    /// Seed of the organization
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// How much faster than AWS it answers: 2 is twice as fast, 0 does not wait at all [default: 1]
    #[arg(long, value_name = "FACTOR", value_parser = speed)]
    pub(crate) speed: Option<f64>,
    /// Keep its state in this directory and continue from it the next time; without it, nothing is kept
    #[arg(long, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) verb: Option<SandboxVerb>,
}

#[derive(Subcommand)]
pub(crate) enum SandboxVerb {
    /// Demonstrate one feature in a simulated organization
    Demo {
        #[arg(value_enum)]
        what: Demo,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Demo {
    /// A bucket drifts, AWS Config finds it and starts the document, and the bucket is sealed again; an excepted bucket is left alone
    ConfigRemediation,
}

#[derive(Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) verb: ConfigVerb,
}

#[derive(Args)]
pub(crate) struct Bootstrap {
    #[command(subcommand)]
    pub(crate) verb: BootstrapVerb,
}

#[derive(Subcommand)]
pub(crate) enum BootstrapVerb {
    /// Write policies, documents, templates and scripts to a directory; makes no AWS calls
    Render {
        /// The directory; other files in it are not touched
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Write nothing; exit code 2 if a file is missing or differs
        #[arg(long)]
        check: bool,
    },
    /// Compare the deployed prerequisites with the campaign file, account by account; changes nothing
    Diff {
        #[command(flatten)]
        way: Way,
    },
    /// Create or update the prerequisites: asks for confirmation first
    Deploy(Deploy),
    /// Delete the prerequisites tagged orgseal = bootstrap: asks for confirmation first; never deletes a key
    Destroy(Destroy),
    /// Switch automatic remediation by AWS Config on or off
    Remediation {
        #[command(subcommand)]
        verb: RemediationVerb,
    },
}

/// How member accounts are accessed.
#[derive(Args, Clone)]
pub(crate) struct Way {
    /// Role to assume in each account, for example OrganizationAccountAccessRole with the management account's credentials
    /// [default: the campaign's member role]
    #[arg(long, value_name = "ROLE")]
    pub(crate) through: Option<String>,
}

#[derive(Args)]
pub(crate) struct Deploy {
    #[command(flatten)]
    pub(crate) way: Way,
    /// Update existing resources without the tag orgseal = bootstrap too: orgseal did not create them
    #[arg(long)]
    pub(crate) adopt: bool,
    /// Create this guardrail in AWS Organizations; without --attach it is not attached to a target; can be repeated
    #[arg(long, value_name = "NAME", value_parser = GUARDRAILS)]
    pub(crate) guardrail: Vec<String>,
    /// Attach the guardrails to this root, OU or account, by its id; can be repeated
    #[arg(long, value_name = "TARGET", requires = "guardrail")]
    pub(crate) attach: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Destroy {
    #[command(flatten)]
    pub(crate) way: Way,
    /// Only show what would be deleted; exit code 2 if there is anything
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// The control policies that `bootstrap render` writes.
const GUARDRAILS: [&str; 4] = ["scp-other-key", "rcp-other-key", "scp-keep-seal", "scp-keep-key"];

#[derive(Subcommand)]
pub(crate) enum RemediationVerb {
    /// Switch remediation on in accounts whose campaign is finished; held, exempt and rolled-back buckets are excepted
    On {
        #[command(flatten)]
        way: Way,
        /// The finished campaign [default: the newest rollout]
        #[arg(long, value_name = "ID")]
        campaign: Option<String>,
        /// Maximum number of remediation attempts for each bucket
        #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=25))]
        attempts: i32,
        /// Seconds within which these attempts count
        #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(i64).range(1..=2_678_000))]
        interval: i64,
    },
    /// Switch remediation off
    Off {
        #[command(flatten)]
        way: Way,
    },
}

#[derive(Subcommand)]
pub(crate) enum ConfigVerb {
    /// Check the campaign file and the exemptions that it names
    Check,
    /// Print the JSON Schema of the campaign file
    Schema {
        /// Print the schema of the exemptions file instead
        #[arg(long)]
        exemptions: bool,
    },
}

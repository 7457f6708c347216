//! The arguments, as clap reads them. Flags that every command takes are global.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing::level_filters::LevelFilter;

/// Seal an AWS Organization: every S3 bucket's default encryption on the central KMS key, with proof.
///
/// From the security account it assumes a role in each member account, finds each bucket that is not on the
/// organization's key, puts it right with an Automation document, reads it back, and keeps a record.
///
/// Exit codes: 0 all is as wanted; 1 the command itself failed; 2 it found something not as wanted;
/// 3 it could not read or finish everything; 130 interrupted.
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
    /// Print one JSON document on standard output; text for people goes to standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Ask no questions
    #[arg(long, short, global = true)]
    pub(crate) yes: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Read the organization, judge each bucket, report; changes nothing
    ///
    /// Out of scope: directory buckets (S3 Express One Zone), S3 Tables, and S3 on Outposts. ListBuckets does not show them,
    /// and no verdict speaks of them.
    Audit(Audit),
    /// Write down what a rollout would do, for a person to approve; changes nothing
    Plan(Plan),
    /// Look whether a rollout can work, in every account and Region; changes nothing
    Preflight(Preflight),
    /// Seal what is not sealed: asks first, then changes buckets, follows and reads back
    Rollout(Rollout),
    /// List the runs in the ledger: id, kind, start, caller, selection, state, counts, and by what they were undone
    Runs(Runs),
    /// Show where a campaign stands, also while it runs
    Status(Status),
    /// Go on with a campaign that was stopped, killed or paused
    Resume(Resume),
    /// Undo a campaign: asks first, then puts back what each bucket had before
    Rollback(Rollback),
    /// Report on a run in the ledger: terminal, JSON, CSV, HTML
    Report(Report),
    /// Check that the record is as it was written, or export it
    Ledger(Ledger),
    /// Make what the organization needs first, from the campaign file: key, roles, documents, rule, guardrails
    Bootstrap(Bootstrap),
    /// Serve a simulated organization on loopback for any AWS tool
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

/// What every command takes.
#[derive(Args, Clone)]
pub(crate) struct Common {
    /// The campaign file [default: orgseal.toml, otherwise config/orgseal.toml, in the current directory]
    #[arg(long, global = true, env = "ORGSEAL_CONFIG", value_name = "FILE", help_heading = "Campaign")]
    pub(crate) config: Option<PathBuf>,
    /// Lay one value over the campaign file, as in `limits.accounts=5`; ORGSEAL_LIMITS__ACCOUNTS=5 does the same
    #[arg(long, global = true, value_name = "KEY=VALUE", help_heading = "Campaign")]
    pub(crate) set: Vec<String>,
    /// The state folder: ledger and lock live there [default: orgseal in the XDG state folder]
    #[arg(long, global = true, env = "ORGSEAL_STATE", value_name = "DIR", help_heading = "Campaign")]
    pub(crate) state: Option<PathBuf>,
    /// Only accounts of this id or name; `*` and `?` stand for anything, `!` before it leaves out; may be given more than once
    #[arg(long, global = true, value_name = "PATTERN", help_heading = "Selection")]
    pub(crate) account: Vec<String>,
    /// Only accounts below this OU, by its id (ou-…); patterns as above
    #[arg(long, global = true, value_name = "PATTERN", help_heading = "Selection")]
    pub(crate) ou: Vec<String>,
    /// Only this Region; patterns as above
    #[arg(long, global = true, value_name = "PATTERN", help_heading = "Selection")]
    pub(crate) region: Vec<String>,
    /// Only buckets of this name; patterns as above
    #[arg(long, global = true, value_name = "PATTERN", help_heading = "Selection")]
    pub(crate) bucket: Vec<String>,
    /// Work on a simulated organization inside this process, of a spec file or the default one; real credentials are not read
    #[arg(long, global = true, value_name = "SPEC", num_args = 0..=1, require_equals = true, help_heading = "Sandbox")]
    pub(crate) sandbox: Option<Option<PathBuf>>,
    /// Generate another organization: the seed, instead of the spec's
    #[arg(long, global = true, value_name = "NUMBER", requires = "sandbox", help_heading = "Sandbox")]
    pub(crate) sandbox_seed: Option<u64>,
    /// How much faster than AWS the sandbox answers: 2 is twice as fast, 0 is without any wait [default: 1]
    #[arg(long, global = true, value_name = "FACTOR", value_parser = speed, requires = "sandbox", help_heading = "Sandbox")]
    pub(crate) sandbox_speed: Option<f64>,
    /// Discard the sandbox of this seed and its ledger first
    #[arg(long, global = true, requires = "sandbox", help_heading = "Sandbox")]
    pub(crate) fresh: bool,
}

/// A SHA-256 in hex.
fn sha256(text: &str) -> Result<String, String> {
    match text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit()) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err("write the 64 hex digits that were printed when the plan was made".to_owned()),
    }
}

/// Who approved a plan: a name that a person can read in the record.
fn approver(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("name a person, or a ticket".to_owned()),
        name if name.chars().any(char::is_control) => Err("write it in one line".to_owned()),
        name => Ok(name.to_owned()),
    }
}

/// A factor that time can be divided by; zero stands for "no wait".
fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor.is_finite() && factor >= 0.0 => Ok(factor),
        _ => Err("write a number from 0 up, such as 10 for ten times faster".to_owned()),
    }
}

/// How logs are written.
#[derive(Args, Clone)]
pub(crate) struct Log {
    /// Log events to standard error: as text, or as one JSON object a line
    #[arg(long, global = true, value_name = "FORMAT", env = "ORGSEAL_LOG", help_heading = "Logs")]
    pub(crate) log: Option<LogFormat>,
    /// Log this level and those above it; `debug` has each call to AWS, with its request id, attempts and latency [default:
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
    /// Evaluate the guards as a plan does; without it, buckets that are not sealed are rollout candidates, guards not evaluated
    #[arg(long)]
    pub(crate) guards: bool,
    /// Count the directory buckets of each account, which are out of scope; the member role needs
    /// s3express:ListAllMyDirectoryBuckets
    #[arg(long)]
    pub(crate) count_out_of_scope: bool,
}

#[derive(Args)]
pub(crate) struct Preflight {}

#[derive(Args)]
pub(crate) struct Rollout {
    /// Carry out exactly this plan; what differs by then is taken out of it
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// The approved plan's SHA-256, as `orgseal plan` printed it; needed with --yes
    #[arg(long, value_name = "HEX", requires = "plan", value_parser = sha256)]
    pub(crate) plan_sha256: Option<String>,
    /// Who approved the plan, for the record [default: your own ARN]
    #[arg(long, value_name = "NAME", requires = "plan", value_parser = approver)]
    pub(crate) approved_by: Option<String>,
    #[command(flatten)]
    pub(crate) waves: Waves,
    /// Do everything up to the first start, and stop there
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// How far a campaign goes by itself.
#[derive(Args, Clone)]
pub(crate) struct Waves {
    /// Begin no wave after this one; `orgseal resume` goes on
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) until_wave: Option<u32>,
    /// Let this wave begin, or go on after something spoke against it; may be given more than once
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) approve_wave: Vec<u32>,
}

#[derive(Args)]
pub(crate) struct Plan {
    #[command(subcommand)]
    pub(crate) verb: Option<PlanVerb>,
    /// Write the plan to this file [default: the plan's id, with .json, in this folder]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write it also as Markdown, for a person to read
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Print, for each bucket that CloudFormation or Terraform owns, the code that its team should merge
    #[arg(long)]
    pub(crate) suggest_iac: bool,
}

#[derive(Subcommand)]
pub(crate) enum PlanVerb {
    /// Show a plan file again
    Show {
        /// The plan file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// As Markdown
        #[arg(long)]
        markdown: bool,
    },
    /// What differs between two plans; exit code 2 if anything does
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
    /// List so many of the newest runs
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
    /// The campaign, a rollout's or a rollback's id [default: the newest one]
    #[arg(long, value_name = "ID")]
    pub(crate) campaign: Option<String>,
    /// Try again what failed, and what was held back for a cause that may be gone
    #[arg(long)]
    pub(crate) retry_failed: bool,
}

#[derive(Args)]
pub(crate) struct Rollback {
    /// The campaign to undo [default: the newest rollout that changed anything]
    #[arg(long, value_name = "ID")]
    pub(crate) campaign: Option<String>,
    /// Only what was changed in this wave
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) wave: Option<u32>,
    /// Cancel a requested rollback that has not changed a bucket yet; `orgseal resume` then continues the campaign
    #[arg(long, conflicts_with_all = ["wave", "dry_run"])]
    pub(crate) cancel: bool,
    /// Do everything up to the first start, and stop there
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Args)]
pub(crate) struct Report {
    /// The run to report on, by its id [default: the last run that changed a bucket; if there is none, the newest run]
    #[arg(long, alias = "run", value_name = "ID")]
    pub(crate) campaign: Option<String>,
    /// The form of the report
    #[arg(long, value_name = "FORMAT", help = "The form of the report [default: terminal]")]
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
    /// Find any entry that was edited, removed or moved; exit code 2 if there is one
    Verify(Verify),
    /// Write the entries as JSON Lines, each with its hash
    Export(Export),
}

#[derive(Args)]
pub(crate) struct Verify {
    /// A head that was kept elsewhere: it must still be in the ledger
    #[arg(long, value_name = "HASH")]
    pub(crate) head: Option<String>,
}

#[derive(Args)]
pub(crate) struct Export {
    /// Only the entries of this run
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
    /// Spec file of the organization; without it, the default one
    #[arg(long, value_name = "FILE")]
    pub(crate) spec: Option<PathBuf>,
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub(crate) port: u16,
    /// Write the campaign file that fits it
    #[arg(long, value_name = "FILE")]
    pub(crate) write_config: Option<PathBuf>,
    /// Seed of the organization
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// How much faster than AWS it answers: 2 is twice as fast, 0 is without any wait [default: 1]
    #[arg(long, value_name = "FACTOR", value_parser = speed)]
    pub(crate) speed: Option<f64>,
    /// Keep its state in this folder, and go on from there the next time; without it, nothing is kept
    #[arg(long, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) verb: Option<SandboxVerb>,
}

#[derive(Subcommand)]
pub(crate) enum SandboxVerb {
    /// Show something happen in a simulated organization, from beginning to end
    Demo {
        #[arg(value_enum)]
        what: Demo,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Demo {
    /// A bucket drifts, AWS Config finds it and starts the document, the bucket is sealed again; one with an exception stays
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
    /// Write policies, documents, templates and scripts into a folder; calls no AWS
    Render {
        /// The folder; what else is in it stays as it is
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Write nothing: exit 2 where a file is missing or differs
        #[arg(long)]
        check: bool,
    },
    /// Compare what is deployed with what the campaign file makes, account by account; changes nothing
    Diff {
        #[command(flatten)]
        way: Way,
    },
    /// Put the groundwork there: asks first, then makes what is missing and changes what differs
    Deploy(Deploy),
    /// Take away what bears the tag orgseal = bootstrap: asks first; never a key
    Destroy(Destroy),
    /// AWS Config's automatic remediation with the document that seals
    Remediation {
        #[command(subcommand)]
        verb: RemediationVerb,
    },
}

/// How accounts are entered.
#[derive(Args, Clone)]
pub(crate) struct Way {
    /// The role by which accounts are entered, such as OrganizationAccountAccessRole with the management account's
    /// credentials [default: the campaign's member role]
    #[arg(long, value_name = "ROLE")]
    pub(crate) through: Option<String>,
}

#[derive(Args)]
pub(crate) struct Deploy {
    #[command(flatten)]
    pub(crate) way: Way,
    /// Change also what is there without the tag orgseal = bootstrap: somebody else made it
    #[arg(long)]
    pub(crate) adopt: bool,
    /// Make this guardrail in AWS Organizations; without --attach it is attached to nothing; may be given more than once
    #[arg(long, value_name = "NAME", value_parser = GUARDRAILS)]
    pub(crate) guardrail: Vec<String>,
    /// Attach the guardrails to this root, OU or account, by its id; may be given more than once
    #[arg(long, value_name = "TARGET", requires = "guardrail")]
    pub(crate) attach: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Destroy {
    #[command(flatten)]
    pub(crate) way: Way,
    /// Only show what would be taken away; exit code 2 if there is anything
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// The control policies that `bootstrap render` makes.
const GUARDRAILS: [&str; 4] = ["scp-other-key", "rcp-other-key", "scp-keep-seal", "scp-keep-key"];

#[derive(Subcommand)]
pub(crate) enum RemediationVerb {
    /// Switch it on in accounts whose campaign is over; every held, exempt and rolled-back bucket is left alone
    On {
        #[command(flatten)]
        way: Way,
        /// The campaign that is over [default: the newest rollout]
        #[arg(long, value_name = "ID")]
        campaign: Option<String>,
        /// How often a bucket is tried
        #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=25))]
        attempts: i32,
        /// Seconds within which it is tried so often
        #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(i64).range(1..=2_678_000))]
        interval: i64,
    },
    /// Switch it off
    Off {
        #[command(flatten)]
        way: Way,
    },
}

#[derive(Subcommand)]
pub(crate) enum ConfigVerb {
    /// Check the campaign file whole, and the exemptions that it names
    Check,
    /// Print the JSON Schema of the campaign file
    Schema {
        /// That of the file of exemptions instead
        #[arg(long)]
        exemptions: bool,
    },
}

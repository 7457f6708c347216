//! From findings to what will be started: pure. Which accounts, which document with which parameters, under which limits.

mod assertion;
mod diff;
mod draft;
mod error;
mod file;
mod forecast;
mod iac;
mod limits;
mod parameter;
mod patterns;
mod put_command;
mod runbook;
mod selection;
mod token;
mod waves;

pub use diff::{HeadDifference, PlanDifference, diff};
pub use draft::{Draft, check_place, same_file};
pub use error::{Content, PlanError};
pub use file::{
    Decision, HashOf, MOST_PRINCIPALS, PLAN_SCHEMA, PlanFile, PlanHead, PlanWriter, PlannedBucket, PlannedDocument,
    PlannedKey, PlannedPrincipal, PlannedWarning, PlannedWave, UnreadAccount,
};
pub use forecast::{AccountWork, Forecast, GuardReads, KmsLoad, Money, Requests, WaveForecast, Workload, forecast};
pub use iac::{IacSnippet, IacTool, suggest_iac};
pub use limits::AccountLimits;
pub use parameter::Limit;
pub use patterns::Patterns;
pub use put_command::put_command;
pub use runbook::{CannotCarry, Change, OmissionTerms, PlannedStart, Runbook, RunbookError};
pub use selection::{Narrowed, Needs, Selection};
pub use token::client_token;
pub use waves::{WaveMap, idle_patterns};

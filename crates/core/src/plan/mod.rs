//! From findings to what will be started: pure. Which accounts, which document with which parameters, under which limits.

mod forecast;
mod iac;
mod limits;
mod runbook;
mod selection;
mod token;

pub use forecast::{AccountWork, Forecast, GuardReads, KmsLoad, Money, Requests, WaveForecast, Workload, forecast};
pub use iac::{IacSnippet, IacTool, suggest_iac};
pub use limits::AccountLimits;
pub use runbook::{CannotCarry, Change, Runbook, RunbookError};
pub use selection::{Needs, Selection};
pub use token::client_token;

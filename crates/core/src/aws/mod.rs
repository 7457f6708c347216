//! AWS at the edge: thin, typed, the only place that names an SDK crate.
//!
//! One HTTP client serves every account, Region and service. Retries of transient errors are the SDK's standard mode, and
//! nothing above adds to them for reads; what a start does on top is said in `campaign::start`. How many calls of an account
//! are under way follows from what its services refuse (`adaptive`).

mod adaptive;
mod answers;
mod bucket_evidence;
mod ca_bundle;
mod call_log;
mod caller_credentials;
mod calls;
mod cloudtrail;
mod config_rules;
mod connection;
mod derived;
mod directory_buckets;
mod disabled_region;
mod error;
#[cfg(test)]
mod extremes;
mod halt;
mod http_client;
mod iam;
mod kms;
pub mod make;
mod measured;
mod member;
mod network;
mod not_renewed;
mod observer;
mod organizations;
mod paging;
mod partition;
mod profile;
mod progress;
mod proxy;
mod role;
mod s3;
mod s3_control;
mod session;
mod session_policy;
mod ssm;
mod sts;
mod wrapped_client;

pub use cloudtrail::{BETWEEN_REQUESTS, EVENTS_A_PAGE, EventsRead, Window};
pub use config_rules::Remediation;
pub use connection::{Aws, ConnectError, Connection, Environment, only_loopback_endpoints};
pub use halt::Halt;
pub use iam::{Authorizations, PrincipalPolicies};
pub use member::{CallLimits, Member};
pub use organizations::{Organization, Organizations};
pub use paging::Paging;
pub use progress::Progress;
pub use role::RoleSeen;
pub use s3::S3;
pub use session::Session;
pub use session_policy::Purpose;
pub use ssm::{Document, ExecutionRead, ExecutionSeen, Ssm, StartRequest, Started};
pub use sts::Caller;

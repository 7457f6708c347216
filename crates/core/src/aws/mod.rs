//! AWS at the edge: thin, typed, the only place that names an SDK crate.
//!
//! One HTTP client serves every account, Region and service. Retries of transient errors are the SDK's standard mode, and
//! nothing above adds to them for reads; what a start does on top is said in `campaign::seal`.

mod connection;
mod derived;
mod error;
mod kms;
mod member;
mod organizations;
mod s3;
mod session_policy;
mod ssm;
mod sts;

pub use connection::{Aws, ConnectError, Connection};
pub use member::{Member, Session};
pub use organizations::{Organization, Organizations};
pub use s3::S3;
pub use session_policy::Purpose;
pub use ssm::{Document, ExecutionSeen, Ssm, StartRequest, Started, StepFailure};
pub use sts::Caller;

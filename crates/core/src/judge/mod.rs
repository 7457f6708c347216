//! From what was read to what is said of it: pure functions, no I/O, no clock.

mod automation_role;
mod denial;
mod denials;
mod failure;
pub mod guards;
mod key;
mod object_actions;
mod owner;
pub mod policy;
mod proof;
mod restore;
mod rollout_calls;
mod service_principals;
mod trust_weakness;
mod unread;
mod verdict;

pub use automation_role::{Trust, trusts_automation};
pub use denial::{control_policy_fix, denial, denial_fix, denial_in};
pub use denials::{Denied, KeyDenial, KnownDenials, Unreadable, key_denial};
pub use failure::{FailureClass, classify, execution_is_retryable};
pub use key::key_fault;
pub use object_actions::{KEY_ACTIONS, OBJECT_ACTIONS, ObjectAction};
pub use owner::{Owner, OwnerSign, OwnerTags, default_terraform_tags, owner_signs};
pub use proof::{KeyPolicySeen, Proof, ProofAsked, judge_proof, needs_key_policy};
pub use restore::{former_rule, judge_restore};
pub use rollout_calls::{AccountControls, BucketPolicySeen, Obstacle, Place, RolloutCall, RolloutRoles};
pub use service_principals::{BoundBy, SERVICE_PRINCIPALS, ServicePrincipal, service_sends};
pub use trust_weakness::{ExpectedTrust, Weakness, automation_trust_weaknesses, member_trust_weaknesses};
pub use unread::unread_reason;
pub use verdict::{Choices, Replaceable, Wanted, judge, observe};

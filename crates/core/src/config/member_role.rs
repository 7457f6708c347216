//! `[member_role]`: the role assumed in each member account.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problem, check_role, slash};

/// The role assumed in each member account.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberRole {
    /// The role's name, the same in every account.
    pub name: String,
    /// The role's path.
    #[serde(default = "slash")]
    pub path: String,
    /// The external ID that the role's trust asks for. It is never written to a log, the ledger or a report.
    #[serde(skip_serializing)]
    pub external_id: Option<String>,
    /// How long a session lasts, in seconds: 900 to 43200. A chained role's session lasts 3600 at most.
    #[serde(default = "hour")]
    #[schemars(range(min = 900, max = 43200))]
    pub session_duration: u32,
    /// `narrow` passes a session policy that holds just what the command needs; `none` leaves the role as it is.
    #[serde(default)]
    pub session_policy: SessionPolicy,
    /// How the caller's own account is entered: through the member role like any other, or with the caller's own credentials.
    #[serde(default)]
    pub own_account: OwnAccount,
}

/// How the caller's own account is entered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OwnAccount {
    /// Through the member role, like any other.
    #[default]
    Role,
    /// With the caller's own credentials, which no session policy narrows.
    Caller,
}

/// Whether sessions are narrower than the role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SessionPolicy {
    /// Just what the command needs.
    #[default]
    Narrow,
    /// All that the role may do.
    None,
}

fn hour() -> u32 {
    3600
}

/// The external ID is a shared secret: it must not slip into a log.
impl fmt::Debug for MemberRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemberRole")
            .field("name", &self.name)
            .field("path", &self.path)
            .field("external_id", &self.external_id.as_ref().map(|_| "…"))
            .field("session_duration", &self.session_duration)
            .field("session_policy", &self.session_policy)
            .field("own_account", &self.own_account)
            .finish()
    }
}

impl MemberRole {
    pub(super) fn check(&self, found: &mut Vec<Problem>) {
        check_role("member_role", &self.name, &self.path, found);
        if !(900..=43_200).contains(&self.session_duration) {
            found.push(Problem::new(
                "member_role.session_duration",
                format!("session_duration is {}", self.session_duration),
                "write seconds from 900 to 43200",
            ));
        }
        // STS: 2 to 1224 characters of [\w+=,.@:/-].
        if let Some(id) = &self.external_id
            && !((2..=1224).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b)))
        {
            found.push(Problem::new(
                "member_role.external_id",
                "the external ID is not one that STS takes",
                "write 2 to 1224 letters, digits and +=,.@:/_-",
            ));
        }
    }
}

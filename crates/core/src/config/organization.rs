//! `[organization]`: how Organizations is reached, and which organization it must be.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;

/// How Organizations is reached.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationAccess {
    /// The organization's id (`o-…`). When given, any other organization is refused.
    pub id: Option<String>,
    /// States besides ACTIVE that are no failure: an account in one of them is skipped and counted.
    #[serde(default)]
    pub accept_states: Vec<String>,
}

/// `State` of an account in the Organizations model.
const STATES: [&str; 5] = ["PENDING_ACTIVATION", "ACTIVE", "SUSPENDED", "PENDING_CLOSURE", "CLOSED"];

/// The model: `o-` and 10 to 32 small letters and digits.
fn is_organization_id(text: &str) -> bool {
    text.strip_prefix("o-").is_some_and(|id| {
        (10..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

impl OrganizationAccess {
    pub(super) fn check(&self, found: &mut Vec<Problem>) {
        if let Some(id) = &self.id
            && !is_organization_id(id)
        {
            found.push(Problem::new(
                "organization.id",
                format!("`{id}` is not an organization's id"),
                "write the id that `aws organizations describe-organization` shows, such as o-a1b2c3d4e5",
            ));
        }
        for (index, state) in self.accept_states.iter().enumerate() {
            if state == "ACTIVE" {
                found.push(Problem::new(
                    format!("organization.accept_states[{index}]"),
                    "ACTIVE accounts are read, not skipped",
                    "leave it out; to leave accounts alone, name them in [accounts.exclude]",
                ));
            } else if !STATES.contains(&state.as_str()) {
                found.push(Problem::new(
                    format!("organization.accept_states[{index}]"),
                    format!("`{state}` is not a state of an account"),
                    format!("one of {}", STATES.join(", ")),
                ));
            }
        }
    }
}

//! A stack as it is kept: what it was made of, what it made, and what happened to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::wire::now_ms;

/// A stack.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct StackRecord {
    /// The ARN.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    /// The name of its template in the store.
    pub(crate) template: String,
    pub(crate) description: Option<String>,
    /// Of every parameter of the template, NoEcho ones too.
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) capabilities: Vec<String>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) outputs: Vec<OutputRecord>,
    /// In the order they were made.
    pub(crate) resources: Vec<ResourceRecord>,
    /// The oldest first.
    pub(crate) events: Vec<EventRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) change_sets: Vec<ChangeSetRecord>,
    pub(crate) created_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) updated_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deleted_ms: Option<i64>,
    pub(crate) disable_rollback: bool,
    /// The id of the stack set that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stack_set: Option<String>,
}

/// One resource of a stack.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ResourceRecord {
    pub(crate) logical: String,
    /// `AWS::IAM::Role`
    pub(crate) kind: String,
    /// What `Ref` gives; nothing when it was never made.
    pub(crate) physical: Option<String>,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    /// What `Fn::GetAtt` gives.
    pub(crate) attributes: BTreeMap<String, String>,
    /// Of its properties: whether they are still the same.
    pub(crate) hash: String,
    /// Its DeletionPolicy.
    pub(crate) on_delete: String,
    pub(crate) at_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OutputRecord {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) description: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct EventRecord {
    pub(crate) id: String,
    /// Of the stack itself its name.
    pub(crate) logical: String,
    pub(crate) physical: String,
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) at_ms: i64,
}

/// A change set that was not deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChangeSetRecord {
    /// The ARN.
    pub(crate) id: String,
    pub(crate) name: String,
    /// `CREATE` or `UPDATE`.
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) execution: String,
    pub(crate) reason: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) template: String,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) capabilities: Vec<String>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) on_failure: Option<String>,
    pub(crate) changes: Vec<ChangeRecord>,
    pub(crate) created_ms: i64,
}

/// What a change set would do to one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChangeRecord {
    /// `Add`, `Modify` or `Remove`.
    pub(crate) action: String,
    pub(crate) logical: String,
    pub(crate) physical: Option<String>,
    pub(crate) kind: String,
    /// Whether it is replaced, of a Modify.
    pub(crate) replacement: Option<bool>,
}

/// Whether something is being done.
pub(crate) fn is_under_way(status: &str) -> bool {
    status.ends_with("_IN_PROGRESS") && status != "REVIEW_IN_PROGRESS"
}

impl StackRecord {
    /// Whether it was not deleted.
    pub(crate) fn is_there(&self) -> bool {
        self.deleted_ms.is_none()
    }

    pub(crate) fn resource(&self, logical: &str) -> Option<&ResourceRecord> {
        self.resources.iter().find(|resource| resource.logical == logical)
    }

    /// From now on in this status.
    pub(crate) fn be(&mut self, status: &str, reason: Option<String>, token: Option<&str>) {
        self.status = status.into();
        self.reason.clone_from(&reason);
        let (logical, physical) = (self.name.clone(), self.id.clone());
        self.note((&logical, &physical, "AWS::CloudFormation::Stack"), status, reason, token);
    }

    /// Notes an event of the stack itself or of one of its resources.
    pub(crate) fn note(
        &mut self,
        (logical, physical, kind): (&str, &str, &str),
        status: &str,
        reason: Option<String>,
        token: Option<&str>,
    ) {
        self.events.push(EventRecord {
            id: uuid::Uuid::new_v4().to_string(),
            logical: logical.into(),
            physical: physical.into(),
            kind: kind.into(),
            status: status.into(),
            reason,
            token: token.map(String::from),
            at_ms: now_ms(),
        });
    }

    /// Ends what was being done when the sandbox ended.
    pub(super) fn break_off(&mut self) {
        let failed = match self.status.as_str() {
            "CREATE_IN_PROGRESS" => "CREATE_FAILED",
            "ROLLBACK_IN_PROGRESS" => "ROLLBACK_FAILED",
            "DELETE_IN_PROGRESS" => "DELETE_FAILED",
            "UPDATE_ROLLBACK_IN_PROGRESS" => "UPDATE_ROLLBACK_FAILED",
            _ => "UPDATE_FAILED",
        };
        self.be(failed, Some("The sandbox was ended before this was done.".into()), None);
    }
}

//! The way back: what becomes of a stack when something of it can not be made or changed.

use super::deploy::{Deployment, Done};
use super::resources::Kind;
use crate::wire::error::AwsError;
use crate::wire::now_ms;
use crate::world::stacks::ResourceRecord;

impl Deployment<'_> {
    /// `DO_NOTHING` leaves what is there, `ROLLBACK` and `DELETE` take it away. What its template retains stays in any case.
    pub(super) fn creation_failed(&mut self, which: &str, on_failure: &str) -> Result<(), AwsError> {
        let reason = format!("The following resource(s) failed to create: [{which}]. ");
        if on_failure == "DO_NOTHING" {
            return self.be("CREATE_FAILED", Some(reason));
        }
        let asked = format!("{reason}Rollback requested by user.");
        if on_failure == "DELETE" {
            self.be("CREATE_FAILED", Some(reason))?;
            return self.delete(&[]);
        }
        self.be("ROLLBACK_IN_PROGRESS", Some(asked.clone()))?;
        for resource in &mut self.stack.resources {
            if resource.on_delete == "RetainExceptOnCreate" {
                resource.on_delete = "Delete".into();
            }
        }
        let failed = self.take_all_away(&[])?;
        match failed.is_empty() {
            true => self.be("ROLLBACK_COMPLETE", Some(asked)),
            false => {
                let reason = format!("The following resource(s) failed to delete: [{}]. ", failed.join(", "));
                self.be("ROLLBACK_FAILED", Some(reason))
            }
        }
    }

    /// Undoes an update, the last step first. The stack is then of its former template again.
    pub(super) fn update_failed(
        &mut self,
        reason: String,
        done: Vec<Done>,
        disable_rollback: bool,
    ) -> Result<(), AwsError> {
        if disable_rollback {
            return self.be("UPDATE_FAILED", Some(reason));
        }
        self.be("UPDATE_ROLLBACK_IN_PROGRESS", Some(reason.clone()))?;
        let (template, scope) = self.former()?;
        let mut failed = Vec::new();
        for one in done.into_iter().rev() {
            match one {
                Done::Added(logical) => {
                    let Some(mut added) = self.stack.resource(&logical).cloned() else { continue };
                    added.on_delete = "Delete".into();
                    let added = self.take_away(added, &template, &scope)?;
                    match added.status.as_str() {
                        "DELETE_FAILED" => failed.push(logical),
                        _ => self.stack.resources.retain(|other| other.logical != logical),
                    }
                }
                Done::Replaced(former) => {
                    if let Some(mut new) = self.stack.resource(&former.logical).cloned() {
                        new.on_delete = "Delete".into();
                        let new = self.take_away(new, &template, &scope)?;
                        if new.status == "DELETE_FAILED" {
                            failed.push(new.logical);
                        }
                    }
                    self.is_back(former)?;
                }
                Done::Updated { logical, old, new } => {
                    let Some(mut resource) = self.stack.resource(&logical).cloned() else { continue };
                    let physical = resource.physical.clone().unwrap_or_default();
                    if let Some(kind) = Kind::of(&resource.kind) {
                        // Of a change that was made in part, a part may have nothing to undo.
                        let _ = kind.update(&self.making(&logical), &physical, &new, &old);
                    }
                    resource.hash = old.hash();
                    self.is_back(resource)?;
                }
            }
        }
        // What failed before anything was changed is as it was.
        let left: Vec<ResourceRecord> =
            self.stack.resources.iter().filter(|one| one.status == "UPDATE_FAILED").cloned().collect();
        for resource in left {
            self.is_back(resource)?;
        }
        match failed.is_empty() {
            true => self.be("UPDATE_ROLLBACK_COMPLETE", Some(reason)),
            false => {
                let reason = format!("The following resource(s) failed to delete: [{}]. ", failed.join(", "));
                self.be("UPDATE_ROLLBACK_FAILED", Some(reason))
            }
        }
    }

    fn is_back(&mut self, mut resource: ResourceRecord) -> Result<(), AwsError> {
        (resource.status, resource.reason, resource.at_ms) = ("UPDATE_COMPLETE".into(), None, now_ms());
        if let Some(here) = self.stack.resources.iter_mut().find(|here| here.logical == resource.logical) {
            *here = resource.clone();
        }
        self.note(&resource)
    }
}

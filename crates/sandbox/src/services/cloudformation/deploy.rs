//! Makes, changes and takes away what a stack is of, one resource after the other, and notes each step. The way back when one
//! fails is in `rollback`.

use std::sync::Arc;

use super::request::Wanted;
use super::resources::{Making, Properties};
use super::scope::Scope;
use super::stacks::template_of;
use super::template::{Resource, Template};
use crate::wire::error::AwsError;
use crate::wire::now_ms;
use crate::world::World;
use crate::world::place::Place;
use crate::world::session::Caller;
use crate::world::stacks::{ChangeRecord, OutputRecord, ResourceRecord, StackRecord};

/// A stack at work.
pub(super) struct Deployment<'a> {
    pub(super) world: &'a Arc<World>,
    /// In whose name everything is done.
    pub(super) caller: &'a Caller,
    pub(super) place: Place,
    pub(super) stack: StackRecord,
    /// The request's ClientRequestToken.
    pub(super) token: Option<String>,
}

/// What was done in an update, so that it can be undone.
pub(super) enum Done {
    Added(String),
    Updated {
        logical: String,
        old: Properties,
        new: Properties,
    },
    /// The former resource, which is still there.
    Replaced(ResourceRecord),
}

impl Deployment<'_> {
    pub(super) fn keep(&self) -> Result<(), AwsError> {
        self.world.keep_stack(self.place, &self.stack)
    }

    /// The stack's own status.
    pub(super) fn be(&mut self, status: &str, reason: Option<String>) -> Result<(), AwsError> {
        let token = self.token.clone();
        self.stack.be(status, reason, token.as_deref());
        self.keep()
    }

    /// The status of a resource.
    pub(super) fn note(&mut self, resource: &ResourceRecord) -> Result<(), AwsError> {
        let token = self.token.clone();
        let physical = resource.physical.clone().unwrap_or_default();
        let what = (resource.logical.as_str(), physical.as_str(), resource.kind.as_str());
        self.stack.note(what, &resource.status, resource.reason.clone(), token.as_deref());
        self.keep()
    }

    /// Puts a resource in the place of the former of its name.
    fn put(&mut self, resource: ResourceRecord) -> Result<(), AwsError> {
        match self.stack.resources.iter_mut().find(|other| other.logical == resource.logical) {
            Some(other) => *other = resource.clone(),
            None => self.stack.resources.push(resource.clone()),
        }
        self.note(&resource)
    }

    pub(super) fn making<'b>(&'b self, logical: &'b str) -> Making<'b> {
        Making { world: self.world, caller: self.caller, place: self.place, stack: &self.stack.name, logical }
    }

    /// What names stand for, with every resource that is there now.
    pub(super) fn scope(&self, template: &Template, wanted: &Wanted) -> Scope {
        let names = (self.stack.id.as_str(), self.stack.name.as_str());
        Scope::new(self.world, self.place, names, template, &wanted.parameters)
    }

    /// As the stack is now: its template, its properties, and what they refer to.
    pub(super) fn former(&self) -> Result<(Template, Scope), AwsError> {
        let template = template_of(self.world, &self.stack.template)?;
        let names = (self.stack.id.as_str(), self.stack.name.as_str());
        let mut scope = Scope::new(self.world, self.place, names, &template, &self.stack.parameters);
        self.stack.resources.iter().for_each(|resource| scope.know(resource));
        Ok((template, scope))
    }

    /// Makes one resource; the reason when it could not be.
    fn make(
        &mut self,
        resource: &Resource,
        scope: &Scope,
        tags: &[(String, String)],
    ) -> Result<Option<String>, AwsError> {
        let mut record = ResourceRecord {
            logical: resource.logical.clone(),
            kind: resource.kind.name().into(),
            status: "CREATE_IN_PROGRESS".into(),
            on_delete: resource.on_delete.clone(),
            at_ms: now_ms(),
            ..ResourceRecord::default()
        };
        self.put(record.clone())?;
        let made = properties(resource, scope, tags).and_then(|properties| {
            let made = resource.kind.create(&self.making(&resource.logical), &properties);
            made.map(|made| (made, properties.hash())).map_err(|error| reason(resource, &error))
        });
        let failure = match made {
            Ok((made, hash)) => {
                record.status = "CREATE_COMPLETE".into();
                (record.physical, record.attributes, record.hash) = (Some(made.physical), made.attributes, hash);
                None
            }
            Err(reason) => {
                record.status = "CREATE_FAILED".into();
                record.reason = Some(reason.clone());
                Some(reason)
            }
        };
        record.at_ms = now_ms();
        self.put(record)?;
        Ok(failure)
    }

    /// Makes a stack that is not there yet.
    ///
    /// # Errors
    /// When it can not be kept. What can not be made is no error: it is the stack's status.
    pub(super) fn create(&mut self, wanted: &Wanted, on_failure: &str) -> Result<(), AwsError> {
        self.settle_on(wanted);
        self.be("CREATE_IN_PROGRESS", Some("User Initiated".into()))?;
        let mut scope = self.scope(&wanted.template, wanted);
        for resource in &wanted.template.resources {
            if self.make(resource, &scope, &wanted.tags)?.is_some() {
                return self.creation_failed(&resource.logical, on_failure);
            }
            if let Some(made) = self.stack.resource(&resource.logical) {
                scope.know(made);
            }
        }
        match outputs(&wanted.template, &scope) {
            Ok(outputs) => {
                self.stack.outputs = outputs;
                self.be("CREATE_COMPLETE", None)
            }
            Err(reason) => self.creation_failed(&reason, on_failure),
        }
    }

    /// From now on the stack is of this template.
    fn settle_on(&mut self, wanted: &Wanted) {
        self.stack.template.clone_from(&wanted.template_id);
        self.stack.description.clone_from(&wanted.template.description);
        self.stack.parameters.clone_from(&wanted.parameters);
        self.stack.capabilities.clone_from(&wanted.capabilities);
        self.stack.tags.clone_from(&wanted.tags);
    }

    /// Changes a stack to what is wanted.
    ///
    /// # Errors
    /// When it can not be kept. What can not be made is no error: it is the stack's status.
    pub(super) fn update(&mut self, wanted: &Wanted, disable_rollback: bool) -> Result<(), AwsError> {
        let (old_template, old_scope) = self.former()?;
        let old_tags = self.stack.tags.clone();
        self.be("UPDATE_IN_PROGRESS", Some("User Initiated".into()))?;
        let mut scope = self.scope(&wanted.template, wanted);
        let mut done: Vec<Done> = Vec::new();
        for resource in &wanted.template.resources {
            let logical = &resource.logical;
            let former = self.stack.resource(logical).filter(|former| former.physical.is_some()).cloned();
            let failure = match former {
                None => {
                    done.push(Done::Added(logical.clone()));
                    self.make(resource, &scope, &wanted.tags)?
                }
                Some(former) => {
                    let old = old_template.resource(logical);
                    let old = old.map(|old| properties(old, &old_scope, &old_tags).unwrap_or_default());
                    self.change(resource, former, old.unwrap_or_default(), &scope, &wanted.tags, &mut done)?
                }
            };
            if failure.is_some() {
                let which = format!("The following resource(s) failed to update: [{logical}]. ");
                return self.update_failed(which, done, disable_rollback);
            }
            if let Some(made) = self.stack.resource(logical) {
                scope.know(made);
            }
        }
        let outputs = match outputs(&wanted.template, &scope) {
            Ok(outputs) => outputs,
            Err(reason) => return self.update_failed(reason, done, disable_rollback),
        };
        self.stack.updated_ms = Some(now_ms());
        self.be("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", None)?;
        self.clean_up(wanted, &old_template, &old_scope, done)?;
        self.settle_on(wanted);
        self.stack.outputs = outputs;
        self.be("UPDATE_COMPLETE", None)
    }

    /// Changes one resource that is there, or puts another in its place.
    fn change(
        &mut self,
        resource: &Resource,
        mut former: ResourceRecord,
        old: Properties,
        scope: &Scope,
        tags: &[(String, String)],
        done: &mut Vec<Done>,
    ) -> Result<Option<String>, AwsError> {
        let logical = resource.logical.clone();
        let new = match properties(resource, scope, tags) {
            Ok(new) => new,
            Err(reason) => {
                (former.status, former.reason) = ("UPDATE_FAILED".into(), Some(reason.clone()));
                self.put(former)?;
                return Ok(Some(reason));
            }
        };
        if former.kind == resource.kind.name() && former.hash == new.hash() {
            former.on_delete.clone_from(&resource.on_delete);
            if let Some(here) = self.stack.resources.iter_mut().find(|here| here.logical == logical) {
                *here = former;
            }
            return Ok(None);
        }
        let replaced = former.kind != resource.kind.name() || resource.kind.is_replaced(&old, &new);
        if replaced {
            let name = resource.kind.custom_name(&new);
            if let Some(name) = name.filter(|name| {
                former.kind == resource.kind.name() && Some(name) == resource.kind.custom_name(&old).as_ref()
            }) {
                let reason = format!(
                    "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename {name} and \
                     update the stack again."
                );
                (former.status, former.reason) = ("UPDATE_FAILED".into(), Some(reason.clone()));
                self.put(former)?;
                return Ok(Some(reason));
            }
            done.push(Done::Replaced(former));
            return self.make(resource, scope, tags);
        }
        let physical = former.physical.clone().unwrap_or_default();
        former.status = "UPDATE_IN_PROGRESS".into();
        former.reason = None;
        self.put(former.clone())?;
        let changed = resource.kind.update(&self.making(&logical), &physical, &old, &new);
        done.push(Done::Updated { logical, old, new: new.clone() });
        let failure = changed.err().map(|error| reason(resource, &error));
        former.status = if failure.is_some() { "UPDATE_FAILED" } else { "UPDATE_COMPLETE" }.into();
        former.reason.clone_from(&failure);
        if failure.is_none() {
            former.hash = new.hash();
            former.on_delete.clone_from(&resource.on_delete);
        }
        former.at_ms = now_ms();
        self.put(former)?;
        Ok(failure)
    }

    /// Takes away what an update left over.
    fn clean_up(
        &mut self,
        wanted: &Wanted,
        template: &Template,
        scope: &Scope,
        done: Vec<Done>,
    ) -> Result<(), AwsError> {
        let gone = |resource: &&ResourceRecord| wanted.template.resource(&resource.logical).is_none();
        let removed: Vec<ResourceRecord> = self.stack.resources.iter().rev().filter(gone).cloned().collect();
        for resource in removed {
            let resource = self.take_away(resource, template, scope)?;
            self.stack.resources.retain(|other| other.logical != resource.logical);
        }
        for one in done.into_iter().rev() {
            let Done::Replaced(mut former) = one else { continue };
            let retained = wanted.template.resource(&former.logical).is_some_and(|new| new.retain_replaced);
            former.on_delete = if retained { "Retain" } else { "Delete" }.into();
            self.take_away(former, template, scope)?;
        }
        Ok(())
    }

    /// Takes one resource away, unless it is to stay, and says what became of it.
    pub(super) fn take_away(
        &mut self,
        mut resource: ResourceRecord,
        template: &Template,
        scope: &Scope,
    ) -> Result<ResourceRecord, AwsError> {
        resource.reason = None;
        let of = super::resources::Kind::of(&resource.kind);
        match (&resource.physical, of) {
            (Some(physical), Some(kind)) if resource.on_delete == "Delete" => {
                let in_progress = ResourceRecord { status: "DELETE_IN_PROGRESS".into(), ..resource.clone() };
                let physical = physical.clone();
                self.note(&in_progress)?;
                let properties = template.resource(&resource.logical).map(|known| scope.properties(&known.properties));
                let properties = properties.and_then(Result::ok).map(Properties::new).unwrap_or_default();
                let done = kind.delete(&self.making(&resource.logical), &physical, &properties);
                resource.status = if done.is_ok() { "DELETE_COMPLETE" } else { "DELETE_FAILED" }.into();
                resource.reason = done.err().map(|error| handler_said(kind.service(), &error));
            }
            (Some(_), _) => resource.status = "DELETE_SKIPPED".into(),
            (None, _) => resource.status = "DELETE_COMPLETE".into(),
        }
        resource.at_ms = now_ms();
        self.note(&resource)?;
        Ok(resource)
    }

    /// Takes away all that the stack made, and then the stack.
    pub(super) fn delete(&mut self, retain: &[String]) -> Result<(), AwsError> {
        self.be("DELETE_IN_PROGRESS", Some("User Initiated".into()))?;
        let failed = self.take_all_away(retain)?;
        match failed.is_empty() {
            true => {
                self.stack.deleted_ms = Some(now_ms());
                self.stack.change_sets.clear();
                self.be("DELETE_COMPLETE", None)
            }
            false => {
                let reason = format!("The following resource(s) failed to delete: [{}]. ", failed.join(", "));
                self.be("DELETE_FAILED", Some(reason))
            }
        }
    }

    /// Everything in the opposite order; the names of what stayed against the will of the stack.
    pub(super) fn take_all_away(&mut self, retain: &[String]) -> Result<Vec<String>, AwsError> {
        if self.stack.resources.is_empty() {
            return Ok(Vec::new());
        }
        let (template, scope) = self.former()?;
        let mut failed = Vec::new();
        let all: Vec<ResourceRecord> = self.stack.resources.iter().rev().cloned().collect();
        for mut resource in all {
            if ["DELETE_COMPLETE", "DELETE_SKIPPED"].contains(&resource.status.as_str()) {
                continue;
            }
            if retain.contains(&resource.logical) {
                resource.on_delete = "Retain".into();
            }
            let resource = self.take_away(resource, &template, &scope)?;
            if resource.status == "DELETE_FAILED" {
                failed.push(resource.logical.clone());
            }
            if let Some(here) = self.stack.resources.iter_mut().find(|here| here.logical == resource.logical) {
                *here = resource;
            }
        }
        Ok(failed)
    }

    /// What an update would change; the outputs and tags as they would be are compared as well.
    pub(super) fn changes(&self, wanted: &Wanted) -> Result<(Vec<ChangeRecord>, bool), AwsError> {
        let (old_template, old_scope) = self.former()?;
        let mut scope = self.scope(&wanted.template, wanted);
        self.stack.resources.iter().for_each(|resource| scope.know(resource));
        let mut changes = Vec::new();
        for resource in &wanted.template.resources {
            let former = self.stack.resource(&resource.logical).filter(|former| former.physical.is_some());
            let kind = resource.kind.name().to_owned();
            let change = |action: &str, replacement| ChangeRecord {
                action: action.into(),
                logical: resource.logical.clone(),
                physical: former.and_then(|former| former.physical.clone()),
                kind: kind.clone(),
                replacement,
            };
            let Some(former) = former else {
                changes.push(change("Add", None));
                continue;
            };
            let old = old_template.resource(&resource.logical);
            let old = old.and_then(|old| properties(old, &old_scope, &self.stack.tags).ok()).unwrap_or_default();
            // What refers to a resource that is yet to be made is changed with it.
            let new = properties(resource, &scope, &wanted.tags).unwrap_or_default();
            if former.kind != kind {
                changes.push(change("Modify", Some(true)));
            } else if former.hash != new.hash() {
                changes.push(change("Modify", Some(resource.kind.is_replaced(&old, &new))));
            }
        }
        for gone in self.stack.resources.iter().filter(|one| wanted.template.resource(&one.logical).is_none()) {
            changes.push(ChangeRecord {
                action: "Remove".into(),
                logical: gone.logical.clone(),
                physical: gone.physical.clone(),
                kind: gone.kind.clone(),
                replacement: None,
            });
        }
        let same_outputs = outputs(&wanted.template, &scope).is_ok_and(|outputs| outputs == self.stack.outputs);
        let any = !changes.is_empty() || !same_outputs || wanted.tags != self.stack.tags;
        Ok((changes, any))
    }
}

/// The properties of a resource as they are to be, by the schema of its type.
fn properties(resource: &Resource, scope: &Scope, tags: &[(String, String)]) -> Result<Properties, String> {
    let properties = Properties::new(scope.properties(&resource.properties)?);
    resource.kind.check(&properties).map_err(|wrong| {
        format!("Properties validation failed for resource {} with message:\n{wrong}", resource.logical)
    })?;
    Ok(if resource.kind.has_tags() { properties.with_tags(tags) } else { properties })
}

fn outputs(template: &Template, scope: &Scope) -> Result<Vec<OutputRecord>, String> {
    let output = |(key, output): (&String, &serde_json::Value)| {
        let description = output["Description"].as_str().map(String::from);
        scope.text(&output["Value"]).map(|value| OutputRecord { key: key.clone(), value, description })
    };
    template.outputs.iter().map(output).collect()
}

fn reason(resource: &Resource, error: &AwsError) -> String {
    handler_said(resource.kind.service(), error)
}

/// A service's refusal in CloudFormation's words.
fn handler_said(service: &str, error: &AwsError) -> String {
    let code = match error.code {
        "AccessDenied" | "AccessDeniedException" | "OrganizationAccessDeniedException" => "AccessDenied",
        "EntityAlreadyExists" | "AlreadyExistsException" | "DocumentAlreadyExists" | "DuplicatePolicyException" => {
            "AlreadyExists"
        }
        code if code.contains("Limit") => "ServiceLimitExceeded",
        code if code.contains("NotFound") || code.starts_with("NoSuch") => "NotFound",
        _ if error.status >= 500 => "ServiceInternalError",
        _ => "InvalidRequest",
    };
    format!(
        "Resource handler returned message: \"{} (Service: {service}, Status Code: {}, Request ID: {})\" (RequestToken: {}, \
         HandlerErrorCode: {code})",
        error.message,
        error.status,
        uuid::Uuid::new_v4(),
        uuid::Uuid::new_v4()
    )
}

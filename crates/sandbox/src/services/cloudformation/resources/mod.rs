//! The resource types: one file for each says how it is made, changed and taken away by its service's own operations.
//! Here: what they are called, what properties and attributes they have, and how their services are asked.

mod aggregator;
mod alias;
mod control_policy;
mod document;
mod key;
mod managed_policy;
mod organization_pack;
mod properties;
mod replica_key;
mod role;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::services::{config, iam, kms, organizations, ssm};
use crate::trail::OnBehalf;
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::wire::query_xml::Form;
use crate::world::World;
use crate::world::place::Place;
use crate::world::session::Caller;
pub(super) use properties::Properties;

/// A resource type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Role,
    ManagedPolicy,
    Document,
    Key,
    Alias,
    ReplicaKey,
    Aggregator,
    OrganizationPack,
    ControlPolicy,
}

/// What CloudFormation's schema of a type says.
struct Schema {
    name: &'static str,
    /// As CloudFormation's messages name the service.
    service: &'static str,
    properties: &'static [&'static str],
    required: &'static [&'static str],
    /// A change of one of these makes another resource in place of the former.
    create_only: &'static [&'static str],
    /// The property that names it, where that is not its key.
    named_by: Option<&'static str>,
    attributes: &'static [&'static str],
}

const ALL: [Kind; 9] = [
    Kind::Role,
    Kind::ManagedPolicy,
    Kind::Document,
    Kind::Key,
    Kind::Alias,
    Kind::ReplicaKey,
    Kind::Aggregator,
    Kind::OrganizationPack,
    Kind::ControlPolicy,
];

impl Kind {
    pub(super) fn of(name: &str) -> Option<Kind> {
        ALL.into_iter().find(|kind| kind.name() == name)
    }

    fn schema(self) -> &'static Schema {
        match self {
            Kind::Role => &role::SCHEMA,
            Kind::ManagedPolicy => &managed_policy::SCHEMA,
            Kind::Document => &document::SCHEMA,
            Kind::Key => &key::SCHEMA,
            Kind::Alias => &alias::SCHEMA,
            Kind::ReplicaKey => &replica_key::SCHEMA,
            Kind::Aggregator => &aggregator::SCHEMA,
            Kind::OrganizationPack => &organization_pack::SCHEMA,
            Kind::ControlPolicy => &control_policy::SCHEMA,
        }
    }

    pub(super) fn name(self) -> &'static str {
        self.schema().name
    }

    pub(super) fn service(self) -> &'static str {
        self.schema().service
    }

    pub(super) fn attributes(self) -> &'static [&'static str] {
        self.schema().attributes
    }

    pub(super) fn name_property(self) -> Option<&'static str> {
        self.schema().named_by
    }

    pub(super) fn is_of_iam(self) -> bool {
        matches!(self, Kind::Role | Kind::ManagedPolicy)
    }

    /// Whether the stack's own tags become its tags.
    pub(super) fn has_tags(self) -> bool {
        self.schema().properties.contains(&"Tags")
    }

    /// What is wrong with the properties by the type's schema, in CloudFormation's words.
    pub(super) fn check(self, properties: &Properties) -> Result<(), String> {
        let Schema { properties: known, required, .. } = self.schema();
        if let Some(name) = properties.names().find(|name| !known.contains(name)) {
            return Err(format!("#: extraneous key [{name}] is not permitted"));
        }
        match required.iter().find(|name| !properties.has(name)) {
            Some(name) => Err(format!("#: required key [{name}] not found")),
            None => Ok(()),
        }
    }

    /// Whether a change of these properties makes another resource.
    pub(super) fn is_replaced(self, old: &Properties, new: &Properties) -> bool {
        let changed = self.schema().create_only.iter().any(|name| old.get(name) != new.get(name));
        changed || self == Kind::Document && document::is_replaced(old, new)
    }

    /// The property that gives it a name of its own, which two can not have.
    pub(super) fn custom_name(self, properties: &Properties) -> Option<String> {
        let property = match self {
            Kind::Alias => "AliasName",
            Kind::ControlPolicy => "Name",
            Kind::OrganizationPack => "OrganizationConformancePackName",
            _ => self.schema().named_by?,
        };
        properties.get(property).and_then(Value::as_str).map(String::from)
    }

    pub(super) fn create(self, making: &Making<'_>, properties: &Properties) -> Result<Made, AwsError> {
        match self {
            Kind::Role => role::create(making, properties),
            Kind::ManagedPolicy => managed_policy::create(making, properties),
            Kind::Document => document::create(making, properties),
            Kind::Key => key::create(making, properties),
            Kind::Alias => alias::create(making, properties),
            Kind::ReplicaKey => replica_key::create(making, properties),
            Kind::Aggregator => aggregator::create(making, properties),
            Kind::OrganizationPack => organization_pack::create(making, properties),
            Kind::ControlPolicy => control_policy::create(making, properties),
        }
    }

    /// Changes what is there from the old properties to the new ones.
    pub(super) fn update(
        self,
        making: &Making<'_>,
        physical: &str,
        old: &Properties,
        new: &Properties,
    ) -> Result<(), AwsError> {
        match self {
            Kind::Role => role::update(making, physical, old, new),
            Kind::ManagedPolicy => managed_policy::update(making, physical, old, new),
            Kind::Document => document::update(making, physical, old, new),
            Kind::Key => key::update(making, physical, old, new),
            Kind::Alias => alias::update(making, physical, new),
            Kind::ReplicaKey => replica_key::update(making, physical, old, new),
            Kind::Aggregator => aggregator::update(making, physical, old, new),
            Kind::OrganizationPack => organization_pack::update(making, new),
            Kind::ControlPolicy => control_policy::update(making, physical, old, new),
        }
    }

    /// Takes it away. What is gone already is no error.
    pub(super) fn delete(self, making: &Making<'_>, physical: &str, properties: &Properties) -> Result<(), AwsError> {
        let done = match self {
            Kind::Role => role::delete(making, physical),
            Kind::ManagedPolicy => managed_policy::delete(making, physical, properties),
            Kind::Document => document::delete(making, physical),
            Kind::Key | Kind::ReplicaKey => key::delete(making, physical, properties),
            Kind::Alias => alias::delete(making, physical),
            Kind::Aggregator => aggregator::delete(making, physical),
            Kind::OrganizationPack => organization_pack::delete(making, physical),
            Kind::ControlPolicy => control_policy::delete(making, physical),
        };
        match done {
            Err(error) if is_gone(&error) => Ok(()),
            done => done,
        }
    }
}

/// Whether a refusal says that there is no such thing.
fn is_gone(error: &AwsError) -> bool {
    const GONE: [&str; 6] = [
        "NoSuchEntity",
        "InvalidDocument",
        "NotFoundException",
        "NoSuchConfigurationAggregatorException",
        "NoSuchOrganizationConformancePackException",
        "PolicyNotFoundException",
    ];
    GONE.contains(&error.code)
}

/// A resource that was made: what `Ref` and `Fn::GetAtt` give.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) physical: String,
    pub(super) attributes: BTreeMap<String, String>,
}

impl Made {
    fn new(physical: impl Into<String>, attributes: &[(&str, String)]) -> Made {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Made { physical: physical.into(), attributes }
    }
}

/// For whom and where something is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Making<'a> {
    pub(super) world: &'a Arc<World>,
    pub(super) caller: &'a Caller,
    pub(super) place: Place,
    pub(super) stack: &'a str,
    pub(super) logical: &'a str,
}

impl Making<'_> {
    fn partition(&self) -> crate::partition::Partition {
        self.world.spec.partition
    }

    fn account_id(&self) -> &str {
        &self.world.organization.accounts[self.place.account].id
    }

    /// A name for what has none: the stack's, the logical one, and what makes it unlike any other.
    fn made_up_name(&self, longest: usize) -> String {
        let unique = uuid::Uuid::new_v4().simple().to_string()[..12].to_uppercase();
        let mut name = format!("{}-{}", self.stack, self.logical);
        name.truncate(longest.saturating_sub(13));
        format!("{name}-{unique}")
    }

    fn kms(&self, operation: &'static str, input: Value) -> Result<Value, AwsError> {
        self.kms_in(self.place.region, operation, input)
    }

    fn kms_in(&self, region: usize, operation: &'static str, input: Value) -> Result<Value, AwsError> {
        self.noted("kms", region, operation, input, |input| {
            kms::answer(self.world, self.caller, region, operation, input)
        })
    }

    fn ssm(&self, operation: &'static str, input: Value) -> Result<Value, AwsError> {
        self.noted("ssm", self.place.region, operation, input, |input| {
            ssm::answer(self.world, self.caller, self.place.region, operation, input)
        })
    }

    fn config(&self, operation: &'static str, input: Value) -> Result<Value, AwsError> {
        self.noted("config", self.place.region, operation, input, |input| {
            config::answer(self.world, self.caller, self.place.region, operation, input)
        })
    }

    fn organizations(&self, operation: &'static str, input: Value) -> Result<Value, AwsError> {
        self.noted("organizations", self.place.region, operation, input, |input| {
            organizations::answer(self.world, self.caller, operation, input)
        })
    }

    fn iam(&self, operation: &'static str, fields: &[(&str, &str)]) -> Result<String, AwsError> {
        self.iam_with(operation, fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    }

    fn iam_with(&self, operation: &'static str, mut fields: Vec<(String, String)>) -> Result<String, AwsError> {
        let input: serde_json::Map<String, Value> =
            fields.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        fields.push(("Version".into(), "2010-05-08".into()));
        let answer = iam::carry_out(self.world, self.caller, operation, &Form::of(fields));
        self.note("iam", self.place.region, operation, Value::Object(input), answer.as_ref().err());
        answer
    }

    fn noted(
        &self,
        service: &'static str,
        region: usize,
        operation: &'static str,
        input: Value,
        ask: impl FnOnce(&mut Input) -> Result<Value, AwsError>,
    ) -> Result<Value, AwsError> {
        let answer = ask(&mut Input::of(input.clone()));
        self.note(service, region, operation, input, answer.as_ref().err());
        answer
    }

    /// CloudTrail shows what CloudFormation asks for a caller as the caller's own calls.
    fn note(&self, service: &str, region: usize, operation: &str, input: Value, error: Option<&AwsError>) {
        let call = OnBehalf {
            by: "cloudformation.amazonaws.com",
            actor: self.caller,
            region: &self.world.spec.regions[region],
            service,
            operation,
        };
        // As of a request: what is long is left out of the record.
        let short = input.to_string().len() <= crate::trail::record::LONGEST_PARAMETERS;
        let input = if short { input } else { Value::Null };
        self.world.trail.on_behalf(self.world, call, input, error);
    }
}

/// What a change of tags takes: those to set, and the keys to take away.
fn tag_changes(old: &Properties, new: &Properties) -> (Vec<(String, String)>, Vec<String>) {
    let (old, new) = (old.tags(), new.tags());
    let gone = old.iter().filter(|(key, _)| new.iter().all(|(other, _)| other != key)).map(|(key, _)| key.clone());
    let gone = gone.collect();
    (new.into_iter().filter(|tag| !old.contains(tag)).collect(), gone)
}

/// Tags as the JSON services take them.
fn tag_list(tags: &[(String, String)]) -> Value {
    tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

/// Leaves out the members that are null.
fn present(value: Value) -> Value {
    match value {
        Value::Object(members) => members.into_iter().filter(|(_, member)| !member.is_null()).collect(),
        other => other,
    }
}

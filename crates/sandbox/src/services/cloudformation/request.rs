//! What several requests have in common: the template with its parameters, and what the caller acknowledges.

use std::collections::{BTreeMap, BTreeSet};

use super::input::{Fields, length, missing, no_word};
use super::template::{Given, Template};
use super::{invalid, stacks};
use crate::wire::error::AwsError;
use crate::world::World;
use crate::world::stacks::StackRecord;

pub(super) const CAPABILITIES: [&str; 3] = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"];

/// What a stack is to be.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) template: Template,
    /// The name of the template in the store.
    pub(super) template_id: String,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) capabilities: Vec<String>,
    pub(super) tags: Vec<(String, String)>,
}

/// `TemplateBody`. Templates in buckets are not modelled.
pub(super) fn body(fields: &mut Fields) -> Result<Option<String>, AwsError> {
    if fields.has("TemplateURL") {
        return Err(invalid("TemplateURL is not modelled by this sandbox: give the template as TemplateBody"));
    }
    let body = fields.text("TemplateBody")?;
    body.as_deref().map(|body| length("TemplateBody", body, 1, usize::MAX)).transpose()?;
    Ok(body)
}

pub(super) fn read(body: &str) -> Result<Template, AwsError> {
    Template::read(body).map_err(invalid)
}

/// A list of Parameter.
pub(super) fn parameters(fields: &mut Fields, member: &str) -> Result<Vec<Given>, AwsError> {
    let mut all = Vec::new();
    let mut seen = BTreeSet::new();
    for mut one in fields.structures(member)? {
        let key = one.required("ParameterKey")?;
        let (value, previous) = (one.text("ParameterValue")?, one.flag("UsePreviousValue")?.unwrap_or(false));
        one.finish()?;
        if !seen.insert(key.clone()) {
            return Err(invalid(format!("Duplicate parameter key {key}")));
        }
        match (value.is_some(), previous) {
            (true, true) => {
                let message = format!(
                    "Invalid input for parameter key {key}. Cannot specify usePreviousValue as true and a value"
                );
                return Err(invalid(message));
            }
            (false, false) => return Err(missing("parameters.1.member.parameterValue")),
            _ => all.push(Given { key, value }),
        }
    }
    Ok(all)
}

pub(super) fn capabilities(fields: &mut Fields) -> Result<Vec<String>, AwsError> {
    let all = fields.texts("Capabilities")?;
    match all.iter().find(|one| !CAPABILITIES.contains(&one.as_str())) {
        Some(other) => Err(no_word("capabilities", other, &CAPABILITIES)),
        None => Ok(all),
    }
}

/// Whoever makes things of IAM must say that they mean it, and that they mean their names.
pub(super) fn acknowledged(template: &Template, capabilities: &[String]) -> Result<(), AwsError> {
    let has = |capability: &str| capabilities.iter().any(|one| one == capability);
    match template.capability() {
        Some(("CAPABILITY_IAM", _)) if has("CAPABILITY_IAM") || has("CAPABILITY_NAMED_IAM") => Ok(()),
        Some((needed, _)) if !has(needed) => {
            let message = format!("Requires capabilities : [{needed}]");
            Err(AwsError::client("InsufficientCapabilitiesException", message))
        }
        _ => Ok(()),
    }
}

/// Template, parameters, capabilities and tags for a stack that is not there yet.
pub(super) fn for_new(world: &World, fields: &mut Fields) -> Result<Wanted, AwsError> {
    let body = body(fields)?.ok_or_else(|| invalid("Either Template URL or Template Body must be specified."))?;
    let template = read(&body)?;
    let parameters = template.values(&parameters(fields, "Parameters")?, None).map_err(invalid)?;
    let capabilities = capabilities(fields)?;
    let tags = fields.tags()?.unwrap_or_default();
    acknowledged(&template, &capabilities)?;
    Ok(Wanted { template, template_id: world.keep_template(&body)?, parameters, capabilities, tags })
}

/// The same for one that is. What is left out of tags stays as it is.
pub(super) fn for_update(world: &World, stack: &StackRecord, fields: &mut Fields) -> Result<Wanted, AwsError> {
    let previous = fields.flag("UsePreviousTemplate")?.unwrap_or(false);
    let body = match (body(fields)?, previous) {
        (Some(body), false) => body,
        (None, true) => world.stacks.template(&stack.template).to_string(),
        _ => return Err(invalid("Either Template URL, Template Body or UsePreviousTemplate must be specified.")),
    };
    let template = read(&body)?;
    let given = parameters(fields, "Parameters")?;
    let parameters = template.values(&given, Some(&stack.parameters)).map_err(invalid)?;
    let capabilities = capabilities(fields)?;
    let tags = fields.tags()?.unwrap_or_else(|| stack.tags.clone());
    acknowledged(&template, &capabilities)?;
    Ok(Wanted { template, template_id: world.keep_template(&body)?, parameters, capabilities, tags })
}

/// The same of what was kept: a change set, or the set of a stack.
pub(super) fn kept(
    world: &World,
    template_id: &str,
    parameters: BTreeMap<String, String>,
    capabilities: &[String],
    tags: &[(String, String)],
) -> Result<Wanted, AwsError> {
    Ok(Wanted {
        template: stacks::template_of(world, template_id)?,
        template_id: template_id.into(),
        parameters,
        capabilities: capabilities.to_vec(),
        tags: tags.to_vec(),
    })
}

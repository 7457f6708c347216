//! A runbook's content: YAML or JSON, schema 0.3, read and checked as a whole when it is put.
//! What is not modelled is refused here, so that no document runs other than as it says.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::parameter::Parameter;
use super::reference;

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Format {
    Yaml,
    Json,
}

impl Format {
    pub(crate) fn guess(content: &str) -> Format {
        if content.trim_start().starts_with('{') { Format::Json } else { Format::Yaml }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Format::Yaml => "YAML",
            Format::Json => "JSON",
        }
    }
}

/// What happens after a step that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OnFailure {
    Abort,
    Continue,
    Step(String),
}

/// An output of a step: a name, a place in the answer, a type.
#[derive(Debug)]
pub(crate) struct StepOutput {
    pub(crate) name: String,
    pub(crate) selector: String,
    pub(crate) kind: String,
}

/// One step.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) action: String,
    pub(crate) inputs: Value,
    pub(crate) outputs: Vec<StepOutput>,
    pub(crate) on_failure: OnFailure,
    /// The step to do when the execution is cancelled during this one.
    pub(crate) on_cancel: Option<String>,
    pub(crate) next: Option<String>,
    pub(crate) is_end: bool,
    pub(crate) is_critical: bool,
    pub(crate) max_attempts: u32,
    pub(crate) timeout_seconds: Option<u64>,
}

/// A runbook that was read and found runnable.
#[derive(Debug)]
pub(crate) struct Runbook {
    pub(crate) description: String,
    pub(crate) assume_role: Option<String>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) steps: Vec<Step>,
    pub(crate) outputs: Vec<String>,
}

const ACTIONS: [&str; 5] =
    ["aws:executeAwsApi", "aws:assertAwsResourceProperty", "aws:waitForAwsResourceProperty", "aws:branch", "aws:sleep"];

impl Runbook {
    /// Reads and checks a document's content.
    pub(crate) fn parse(content: &str, format: Format) -> Result<Runbook, String> {
        let value: Value = match format {
            Format::Json => serde_json::from_str(content).map_err(|e| format!("the content is not JSON: {e}"))?,
            Format::Yaml => serde_norway::from_str(content).map_err(|e| format!("the content is not YAML: {e}"))?,
        };
        known(
            &value,
            "the document",
            &["description", "schemaVersion", "assumeRole", "parameters", "mainSteps", "outputs", "variables", "files"],
        )?;
        for unmodelled in ["variables", "files"] {
            if value.get(unmodelled).is_some() {
                return Err(format!("{unmodelled} is not modelled by this sandbox"));
            }
        }
        if value.get("schemaVersion").and_then(Value::as_str) != Some("0.3") {
            return Err("schemaVersion must be '0.3' for an Automation document".into());
        }
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(String::from);
        let parameters = match value.get("parameters") {
            None => Vec::new(),
            Some(declared) => declared
                .as_object()
                .ok_or("parameters must be a map")?
                .iter()
                .map(|(name, from)| Parameter::parse(name, from))
                .collect::<Result<_, _>>()?,
        };
        let steps: Vec<Step> = value
            .get("mainSteps")
            .and_then(Value::as_array)
            .ok_or("mainSteps must be a list of steps")?
            .iter()
            .map(Step::parse)
            .collect::<Result<_, _>>()?;
        let outputs = match value.get("outputs") {
            None => Vec::new(),
            Some(list) => serde_json::from_value(list.clone()).map_err(|_| "outputs must be a list of names")?,
        };
        let runbook = Runbook {
            description: text("description").unwrap_or_default(),
            assume_role: text("assumeRole").filter(|role| !role.trim().is_empty()),
            parameters,
            steps,
            outputs,
        };
        runbook.check()?;
        Ok(runbook)
    }

    pub(crate) fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// The step after this one when nothing else is said: its `nextStep`, or the next in the list.
    pub(crate) fn after(&self, step: &Step) -> Option<&Step> {
        if step.is_end {
            return None;
        }
        match &step.next {
            Some(name) => self.step(name),
            None => {
                let at = self.steps.iter().position(|other| other.name == step.name)?;
                self.steps.get(at + 1)
            }
        }
    }

    fn check(&self) -> Result<(), String> {
        if self.steps.is_empty() {
            return Err("mainSteps must have at least one step".into());
        }
        let mut names = BTreeSet::new();
        for step in &self.steps {
            if !names.insert(step.name.as_str()) {
                return Err(format!("two steps are named {}", step.name));
            }
        }
        let exists = |name: &str, by: &str| {
            if names.contains(name) { Ok(()) } else { Err(format!("step {by}: there is no step named {name}")) }
        };
        for step in &self.steps {
            if let Some(next) = &step.next {
                exists(next, &step.name)?;
            }
            if let Some(next) = &step.on_cancel {
                exists(next, &step.name)?;
            }
            if let OnFailure::Step(next) = &step.on_failure {
                exists(next, &step.name)?;
            }
            for next in super::branch::targets(step)? {
                exists(&next, &step.name)?;
            }
            self.check_references(&step.inputs, &names).map_err(|what| format!("step {}: {what}", step.name))?;
            super::required::check(step)?;
        }
        let role = json!(self.assume_role.as_deref().unwrap_or_default());
        self.check_references(&role, &names).map_err(|what| format!("assumeRole: {what}"))?;
        for output in &self.outputs {
            let step = output.split('.').next().unwrap_or_default();
            if !names.contains(step) {
                return Err(format!("outputs: there is no step named {step}"));
            }
        }
        Ok(())
    }

    fn check_references(&self, value: &Value, steps: &BTreeSet<&str>) -> Result<(), String> {
        match value {
            Value::String(text) => {
                for name in reference::names(text) {
                    let known = match name.split_once('.') {
                        Some((step, _)) => steps.contains(step),
                        None if name.contains(':') => reference::is_system(name),
                        None => self.parameters.iter().any(|parameter| parameter.name == name),
                    };
                    if !known {
                        return Err(format!("{{{{ {name} }}}} refers to nothing in this document"));
                    }
                }
                Ok(())
            }
            Value::Array(items) => items.iter().try_for_each(|item| self.check_references(item, steps)),
            Value::Object(members) => members.values().try_for_each(|item| self.check_references(item, steps)),
            _ => Ok(()),
        }
    }
}

fn known(value: &Value, what: &str, keys: &[&str]) -> Result<(), String> {
    let members = value.as_object().ok_or_else(|| format!("{what} must be a map"))?;
    match members.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(format!("{what}: {key} is not known or not modelled by this sandbox")),
        None => Ok(()),
    }
}

impl Step {
    fn parse(from: &Value) -> Result<Step, String> {
        let text = |key: &str| from.get(key).and_then(Value::as_str).map(String::from);
        let name = text("name").ok_or("a step has no name")?;
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.len() > 128 || !name.chars().all(legal) {
            return Err(format!("\"{name}\" is not a step's name: use letters, digits and _"));
        }
        let fault = |what: &str| format!("step {name}: {what}");
        known(
            from,
            &format!("step {name}"),
            &[
                "name",
                "action",
                "description",
                "inputs",
                "outputs",
                "onFailure",
                "onCancel",
                "nextStep",
                "isEnd",
                "isCritical",
                "maxAttempts",
                "timeoutSeconds",
            ],
        )?;
        let action = text("action").ok_or_else(|| fault("has no action"))?;
        if !ACTIONS.contains(&action.as_str()) {
            return Err(fault(&format!("action {action} is not known or not modelled by this sandbox")));
        }
        let flag = |key: &str, otherwise: bool| match from.get(key) {
            None => Ok(otherwise),
            Some(value) => {
                super::parameter::boolean(value).ok_or_else(|| fault(&format!("{key} must be true or false")))
            }
        };
        let number = |key: &str| match from.get(key) {
            None => Ok(None),
            Some(value) => super::parameter::number(value)
                .filter(|n| *n > 0)
                .map(Some)
                .ok_or_else(|| fault(&format!("{key} must be a number above zero"))),
        };
        let on_failure = match text("onFailure").as_deref() {
            None | Some("Abort") => OnFailure::Abort,
            Some("Continue") => OnFailure::Continue,
            Some(other) => match other.strip_prefix("step:") {
                Some(step) => OnFailure::Step(step.trim().into()),
                None => return Err(fault("onFailure must be Abort, Continue or step:NAME")),
            },
        };
        let on_cancel = match text("onCancel").as_deref() {
            None | Some("Abort") => None,
            Some(other) => match other.strip_prefix("step:") {
                Some(step) => Some(step.trim().to_string()),
                None => return Err(fault("onCancel must be Abort or step:NAME")),
            },
        };
        let outputs = match from.get("outputs") {
            None => Vec::new(),
            Some(list) => list
                .as_array()
                .ok_or_else(|| fault("outputs must be a list"))?
                .iter()
                .map(|output| {
                    let part = |key: &str| output.get(key).and_then(Value::as_str).map(String::from);
                    match (part("Name"), part("Selector")) {
                        (Some(name), Some(selector)) => {
                            Ok(StepOutput { name, selector, kind: part("Type").unwrap_or_else(|| "String".into()) })
                        }
                        _ => Err(fault("an output needs Name and Selector")),
                    }
                })
                .collect::<Result<_, _>>()?,
        };
        Ok(Step {
            inputs: from.get("inputs").cloned().unwrap_or_else(|| json!({})),
            outputs,
            on_failure,
            on_cancel,
            next: text("nextStep"),
            is_end: flag("isEnd", false)?,
            is_critical: flag("isCritical", true)?,
            max_attempts: number("maxAttempts")?.unwrap_or(1).min(10) as u32,
            timeout_seconds: number("timeoutSeconds")?,
            action,
            name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../../../config/documents/EnableS3BucketEncryptionWithKMS.yaml");

    #[test]
    fn the_shipped_document_is_read_as_yaml_and_as_json_alike() {
        let yaml = Runbook::parse(SHIPPED, Format::Yaml).unwrap();
        let value: Value = serde_norway::from_str(SHIPPED).unwrap();
        let json = Runbook::parse(&value.to_string(), Format::Json).unwrap();
        for runbook in [&yaml, &json] {
            assert_eq!(runbook.steps.len(), 5);
            assert_eq!(runbook.parameters.len(), 7);
            assert_eq!(runbook.outputs, ["ReadBack.KMSMasterKeyID", "ReadBack.SSEAlgorithm"]);
        }
    }

    #[test]
    fn booleans_and_numbers_may_be_texts() {
        let wild = SHIPPED.replace("isEnd: true", "isEnd: 'true'").replace("maxAttempts: 5", "maxAttempts: '5'");
        assert_ne!(wild, SHIPPED);
        let [plain, wild] = [SHIPPED, &wild].map(|text| Runbook::parse(text, Format::Yaml).unwrap());
        for (plain, wild) in plain.steps.iter().zip(&wild.steps) {
            assert_eq!((plain.is_end, plain.max_attempts), (wild.is_end, wild.max_attempts));
        }
        let head = "schemaVersion: '0.3'\nmainSteps:\n- {name: A, action: aws:sleep, inputs: {Duration: PT1S}}\nparameters:\n  P: ";
        let typed = format!("{head}{{type: Boolean, default: 'True', minChars: '1', maxItems: '1'}}");
        let typed = Runbook::parse(&typed, Format::Yaml).unwrap();
        assert_eq!(typed.parameters[0].default, Some(json!(true)));
        for wrong in
            ["{type: Boolean, default: perhaps}", "{type: Integer, default: few}", "{type: String, minChars: few}"]
        {
            assert!(Runbook::parse(&format!("{head}{wrong}"), Format::Yaml).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_run_as_it_says_is_refused() {
        let cases = [
            ("schemaVersion: '2.2'\nmainSteps: []", "0.3"),
            ("schemaVersion: '0.3'\nmainSteps: []", "at least one step"),
            ("schemaVersion: '0.3'\nmainSteps:\n- name: A\n  action: aws:runScript", "aws:runScript"),
            ("schemaVersion: '0.3'\nmainSteps:\n- name: A\n  action: aws:sleep\n  nextStep: B", "no step named B"),
            (
                "schemaVersion: '0.3'\nmainSteps:\n- name: A\n  action: aws:sleep\n  inputs: {Duration: '{{ Nope }}'}",
                "refers to nothing",
            ),
            ("schemaVersion: '0.3'\nmainSteps:\n- name: A\n  action: aws:sleep", "Duration is required"),
            (
                "schemaVersion: '0.3'\nmainSteps:\n- name: A\n  action: aws:executeAwsApi\n  inputs: {Service: s3}",
                "Api is required",
            ),
            (
                "schemaVersion: '0.3'\nmainSteps:\n- name: A\n  action: aws:sleep\n  inputs: {Duration: PT1S}\n  outputs: [{Name: a, Selector: $.a, Type: Text}]",
                "Text is not a type",
            ),
        ];
        for (content, why) in cases {
            let error = Runbook::parse(content, Format::Yaml).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}

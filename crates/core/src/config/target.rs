//! What decides a campaign's outcomes: it must be the same when a campaign goes on.

use serde_json::{Value, json};

use super::{BlockedTypesChoice, CampaignFile, EncryptionChoice};

impl CampaignFile {
    /// The settings that decide what a bucket ends up as. Limits, tolerances and times may change while a campaign pauses.
    #[must_use]
    pub fn target(&self) -> Value {
        // How a start is proven decides nothing of where a bucket ends: a paused campaign may go on with another choice.
        let encryption = EncryptionChoice { blocked_types: BlockedTypesChoice::default(), ..self.encryption.clone() };
        json!({
            "central_key": self.keys().iter().map(|(region, key)| (region, key.to_string())).collect::<std::collections::BTreeMap<_, _>>(),
            "central_key_overrides": self.central_key_overrides,
            "encryption": encryption,
            "document": self.document,
            "automation_role": self.automation_role,
            "waves": self.waves.iter().map(super::Wave::membership).collect::<Vec<_>>(),
        })
    }
}

/// The settings in which two targets differ, by name.
#[must_use]
pub fn differences(then: &Value, now: &Value) -> Vec<String> {
    let Some(now) = now.as_object() else { return Vec::new() };
    // A setting that a run's own version did not know yet says nothing of it.
    let differs = |name: &str, value: &Value| !then[name].is_null() && then[name] != *value;
    now.iter().filter(|(name, value)| differs(name, value)).map(|(name, _)| format!("[{name}]")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named() {
        let then = json!({ "document": { "name": "a" }, "encryption": 1 });
        assert_eq!(differences(&then, &then), Vec::<String>::new());
        assert_eq!(differences(&then, &json!({ "document": { "name": "b" }, "encryption": 1 })), ["[document]"]);
    }
}

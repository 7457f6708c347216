//! The S3 actions on objects that use the objects' KMS key, and what each needs of it. The list is data/object_actions.toml.

use std::sync::LazyLock;

use serde::Deserialize;

/// An action on objects.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectAction {
    /// Such as `s3:PutObject`.
    pub action: String,
    /// What whoever may do it does, after "may".
    pub does: String,
    /// The KMS actions on the key that it needs.
    pub needs: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectActions {
    action: Vec<ObjectAction>,
}

/// Every action on objects that uses their key; writing and reading come first.
pub static OBJECT_ACTIONS: LazyLock<Vec<ObjectAction>> = LazyLock::new(|| {
    // A list that does not parse fails the test of this file.
    toml::from_str::<ObjectActions>(include_str!("data/object_actions.toml"))
        .map(|list| list.action)
        .unwrap_or_default()
});

/// The KMS actions that some of them need, each once.
pub static KEY_ACTIONS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut found: Vec<&str> = Vec::new();
    for need in OBJECT_ACTIONS.iter().flat_map(|action| &action.needs) {
        if !found.contains(&need.as_str()) {
            found.push(need);
        }
    }
    found
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_understood() {
        let list: ObjectActions = toml::from_str(include_str!("data/object_actions.toml")).unwrap();
        let needs = |action: &str| {
            let found = list.action.iter().find(|one| one.action == action);
            found.unwrap_or_else(|| panic!("{action}")).needs.join(" ")
        };
        assert_eq!(needs("s3:PutObject"), "kms:GenerateDataKey kms:Decrypt");
        assert_eq!(needs("s3:GetObjectVersionForReplication"), "kms:Decrypt");
        assert_eq!(needs("s3:ReplicateObject"), "kms:Encrypt");
        assert_eq!(*KEY_ACTIONS, ["kms:GenerateDataKey", "kms:Decrypt", "kms:Encrypt"]);
    }
}

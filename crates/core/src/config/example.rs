//! Values that stand for others: those of the shipped example, and `key/NEW` for a key that is yet to be created.

use super::{CampaignFile, Problem};

/// The organization and the keys of `config/orgseal.toml` and of the documentation.
const ORGANIZATION: &str = "o-a1b2c3d4e5";
const ACCOUNT: &str = "111122223333";
const KEYS: [&str; 2] = ["1234abcd-12ab-34cd-56ef-1234567890ab", "0987dcba-09fe-87dc-65ba-ab0987654321"];

impl CampaignFile {
    /// The settings that hold the shipped example's values. Nothing of them is in AWS.
    #[must_use]
    pub fn example_values(&self) -> Vec<String> {
        let organization = self.organization.id.as_deref().filter(|id| *id == ORGANIZATION);
        let mut found: Vec<String> = organization.map(|id| format!("organization.id = {id}")).into_iter().collect();
        let keys = self.all_keys();
        let shipped = keys.iter().filter(|key| key.account == ACCOUNT && KEYS.contains(&key.id.as_str()));
        found.extend(shipped.map(|key| format!("key {key}")));
        found
    }

    /// Names the documentation's organization in the shipped example, which leaves it out, and says which one it is. What is rendered
    /// from the example is to be read, not deployed: its keys are placeholders too.
    pub fn complete_example(&mut self) -> Option<&'static str> {
        if self.organization.id.is_some() || self.example_values().is_empty() {
            return None;
        }
        self.organization.id = Some(ORGANIZATION.to_owned());
        Some(ORGANIZATION)
    }
}

/// A warning for each key that is yet to be created.
pub(super) fn new_keys(file: &CampaignFile) -> Vec<Problem> {
    let keys = file.all_keys();
    let new = keys.iter().filter(|key| key.is_placeholder());
    new.map(|key| {
        Problem::new(
            "central_key",
            format!("{key} is a placeholder for a key that does not exist yet: it is valid for bootstrap only"),
            "create it with `orgseal bootstrap deploy`, which writes its ARN into the file; or write the ARN of a key that exists",
        )
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::ORGANIZATION;
    use crate::config::load;

    #[test]
    fn the_shipped_file_is_told_from_one_that_was_filled_in() {
        let shipped = include_str!("../../../../config/orgseal.toml");
        let values = |text: &str| load(text, "c.toml", &[]).unwrap().campaign.example_values();
        assert_eq!(values(shipped).len(), 2, "{:?}", values(shipped));
        let with_id = shipped.replace("# id = \"o-a1b2c3d4e5\"", "id = \"o-a1b2c3d4e5\"");
        assert_eq!(values(&with_id)[0], "organization.id = o-a1b2c3d4e5");
        let mut example = load(shipped, "c.toml", &[]).unwrap().campaign;
        assert_eq!(example.complete_example(), Some(ORGANIZATION));
        assert_eq!(example.organization.id.as_deref(), Some(ORGANIZATION));
        assert_eq!(example.complete_example(), None);
        // The documentation's account may be used with other keys, as in a test.
        let own = shipped.replace("1234abcd-12ab", "aaaaaaaa-12ab").replace("0987dcba-09fe", "bbbbbbbb-09fe");
        assert!(values(&own).is_empty());
        assert_eq!(load(&own, "c.toml", &[]).unwrap().campaign.complete_example(), None);
        assert!(values(&shipped.replace("111122223333:key", "444455556666:key")).is_empty());
    }

    #[test]
    fn a_key_that_is_to_be_created_is_valid_for_bootstrap_only() {
        let shipped = include_str!("../../../../config/orgseal.toml");
        let new = shipped.replace("1234abcd-12ab-34cd-56ef-1234567890ab", "NEW");
        let warnings = load(&new, "c.toml", &[]).unwrap().campaign.warnings();
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].message.contains("key/NEW") && warnings[0].message.contains("valid for bootstrap only"));
    }
}

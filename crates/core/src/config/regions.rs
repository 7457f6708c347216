//! Names of Regions, held against those that this version knows. AWS adds Regions, so an unknown one is a warning.

use std::collections::BTreeSet;

use super::unknown::near;
use super::{CampaignFile, Problem};
use crate::model::Partition;

/// The known Region whose name is nearest to a misspelt one; `None` where none is near.
#[must_use]
pub fn nearest_region(name: &str) -> Option<&'static str> {
    near(&name.to_ascii_lowercase(), Partition::known_regions())
}

/// The Regions of the file that this version does not know.
pub(super) fn warnings(file: &CampaignFile) -> Vec<Problem> {
    let listed = file.regions.iter().enumerate().map(|(index, region)| (format!("regions[{index}]"), region));
    let keys = file.central_key.by_region().map(|(region, _)| (format!("central_key.{region}"), region));
    let overrides = file.central_key_overrides.iter().enumerate().flat_map(|(index, over)| {
        over.keys.keys().map(move |region| (format!("central_key_overrides[{index}].keys.{region}"), region))
    });
    let mut told = BTreeSet::new();
    let unknown = listed.chain(keys).chain(overrides).filter(|(_, region)| !Partition::knows_region(region));
    let unknown = unknown.filter(|(_, region)| told.insert((*region).clone()));
    unknown.map(|(path, region)| warning(path, region)).collect()
}

fn warning(path: String, region: &str) -> Problem {
    let of = Partition::of_region(region).map(|partition| format!(" in partition {}", partition.name));
    let message = format!("`{region}` is not a Region that this version of orgseal knows{}", of.unwrap_or_default());
    let instead = match nearest_region(region) {
        Some(nearest) => format!("did you mean {nearest}? A Region that AWS added later can stay"),
        None => "check its name; a Region that AWS added later can stay".to_owned(),
    };
    Problem::new(path, message, instead)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    #[test]
    fn a_misspelt_region_has_a_nearest_one() {
        for (name, nearest) in [
            ("us-eats-1", Some("us-east-1")),
            ("US-EAST-1", Some("us-east-1")),
            ("us-east-1a", Some("us-east-1")),
            ("useast1", Some("us-east-1")),
            ("us-gov-wets-1", Some("us-gov-west-1")),
            ("mars-north-1", None),
            ("", None),
        ] {
            assert_eq!(nearest_region(name), nearest, "{name}");
        }
    }

    #[test]
    fn the_file_may_name_a_region_that_is_not_known_and_is_warned() {
        let file = r#"
regions = ["us-eats-1"]
[member_role]
name = "orgseal-member"
[central_key]
us-eats-1 = "arn:aws:kms:us-eats-1:111122223333:key/abc"
eu-west-1 = "arn:aws:kms:eu-west-1:111122223333:key/def"
[document]
name = "EnableS3BucketEncryptionWithKMS"
[automation_role]
name = "orgseal-automation"
"#;
        let warnings = load(file, "c.toml", &[]).unwrap().campaign.warnings();
        assert_eq!(warnings.len(), 1, "each Region once: {warnings:?}");
        assert_eq!(warnings[0].path, "regions[0]");
        assert_eq!(
            warnings[0].message,
            "`us-eats-1` is not a Region that this version of orgseal knows in partition aws"
        );
        assert!(warnings[0].instead.starts_with("did you mean us-east-1?"), "{}", warnings[0].instead);
    }
}

//! The partition of an organization and its Regions: which are enabled, and which a spec may name.

use std::collections::BTreeSet;

use super::Spec;
use super::check::Fault;
use crate::partition::Partition;

/// So many of a partition's Regions hold buckets when a spec names none.
const UNNAMED: usize = 3;

impl Spec {
    /// What `kms:ViaService` ends with in this organization.
    pub(crate) fn via_service_suffix(&self) -> &str {
        self.via_service_suffix.as_deref().unwrap_or_else(|| self.partition.dns_suffix())
    }

    /// Whether every account has this Region: it is in the spec, or no account can disable it.
    pub(crate) fn is_enabled(&self, region: &str) -> bool {
        self.regions.iter().any(|enabled| enabled == region) || self.partition.default_regions().contains(&region)
    }

    /// The default Regions are those of the partition `aws`: another one has its own, where the spec names none.
    pub(super) fn use_regions_of_partition(&mut self, written: &toml::Table) {
        if self.partition != Partition::Aws && !written.contains_key("regions") {
            self.regions = self.partition.default_regions().iter().take(UNNAMED).map(ToString::to_string).collect();
        }
    }

    pub(super) fn regions_fault(&self) -> Option<Fault> {
        if self.regions.is_empty() || self.regions.len() > 40 {
            let example = self.partition.default_regions()[0];
            return Some(("regions", format!("regions must name 1 to 40 Regions: write regions = [\"{example}\"]")));
        }
        let mut seen = BTreeSet::new();
        for region in &self.regions {
            if !super::check::is_region(region) {
                return Some((
                    "regions",
                    format!("\"{region}\" is not the name of a Region: write one like \"eu-west-1\""),
                ));
            }
            if let Some(other) = Partition::of_region(region).filter(|other| *other != self.partition) {
                let fits = self.partition.default_regions().join(", ");
                let message = format!(
                    "{region} is a Region of partition {other}, and this organization is in {}: write Regions of it, such as \
                     {fits}, or partition = \"{other}\"",
                    self.partition
                );
                return Some(("regions", message));
            }
            if !seen.insert(region) {
                return Some(("regions", format!("\"{region}\" is named twice in regions: write it once")));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_has_its_own_regions() {
        let spec = |text: &str| Spec::from_toml(text, "x");
        assert_eq!(spec("partition = \"aws-us-gov\"").unwrap().regions, ["us-gov-west-1", "us-gov-east-1"]);
        assert_eq!(spec("partition = \"aws-eusc\"").unwrap().regions, ["eusc-de-east-1"]);
        assert_eq!(spec("").unwrap().regions, Spec::default().regions);
        let wrong = spec("partition = \"aws-cn\"\nregions = [\"cn-north-1\", \"eu-west-1\"]").unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "x:2: eu-west-1 is a Region of partition aws, and this organization is in aws-cn: write Regions of it, such as \
             cn-north-1, cn-northwest-1, or partition = \"aws\""
        );
        assert!(spec("partition = \"aws-mars\"").unwrap_err().to_string().contains("aws-cn"));
    }

    #[test]
    fn regions_that_no_account_can_disable_are_enabled() {
        let spec = Spec::from_toml("regions = [\"eu-west-1\", \"ap-east-1\"]", "x").unwrap();
        for (region, enabled) in [("eu-west-1", true), ("us-east-1", true), ("ap-east-1", true), ("eu-south-1", false)]
        {
            assert_eq!(spec.is_enabled(region), enabled, "{region}");
        }
    }
}

//! The partitions of AWS. Their data are in `partitions.toml`. An unknown Region or partition is never taken for `aws`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// A partition, such as `aws` or `aws-cn`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// Its name in ARNs.
    pub name: String,
    /// What host names of its services end with.
    pub dns_suffix: String,
    /// How the names of its Regions begin.
    pub region_prefixes: Vec<String>,
    /// Regions that every account has and cannot disable.
    pub enabled_regions: Vec<String>,
    /// Whether there are other Regions, which an account has to enable first.
    opt_in: bool,
    /// Those that this version knows.
    #[serde(default)]
    pub opt_in_regions: Vec<String>,
    via_service_documented: bool,
    /// Exceptions from `SERVICE.amazonaws.com`, by service.
    #[serde(default)]
    service_principals: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
struct Data {
    partition: Vec<Partition>,
}

/// What service principals end with in every partition, and `kms:ViaService` where AWS documents it.
const UNIVERSAL_SUFFIX: &str = "amazonaws.com";

// A test reads the file: what is shipped parses.
static DATA: LazyLock<Data> = LazyLock::new(|| toml::from_str(include_str!("partitions.toml")).unwrap_or_default());

impl Partition {
    /// Every known partition.
    #[must_use]
    pub fn all() -> &'static [Partition] {
        &DATA.partition
    }

    /// By its name in ARNs.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Partition> {
        Partition::all().iter().find(|partition| partition.name == name)
    }

    /// The partition of a Region; `None` for a Region that no known partition has.
    #[must_use]
    pub fn of_region(region: &str) -> Option<&'static Partition> {
        // us-gov-west-1 begins with us-, too: the longest prefix decides.
        let longest = |partition: &Partition| {
            let prefixes = partition.region_prefixes.iter().filter(|prefix| region.starts_with(prefix.as_str()));
            prefixes.map(String::len).max()
        };
        let known = Partition::all().iter().filter_map(|partition| Some((longest(partition)?, partition)));
        known.max_by_key(|(length, _)| *length).map(|(_, partition)| partition)
    }

    /// Every Region that this version knows. AWS adds Regions, so that an unknown one is not necessarily wrong.
    pub fn known_regions() -> impl Iterator<Item = &'static str> {
        Partition::all()
            .iter()
            .flat_map(|one| one.enabled_regions.iter().chain(&one.opt_in_regions))
            .map(String::as_str)
    }

    /// Whether this version knows a Region.
    #[must_use]
    pub fn knows_region(region: &str) -> bool {
        Partition::known_regions().any(|known| known == region)
    }

    /// The values that `kms:ViaService` may have when S3 asks in a Region (which may be `*`): one where AWS documents it,
    /// otherwise both forms.
    #[must_use]
    pub fn via_s3(&self, region: &str) -> Vec<String> {
        let mut suffixes = vec![UNIVERSAL_SUFFIX];
        if !self.via_service_documented && self.dns_suffix != UNIVERSAL_SUFFIX {
            suffixes.push(&self.dns_suffix);
        }
        suffixes.into_iter().map(|suffix| format!("s3.{region}.{suffix}")).collect()
    }

    /// Whether an account has to opt in to a Region of this partition before it can be used.
    #[must_use]
    pub fn is_opt_in(&self, region: &str) -> bool {
        self.opt_in && !self.enabled_regions.iter().any(|enabled| enabled == region)
    }

    /// The principal of a service, such as `config`.
    #[must_use]
    pub fn service_principal(&self, service: &str) -> String {
        self.service_principals.get(service).cloned().unwrap_or_else(|| format!("{service}.{UNIVERSAL_SUFFIX}"))
    }
}

/// Whether a text is the name of an AWS service, such as `s3.amazonaws.com`, in whichever partition.
#[must_use]
pub fn is_service_name(text: &str) -> bool {
    let names = |suffix: &str| text.strip_suffix(suffix).is_some_and(|name| name.len() > 1 && name.ends_with('.'));
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    plain && Partition::all().iter().any(|partition| names(&partition.dns_suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_data_are_read() {
        let data: Data = toml::from_str(include_str!("partitions.toml")).unwrap();
        let names: Vec<&str> = data.partition.iter().map(|partition| partition.name.as_str()).collect();
        let all = ["aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f"];
        assert_eq!(names, all);
    }

    #[test]
    fn a_region_tells_its_partition() {
        for (region, name) in [
            ("us-east-1", Some("aws")),
            ("mx-central-1", Some("aws")),
            ("cn-northwest-1", Some("aws-cn")),
            ("us-gov-east-1", Some("aws-us-gov")),
            ("eusc-de-east-1", Some("aws-eusc")),
            ("us-iso-west-1", Some("aws-iso")),
            ("us-isob-east-1", Some("aws-iso-b")),
            ("eu-isoe-west-1", Some("aws-iso-e")),
            ("us-isof-south-1", Some("aws-iso-f")),
            ("moon-base-1", None),
        ] {
            assert_eq!(Partition::of_region(region).map(|partition| partition.name.as_str()), name, "{region}");
        }
        assert!(Partition::named("aws-moon").is_none());
    }

    #[test]
    fn both_forms_stand_where_aws_documents_none() {
        let via = |name: &str| Partition::named(name).unwrap().via_s3("r-1");
        assert_eq!(via("aws"), ["s3.r-1.amazonaws.com"]);
        assert_eq!(via("aws-us-gov"), ["s3.r-1.amazonaws.com"]);
        assert_eq!(via("aws-cn"), ["s3.r-1.amazonaws.com", "s3.r-1.amazonaws.com.cn"]);
        assert_eq!(via("aws-eusc"), ["s3.r-1.amazonaws.com", "s3.r-1.amazonaws.eu"]);
    }

    /// The services that the code names with a literal have no exception anywhere.
    #[test]
    fn service_principals_are_universal_but_for_the_exceptions() {
        for partition in Partition::all() {
            for service in ["ssm", "s3", "logging.s3", "cloudtrail", "delivery.logs", "cloudfront", "kms", "redshift"] {
                assert_eq!(partition.service_principal(service), format!("{service}.amazonaws.com"));
            }
        }
        assert_eq!(Partition::named("aws-iso").unwrap().service_principal("config"), "config.c2s.ic.gov");
    }

    #[test]
    fn names_of_services_are_told_from_others() {
        for name in ["s3.amazonaws.com", "logs.cn-north-1.amazonaws.com.cn", "s3.amazonaws.eu", "config.c2s.ic.gov"] {
            assert!(is_service_name(name), "{name}");
        }
        for name in [
            "amazonaws.com",
            ".amazonaws.com",
            "${x}.amazonaws.com",
            "a\nb.amazonaws.com",
            "s3.example.com",
            "notamazonaws.com",
            "AWS Internal",
        ] {
            assert!(!is_service_name(name), "{name}");
        }
    }
}

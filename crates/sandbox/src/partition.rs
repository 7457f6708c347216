//! The partitions of AWS as a simulated organization shows them: the name in ARNs, the DNS suffix, the Regions, and the Region
//! that serves each global service. The data follow botocore's `partitions.json` and endpoint rule sets; a conformance test
//! compares them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A partition, by its name in ARNs.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Partition {
    /// Commercial Regions.
    #[default]
    Aws,
    /// China.
    AwsCn,
    /// GovCloud (US).
    AwsUsGov,
    /// European Sovereign Cloud.
    AwsEusc,
    /// Isolated: Top Secret.
    AwsIso,
    /// Isolated: Secret.
    AwsIsoB,
    /// Isolated: Europe.
    AwsIsoE,
    /// Isolated: further agencies.
    AwsIsoF,
}

struct Facts {
    name: &'static str,
    dns_suffix: &'static str,
    /// How the names of its Regions begin.
    region_prefixes: &'static [&'static str],
    /// Regions that every account has.
    default_regions: &'static [&'static str],
    /// Regions that an account has after it enabled them.
    opt_in_regions: &'static [&'static str],
    /// Where IAM is served from; in China this is not the Region of Organizations.
    iam: &'static str,
    organizations: &'static str,
}

const AWS: Facts = Facts {
    name: "aws",
    dns_suffix: "amazonaws.com",
    region_prefixes: &["us-", "eu-", "ap-", "sa-", "ca-", "me-", "af-", "il-", "mx-"],
    default_regions: &[
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ca-central-1",
        "eu-central-1",
        "eu-north-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "sa-east-1",
    ],
    opt_in_regions: &[
        "af-south-1",
        "ap-east-1",
        "ap-east-2",
        "ap-south-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "ap-southeast-5",
        "ap-southeast-6",
        "ap-southeast-7",
        "ca-west-1",
        "eu-central-2",
        "eu-south-1",
        "eu-south-2",
        "il-central-1",
        "me-central-1",
        "me-south-1",
        "me-west-1",
        "mx-central-1",
        "sa-west-1",
    ],
    iam: "us-east-1",
    organizations: "us-east-1",
};

const AWS_CN: Facts = Facts {
    name: "aws-cn",
    dns_suffix: "amazonaws.com.cn",
    region_prefixes: &["cn-"],
    default_regions: &["cn-north-1", "cn-northwest-1"],
    opt_in_regions: &[],
    iam: "cn-north-1",
    organizations: "cn-northwest-1",
};

const AWS_US_GOV: Facts = Facts {
    name: "aws-us-gov",
    dns_suffix: "amazonaws.com",
    region_prefixes: &["us-gov-"],
    default_regions: &["us-gov-west-1", "us-gov-east-1"],
    opt_in_regions: &[],
    iam: "us-gov-west-1",
    organizations: "us-gov-west-1",
};

const AWS_EUSC: Facts = Facts {
    name: "aws-eusc",
    dns_suffix: "amazonaws.eu",
    region_prefixes: &["eusc-"],
    default_regions: &["eusc-de-east-1"],
    opt_in_regions: &[],
    iam: "eusc-de-east-1",
    organizations: "eusc-de-east-1",
};

const AWS_ISO: Facts = Facts {
    name: "aws-iso",
    dns_suffix: "c2s.ic.gov",
    region_prefixes: &["us-iso-"],
    default_regions: &["us-iso-east-1", "us-iso-west-1"],
    opt_in_regions: &[],
    iam: "us-iso-east-1",
    organizations: "us-iso-east-1",
};

const AWS_ISO_B: Facts = Facts {
    name: "aws-iso-b",
    dns_suffix: "sc2s.sgov.gov",
    region_prefixes: &["us-isob-"],
    default_regions: &["us-isob-east-1", "us-isob-west-1"],
    opt_in_regions: &[],
    iam: "us-isob-east-1",
    organizations: "us-isob-east-1",
};

const AWS_ISO_E: Facts = Facts {
    name: "aws-iso-e",
    dns_suffix: "cloud.adc-e.uk",
    region_prefixes: &["eu-isoe-"],
    default_regions: &["eu-isoe-west-1"],
    opt_in_regions: &[],
    iam: "eu-isoe-west-1",
    organizations: "eu-isoe-west-1",
};

const AWS_ISO_F: Facts = Facts {
    name: "aws-iso-f",
    dns_suffix: "csp.hci.ic.gov",
    region_prefixes: &["us-isof-"],
    default_regions: &["us-isof-south-1", "us-isof-east-1"],
    opt_in_regions: &[],
    iam: "us-isof-south-1",
    organizations: "us-isof-south-1",
};

impl Partition {
    /// Every partition.
    pub const ALL: [Partition; 8] = [
        Partition::Aws,
        Partition::AwsCn,
        Partition::AwsUsGov,
        Partition::AwsEusc,
        Partition::AwsIso,
        Partition::AwsIsoB,
        Partition::AwsIsoE,
        Partition::AwsIsoF,
    ];

    fn facts(self) -> &'static Facts {
        match self {
            Partition::Aws => &AWS,
            Partition::AwsCn => &AWS_CN,
            Partition::AwsUsGov => &AWS_US_GOV,
            Partition::AwsEusc => &AWS_EUSC,
            Partition::AwsIso => &AWS_ISO,
            Partition::AwsIsoB => &AWS_ISO_B,
            Partition::AwsIsoE => &AWS_ISO_E,
            Partition::AwsIsoF => &AWS_ISO_F,
        }
    }

    /// The name in ARNs.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// What host names end with.
    #[must_use]
    pub fn dns_suffix(self) -> &'static str {
        self.facts().dns_suffix
    }

    /// Regions that every account has.
    #[must_use]
    pub fn default_regions(self) -> &'static [&'static str] {
        self.facts().default_regions
    }

    /// Regions that an account has after it enabled them.
    #[must_use]
    pub fn opt_in_regions(self) -> &'static [&'static str] {
        self.facts().opt_in_regions
    }

    /// The Region that a global service is served from and signed for; `None` for a regional service.
    #[must_use]
    pub fn global_region(self, service: &str) -> Option<&'static str> {
        match service {
            "iam" => Some(self.facts().iam),
            "organizations" => Some(self.facts().organizations),
            _ => None,
        }
    }

    /// The partition that a Region's name belongs to: the longest prefix decides, as us-gov-west-1 begins with us-, too.
    #[must_use]
    pub fn of_region(region: &str) -> Option<Partition> {
        let longest = |partition: &Partition| {
            let prefixes = partition.facts().region_prefixes.iter();
            prefixes.filter(|prefix| region.starts_with(**prefix)).map(|prefix| prefix.len()).max()
        };
        Partition::ALL.into_iter().filter(|partition| longest(partition).is_some()).max_by_key(longest)
    }

    /// An ARN; `region` and `account` are empty where ARNs of the service have none.
    pub(crate) fn arn(self, service: &str, region: &str, account: &str, resource: impl fmt::Display) -> String {
        format!("arn:{self}:{service}:{region}:{account}:{resource}")
    }

    /// `arn:PARTITION:iam::ACCOUNT:RESOURCE`
    pub(crate) fn iam_arn(self, account: &str, resource: impl fmt::Display) -> String {
        self.arn("iam", "", account, resource)
    }

    /// The ARN of a bucket, or of `BUCKET/KEY`.
    pub(crate) fn s3_arn(self, bucket: impl fmt::Display) -> String {
        self.arn("s3", "", "", bucket)
    }

    /// The ARN of a role's session.
    pub(crate) fn session_arn(self, account: &str, role: &str, session: &str) -> String {
        self.arn("sts", "", account, format_args!("assumed-role/{role}/{session}"))
    }

    /// What follows the service in an ARN of this partition: `REGION:ACCOUNT:RESOURCE`.
    pub(crate) fn strip_arn<'a>(self, service: &str, arn: &'a str) -> Option<&'a str> {
        let rest = arn.strip_prefix("arn:")?.strip_prefix(self.name())?.strip_prefix(':')?;
        rest.strip_prefix(service)?.strip_prefix(':')
    }

    /// A shipped policy or document, written for the partition `aws`, with this partition's names.
    pub(crate) fn localized(self, text: &str, via_suffix: &str) -> String {
        text.replace("arn:aws:", &format!("arn:{self}:")).replace("s3.*.amazonaws.com", &format!("s3.*.{via_suffix}"))
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_region_belongs_to_one_partition() {
        for partition in Partition::ALL {
            for region in partition.default_regions().iter().chain(partition.opt_in_regions()) {
                assert_eq!(Partition::of_region(region), Some(partition), "{region}");
            }
        }
        assert_eq!(Partition::of_region("moon-base-1"), None);
    }

    #[test]
    fn an_arn_of_another_partition_is_not_taken_apart() {
        let arn = Partition::AwsCn.arn("kms", "cn-north-1", "111122223333", "key/k");
        assert_eq!(arn, "arn:aws-cn:kms:cn-north-1:111122223333:key/k");
        assert_eq!(Partition::AwsCn.strip_arn("kms", &arn), Some("cn-north-1:111122223333:key/k"));
        assert_eq!(Partition::Aws.strip_arn("kms", &arn), None);
    }
}

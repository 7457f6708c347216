//! AWS's own managed policies: the few that tools attach. AdministratorAccess and AWSConfigRoleForOrganizations say what
//! AWS's say; of ReadOnlyAccess and SecurityAudit there is what they allow in the services that are here.

use std::sync::{Arc, LazyLock};

use super::shipped;
use crate::world::managed_policy::ManagedRecord;
use crate::world::role_record::MADE_MS;

struct Own {
    path: &'static str,
    name: &'static str,
    id: &'static str,
    /// Its only version, under the number that AWS has reached: not all of them are at v1.
    version: u32,
    description: &'static str,
    text: &'static str,
}

const OWN: [Own; 4] = [
    Own {
        path: "/service-role/",
        name: "AWSConfigRoleForOrganizations",
        id: "ANPAIEHGYAUTHXSXZAW2E",
        version: 2,
        description: "Allows AWS Config to call read-only AWS Organizations APIs",
        text: include_str!("aws_managed/config-role-for-organizations.json"),
    },
    Own {
        path: "/",
        name: "AdministratorAccess",
        id: "ANPAIWMBCKSKIEE64ZLYK",
        version: 1,
        description: "Provides full access to AWS services and resources.",
        text: shipped::ADMINISTRATOR,
    },
    Own {
        path: "/",
        name: "ReadOnlyAccess",
        id: "ANPAILL3HVNFSB6DCOWYQ",
        version: 190,
        description: "Provides read-only access to AWS services and resources.",
        text: include_str!("aws_managed/read-only-access.json"),
    },
    Own {
        path: "/",
        name: "SecurityAudit",
        id: "ANPAIX2T3QCXHR2OGGCTO",
        version: 94,
        description: "The security audit template grants access to read security configuration metadata. It is useful for \
                      software that audits the configuration of an AWS account.",
        text: include_str!("aws_managed/security-audit.json"),
    },
];

static RECORDS: LazyLock<Vec<Arc<ManagedRecord>>> = LazyLock::new(|| OWN.iter().map(Own::record).collect());

impl Own {
    fn record(&self) -> Arc<ManagedRecord> {
        let mut record = ManagedRecord::new(self.name, self.id.into(), self.text, MADE_MS);
        for version in &mut record.versions {
            version.number = self.version;
        }
        Arc::new(ManagedRecord {
            path: self.path.into(),
            description: self.description.into(),
            default_version: self.version,
            newest: self.version,
            aws: true,
            ..record
        })
    }
}

/// All of them, by name.
pub(crate) fn all() -> &'static [Arc<ManagedRecord>] {
    &RECORDS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition::Partition;
    use crate::policy::{Kind, Policy};

    #[test]
    fn each_of_them_loads_and_has_its_arn() {
        for policy in all() {
            Policy::load(Kind::Identity, policy.text()).unwrap();
        }
        let arns: Vec<String> = all().iter().map(|policy| policy.arn(Partition::Aws, "111111111111")).collect();
        assert!(arns.is_sorted_by_key(|arn| arn.rsplit('/').next().map(String::from)), "{arns:?}");
        assert_eq!(arns[0], "arn:aws:iam::aws:policy/service-role/AWSConfigRoleForOrganizations");
    }
}

//! Session policies: a session is narrower than the role, so that a command can do no more than it needs.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::model::KeyArn;

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Read buckets and their default encryption.
    Audit {
        /// Directory buckets are counted as well.
        directory_buckets: bool,
        /// Guards are evaluated as well: what a plan reads.
        guards: bool,
    },
    /// Look at buckets about to change, and at what they would be changed with.
    Plan,
    /// Start and follow executions as well.
    Rollout,
    /// Look at former keys, and at what AWS Config would undo, as well.
    Rollback,
    /// Look at all that a rollout rests on, and change nothing.
    Preflight {
        /// A wave is going to ask CloudTrail for denied uses of the key.
        denials: bool,
    },
    /// Compare what is deployed with what the campaign file makes, and change nothing.
    Compare,
    /// Put the groundwork there: what that takes is for the role's own policies to allow.
    Groundwork,
}

/// Keys that are named one by one: STS also has a limit on the packed size, and key ids do not pack well.
const KEYS_NAMED: usize = 4;

/// The session policy for a purpose, minified: STS takes 2,048 characters. `keys` are the campaign's central keys.
///
/// `iam:PassRole` is bound to Systems Manager; which role may be passed is the member role's own business.
#[must_use]
pub(super) fn session_policy(purpose: Purpose, keys: &[KeyArn]) -> String {
    let statements = match purpose {
        Purpose::Audit { directory_buckets, guards } => {
            let evaluated =
                if guards { [vec![read_documents(), self::guards()], prove(keys)].concat() } else { vec![] };
            let counted = if directory_buckets { vec![self::directory_buckets()] } else { vec![] };
            [vec![buckets()], evaluated, counted].concat()
        }
        Purpose::Plan => [vec![buckets(), read_documents(), guards()], prove(keys)].concat(),
        Purpose::Rollout => [vec![buckets(), guards(), denials()], changes().to_vec(), prove(keys)].concat(),
        Purpose::Rollback => [vec![buckets()], changes().to_vec(), vec![former_keys()]].concat(),
        Purpose::Preflight { denials: false } => [vec![looks()], prove(keys)].concat(),
        Purpose::Preflight { denials: true } => [vec![looks(), denials()], prove(keys)].concat(),
        Purpose::Compare => vec![compares()],
        Purpose::Groundwork => vec![everything()],
    };
    let policy: Value = json!({ "Version": "2012-10-17", "Statement": statements });
    policy.to_string()
}

fn buckets() -> Value {
    // s3:ListBucket is what HeadBucket asks for, where ListBuckets gives no Region. Tags: an exemption may go by them.
    json!({
        "Effect": "Allow",
        "Action": ["s3:ListAllMyBuckets", "s3:GetEncryptionConfiguration", "s3:ListBucket", "s3:GetBucketTagging"],
        "Resource": "*"
    })
}

fn directory_buckets() -> Value {
    json!({ "Effect": "Allow", "Action": "s3express:ListAllMyDirectoryBuckets", "Resource": "*" })
}

fn read_documents() -> Value {
    json!({ "Effect": "Allow", "Action": ["ssm:GetDocument", "ssm:DescribeDocument"], "Resource": "*" })
}

/// What guards read of a bucket about to change, and of its account.
fn guards() -> Value {
    json!({
        "Effect": "Allow",
        "Action": [
            "s3:GetBucketPolicy", "s3:GetBucketPolicyStatus", "s3:GetBucketWebsite", "s3:GetBucketAcl",
            "s3:GetBucketOwnershipControls", "s3:GetBucketPublicAccessBlock", "s3:GetReplicationConfiguration",
            "s3:ListAccessPoints", "s3:GetAccessPointPolicy", "s3:GetAccountPublicAccessBlock",
            "iam:GetAccountAuthorizationDetails"
        ],
        "Resource": "*"
    })
}

/// The look for denied uses of the central key while a wave is watched.
fn denials() -> Value {
    json!({ "Effect": "Allow", "Action": "cloudtrail:LookupEvents", "Resource": "*" })
}

fn changes() -> [Value; 2] {
    [
        json!({
            "Effect": "Allow",
            "Action": [
                "ssm:GetDocument", "ssm:StartAutomationExecution", "ssm:AddTagsToResource",
                "ssm:DescribeAutomationExecutions", "ssm:GetAutomationExecution"
            ],
            "Resource": "*"
        }),
        json!({
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": "*",
            "Condition": { "StringEquals": { "iam:PassedToService": "ssm.amazonaws.com" } }
        }),
    ]
}

fn former_keys() -> Value {
    json!({
        "Effect": "Allow",
        "Action": [
            "kms:DescribeKey", "config:DescribeConfigRules", "config:DescribeRemediationConfigurations",
            "config:DescribeRemediationExceptions"
        ],
        "Resource": "*"
    })
}

fn looks() -> Value {
    json!({
        "Effect": "Allow",
        "Action": [
            "ssm:GetDocument", "ssm:DescribeAutomationExecutions", "iam:GetRole",
            "iam:GetAccountAuthorizationDetails", "config:DescribeConfigRules",
            "config:DescribeRemediationConfigurations", "config:DescribeRemediationExceptions"
        ],
        "Resource": "*"
    })
}

fn compares() -> Value {
    json!({
        "Effect": "Allow",
        "Action": [
            "iam:GetAccountAuthorizationDetails", "iam:GetRole", "ssm:GetDocument", "config:DescribeConfigRules"
        ],
        "Resource": "*"
    })
}

fn everything() -> Value {
    json!({ "Effect": "Allow", "Action": "*", "Resource": "*" })
}

/// The dry run that proves that the role can use the central keys; nothing where there are none.
fn prove(keys: &[KeyArn]) -> Vec<Value> {
    if keys.is_empty() {
        return Vec::new();
    }
    let resources: BTreeSet<String> = match keys.len() > KEYS_NAMED {
        true => keys.iter().map(|key| format!("arn:{}:kms:*:{}:key/*", key.partition, key.account)).collect(),
        false => keys.iter().map(ToString::to_string).collect(),
    };
    vec![json!({ "Effect": "Allow", "Action": ["kms:DescribeKey", "kms:GenerateDataKey"], "Resource": resources })]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(amount: usize) -> Vec<KeyArn> {
        (0..amount)
            .map(|n| {
                let arn =
                    format!("arn:aws-us-gov:kms:us-gov-west-{n}:111122223333:key/1234abcd-12ab-34cd-56ef-{n:012}");
                arn.parse().unwrap()
            })
            .collect()
    }

    #[test]
    fn sessions_that_only_look_cannot_change_anything() {
        let audit = Purpose::Audit { directory_buckets: true, guards: true };
        for purpose in [audit, Purpose::Preflight { denials: true }, Purpose::Compare] {
            let policy = session_policy(purpose, &keys(2));
            for verb in ["Put", "Start", "Create", "Delete", "PassRole", "\"*\"]"] {
                assert!(!policy.contains(verb), "{purpose:?} {verb}");
            }
        }
    }

    #[test]
    fn all_fit_what_sts_takes() {
        let preflight = Purpose::Preflight { denials: true };
        let audit = Purpose::Audit { directory_buckets: true, guards: true };
        for purpose in [audit, Purpose::Plan, Purpose::Rollout, Purpose::Rollback, preflight] {
            for amount in [0, 1, KEYS_NAMED, KEYS_NAMED + 1, 40] {
                assert!(session_policy(purpose, &keys(amount)).len() <= 2048, "{purpose:?} {amount}");
            }
        }
    }

    #[test]
    fn a_preflight_asks_cloudtrail_only_where_a_wave_does() {
        for denials in [true, false] {
            let policy = session_policy(Purpose::Preflight { denials }, &keys(1));
            assert_eq!(policy.contains("cloudtrail:LookupEvents"), denials);
        }
    }

    #[test]
    fn a_rollout_may_prove_the_campaigns_keys_and_no_others() {
        let policy = session_policy(Purpose::Rollout, &keys(2));
        assert!(policy.contains(&keys(2)[1].to_string()) && !policy.contains("key/*"));
        let policy = session_policy(Purpose::Rollout, &keys(30));
        assert_eq!(policy.matches("arn:aws-us-gov:kms:*:111122223333:key/*").count(), 1);
        assert!(!session_policy(Purpose::Audit { directory_buckets: false, guards: false }, &keys(2)).contains("kms:"));
    }

    #[test]
    fn an_audit_lists_directory_buckets_only_where_it_counts_them() {
        for directory_buckets in [true, false] {
            let policy = session_policy(Purpose::Audit { directory_buckets, guards: false }, &keys(1));
            assert_eq!(policy.contains("s3express:"), directory_buckets);
        }
    }
}

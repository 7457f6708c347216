//! Whether a KMS key may serve as a bucket's default key (law 6): S3 checks nothing, so we must.

use crate::model::{KeyArn, KeyFacts};

/// What is wrong with a central key; `None` when nothing is.
#[must_use]
pub fn key_fault(facts: &KeyFacts, wanted: &KeyArn) -> Option<String> {
    let checks = [
        ("KeyState", &facts.state, "Enabled"),
        ("KeyUsage", &facts.usage, "ENCRYPT_DECRYPT"),
        ("KeySpec", &facts.spec, "SYMMETRIC_DEFAULT"),
        ("KeyManager", &facts.manager, "CUSTOMER"),
        ("AWSAccountId", &facts.account, &wanted.account),
    ];
    let wrong = checks.iter().find(|(_, found, must_be)| found.as_str() != *must_be);
    if let Some((name, found, must_be)) = wrong {
        let date = facts.deletion_date.map(|date| format!(" (it is deleted on {})", date.strftime("%-d %b %Y")));
        return Some(format!("{name} is {found}{}, and must be {must_be}", date.unwrap_or_default()));
    }
    // The answer's own ARN names Region and key: another one would be another key.
    (facts.arn != wanted.to_string()).then(|| format!("it describes itself as {}", facts.arn))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_seen() {
        let wanted: KeyArn = "arn:aws:kms:us-east-1:111122223333:key/k".parse().unwrap();
        let good = KeyFacts {
            arn: wanted.to_string(),
            account: "111122223333".into(),
            state: "Enabled".into(),
            usage: "ENCRYPT_DECRYPT".into(),
            spec: "SYMMETRIC_DEFAULT".into(),
            manager: "CUSTOMER".into(),
            deletion_date: None,
            valid_to: None,
        };
        assert_eq!(key_fault(&good, &wanted), None);
        let faults = [
            KeyFacts { state: "PendingDeletion".into(), ..good.clone() },
            KeyFacts { state: "Disabled".into(), ..good.clone() },
            KeyFacts { state: String::new(), ..good.clone() },
            KeyFacts { usage: "SIGN_VERIFY".into(), ..good.clone() },
            KeyFacts { spec: "RSA_2048".into(), ..good.clone() },
            KeyFacts { manager: "AWS".into(), ..good.clone() },
            KeyFacts { account: "999999999999".into(), ..good.clone() },
            KeyFacts { arn: "arn:aws:kms:eu-west-1:111122223333:key/k".into(), ..good.clone() },
        ];
        for facts in faults {
            assert!(key_fault(&facts, &wanted).is_some(), "{facts:?}");
        }
        let going = KeyFacts {
            state: "PendingDeletion".into(),
            deletion_date: Some("2026-12-02T00:00:00Z".parse().unwrap()),
            ..good
        };
        assert!(key_fault(&going, &wanted).unwrap().contains("deleted on 2 Dec 2026"));
    }
}

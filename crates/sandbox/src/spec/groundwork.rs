//! A fresh organization, `groundwork = false`: nothing of a campaign's is deployed in it. What asks for it is refused.

use super::check::Fault;
use super::{EncryptionName, EncryptionSpec, Spec};

/// Whether a bucket in this state is on a central key.
fn needs_central_key(name: EncryptionName) -> bool {
    use EncryptionName as E;
    matches!(name, E::Sealed | E::BucketKeyOff | E::DsseSealed | E::WrongRegionKey)
}

/// The weights of those states, with their keys.
fn weights(encryption: &mut EncryptionSpec) -> [(&'static str, &mut u32); 4] {
    [
        ("sealed", &mut encryption.sealed),
        ("bucket_key_off", &mut encryption.bucket_key_off),
        ("dsse_sealed", &mut encryption.dsse_sealed),
        ("wrong_region_key", &mut encryption.wrong_region_key),
    ]
}

impl Spec {
    /// The default mix has buckets on central keys: in a fresh organization these weights are zero unless they are written.
    pub(super) fn leave_out_central_keys(&mut self, written: &toml::Table) {
        if self.groundwork {
            return;
        }
        let mix = written.get("encryption").and_then(toml::Value::as_table);
        for (key, weight) in weights(&mut self.encryption) {
            if mix.is_none_or(|mix| !mix.contains_key(key)) {
                *weight = 0;
            }
        }
    }

    /// What is asked for that only the groundwork has.
    pub(super) fn groundwork_fault(&self) -> Option<Fault> {
        if self.groundwork {
            return None;
        }
        let mut encryption = self.encryption.clone();
        if let Some((key, weight)) = weights(&mut encryption).into_iter().find(|(_, weight)| **weight > 0) {
            let message = format!(
                "{key} = {weight} needs the central keys, which are not there with groundwork = false: write {key} = 0"
            );
            return Some((key, message));
        }
        if let Some((name, _)) = self.bucket_on_a_central_key() {
            let message = format!(
                "bucket \"{name}\" is on a central key, which is not there with groundwork = false: write another state, \
                 such as sse_s3, or groundwork = true"
            );
            return Some(("encryption", message));
        }
        (!self.config_remediation.is_empty()).then(|| {
            let message = "a remediation starts the document that seals, which is not there with groundwork = false: take it \
                           out, or write groundwork = true";
            ("config_remediation", message.into())
        })
    }

    /// The first described bucket on a central key; one with a key of its own is on that.
    fn bucket_on_a_central_key(&self) -> Option<(&str, EncryptionName)> {
        let buckets = self.account.iter().flat_map(|account| account.buckets.iter().flatten());
        let mut asking = buckets.filter(|bucket| bucket.key.is_none() && needs_central_key(bucket.encryption));
        asking.next().map(|bucket| (bucket.name.as_str(), bucket.encryption))
    }

    /// The line on which that bucket's state is written, counted from one.
    pub(super) fn line_of_central_key(&self, text: &str) -> Option<usize> {
        let (name, _) = self.bucket_on_a_central_key().filter(|_| !self.groundwork)?;
        let lines: Vec<&str> = text.lines().collect();
        let named = lines.iter().position(|line| line.contains(&format!("\"{name}\"")) && line.contains("name"))?;
        let states = |line: &&str| line.contains("encryption");
        let opens = |line: &&str| line.trim_start().starts_with("[[");
        let after = lines[named..].iter().enumerate().take_while(|(nth, line)| *nth == 0 || !opens(line));
        let before = lines[..named].iter().enumerate().rev().take_while(|(_, line)| !opens(line));
        let found = after.map(|(nth, line)| (named + nth, line)).chain(before).find(|(_, line)| states(line));
        Some(found.map_or(named, |(index, _)| index) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Spec::from_toml(&format!("groundwork = false\naccounts = 3\n{text}"), "my.toml").unwrap_err().to_string()
    }

    #[test]
    fn a_fresh_organization_has_no_bucket_on_a_central_key() {
        let spec = Spec::from_toml("groundwork = false\n[encryption]\ncustomer_key = 3", "x").unwrap();
        let on_central = spec.encryption.weights().into_iter().filter(|(name, _)| needs_central_key(*name));
        assert!(on_central.map(|(_, weight)| weight).all(|weight| weight == 0));
        assert_eq!((spec.encryption.sse_s3, spec.encryption.customer_key), (40, 3));
        let kept = toml::to_string(&spec).unwrap();
        assert_eq!(Spec::from_toml(&kept, "x").unwrap(), spec, "{kept}");
        assert!(!toml::to_string(&Spec::default()).unwrap().contains("groundwork"));
    }

    #[test]
    fn what_needs_the_groundwork_is_refused_with_its_line() {
        let said = refusal("[encryption]\nnone = 1\nbucket_key_off = 2\n");
        assert!(said.starts_with("my.toml:5: bucket_key_off = 2 needs the central keys"), "{said}");
        let buckets = "[encryption]\nnone = 1\n[[account]]\nname = \"a\"\n[[account.buckets]]\nname = \"one\"\n\
                       encryption = \"sse_s3\"\n[[account.buckets]]\nname = \"two\"\nregion = \"us-east-1\"\n\
                       encryption = \"sealed\"\n";
        let said = refusal(buckets);
        assert!(said.starts_with("my.toml:13: bucket \"two\" is on a central key"), "{said}");
        let other_order =
            buckets.replace("name = \"two\"\nregion", "region").replace("sealed\"", "sealed\"\nname = \"two\"");
        assert!(refusal(&other_order).starts_with("my.toml:12: "), "{}", refusal(&other_order));
        let own = buckets.replace("encryption = \"sealed\"", "encryption = \"sealed\"\nkey = \"arn:mine\"");
        Spec::from_toml(&format!("groundwork = false\naccounts = 3\n{own}"), "x").unwrap();
        assert!(refusal("[[config_remediation]]\n").starts_with("my.toml:3: a remediation"));
        let whole = buckets.replace("[encryption]\nnone = 1\n", "");
        Spec::from_toml(&format!("accounts = 3\n{whole}"), "x").unwrap();
    }
}

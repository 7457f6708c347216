//! Accounts of AWS from which services deliver logs and reports. They are neither the customer's nor strangers: no key policy can
//! make them write under a KMS key. The list is data/delivery_accounts.toml.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use serde::Deserialize;

use super::access;
use super::seen::Seen;
use super::sight::Sight;
use crate::judge::OBJECT_ACTIONS;
use crate::judge::policy::{Policy, Statement};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownServices {
    service: Vec<DeliveryService>,
}

/// A service that delivers from accounts of its own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveryService {
    /// What it is called.
    pub(super) name: String,
    /// The guard that reports it.
    pub(super) guard: String,
    /// The public page that lists the accounts.
    #[allow(dead_code, reason = "documents the list")]
    source: String,
    /// What to do about a bucket that admits it.
    pub(super) fix: String,
    /// Its account in each Region.
    accounts: BTreeMap<String, String>,
}

static KNOWN: LazyLock<KnownServices> = LazyLock::new(|| {
    // A list that does not parse fails the tests of this file, and names nobody here.
    toml::from_str(include_str!("../data/delivery_accounts.toml")).unwrap_or(KnownServices { service: Vec::new() })
});

/// Service and Region by account id.
static BY_ACCOUNT: LazyLock<HashMap<&'static str, (&'static DeliveryService, &'static str)>> = LazyLock::new(|| {
    let all = KNOWN.service.iter().flat_map(|service| {
        service.accounts.iter().map(move |(region, account)| (account.as_str(), (service, region.as_str())))
    });
    all.collect()
});

/// Whether an account is one of AWS's delivery accounts.
pub(super) fn is_delivery_account(account: &str) -> bool {
    BY_ACCOUNT.contains_key(account)
}

/// A statement of the bucket policy that lets a delivery account have objects.
pub(super) struct DeliveryAdmission<'a> {
    statement: &'a Statement,
    account: &'a str,
    /// What the statement lets it do with objects.
    does: &'static str,
    region: &'static str,
    pub(super) service: &'static DeliveryService,
}

/// The delivery accounts that a bucket policy admits to objects and that a guard reports.
pub(super) fn delivery_admissions<'a>(policy: &'a Policy, guard: &str, at: &Sight<'_>) -> Vec<DeliveryAdmission<'a>> {
    let mut found: Vec<DeliveryAdmission<'a>> = Vec::new();
    let on_objects = |statement: &&Statement| {
        OBJECT_ACTIONS.iter().any(|action| access::covers_objects(statement, &action.action, at))
    };
    for statement in policy.allows().filter(on_objects) {
        let does = access::does(statement, at);
        let named = statement.named_principals().iter().filter_map(|principal| principal.account());
        let by_condition = ["aws:principalarn", "aws:principalaccount"].into_iter().flat_map(|key| {
            access::only_values(statement, key).into_iter().map(|value| access::account_of(value).unwrap_or(value))
        });
        for account in named.chain(by_condition) {
            if let Some((service, region)) = BY_ACCOUNT.get(account).filter(|(service, _)| service.guard == guard) {
                found.push(DeliveryAdmission { statement, account, does, region, service });
            }
        }
    }
    found
}

impl DeliveryAdmission<'_> {
    /// Adds what was found, with the fix for this service, to a guard's findings.
    pub(super) fn report(&self, seen: &mut Seen) {
        let Self { statement, account, does, region, service } = self;
        let region = if *region == "global" { String::new() } else { format!(" in {region}") };
        seen.saw(format!(
            "the bucket policy, {}: {account}, AWS's own account for {}{region}, may {does} objects",
            statement.called(),
            service.name
        ));
        seen.fix(&service.fix);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_understood_and_names_each_account_once() {
        let known: KnownServices = toml::from_str(include_str!("../data/delivery_accounts.toml")).unwrap();
        let mut of_account: BTreeMap<&str, &str> = BTreeMap::new();
        for service in &known.service {
            assert!(["log-destinations", "load-balancer-log-target"].contains(&service.guard.as_str()));
            assert!(!service.source.is_empty() && !service.fix.contains("trusted_accounts"));
            for account in service.accounts.values() {
                assert!(account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()), "{account}");
                let other = of_account.insert(account, &service.name);
                assert!(other.is_none_or(|other| other == service.name), "{account}");
            }
        }
        assert!(is_delivery_account("386209384616") && !is_delivery_account("111122223333"));
    }
}

//! What somebody does to AWS Config behind everyone's back. The errors name what is not there.

use super::{BUCKET, ConfigChange, ConfigRule, ConfigState, Exception, Remediation};
use crate::spec::ConfigRemediationSpec;
use crate::world::World;
use crate::world::place::Place;

impl World {
    fn config_at(
        &self,
        account: &str,
        region: &str,
        changes: impl FnOnce(Place, &ConfigState) -> Result<Vec<ConfigChange>, String>,
    ) -> Result<(), String> {
        let there = self.organization.find(account).zip(self.region_index(region));
        let (account, region) = there.ok_or_else(|| format!("account and Region {account} {region}"))?;
        let place = Place { account, region };
        self.with_region(account, region, |state| {
            for change in changes(place, &state.config)? {
                self.change_config(place, &mut state.config, change).map_err(|error| error.message)?;
            }
            Ok(())
        })
    }

    pub(crate) fn remediate(
        &self,
        account: &str,
        region: &str,
        rule: &str,
        identifier: &str,
        document: &str,
    ) -> Result<(), String> {
        self.config_at(account, region, |place, _| {
            let arn = self.config_arn(place);
            let managed = ConfigRule::managed(&arn, rule, identifier);
            let remediation = Remediation::automatic(&arn, rule, document);
            Ok(vec![
                ConfigChange::Rule { name: rule.into(), rule: Some(Box::new(managed)) },
                ConfigChange::Remediation { rule: rule.into(), remediation: Some(Box::new(remediation)) },
            ])
        })
    }

    pub(crate) fn except(&self, account: &str, region: &str, rule: &str, bucket: &str) -> Result<(), String> {
        let exception = Some(Exception::new(rule, bucket, None));
        let (rule, kind, id) = (rule.into(), BUCKET.into(), bucket.into());
        self.config_at(account, region, |_, _| Ok(vec![ConfigChange::Exception { rule, kind, id, exception }]))
    }

    pub(crate) fn put_remediation(&self, spec: &ConfigRemediationSpec) -> Result<(), String> {
        let accounts = &self.organization.accounts;
        let known = |name: &String| accounts.iter().any(|account| account.id == *name || account.name == *name);
        if let Some(name) = spec.accounts.named().iter().find(|name| !known(name)) {
            return Err(format!("account {name}"));
        }
        if let Some(region) = spec.regions.iter().find(|region| self.region_index(region).is_none()) {
            return Err(format!("Region {region}"));
        }
        for (at, account) in accounts.iter().enumerate() {
            for (region, name) in self.spec.regions.iter().enumerate() {
                if self.is_for(spec, Place { account: at, region }) {
                    self.config_at(&account.id, name, |place, _| Ok(self.remediation_of(spec, place)))?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn delete_config_rule(&self, account: &str, region: &str, rule: &str) -> Result<(), String> {
        self.config_at(account, region, |_, config| match config.rules.contains_key(rule) {
            false => Err(format!("rule {rule}")),
            true => Ok(vec![
                ConfigChange::Remediation { rule: rule.into(), remediation: None },
                ConfigChange::Rule { name: rule.into(), rule: None },
            ]),
        })
    }

    pub(crate) fn exceptions_of(&self, account: &str, region: &str, rule: &str) -> Vec<String> {
        let Some((account, region)) = self.organization.find(account).zip(self.region_index(region)) else {
            return Vec::new();
        };
        let now = crate::wire::now_ms();
        self.with_region(account, region, |state| {
            let all = state.config.exceptions.iter().filter(|((of, _, _), one)| of == rule && one.holds(now));
            all.map(|((_, _, id), _)| id.clone()).collect()
        })
    }
}

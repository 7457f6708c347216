//! What an aggregator shows of compliance: DescribeAggregateComplianceByConfigRules and
//! GetAggregateComplianceDetailsByConfigRule; and pages over the accounts of an organization.

use serde_json::{Value, json};

use super::aggregators::{Sources, name_of, sources};
use super::compliance::{self, Verdict};
use super::{after, limit, listed, page, shape, token_of};
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::world::World;
use crate::world::config::ConfigRule;
use crate::world::place::Place;

/// One page of what accounts hold, account after account, each one's items by their names. An account's buckets are looked at
/// only when the page comes to it: an organization may have a million.
pub(super) fn walk<T>(
    sources: &Sources,
    token: Option<&str>,
    most: usize,
    mut of: impl FnMut(usize) -> Vec<(String, T)>,
) -> Result<(Vec<T>, Option<String>), AwsError> {
    let wrong = || AwsError::client("InvalidNextTokenException", "The specified next token is not valid.");
    let from = after(token)?;
    let from = match from.as_deref().map(|from| from.split_once('/')) {
        None => None,
        Some(Some((account, name))) => Some((account.parse::<usize>().map_err(|_| wrong())?, name)),
        Some(None) => return Err(wrong()),
    };
    let mut items = Vec::new();
    let mut last = None;
    for account in sources.accounts.iter().copied().filter(|at| from.is_none_or(|(from, _)| *at >= from)) {
        for (name, item) in of(account) {
            if from.is_some_and(|(at, after)| at == account && *name <= *after) {
                continue;
            }
            if items.len() == most {
                return Ok((items, last));
            }
            last = Some(token_of(&format!("{account}/{name}")));
            items.push(item);
        }
    }
    Ok((items, None))
}

pub(super) fn by_rules(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let name = name_of(input)?;
    let filters = input.take("Filters").unwrap_or_default();
    // The default is not said; the model's bound is a thousand.
    let most = limit(input, 100, 1000)?;
    let token = input.text("NextToken")?;
    input.finish()?;
    let [rule, kind, account, region] =
        ["ConfigRuleName", "ComplianceType", "AccountId", "AwsRegion"].map(|member| filters[member].as_str());
    rule.map_or(Ok(()), |rule| shape::rule_name("filters.configRuleName", rule))?;
    shape::word("filters.complianceType", kind, &compliance::TYPES)?;
    account.map_or(Ok(()), |id| shape::account_id("filters.accountId", id))?;
    shape::length("filters.awsRegion", region, 1, 64)?;
    let mut sources = sources(world, place, &name)?;
    let accounts = &world.organization.accounts;
    sources.accounts.retain(|at| account.is_none_or(|id| accounts[*at].id == id));
    sources.regions.retain(|at| region.is_none_or(|name| world.spec.regions[*at] == name));
    let wanted = |found: &ConfigRule| rule.is_none_or(|rule| found.config_rule_name.as_deref() == Some(rule));
    let (shown, next) = walk(&sources, token.as_deref(), most, |account| {
        let mut all = Vec::new();
        for region in sources.regions.iter().copied() {
            let here = Place { account, region };
            for (rule, verdicts) in compliance::of_region(world, here, wanted) {
                let Some(compliance) = compliance::summed(&verdicts) else { continue };
                if kind.is_none_or(|kind| compliance["ComplianceType"] == kind) {
                    let region = &world.spec.regions[region];
                    let one = json!({
                        "ConfigRuleName": rule, "Compliance": compliance,
                        "AccountId": accounts[account].id, "AwsRegion": region,
                    });
                    all.push((format!("{region}/{rule}"), one));
                }
            }
        }
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    })?;
    Ok(listed("AggregateComplianceByConfigRules", &shown, next))
}

pub(super) fn details(world: &World, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let name = name_of(input)?;
    let rule = input.required_text("ConfigRuleName")?;
    let account = input.required_text("AccountId")?;
    let region = input.required_text("AwsRegion")?;
    let kind = input.text("ComplianceType")?;
    let most = limit(input, 50, 100)?;
    let token = input.text("NextToken")?;
    input.finish()?;
    shape::rule_name("configRuleName", &rule)?;
    shape::account_id("accountId", &account)?;
    shape::length("awsRegion", Some(&region), 1, 64)?;
    shape::word("complianceType", kind.as_deref(), &compliance::TYPES)?;
    let sources = sources(world, place, &name)?;
    let accounts = &world.organization.accounts;
    let at = sources.accounts.iter().copied().find(|at| accounts[*at].id == account);
    let at = at.zip(sources.regions.iter().copied().find(|at| world.spec.regions[*at] == region));
    let verdicts = match at {
        None => Vec::new(),
        Some((account, region)) => {
            let wanted = |found: &ConfigRule| found.config_rule_name.as_deref() == Some(&*rule);
            compliance::of_region(world, Place { account, region }, wanted).pop().map_or(Vec::new(), |(_, found)| found)
        }
    };
    let verdicts: Vec<(String, Verdict)> = verdicts
        .into_iter()
        .filter(|verdict| kind.as_deref().is_none_or(|kind| kind == verdict.word()))
        .map(|verdict| (verdict.bucket.clone(), verdict))
        .collect();
    let (verdicts, next) = page(verdicts, token.as_deref(), most)?;
    let results: Vec<Value> = verdicts
        .iter()
        .map(|verdict| {
            let mut result = verdict.result(&rule);
            result["AccountId"] = json!(account);
            result["AwsRegion"] = json!(region);
            result
        })
        .collect();
    Ok(listed("AggregateEvaluationResults", &results, next))
}

//! Which accounts and Regions an operation on a stack set is for: DeploymentTargets and Regions, as the organization has them.

use super::input::{Fields, failed, missing};
use super::invalid;
use crate::policy::controls::Target;
use crate::wire::error::AwsError;
use crate::world::World;
use crate::world::organization::Organization;
use crate::world::stacks::Targets;

const FILTERS: [&str; 4] = ["NONE", "INTERSECTION", "DIFFERENCE", "UNION"];
/// The model's bound on a CreateStackInstances.
pub(super) const MOST_UNITS: usize = 50;

/// Accounts without units are for self-managed stack sets.
pub(super) fn no_accounts(fields: &mut Fields) -> Result<(), AwsError> {
    match fields.texts("Accounts")?.is_empty() {
        true => Ok(()),
        false => {
            Err(invalid("Stack set with SERVICE_MANAGED permission model can only have OrganizationalUnit as target"))
        }
    }
}

pub(super) fn deployment_targets(fields: &mut Fields) -> Result<Option<Targets>, AwsError> {
    let Some(mut given) = fields.structure("DeploymentTargets")? else { return Ok(None) };
    let targets = Targets {
        units: given.texts("OrganizationalUnitIds")?,
        accounts: given.texts("Accounts")?,
        filter: given.word("AccountFilterType", &FILTERS)?,
    };
    given.finish()?;
    for unit in &targets.units {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !(unit.starts_with("ou-") || unit.starts_with("r-")) || !unit.chars().all(legal) {
            let pattern =
                "Member must satisfy regular expression pattern: ^(ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32})$";
            return Err(failed("deploymentTargets.organizationalUnitIds", unit, pattern));
        }
    }
    for account in &targets.accounts {
        if account.len() != 12 || !account.bytes().all(|digit| digit.is_ascii_digit()) {
            let pattern = "Member must satisfy regular expression pattern: ^[0-9]{12}$";
            return Err(failed("deploymentTargets.accounts", account, pattern));
        }
    }
    if targets.units.is_empty() && targets.accounts.is_empty() {
        return Err(invalid("DeploymentTargets must name OrganizationalUnitIds or Accounts"));
    }
    let refines = matches!(targets.filter.as_deref(), Some("INTERSECTION" | "DIFFERENCE"));
    if refines && (targets.accounts.is_empty() || targets.units.is_empty()) {
        return Err(invalid("AccountFilterType refines OrganizationalUnitIds by Accounts: both must be specified"));
    }
    if targets.filter.as_deref() == Some("NONE") && !targets.accounts.is_empty() {
        return Err(invalid("Accounts can not be specified with the AccountFilterType NONE"));
    }
    Ok(Some(targets))
}

/// `Regions`, each of which must be enabled.
pub(super) fn regions(world: &World, fields: &mut Fields, needed: bool) -> Result<Vec<String>, AwsError> {
    let mut regions = fields.texts("Regions")?;
    if regions.is_empty() && needed {
        return Err(missing("regions"));
    }
    match regions.iter().find(|region| world.region_index(region).is_none()) {
        Some(region) => Err(invalid(format!("Region(s) [{region}] not valid"))),
        None => {
            let mut seen = std::collections::BTreeSet::new();
            regions.retain(|region| seen.insert(region.clone()));
            Ok(regions)
        }
    }
}

/// Whether a unit, or the root, is this account's or above it.
fn is_above(organization: &Organization, unit: &str, account: usize) -> bool {
    match organization.find_target(unit) {
        Some(Target::Root) => true,
        Some(Target::Ou(unit)) => {
            let mut at = organization.accounts[account].ou;
            while let Some(ou) = at {
                if ou == unit {
                    return true;
                }
                at = organization.ous[ou as usize].parent;
            }
            false
        }
        _ => false,
    }
}

/// The accounts with the unit that each is reached by. The management account is never among them.
pub(super) fn accounts(world: &World, targets: &Targets) -> Result<Vec<(usize, String)>, AwsError> {
    let organization = &world.organization;
    if let Some(unit) = targets.units.iter().find(|unit| organization.find_target(unit).is_none()) {
        return Err(invalid(format!("Invalid organizational unit: {unit} is not in the organization")));
    }
    if let Some(account) = targets.accounts.iter().find(|account| organization.find(account).is_none()) {
        return Err(invalid(format!("Account {account} is not in the organization")));
    }
    let all = (0..organization.accounts.len()).filter(|account| *account != Organization::MANAGEMENT);
    let mut found = Vec::new();
    for account in all {
        let below = targets.units.iter().find(|unit| is_above(organization, unit, account));
        let named = targets.accounts.contains(&organization.accounts[account].id);
        let unit = match targets.filter.as_deref() {
            Some("INTERSECTION") => below.filter(|_| named).cloned(),
            Some("DIFFERENCE") => below.filter(|_| !named).cloned(),
            _ => below.cloned().or_else(|| named.then(|| organization.root.clone())),
        };
        found.extend(unit.map(|unit| (account, unit)));
    }
    Ok(found)
}

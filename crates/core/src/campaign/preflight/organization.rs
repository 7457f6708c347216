//! What concerns the whole organization: access to it, the sharing of the document, the central keys.

use futures::future::{join, join_all};

use super::{Listed, Look, accounts, of_error, with_error};
use crate::aws::Aws;
use crate::campaign::discover::same_partition;
use crate::campaign::{CampaignError, PARTITION_FIX};
use crate::config::{CampaignFile, SHARING_QUOTA};
use crate::judge::key_fault;
use crate::model::{Account, Check, CheckKind, KeyArn, Preflight, RegionChecks, Standing, now};
use crate::plan::Selection;

/// Key material that expires within so many days is named.
const EXPIRES_SOON: i64 = 90;

/// Looks at the organization. `None`: it cannot be read, or is not the one that it must be, which is in the checks.
pub(super) async fn look(
    aws: &Aws,
    file: &CampaignFile,
    selection: &Selection,
    found: &mut Preflight,
) -> Result<Listed, CampaignError> {
    let kind = CheckKind::Organization;
    if let Err(error) = same_partition(aws, file) {
        found.checks.push(Check::new(kind, Standing::Failed, error.to_string()).fix(PARTITION_FIX));
        return Ok(None);
    }
    let organization = match aws.organizations().describe().await {
        Ok(organization) => organization,
        Err(error) => {
            found.checks.push(of_error(kind, &error));
            return Ok(None);
        }
    };
    found.organization.clone_from(&organization.id);
    if let Some(wanted) = &file.organization.id
        && *wanted != organization.id
    {
        let message = format!("this is organization {}, but the campaign file is for {wanted}", organization.id);
        let fix = "use credentials of that organization, or another campaign file";
        found.checks.push(Check::new(kind, Standing::Failed, message).fix(fix));
        return Ok(None);
    }
    let (listed, accounts) = match accounts(aws, selection).await {
        Ok(listed) => listed,
        Err(CampaignError::Organization(error)) => {
            found.checks.push(of_error(kind, &error));
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let as_whom = match aws.caller().account == organization.management_account {
        true => "the management account",
        // Nobody else is answered.
        false => "a delegated administrator",
    };
    let message =
        format!("{} allows account {}, {as_whom}, to list its accounts", organization.id, aws.caller().account);
    found.checks.push(Check::new(kind, Standing::Ok, message));
    Ok(Some((organization, listed, accounts)))
}

/// A document that is shared with more accounts than Systems Manager allows; nothing where each account has its own.
pub(super) fn sharing(file: &CampaignFile, accounts: &[Account]) -> Option<Check> {
    let owner = file.document.owner.as_ref()?;
    let kind = CheckKind::Sharing;
    Some(match file.document.overshared(accounts) {
        Some(count) => Check::new(
            kind,
            Standing::Failed,
            format!(
                "account {owner} would share document {} with {count} accounts, but Systems Manager allows {SHARING_QUOTA}",
                file.document.name
            ),
        )
        .fix(crate::campaign::STACK_SET_WAY),
        None => Check::new(kind, Standing::Ok, format!("account {owner} shares the document within the quota")),
    })
}

impl Look {
    /// The central key of each Region, as the security account sees it: `DescribeKey`, `GetKeyPolicy`.
    pub(super) async fn central_keys(&self) -> Vec<RegionChecks> {
        let keys = self.file.all_keys();
        let of_region =
            |region: &str| -> Vec<KeyArn> { keys.iter().filter(|key| key.region == region).cloned().collect() };
        join_all(self.regions.iter().map(|region| {
            let keys = of_region(region);
            async move {
                let checks = join_all(keys.iter().map(|key| self.central_key(key))).await.concat();
                RegionChecks { region: region.clone(), checks }
            }
        }))
        .await
    }

    async fn central_key(&self, key: &KeyArn) -> Vec<Check> {
        let kind = CheckKind::CentralKey;
        let (facts, policy) = join(self.aws.describe_key(key), self.aws.key_policy(key)).await;
        let facts = match facts {
            Ok(facts) => facts,
            Err(error) => return vec![of_error(kind, &error).fact("key", key.to_string())],
        };
        let mut checks = vec![match key_fault(&facts, key) {
            Some(fault) => Check::new(kind, Standing::Failed, format!("the central key {key} cannot be used: {fault}"))
                .fix("correct the key, or set another one in [central_key]"),
            None => match facts.valid_to.filter(|end| end.as_second() - now().as_second() < EXPIRES_SOON * 86_400) {
                Some(end) => Check::new(
                    kind,
                    Standing::Warning,
                    format!("the imported key material of {key} expires on {}", end.strftime("%-d %b %Y")),
                )
                .fix("import it again before that day: after it, objects encrypted with the key cannot be read"),
                None => Check::new(kind, Standing::Ok, format!("{key} is enabled, symmetric and customer managed")),
            },
        }];
        // Only where a proof is refused by the key's policy is it read again.
        if let Err(error) = policy {
            let unread = with_error(kind, Standing::Warning, &error);
            checks.push(Check {
                message: format!(
                    "{}; if the key policy denies a dry run, orgseal cannot determine whether it allows calls through S3",
                    unread.message
                ),
                fix: Some(
                    "allow kms:GetKeyPolicy on the central keys to your caller, in the key's own account".to_owned(),
                ),
                ..unread
            });
        }
        let dates = [("deletion_date", facts.deletion_date), ("valid_to", facts.valid_to)];
        checks[0].facts =
            [("owner", facts.account), ("state", facts.state), ("usage", facts.usage), ("spec", facts.spec)]
                .into_iter()
                .chain(dates.into_iter().filter_map(|(name, date)| Some((name, date?.to_string()))))
                .collect();
        checks.into_iter().map(|check| check.fact("key", key.to_string())).collect()
    }
}

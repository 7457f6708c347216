//! One account: can it be entered, is the automation role there, and what each Region of it is like.

use futures::future::{join, join_all, join4, join5};

use super::super::denial_watch::readable_rate;
use super::super::{ReadWatch, fail_point, no_progress};
use super::{ANY_BUCKET, Look, of_error, unentered, unknown, with_error};
use crate::aws::{CallLimits, Member, Purpose, RoleSeen, Ssm};
use crate::config::{MemberRole, SessionPolicy};
use crate::event::Event;
use crate::judge::{
    ExpectedTrust, Proof, Trust, Weakness, automation_trust_weaknesses, member_trust_weaknesses, trusts_automation,
};
use crate::model::{Account, AccountChecks, AwsError, Check, CheckKind, REGION_DISABLED, RegionChecks, Standing};
use crate::plan::AccountLimits;

/// Executions that run at once in an account and Region before the next ones wait (Systems Manager's default quota).
const QUOTA: usize = 100;
/// The part of what LookupEvents gives that a bake can keep up with for hours: rates are samples, and vary.
const BUSY: f64 = 0.8;
/// Calls of an account under way to a service: a preflight is in no hurry.
const CALLS: usize = 8;

impl Look {
    /// Looks at an account. One that gives no answer for as long as `limits.account_read_deadline` is unknown.
    pub(super) async fn account_in_time(&self, account: Account) -> AccountChecks {
        let (watch, limit) = (ReadWatch::default(), self.file.limits.account_read_deadline());
        match watch.within(limit, self.account(account.clone(), &watch)).await {
            Some(checks) => checks,
            None => {
                let error = no_progress(&account.id, limit);
                let checks = unknown(&account, &error);
                self.events.emit(&Event::AccountUnread { account, error });
                checks
            }
        }
    }

    async fn account(&self, account: Account, watch: &ReadWatch) -> AccountChecks {
        fail_point("preflight_account");
        self.events.emit(&Event::AccountEntered { account: account.clone() });
        let mut found = unentered(&account);
        if !account.is_active() {
            self.not_active(&account, &mut found);
            self.events.emit(&Event::AccountSkipped { account });
            return found;
        }
        let (controls, ()) = join(self.control_policies(&account), self.inside(&account, &mut found, watch)).await;
        found.checks.extend(controls);
        found
    }

    /// Enters an account and looks at what is in it.
    async fn inside(&self, account: &Account, found: &mut AccountChecks, watch: &ReadWatch) {
        let role = &self.file.member_role;
        let purpose = Purpose::Preflight { denials: !self.looking.is_empty() };
        let session = match self.aws.enter(&account.id, role, purpose, &self.session_name).await {
            Ok(session) => session,
            Err(error) => {
                found.checks.push(of_error(CheckKind::Role, &error));
                self.events.emit(&Event::AccountUnread { account: account.clone(), error });
                return;
            }
        };
        watch.follow(session.progress());
        found.entered = true;
        let rollouts = match session.is_own() || role.session_policy == SessionPolicy::None {
            true => Ok(()),
            // A session that is made and dropped: whether STS takes a rollout's session policy shows only so.
            false => self.aws.enter(&account.id, role, Purpose::Rollout, &self.session_name).await.map(drop),
        };
        found.checks.push(match rollouts {
            Ok(()) => Check::new(CheckKind::Role, Standing::Ok, format!("{} gives a rollout's session", role.name)),
            Err(error) => of_error(CheckKind::Role, &error),
        });
        let member = self.aws.member(&session, CallLimits { s3: CALLS, ssm: CALLS });
        let regions = join_all(self.regions.iter().map(|region| self.region(&member, account, region)));
        let (automation_role, member_role, permissions, regions) = join4(
            self.automation_role(&member, account),
            member.role(&self.file.member_role.name),
            self.role_permissions(&member, account),
            regions,
        )
        .await;
        let mut trusts = vec![self.member_trust(account, member_role)];
        let (check, trust) = automation_role;
        found.checks.push(check);
        let caller = self.bootstrap_caller();
        let expected = self.expected_trust(account, caller.as_deref());
        trusts.extend(trust.map(|trust| {
            let name = &self.file.automation_role.name;
            trust_check(name, "automation-trust.json", &automation_trust_weaknesses(&trust, &expected))
        }));
        found.checks.extend(trusts);
        found.checks.extend(permissions);
        found.regions = regions;
        self.events.emit(&Event::AccountRead { account: account.clone(), buckets: 0 });
    }

    fn not_active(&self, account: &Account, found: &mut AccountChecks) {
        found.skipped = self.file.organization.accept_states.contains(&account.state);
        let (standing, what) = match found.skipped {
            true => (Standing::Ok, "skips it, as organization.accept_states says"),
            false => (Standing::Unknown, "counts it as unread"),
        };
        let message = format!("it is {}: no role can be assumed in it, and a rollout {what}", account.state);
        let check = Check::new(CheckKind::Account, standing, message);
        found.checks.push(match found.skipped {
            true => check,
            false => check.fix(format!(
                "if this is intended, add {} to organization.accept_states, or exclude the account",
                account.state
            )),
        });
    }

    /// The role under which the document runs (`GetRole`). Whether it may be passed shows only when it is.
    ///
    /// Its trust comes along where it was read.
    async fn automation_role(&self, member: &Member, account: &Account) -> (Check, Option<String>) {
        let read = member.role(&self.file.automation_role.name).await;
        let trust = read.as_ref().ok().and_then(|role| Some(role.as_ref()?.trust.clone()));
        (self.of_automation_role(read, account), trust)
    }

    /// Whom the member role lets in besides the security account. A role that may not look at itself works all the same.
    fn member_trust(&self, account: &Account, read: Result<Option<RoleSeen>, AwsError>) -> Check {
        let MemberRole { name, .. } = &self.file.member_role;
        match read {
            Ok(Some(role)) => {
                let caller = self.bootstrap_caller();
                let weak = member_trust_weaknesses(&role.trust, &self.expected_trust(account, caller.as_deref()));
                trust_check(name, "member-trust.json", &weak)
            }
            Ok(None) => Check::new(CheckKind::Trust, Standing::Warning, format!("role {name} was not found"))
                .fix("compare member_role.name and member_role.path with the role"),
            Err(error) => {
                let unseen = with_error(CheckKind::Trust, Standing::Warning, &error);
                Check { message: format!("could not read the trust policy of role {name}: {}", unseen.message), ..unseen }
                    .fix("allow iam:GetRole on it to the member role (LookAtTheRoles in config/policies/member-rollout.json)")
            }
        }
    }

    /// Whom the campaign file names as the caller, if it says what the groundwork is.
    fn bootstrap_caller(&self) -> Option<String> {
        let named = &self.file.bootstrap;
        let partition = &self.aws.caller().partition;
        (!named.is_default()).then(|| format!("arn:{partition}:iam::{}:{}", self.security(), named.caller))
    }

    fn security(&self) -> &str {
        self.file.bootstrap.security_account.as_deref().unwrap_or(&self.aws.caller().account)
    }

    fn expected_trust<'a>(&'a self, account: &'a Account, caller: Option<&'a str>) -> ExpectedTrust<'a> {
        let external_id = self.file.member_role.external_id.as_deref();
        ExpectedTrust { account: &account.id, security: self.security(), external_id, caller }
    }

    fn of_automation_role(&self, read: Result<Option<RoleSeen>, AwsError>, account: &Account) -> Check {
        let kind = CheckKind::AutomationRole;
        let name = &self.file.automation_role.name;
        let arn = self.automation_role_arn(account);
        let role = match read {
            Ok(Some(role)) => role,
            Ok(None) => {
                return Check::new(kind, Standing::Failed, format!("role {name} is missing in account {}", account.id))
                    .fix("create it with config/policies/automation.json and automation-trust.json");
            }
            Err(error) => {
                let unseen = with_error(kind, Standing::Unknown, &error);
                return Check { message: format!("could not read role {name}: {}", unseen.message), ..unseen }
                    .fix("allow iam:GetRole on it to the member role (LookAtTheRoles in config/policies/member-rollout.json)");
            }
        };
        if role.arn != arn {
            let message = format!("the role is {}, but a rollout would use {arn}", role.arn);
            return Check::new(kind, Standing::Failed, message).fix("set automation_role.path to the role's path");
        }
        let trusts = self.regions.iter().map(|region| trusts_automation(&role.trust, &account.id, region));
        match trusts.max_by_key(|trust| {
            matches!(trust, Trust::Unclear(_)) as u8 + 2 * matches!(trust, Trust::Withheld(_)) as u8
        }) {
            Some(Trust::Withheld(why)) => {
                Check::new(kind, Standing::Failed, format!("Systems Manager cannot assume role {name}: {why}"))
                    .fix("set its trust policy to config/policies/automation-trust.json, with this account's ID")
            }
            Some(Trust::Unclear(why)) => Check::new(
                kind,
                Standing::Unknown,
                format!("could not determine whether Systems Manager can assume role {name}: {why}"),
            )
            .fix("compare its trust policy with config/policies/automation-trust.json"),
            Some(Trust::Given) | None => Check::new(
                kind,
                Standing::Ok,
                format!(
                    "{name} exists and trusts Systems Manager; only the first start shows whether iam:PassRole is allowed"
                ),
            ),
        }
    }

    async fn region(&self, member: &Member, account: &Account, region: &str) -> RegionChecks {
        let ssm = member.ssm(region);
        let documents = join(self.document(&ssm, account, region), self.restore_document(&ssm, account, region));
        let ((document, restore), key, quota, config, cloudtrail) = join5(
            documents,
            self.key(member, account, region),
            self.quota(&ssm, account, region),
            self.config(member, account, region),
            self.cloudtrail(member, region),
        )
        .await;
        let checks: Vec<Check> = [document, restore, key, quota, config].into_iter().chain(cloudtrail).collect();
        // Every call there fails for this one reason.
        let disabled = checks.iter().find(|check| check.code.as_deref() == Some(REGION_DISABLED));
        let checks = match disabled.map(|check| disabled_region(check, region, &account.id)) {
            Some(disabled) => vec![disabled],
            None => checks,
        };
        RegionChecks { region: region.to_owned(), checks }
    }

    /// Whether CloudTrail can be asked, where a wave is going to: a bake that cannot look stops the campaign.
    async fn cloudtrail(&self, member: &Member, region: &str) -> Option<Check> {
        let kind = CheckKind::CloudTrail;
        let waves = match self.looking.as_slice() {
            [] => return None,
            [wave] => format!("wave {wave}"),
            waves => format!("waves {}", waves.join(", ")),
        };
        Some(match member.kms_event_rate(region).await {
            Ok(rate) => rate_check(rate, member.account(), region, &waves),
            Err(error) => {
                let check = of_error(kind, &error);
                let fix = format!("{}; or set denials = false in {waves}, which checks for denials", error.hint);
                check.fix(fix)
            }
        })
    }

    /// Whether the member role can use the central key.
    async fn key(&self, member: &Member, account: &Account, region: &str) -> Check {
        let kind = CheckKind::Key;
        let keys = self.file.keys_of(account);
        let Some(central) = keys.get(region) else {
            return Check::new(kind, Standing::Failed, format!("no central key is configured for {region}"));
        };
        let key = central.to_string();
        if !self.file.keys.prove {
            return Check::new(kind, Standing::Ok, "not checked, because keys.prove is off").fact("key", key);
        }
        let check = match self.proofs.proof(member, central, ANY_BUCKET).await {
            Proof::Proven => {
                let message = format!("the member role in account {} can use the key", account.id);
                Check::new(kind, Standing::Ok, message)
            }
            Proof::NotProvable(error) if self.file.keys.accept_unproven => with_error(kind, Standing::Warning, &error),
            Proof::Unanswered(error) => with_error(kind, Standing::Unknown, &error),
            Proof::NotProvable(error) | Proof::Denied(error) | Proof::KeyNotUsable(error) => {
                with_error(kind, Standing::Failed, &error)
            }
        };
        // A preflight has nothing to resume.
        let fix = check.fix.as_ref().map(|fix| fix.replace(", then `orgseal resume --retry-failed`", ""));
        Check { fix, ..check }.fact("key", key)
    }

    /// How much room the quota leaves (`DescribeAutomationExecutions`, all that have not ended).
    async fn quota(&self, ssm: &Ssm, account: &Account, region: &str) -> Check {
        let kind = CheckKind::Quota;
        let (mut in_flight, mut token) = (0, None);
        loop {
            match ssm.unfinished(token).await {
                Ok((page, next)) => {
                    in_flight += page.len();
                    token = next;
                }
                Err(error) => return of_error(kind, &error),
            }
            if token.is_none() || in_flight > 10 * QUOTA {
                break;
            }
        }
        let ours = AccountLimits::of(account, &self.file.limits).executions_per_region;
        let check = match in_flight + ours > QUOTA {
            false => Check::new(
                kind,
                Standing::Ok,
                format!("{in_flight} executions are in flight; at most {QUOTA} run at the same time"),
            ),
            true => Check::new(
                kind,
                Standing::Warning,
                format!(
                    "{in_flight} executions are already in flight in {region}; at most {QUOTA} run at the same time, so some of \
                     {ours} more would wait"
                ),
            )
            .fix("lower limits.executions_per_account_region for this account, or start after they have completed"),
        };
        check.fact("in_flight", in_flight.to_string()).fact("quota", QUOTA.to_string()).fact("limit", ours.to_string())
    }

    /// Whether AWS Config sets the default encryption of buckets by itself.
    async fn config(&self, member: &Member, account: &Account, region: &str) -> Check {
        let kind = CheckKind::Config;
        match member.automatic_remediations(region, &self.file.document.name).await {
            Ok(rules) => match rules.first() {
                None => Check::new(kind, Standing::Ok, "no AWS Config rule remediates default encryption automatically"),
                Some(rule) => Check::new(
                    kind,
                    Standing::Warning,
                    format!(
                        "rule {} in account {}, {region}, automatically starts {} on every noncompliant bucket: it bypasses \
                         guards, exemptions and waves, and reverts a rollback",
                        rule.rule, account.id, rule.document
                    ),
                )
                .fix("make the remediation manual (Automatic = false) while a campaign runs; for orgseal's own rule: `orgseal \
                      bootstrap remediation off`")
                .fact("rule", rule.rule.clone()),
            },
            // A rollout works all the same.
            Err(error) => {
                let unseen = with_error(kind, Standing::Warning, &error);
                Check {
                    message: format!("could not determine whether AWS Config remediates automatically: {}", unseen.message),
                    ..unseen
                }
                .fix("allow LookAtConfigRemediation in config/policies/member-rollout.json to the member role")
            }
        }
    }
}

/// Whether a bake can keep up with an account's KMS events.
fn rate_check(rate: f64, account: &str, region: &str, waves: &str) -> Check {
    let (kind, readable) = (CheckKind::CloudTrail, readable_rate());
    let check = if rate > readable * BUSY {
        let message = format!(
            "account {account} has about {rate:.0} KMS events a second in {region}, and LookupEvents gives at most \
             {readable:.0} (half of 2 requests a second, 50 events each): a bake there cannot determine whether requests for \
             the key were denied, and stops the campaign ({waves})"
        );
        Check::new(kind, Standing::Warning, message).fix(format!(
            "set denials = false in {waves}, and query CloudTrail Lake or an organization trail in its `command` instead \
             (docs/cloudtrail.md)"
        ))
    } else if rate > readable / 2.0 {
        let message = format!(
            "account {account} has about {rate:.0} KMS events a second in {region}: denied requests for the key can be found, \
             possibly only after the settling time ({waves})"
        );
        Check::new(kind, Standing::Ok, message)
    } else {
        Check::new(kind, Standing::Ok, format!("denied requests for the key can be found ({waves})"))
    };
    check.fact("kms_events_per_second", format!("{rate:.1}"))
}

/// What the weaknesses of a trust come to.
/// A Region that is disabled in the account. Nothing was read of its buckets, and there may be none.
fn disabled_region(check: &Check, region: &str, account: &str) -> Check {
    Check {
        kind: CheckKind::Region,
        standing: Standing::Warning,
        message: format!(
            "Region {region} is disabled in account {account}: its buckets can be neither read nor changed"
        ),
        facts: Vec::new(),
        ..check.clone()
    }
}

fn trust_check(name: &str, shipped: &str, weak: &[Weakness]) -> Check {
    let kind = CheckKind::Trust;
    let standing = match weak.iter().any(|one| one.severe) {
        true => Standing::Failed,
        false => Standing::Warning,
    };
    // The worst first.
    let mut said: Vec<&Weakness> = weak.iter().collect();
    said.sort_by_key(|one| !one.severe);
    match said.is_empty() {
        true => Check::new(kind, Standing::Ok, format!("{name} trusts no other principal")),
        false => {
            let said: Vec<&str> = said.iter().map(|one| one.says.as_str()).collect();
            Check::new(kind, standing, format!("role {name}: {}", said.join("; ")))
                .fix(format!("find out who changed it, and restore its trust policy from config/policies/{shipped}"))
        }
    }
    .fact("role", name)
}

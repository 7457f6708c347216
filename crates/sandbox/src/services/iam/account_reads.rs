//! Reads about the account as a whole, which compliance tools make before anything else: summary, alias, password policy,
//! credential report. Nothing here can be set: an account has no alias and no password policy of its own.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Call, input};
use crate::wire::error::AwsError;
use crate::wire::{iso8601, now_ms};
use crate::world::role_record::MADE_MS;

/// IAM's default quotas (IAM guide, "IAM and AWS STS quotas").
const QUOTAS: [(&str, usize); 16] = [
    ("UsersQuota", 5000),
    ("GroupsQuota", 300),
    ("RolesQuota", 1000),
    ("PoliciesQuota", 1500),
    ("InstanceProfilesQuota", 1000),
    ("ServerCertificatesQuota", 20),
    ("AccessKeysPerUserQuota", 2),
    ("GroupsPerUserQuota", 10),
    ("SigningCertificatesPerUserQuota", 2),
    ("AttachedPoliciesPerUserQuota", 10),
    ("AttachedPoliciesPerRoleQuota", 10),
    ("AttachedPoliciesPerGroupQuota", 10),
    ("UserPolicySizeQuota", 2048),
    ("RolePolicySizeQuota", 10_240),
    ("PolicySizeQuota", 6144),
    ("VersionsPerPolicyQuota", 5),
];

pub(super) fn summary(call: &Call<'_>) -> Result<String, AwsError> {
    let users = call.world.user_records(call.account);
    let mut groups: Vec<_> = users.iter().filter_map(|user| user.group.as_ref().map(|(name, _)| name)).collect();
    groups.sort_unstable();
    groups.dedup();
    let here = [
        ("Users", users.len()),
        ("Groups", groups.len()),
        ("Roles", call.world.role_records(call.account).len()),
        ("Policies", call.world.managed_policies(call.account).len()),
        ("MFADevices", 0),
        ("MFADevicesInUse", 0),
        ("InstanceProfiles", 0),
        ("Providers", 0),
        ("ServerCertificates", 0),
        ("AccountMFAEnabled", 0),
        ("AccountAccessKeysPresent", 0),
        ("AccountSigningCertificatesPresent", 0),
        ("AccountPasswordPresent", 0),
        ("GlobalEndpointTokenVersion", 1),
    ];
    let entries = here.iter().chain(&QUOTAS).fold(String::new(), |mut xml, (key, value)| {
        let _ = write!(xml, "<entry><key>{key}</key><value>{value}</value></entry>");
        xml
    });
    Ok(format!("<SummaryMap>{entries}</SummaryMap>\n"))
}

pub(super) fn aliases(call: &Call<'_>) -> Result<String, AwsError> {
    input::page(call.form, "AccountAliases", &[])
}

pub(super) fn password_policy(call: &Call<'_>) -> Result<String, AwsError> {
    let message = format!("The Password Policy with domain name {} cannot be found.", call.account_id);
    Err(AwsError::new(404, "NoSuchEntity", message))
}

pub(super) fn generate_report() -> Result<String, AwsError> {
    Ok("<State>COMPLETE</State>\n".into())
}

/// Users have access keys that were made with them and no passwords; the root user has neither.
pub(super) fn report(call: &Call<'_>) -> Result<String, AwsError> {
    const COLUMNS: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
        password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
        access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
        access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
        cert_1_last_rotated,cert_2_active,cert_2_last_rotated";
    const NO_SECOND_KEY: &str = "false,N/A,N/A,N/A,N/A,false,N/A,false,N/A";
    // The report has seconds, and its offset in digits.
    let made = iso8601(MADE_MS).replace(".000Z", "+00:00");
    let (partition, id) = (call.world.spec.partition, call.account_id);
    let root = partition.iam_arn(id, "root");
    let mut csv = format!(
        "{COLUMNS}\n<root_account>,{root},{made},not_supported,no_information,not_supported,not_supported,\
         false,false,N/A,N/A,N/A,N/A,{NO_SECOND_KEY}"
    );
    for user in call.world.user_records(call.account) {
        let _ = write!(
            csv,
            "\n{},{},{made},false,N/A,N/A,N/A,false,true,{made},N/A,N/A,N/A,{NO_SECOND_KEY}",
            user.name,
            user.arn(partition, id)
        );
    }
    Ok(format!(
        "<Content>{}</Content><ReportFormat>text/csv</ReportFormat><GeneratedTime>{}</GeneratedTime>\n",
        STANDARD.encode(csv),
        iso8601(now_ms())
    ))
}

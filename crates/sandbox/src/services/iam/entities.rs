//! ListEntitiesForPolicy: who has a managed policy attached, or as a permissions boundary. The groups of the spec have inline
//! policies alone, so none is ever there.

use super::{Call, input};
use crate::wire::error::AwsError;
use crate::world::user_record::UserRecord;

/// The kinds of the model. The last two are not of things that have policies: nothing is of them.
const KINDS: [&str; 5] = ["User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"];

/// What the answer is made of: its lists, and the kind that each is of.
const LISTS: [(&str, &str); 3] = [("PolicyGroups", "Group"), ("PolicyUsers", "User"), ("PolicyRoles", "Role")];

pub(super) fn list(call: &Call<'_>) -> Result<String, AwsError> {
    let wanted = input::one_of(call.form, "EntityFilter", &KINDS)?;
    let used_as = input::one_of(call.form, "PolicyUsageFilter", &["PermissionsPolicy", "PermissionsBoundary"])?;
    let prefix = input::path_prefix(call.form)?;
    let arn = call.policy()?.arn(call.world.spec.partition, call.account_id);
    let uses = |attached: &[String], boundary: Option<&String>| {
        let has = attached.contains(&arn) && used_as != Some("PermissionsBoundary");
        has || boundary == Some(&arn) && used_as != Some("PermissionsPolicy")
    };
    // The key that the pages are in order of, the kind and the content of the `member` element.
    let mut found: Vec<(String, &str, String)> = Vec::new();
    let mut note = |kind: &'static str, path: &str, name: &str, id: &str| {
        if wanted.is_none_or(|wanted| wanted == kind) && path.starts_with(prefix) {
            let xml = format!("<{kind}Name>{name}</{kind}Name><{kind}Id>{id}</{kind}Id>");
            found.push((format!("{kind} {name}"), kind, xml));
        }
    };
    for user in call.world.user_records(call.account) {
        if uses(&user.attached, user.boundary.as_ref()) {
            note("User", UserRecord::PATH, &user.name, &user.id);
        }
    }
    for role in call.world.role_records(call.account) {
        if uses(&role.attached, role.boundary.as_ref()) {
            note("Role", &role.path, &role.name, &role.id);
        }
    }
    found.sort();
    let keys: Vec<&str> = found.iter().map(|(key, ..)| key.as_str()).collect();
    let (shown, end) = input::cut(call.form, &keys)?;
    let mut xml = String::new();
    for (list, kind) in LISTS {
        let of_kind = found[shown.clone()].iter().filter(|(_, of, _)| *of == kind);
        let members: String = of_kind.map(|(_, _, xml)| format!("<member>{xml}</member>")).collect();
        xml.push_str(&format!("<{list}>{members}</{list}>\n"));
    }
    Ok(xml + &end)
}

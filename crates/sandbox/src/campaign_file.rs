//! The campaign file that fits a simulated organization, in the form that the product documents for its users.
//! The names are bound by that document, not by any type of the product.

use std::fmt::Write as _;

use crate::spec::{Deploy, DocumentSpec};
use crate::world::World;
use crate::world::key::CENTRAL_ALIAS;
use crate::world::organization::Organization;

/// The documented default of `settle`.
const SETTLE_MS: f64 = 1_800_000.0;

pub(crate) fn campaign_file(world: &World) -> String {
    let spec = &world.spec;
    let mut file = format!(
        "# A campaign file for the simulated organization {} (seed {}).\n\n[organization]\nid = \"{}\"\n\n[member_role]\nname = \"{}\"\n",
        world.organization.id, spec.seed, world.organization.id, spec.member_role.name
    );
    if !world.external_id.is_empty() {
        let _ = writeln!(file, "external_id = {}", toml::Value::from(world.external_id.as_str()));
    }
    file.push_str("\n[central_key]\n");
    for (place, (region, generated)) in spec.regions.iter().zip(&world.central_arns).enumerate() {
        let arn = match spec.groundwork {
            true => generated.to_string(),
            // In a fresh organization it is the key that somebody made under the usual alias, if anybody did.
            false => {
                let id = world.find_key(Organization::SECURITY, place, CENTRAL_ALIAS).map(|key| key.id);
                let id = id.unwrap_or_else(|| "NEW".into());
                spec.partition.arn("kms", region, &world.security_account().id, format_args!("key/{id}"))
            }
        };
        let _ = writeln!(file, "{region} = \"{arn}\"");
    }
    let _ = write!(file, "\n[document]\nname = \"{}\"\n", spec.document.name);
    if spec.document.restore_name != DocumentSpec::default().restore_name {
        let _ = writeln!(file, "restore = \"{}\"", spec.document.restore_name);
    }
    if spec.document.deploy == Deploy::Shared {
        let _ = writeln!(file, "owner = \"{}\"", world.security_account().id);
    }
    let _ = write!(file, "\n[automation_role]\nname = \"{}\"\n", spec.automation_role.name);
    // A wave waits half an hour for CloudTrail; here everything is as many times faster as the sandbox.
    let settle = world.latency.scale(SETTLE_MS).as_secs_f64().ceil() as u64;
    if settle as f64 * 1000.0 != SETTLE_MS {
        let _ = write!(file, "\n[cloudtrail]\nsettle = {settle}\n");
    }
    // Where the groundwork is there from the start, it is the sandbox's own.
    if !spec.groundwork {
        let _ = write!(
            file,
            "\n[bootstrap]\nsecurity_account = \"{}\"\nmanagement_account = \"{}\"\ncaller = \"user/orgseal\"\n",
            world.security_account().id,
            world.management_account().id
        );
    }
    file.push_str("\n[limits]\naccounts = 20\nexecutions_per_account = 10\nexecutions_per_account_region = 5\n");
    file
}

//! Variables that begin with ORGSEAL_: each one is a setting, one of our own, or told of. None is passed over in silence, since
//! a user who sets `ORGSEAL_ACCOUNT` expects it to filter the run.

use orgseal_core::config::{CampaignFile, Override, near};
use orgseal_core::judge::guards;

use crate::failure::Failure;
use crate::listen;

const PREFIX: &str = "ORGSEAL_";

/// What the command line reads itself, without the prefix.
const OWN: [&str; 3] = ["CONFIG", "STATE", "LOG"];

/// Flags that have no variable: one that is set means them.
const FLAGS: [&str; 14] = [
    "ACCOUNT",
    "APPROVE_WAVE",
    "BUCKET",
    "DRY_RUN",
    "JSON",
    "LOG_FILE",
    "LOG_LEVEL",
    "OU",
    "PLAN",
    "REGION",
    "SANDBOX",
    "SET",
    "UNTIL_WAVE",
    "YES",
];

/// Set by us for the commands of waves, and for our own tests and scripts.
const OTHERS: [&str; 13] = [
    "BIN",
    "CAMPAIGN",
    "CI_ADVISORIES",
    "CI_TOOLS",
    "CLOCK_SKEW_SECONDS",
    "CUSTODIAN",
    "FAIL_POINT",
    "KILLS",
    "PROWLER",
    "SEED",
    "SOAK",
    "WAVE",
    "WAVE_NAME",
];

/// A shorter name is two letters away from too many others.
const SHORTEST_SLIP: usize = 5;

/// What a variable is to us.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    /// A setting of the campaign file: its path.
    Setting(Vec<String>),
    /// One of our own, or one that others set without meaning us.
    Known,
    /// A slip of the pen, or a flag: what to do instead.
    Refused(String),
    /// Nothing that we know.
    Unknown,
}

/// The settings that variables override, by name.
pub(crate) fn overrides() -> Vec<Override> {
    let mut found = Vec::new();
    for (name, value) in variables() {
        if let Meaning::Setting(path) = meaning(&name) {
            found.push(Override { path, value, origin: format!("{PREFIX}{name}") });
        }
    }
    found.sort_by(|a, b| a.origin.cmp(&b.origin));
    found
}

/// Refuses variables that can only be mistakes, and warns of those that have no effect.
pub(crate) fn check() -> Result<(), Failure> {
    for (name, _) in variables() {
        match meaning(&name) {
            Meaning::Setting(_) | Meaning::Known => {}
            Meaning::Refused(instead) => {
                return Err(Failure::plain(
                    format!("the variable {PREFIX}{name} is set, and orgseal does not read it"),
                    format!("{instead}, or unset it"),
                ));
            }
            Meaning::Unknown => listen::say(&format!("warning: the variable {PREFIX}{name} has no effect")),
        }
    }
    Ok(())
}

/// Names without the prefix, and values.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?.strip_prefix(PREFIX)?.to_owned();
        Some((name, value.to_string_lossy().into_owned()))
    })
}

fn meaning(name: &str) -> Meaning {
    if name.contains("__") {
        // What leads nowhere is refused with the settings that there are.
        return Meaning::Setting(guard_named(name.split("__").map(str::to_ascii_lowercase).collect()));
    }
    if OWN.contains(&name) || OTHERS.contains(&name) || is_service_link(name) {
        return Meaning::Known;
    }
    let settings = CampaignFile::top_level_settings();
    let lower = name.to_ascii_lowercase();
    if settings.contains(&lower) {
        return Meaning::Setting(vec![lower]);
    }
    if FLAGS.contains(&name) {
        return Meaning::Refused(format!("use the flag --{} instead", lower.replace('_', "-")));
    }
    let upper = settings.iter().map(|setting| setting.to_ascii_uppercase());
    let candidates: Vec<String> = upper.chain(OWN.into_iter().chain(FLAGS).map(str::to_owned)).collect();
    if name.len() < SHORTEST_SLIP {
        return Meaning::Unknown;
    }
    match near(name, candidates.iter().map(String::as_str)) {
        Some(nearest) => Meaning::Refused(format!("use {PREFIX}{nearest} if that is what you meant")),
        None => Meaning::Unknown,
    }
}

/// What Kubernetes sets in each pod beside a service that is called orgseal.
fn is_service_link(name: &str) -> bool {
    name == "PORT" || name.starts_with("PORT_") || name.starts_with("SERVICE_HOST") || name.starts_with("SERVICE_PORT")
}

/// A variable's name cannot hold the hyphens of a guard's. `opt_out_tag` is a setting of its own, whatever guard is called so.
fn guard_named(mut path: Vec<String>) -> Vec<String> {
    if let [section, name] = path.as_mut_slice()
        && section == "guards"
        && name != "opt_out_tag"
    {
        let hyphened = name.replace('_', "-");
        if guards::ALL.iter().any(|guard| guard.name() == hyphened) {
            *name = hyphened;
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_variable_is_a_setting_or_known_or_told_of() {
        let setting = |path: &[&str]| Meaning::Setting(path.iter().map(|&part| part.to_owned()).collect());
        assert_eq!(meaning("EXEMPTIONS"), setting(&["exemptions"]));
        assert_eq!(meaning("REGIONS"), setting(&["regions"]));
        assert_eq!(meaning("LIMITS__ACCOUNTS"), setting(&["limits", "accounts"]));
        assert_eq!(meaning("GUARDS__PUBLIC_ACCESS"), setting(&["guards", "public-access"]));
        for known in ["CONFIG", "STATE", "LOG", "WAVE", "SERVICE_HOST", "PORT_80_TCP_ADDR", "SERVICE_PORT_HTTP"] {
            assert_eq!(meaning(known), Meaning::Known, "{known}");
        }
        assert_eq!(meaning("ACCOUNT"), Meaning::Refused("use the flag --account instead".into()));
        assert_eq!(meaning("EXEMPTION"), Meaning::Refused("use ORGSEAL_EXEMPTIONS if that is what you meant".into()));
        assert_eq!(meaning("CONFIGG"), Meaning::Refused("use ORGSEAL_CONFIG if that is what you meant".into()));
        assert_eq!(meaning("FOO"), Meaning::Unknown);
        assert_eq!(meaning("VERSION_OF_THE_IMAGE"), Meaning::Unknown);
    }
}

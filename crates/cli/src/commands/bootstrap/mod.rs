//! `orgseal bootstrap`: the groundwork of an organization, made from the campaign file; one file for each verb.

mod campaign_file;
mod deploy;
mod destroy;
mod diff;
mod guardrails;
mod remediation;
mod render;
mod words;

use orgseal_bootstrap::deployed::{Site, SiteError};
use orgseal_bootstrap::{GroundworkError, RenderError};
use orgseal_core::campaign::Setting;
use orgseal_core::config::Loaded;
use tokio_util::sync::CancellationToken;

use crate::args::{Bootstrap, BootstrapVerb, Common, RemediationVerb, Way};
use crate::connect::{self, Caller, Purpose, Workplace};
use crate::failure::Failure;
use crate::listen::Screen;
use crate::signals::Watched;

pub(crate) async fn run(common: &Common, own: &Bootstrap, json: bool, yes: bool) -> Result<u8, Failure> {
    match &own.verb {
        BootstrapVerb::Render { folder, check } => render::run(common, folder, *check, json),
        BootstrapVerb::Diff { way } => diff::run(common, way, json).await,
        BootstrapVerb::Deploy(own) => deploy::run(common, own, json, yes).await,
        BootstrapVerb::Destroy(own) => destroy::run(common, own, json, yes).await,
        BootstrapVerb::Remediation { verb: RemediationVerb::On { way, campaign, attempts, interval } } => {
            let tries = orgseal_bootstrap::deployed::Tries { attempts: *attempts, seconds: *interval };
            remediation::on(common, way, campaign.as_deref(), tries, json, yes).await
        }
        BootstrapVerb::Remediation { verb: RemediationVerb::Off { way } } => {
            remediation::off(common, way, json, yes).await
        }
    }
}

/// An organization that is open to be looked at, or changed.
struct Open {
    place: Workplace,
    site: Site,
    setting: Setting,
    screen: Screen,
    stop: CancellationToken,
}

async fn open(common: &Common, way: &Way) -> Result<Open, Failure> {
    open_checked(common, way, |_| Ok(())).await
}

/// The same, with a check of the campaign file between reading it and reading the organization.
async fn open_checked(
    common: &Common,
    way: &Way,
    check: impl FnOnce(&Loaded) -> Result<(), Failure>,
) -> Result<Open, Failure> {
    if !common.bucket.is_empty() {
        return Err(Failure::plain(
            "--bucket selects buckets, but prerequisites belong to accounts and Regions",
            "use --account instead",
        ));
    }
    // In a sandbox a role other than the member role is the management account's to assume, as it is in a new organization.
    let caller = if way.through.is_some() { Caller::Management } else { Caller::Security };
    let watched = Watched::new();
    let place = watched.opens(connect::open_as(common, caller, Purpose::Bootstrap)).await?;
    check(&place.loaded)?;
    let setting = || place.setting(watched.events.clone(), watched.stop.clone());
    let opening = async { Ok(Site::open(setting(), way.through.clone()).await?) };
    let site = watched.opens(opening).await?;
    let setting = setting();
    let Watched { stop, screen, .. } = watched;
    Ok(Open { place, site, setting, screen, stop })
}

/// The flags of the way in, for another command.
fn way_again(way: &Way) -> String {
    way.through.as_ref().map_or_else(String::new, |role| format!(" --through {}", orgseal_report::quoted(role)))
}

impl From<GroundworkError> for Failure {
    fn from(error: GroundworkError) -> Failure {
        let help = match error {
            GroundworkError::NoOrganization => {
                "write id = \"o-…\" under [organization]: aws organizations describe-organization shows it"
            }
            GroundworkError::NoPartition => "write the full key ARN of each Region under [central_key]",
        };
        Failure::plain(error.to_string(), help)
    }
}

impl From<RenderError> for Failure {
    fn from(error: RenderError) -> Failure {
        let help = match &error {
            RenderError::TooLarge(_) => {
                "set fewer keys, pipelines or services in the campaign file, or one multi-Region key for all Regions"
            }
            RenderError::Document(_) => "this is a fault of orgseal: please report it",
            RenderError::File { .. } => "check the directory, its free space and its permissions",
        };
        Failure::plain(error.to_string(), help)
    }
}

impl From<SiteError> for Failure {
    fn from(error: SiteError) -> Failure {
        match error {
            SiteError::Groundwork(error) => error.into(),
            SiteError::Campaign(error) => error.into(),
            error => Failure::plain(error.to_string(), "this is a fault of orgseal: please report it"),
        }
    }
}

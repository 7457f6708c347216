//! Where a command works: the state folder, the campaign file in force, and AWS or a sandbox behind it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use etcetera::BaseStrategy;
use orgseal_core::aws::{self, Aws, Connection};
use orgseal_core::campaign::{CampaignError, Narrowed, Setting};
use orgseal_core::config::{self, CampaignFile, Exemptions, Loaded, Override};
use orgseal_core::event::Events;
use orgseal_core::glob::matches;
use orgseal_core::ledger;
use orgseal_core::model::Partition;
use orgseal_report::{Place, Style, flagged, quoted};
use orgseal_sandbox::{Options, Sandbox, Spec};
use tokio_util::sync::CancellationToken;

use crate::args::Common;
use crate::failure::Failure;
use crate::read_file::read_text;
use crate::{environment, listen, output};

/// The campaign files that are looked for when none is named: the first one that exists is read.
const CAMPAIGN_FILES: [&str; 2] = ["orgseal.toml", "config/orgseal.toml"];

/// A place to work at.
pub(crate) struct Workplace {
    pub(crate) aws: Aws,
    pub(crate) loaded: Loaded,
    pub(crate) state: PathBuf,
    pub(crate) narrowed: Narrowed,
    /// What this command has checked of the ledger.
    checked: ledger::LedgerCheck,
    /// Serves for as long as it lives.
    sandbox: Option<Sandbox>,
}

impl Workplace {
    /// The campaign file that the sandbox makes of itself, as it stands now.
    pub(crate) fn sandbox_campaign(&self, common: &Common) -> Result<Loaded, Failure> {
        match &self.sandbox {
            Some(sandbox) => own_campaign(sandbox, common),
            None => Ok(self.loaded.clone()),
        }
    }

    /// All that a run needs to begin.
    pub(crate) fn setting(&self, events: Events, stop: CancellationToken) -> Setting {
        Setting {
            aws: self.aws.clone(),
            loaded: self.loaded.clone(),
            narrowed: self.narrowed.clone(),
            state: self.state.clone(),
            events,
            stop,
            checked: self.checked.clone(),
        }
    }
}

/// The campaign file that a sandbox makes of itself.
fn own_campaign(sandbox: &Sandbox, common: &Common) -> Result<Loaded, Failure> {
    let loaded = config::load(&sandbox.campaign_file(), "the sandbox's own campaign file", &overrides(common)?)?;
    with_exemptions(loaded, Path::new(""))
}

/// The path of the campaign file in force; `None` where a sandbox makes it.
pub(crate) fn campaign_path(common: &Common) -> Option<PathBuf> {
    match (&common.config, &common.sandbox) {
        (None, Some(_)) => None,
        _ => Some(named_or_found(common)),
    }
}

/// The campaign file that is named, or the one that is found.
fn named_or_found(common: &Common) -> PathBuf {
    let found = || CAMPAIGN_FILES.iter().map(PathBuf::from).find(|path| path.exists());
    common.config.clone().or_else(found).unwrap_or_else(|| PathBuf::from(CAMPAIGN_FILES[0]))
}

/// What a command is about to do with the keys of the campaign file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Read.
    Read,
    /// Seal, or say what would be sealed: the keys must exist.
    Seal,
    /// Create what is missing, keys included.
    Bootstrap,
}

/// As whom a sandbox inside the process is called. Outside of it credentials say so.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The security account's user.
    Security,
    /// The management account's administrator.
    Management,
}

/// Connects as the command line says.
pub(crate) async fn open(common: &Common) -> Result<Workplace, Failure> {
    open_as(common, Caller::Security, Purpose::Read).await
}

/// The same for a command that seals, or says what would be sealed.
pub(crate) async fn open_to_seal(common: &Common) -> Result<Workplace, Failure> {
    open_as(common, Caller::Security, Purpose::Seal).await
}

/// The same, as one of two callers of a sandbox.
pub(crate) async fn open_as(common: &Common, caller: Caller, purpose: Purpose) -> Result<Workplace, Failure> {
    let narrowed = narrowed(common);
    // The file is checked before a sandbox starts, and before credentials and Region are asked for.
    let named = match campaign_path(common) {
        Some(_) => Some(campaign_file(common)?),
        None => None,
    };
    let Some(spec) = sandbox_spec(common)? else {
        let loaded = named.map_or_else(|| campaign_file(common), Ok)?;
        not_the_example(&loaded).await?;
        fit_for(&loaded, purpose, common)?;
        let state = checked(state_folder(common)?)?;
        let aws = Aws::connect(Connection::DefaultChain).await.map_err(CampaignError::from)?;
        return Ok(Workplace { aws, loaded, state, narrowed, checked: ledger::LedgerCheck::default(), sandbox: None });
    };
    let state = checked(sandbox_state_folder(common, &spec)?)?;
    if common.fresh {
        ledger::discard(&state)?;
    }
    ledger::make_folder(&state)?;
    let sandbox = start(spec, Some(state.join("organization")), common.sandbox_speed.unwrap_or(1.0), 0).await?;
    let loaded = match named {
        Some(mut loaded) => {
            // CloudTrail's delays are shorter there, too.
            loaded.campaign.settle_faster(common.sandbox_speed.unwrap_or(1.0));
            loaded
        }
        None => own_campaign(&sandbox, common)?,
    };
    fit_for(&loaded, purpose, common)?;
    let (access_key, secret_key) = match caller {
        Caller::Security => sandbox.credentials(),
        Caller::Management => sandbox.management_credentials(),
    };
    let connection = Connection::Sandbox {
        endpoint: sandbox.endpoint().to_owned(),
        name: format!("sandbox {}", sandbox.seed()),
        region: sandbox.region().to_owned(),
        access_key,
        secret_key,
    };
    let aws = Aws::connect(connection).await.map_err(CampaignError::from)?;
    Ok(Workplace { aws, loaded, state, narrowed, checked: ledger::LedgerCheck::default(), sandbox: Some(sandbox) })
}

/// Refuses to call AWS with the values of the shipped example: they are nobody's.
async fn not_the_example(loaded: &Loaded) -> Result<(), Failure> {
    let values = loaded.campaign.example_values();
    if values.is_empty() || aws::only_loopback_endpoints().await {
        return Ok(());
    }
    Err(Failure::plain(
        format!("this is the shipped example, and AWS was not called: {} holds {}", loaded.origin, values.join(", ")),
        "copy the file, write your own organization, roles and keys into it, check it with `orgseal config check --config FILE`; or \
         try orgseal without AWS: add --sandbox",
    ))
}

/// Whether the campaign file and the selection serve what the command is about to do.
fn fit_for(loaded: &Loaded, purpose: Purpose, common: &Common) -> Result<(), Failure> {
    let keys = loaded.campaign.all_keys();
    if let Some(key) = keys.iter().find(|key| purpose == Purpose::Seal && key.is_placeholder()) {
        return Err(Failure::plain(
            format!(
                "{}: {key} is a placeholder for a key that does not exist yet: it is valid for bootstrap only",
                loaded.origin
            ),
            "create it with `orgseal bootstrap deploy`, which writes its ARN into the file; or write the ARN of a key that exists",
        ));
    }
    let warnings = loaded.campaign.key_warnings().into_iter();
    for warning in warnings.filter(|_| purpose != Purpose::Bootstrap) {
        listen::say(&format!("warning: {}: {}; {}", warning.path, warning.message, warning.instead));
    }
    known_regions(&loaded.campaign, &common.region)
}

/// Tells of patterns that match no Region: those of the campaign file, and all that this version knows. Where nothing is left that
/// could be selected, the organization need not be read to find that out.
fn known_regions(campaign: &CampaignFile, patterns: &[String]) -> Result<(), Failure> {
    let keys = campaign.all_keys();
    let own: Vec<&String> = campaign.regions.iter().chain(keys.iter().map(|key| &key.region)).collect();
    let bare = |pattern: &str| pattern.strip_prefix('!').unwrap_or(pattern).to_owned();
    let idle = |pattern: &&String| {
        let matched = |region: &str| matches(&bare(pattern), region);
        !own.iter().any(|region| matched(region)) && !Partition::known_regions().any(matched)
    };
    let advice = |pattern: &str| match config::nearest_region(&bare(pattern)) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => "check its name.".to_owned(),
    };
    let named: Vec<&String> = patterns.iter().filter(|pattern| !pattern.starts_with('!')).collect();
    if let Some(first) = named.first().filter(|_| named.iter().all(&idle)) {
        return Err(Failure::plain(
            format!(
                "--region {first} matches no Region that the campaign file names or that this version of orgseal knows"
            ),
            format!("{} A Region that AWS added later is known once the campaign file has a key for it", advice(first)),
        ));
    }
    for pattern in patterns.iter().filter(idle) {
        listen::say(&format!("warning: --region {pattern} matches no Region that orgseal knows: {}", advice(pattern)));
    }
    Ok(())
}

/// What the command line narrows a run, or the look at one, to.
pub(crate) fn narrowed(common: &Common) -> Narrowed {
    Narrowed {
        accounts: common.account.clone(),
        ous: common.ou.clone(),
        regions: common.region.clone(),
        buckets: common.bucket.clone(),
    }
}

/// Starts a sandbox. Its state goes to `directory`, if there is one.
pub(crate) async fn start(spec: Spec, directory: Option<PathBuf>, speed: f64, port: u16) -> Result<Sandbox, Failure> {
    Sandbox::start(spec, Options { directory, speed, port }).await.map_err(|error| {
        let help = match error.to_string().contains("in use") {
            true => "another orgseal process is using it: check with `orgseal status`, wait for it to end, or use another --state",
            false => "--fresh discards what is kept of it; another --sandbox-seed (or --port, of a served one) gives another one",
        };
        Failure::plain(format!("the sandbox cannot start: {error}"), help)
    })
}

/// The spec of the sandbox that the command line asks for.
fn sandbox_spec(common: &Common) -> Result<Option<Spec>, Failure> {
    let Some(path) = &common.sandbox else { return Ok(None) };
    Ok(Some(read_spec(path.as_deref(), common.sandbox_seed)?))
}

/// A spec file, or the default spec, with another seed where one is given.
pub(crate) fn read_spec(path: Option<&Path>, seed: Option<u64>) -> Result<Spec, Failure> {
    let mut spec = match path {
        None => Spec::default(),
        Some(path) => {
            let text =
                read_text(path).map_err(|error| Failure::file("the sandbox's spec cannot be read:", path, &error))?;
            Spec::from_toml(&text, &path.display().to_string())
                .map_err(|error| Failure::plain(error.to_string(), "docs/sandbox.md has every setting of a spec"))?
        }
    };
    if let Some(seed) = seed {
        spec.seed = seed;
    }
    Ok(spec)
}

/// The state folder in force, of the sandbox's seed where there is one.
pub(crate) fn state_in_force(common: &Common) -> Result<PathBuf, Failure> {
    checked(match sandbox_spec(common)? {
        Some(spec) => sandbox_state_folder(common, &spec)?,
        None => state_folder(common)?,
    })
}

/// Refuses a state directory that everybody may write to, and warns of one that its group may write to.
fn checked(state: PathBuf) -> Result<PathBuf, Failure> {
    if let Some(warning) = ledger::check_folder(&state)? {
        output::err_wrapped(&format!("warning: {warning}"));
    }
    Ok(state)
}

fn sandbox_state_folder(common: &Common, spec: &Spec) -> Result<PathBuf, Failure> {
    Ok(state_folder(common)?.join(format!("sandbox-{}", spec.seed)))
}

fn state_folder(common: &Common) -> Result<PathBuf, Failure> {
    if let Some(folder) = &common.state {
        return Ok(folder.clone());
    }
    let base = etcetera::choose_base_strategy().map_err(|error| {
        Failure::plain(
            format!("no home directory was found for the state directory: {error}"),
            "name a directory with --state",
        )
    })?;
    Ok(base.state_dir().unwrap_or_else(|| base.data_dir()).join("orgseal"))
}

/// The campaign file, with single values laid over it.
pub(crate) fn campaign_file(common: &Common) -> Result<Loaded, Failure> {
    // Commands that call AWS get the sandbox's own campaign file. What is left calls nothing, and has no sandbox to ask.
    if common.config.is_none() && common.sandbox.is_some() {
        return Err(Failure::plain(
            "this command makes no AWS calls, so --sandbox does not give it a campaign file",
            "write the sandbox's campaign file with `orgseal sandbox --write-config campaign.toml` (--spec SPEC for your own spec), \
             then run this command with --config campaign.toml in place of --sandbox",
        ));
    }
    let path = named_or_found(common);
    let text = read_text(&path).map_err(|error| {
        let help = match error.kind() {
            ErrorKind::NotFound => "name one with --config, or try orgseal without AWS: add --sandbox",
            ErrorKind::InvalidData => "save it as UTF-8",
            _ => "name a TOML file that you may read with --config",
        };
        match common.config.is_none() && error.kind() == ErrorKind::NotFound {
            true => Failure::plain(
                format!("there is no campaign file here: neither {} exists", CAMPAIGN_FILES.join(" nor ")),
                help,
            ),
            false => Failure::plain(format!("the campaign file {} cannot be read: {error}", path.display()), help),
        }
    })?;
    let loaded = config::load(&text, &path.display().to_string(), &overrides(common)?)?;
    with_exemptions(loaded, path.parent().unwrap_or(Path::new("")))
}

/// Reads the file of exemptions that a campaign file names. A campaign without the exemptions that it names would change what a
/// person wanted left alone.
fn with_exemptions(mut loaded: Loaded, folder: &Path) -> Result<Loaded, Failure> {
    if let Some(name) = &loaded.campaign.exemptions {
        let path = folder.join(name);
        let text = read_text(&path).map_err(|error| {
            let said = format!("the exemptions {} cannot be read: {error}", path.display());
            Failure::plain(
                said,
                "`exemptions` in the campaign file names it, relative to the campaign file's directory",
            )
        })?;
        loaded.exemptions = Exemptions::load(&text, &path.display().to_string())?;
    }
    Ok(loaded)
}

/// `--set` flags and `ORGSEAL_…` variables; a flag wins over a variable.
fn overrides(common: &Common) -> Result<Vec<Override>, Failure> {
    let mut found = environment::overrides();
    for set in &common.set {
        let (key, value) = set.split_once('=').ok_or_else(|| {
            Failure::plain(
                format!("--set {set} has no value"),
                "write --set KEY=VALUE, such as --set limits.accounts=5",
            )
        })?;
        found.push(Override {
            path: key.split('.').map(str::to_owned).collect(),
            value: value.to_owned(),
            origin: format!("--set {key}=…"),
        });
    }
    Ok(found)
}

/// Where a suggested command finds the same ledger and organization.
pub(crate) fn place(common: &Common) -> Place {
    let mut flags = String::new();
    if let Some(path) = &common.config {
        flags.push_str(&flagged("--config", &path.display().to_string()));
    }
    if let Some(folder) = &common.state {
        flags.push_str(&flagged("--state", &folder.display().to_string()));
    }
    if let Some(spec) = &common.sandbox {
        match spec {
            Some(path) => flags.push_str(&format!(" --sandbox={}", quoted(&path.display().to_string()))),
            None => flags.push_str(" --sandbox"),
        }
    }
    if let Some(seed) = common.sandbox_seed {
        flags.push_str(&flagged("--sandbox-seed", &seed.to_string()));
    }
    let set = settings_in_force(environment::overrides(), &common.set);
    Place { flags, set, narrowed: narrowed(common), through: None }
}

/// What overrides the campaign file, as `KEY=VALUE`: it decides as much as the file. A flag wins over a variable; a secret stays
/// out of what is shown.
fn settings_in_force(variables: Vec<Override>, flags: &[String]) -> Vec<String> {
    let is_set = |key: &str| flags.iter().any(|set| set.split_once('=').is_some_and(|(set, _)| set == key));
    let variables = variables.into_iter().map(|over| (over.path.join("."), over.value));
    let variables = variables.filter(|(key, _)| !is_set(key)).map(|(key, value)| format!("{key}={value}"));
    variables.chain(flags.iter().cloned()).filter(|set| !set.contains("external_id")).collect()
}

/// The place of the command that this process runs: errors are worded far from its arguments.
static PRESENT: OnceLock<Place> = OnceLock::new();

/// Keeps the place of the command that this process runs.
pub(crate) fn keep_place(common: &Common, through: Option<&str>) {
    // It runs one command, so the first place is the right one.
    let _ = PRESENT.set(Place { through: through.map(str::to_owned), ..place(common) });
}

/// The place of the command that this process runs.
pub(crate) fn present_place() -> Place {
    PRESENT.get().cloned().unwrap_or_default()
}

/// How words for people look on standard output, with commands that lead on from here.
pub(crate) fn style(common: &Common) -> Style {
    Style { color: output::stdout_color(), width: output::stdout_width(), place: place(common) }
}

/// The same on standard error, beside a document on standard output.
pub(crate) fn style_aside(common: &Common) -> Style {
    let width = u16::try_from(output::stderr_width()).unwrap_or(100);
    Style { color: output::stderr_color(), width, place: place(common) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_environment_are_repeated_and_secrets_are_not() {
        let over = |path: &str, value: &str| Override {
            path: path.split('.').map(str::to_owned).collect(),
            value: value.to_owned(),
            origin: "ORGSEAL_X".to_owned(),
        };
        let variables = vec![
            over("guards.opt_out_tag", "zz"),
            over("limits.accounts", "5"),
            over("member_role.external_id", "secret"),
        ];
        let set = settings_in_force(variables, &["limits.accounts=9".to_owned()]);
        assert_eq!(set, ["guards.opt_out_tag=zz", "limits.accounts=9"]);
    }
}

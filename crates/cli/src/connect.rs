//! Where a command works: the state folder, the campaign file in force, and AWS or a sandbox behind it.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use orgseal_core::aws::{Aws, Connection};
use orgseal_core::campaign::{CampaignError, Narrowed, Setting};
use orgseal_core::config::{self, Exemptions, Loaded, Override};
use orgseal_core::event::Events;
use orgseal_core::judge::guards;
use orgseal_core::ledger;
use orgseal_sandbox::{Options, Sandbox, Spec};
use tokio_util::sync::CancellationToken;

use crate::args::Common;
use crate::failure::Failure;

/// The campaign file that is read when none is named.
const CAMPAIGN_FILE: &str = "config/orgseal.toml";

/// A place to work at.
pub(crate) struct Workplace {
    pub(crate) aws: Aws,
    pub(crate) loaded: Loaded,
    pub(crate) state: PathBuf,
    pub(crate) narrowed: Narrowed,
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
        (path, _) => Some(path.clone().unwrap_or_else(|| PathBuf::from(CAMPAIGN_FILE))),
    }
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
    open_as(common, Caller::Security).await
}

/// The same, as one of two callers of a sandbox.
pub(crate) async fn open_as(common: &Common, caller: Caller) -> Result<Workplace, Failure> {
    let narrowed = narrowed(common);
    let Some(spec) = sandbox_spec(common)? else {
        let loaded = campaign_file(common)?;
        let aws = Aws::connect(Connection::DefaultChain).await.map_err(CampaignError::from)?;
        return Ok(Workplace { aws, loaded, state: state_folder(common)?, narrowed, sandbox: None });
    };
    let state = sandbox_state_folder(common, &spec)?;
    if common.fresh {
        ledger::discard(&state)?;
    }
    ledger::make_folder(&state)?;
    let sandbox = start(spec, Some(state.join("organization")), common.sandbox_speed.unwrap_or(1.0), 0).await?;
    let loaded = match &common.config {
        Some(_) => {
            let mut loaded = campaign_file(common)?;
            // CloudTrail's delays are shorter there, too.
            loaded.campaign.settle_faster(common.sandbox_speed.unwrap_or(1.0));
            loaded
        }
        None => own_campaign(&sandbox, common)?,
    };
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
    Ok(Workplace { aws, loaded, state, narrowed, sandbox: Some(sandbox) })
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
            true => "another orgseal is at work there: look with `orgseal status --sandbox`, wait for it, or name another --state",
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
            let text = std::fs::read_to_string(path)
                .map_err(|error| Failure::file("the sandbox's spec cannot be read:", path, &error))?;
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
    match sandbox_spec(common)? {
        Some(spec) => sandbox_state_folder(common, &spec),
        None => state_folder(common),
    }
}

fn sandbox_state_folder(common: &Common, spec: &Spec) -> Result<PathBuf, Failure> {
    Ok(state_folder(common)?.join(format!("sandbox-{}", spec.seed)))
}

fn state_folder(common: &Common) -> Result<PathBuf, Failure> {
    if let Some(folder) = &common.state {
        return Ok(folder.clone());
    }
    let base = etcetera::choose_base_strategy().map_err(|error| {
        Failure::plain(format!("there is no home folder for the state: {error}"), "name a folder with --state")
    })?;
    Ok(base.state_dir().unwrap_or_else(|| base.data_dir()).join("orgseal"))
}

/// The campaign file, with single values laid over it.
pub(crate) fn campaign_file(common: &Common) -> Result<Loaded, Failure> {
    // Whoever calls AWS gets the sandbox's own campaign file. What is left calls nothing, and has no sandbox to ask.
    if common.config.is_none() && common.sandbox.is_some() {
        return Err(Failure::plain(
            "this command makes no AWS calls, so --sandbox does not give it a campaign file",
            "write the sandbox's campaign file with `orgseal sandbox --write-config campaign.toml` (--spec SPEC for your own spec), \
             then run this command with --config campaign.toml in place of --sandbox",
        ));
    }
    let path = common.config.clone().unwrap_or_else(|| PathBuf::from(CAMPAIGN_FILE));
    let text = std::fs::read_to_string(&path).map_err(|error| {
        let help = match error.kind() {
            std::io::ErrorKind::NotFound => "name one with --config, or try orgseal without AWS: add --sandbox",
            std::io::ErrorKind::InvalidData => "save it as UTF-8",
            _ => "name a TOML file that you may read with --config",
        };
        Failure::plain(format!("the campaign file {} cannot be read: {error}", path.display()), help)
    })?;
    let loaded = config::load(&text, &path.display().to_string(), &overrides(common)?)?;
    with_exemptions(loaded, path.parent().unwrap_or(Path::new("")))
}

/// Reads the file of exemptions that a campaign file names. A campaign without the exemptions that it names would change what a
/// person wanted left alone.
fn with_exemptions(mut loaded: Loaded, folder: &Path) -> Result<Loaded, Failure> {
    if let Some(name) = &loaded.campaign.exemptions {
        let path = folder.join(name);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let said = format!("the exemptions {} cannot be read: {error}", path.display());
            Failure::plain(said, "`exemptions` in the campaign file names it, relative to the campaign file's folder")
        })?;
        loaded.exemptions = Exemptions::load(&text, &path.display().to_string())?;
    }
    Ok(loaded)
}

/// `--set` flags and `ORGSEAL_*__*` variables; a flag wins over a variable.
fn overrides(common: &Common) -> Result<Vec<Override>, Failure> {
    let mut found: Vec<Override> = std::env::vars_os()
        .filter_map(|(name, value)| {
            let (name, value) = (name.into_string().ok()?, value.to_string_lossy().into_owned());
            let path = name.strip_prefix("ORGSEAL_")?;
            // Without two underscores it is a variable of ours (ORGSEAL_STATE) and no path into the file.
            path.contains("__").then(|| Override {
                path: guard_named(path.split("__").map(str::to_ascii_lowercase).collect()),
                value,
                origin: name.clone(),
            })
        })
        .collect();
    found.sort_by(|a, b| a.origin.cmp(&b.origin));
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

/// The flags with which another command finds the same place again, each with a space before it.
pub(crate) fn flags_again(common: &Common) -> String {
    let mut flags = String::new();
    let mut add = |flag: &str, value: &str| flags.push_str(&format!(" {flag}{}", quoted(value)));
    if let Some(path) = &common.config {
        add("--config ", &path.display().to_string());
    }
    if let Some(folder) = &common.state {
        add("--state ", &folder.display().to_string());
    }
    if let Some(spec) = &common.sandbox {
        match spec {
            Some(path) => add("--sandbox=", &path.display().to_string()),
            None => add("--sandbox", ""),
        }
    }
    if let Some(seed) = common.sandbox_seed {
        add("--sandbox-seed ", &seed.to_string());
    }
    // What is laid over the file decides as much as the file; a secret stays out of what is shown.
    for set in common.set.iter().filter(|set| !set.contains("external_id")) {
        add("--set ", set);
    }
    flags
}

/// The flags that narrow another command to the same, each with a space before it.
pub(crate) fn narrowed_again(narrowed: &Narrowed) -> String {
    let lists = [
        ("account", &narrowed.accounts),
        ("ou", &narrowed.ous),
        ("region", &narrowed.regions),
        ("bucket", &narrowed.buckets),
    ];
    // With `=`, since a value may begin with a dash.
    let flags = lists.iter().flat_map(|(flag, values)| values.iter().map(move |value| (flag, value)));
    flags.map(|(flag, value)| format!(" --{flag}={}", quoted(value))).collect()
}

/// As a shell takes it.
pub(crate) fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@".contains(c);
    if value.chars().all(plain) { value.to_owned() } else { format!("'{}'", value.replace('\'', r"'\''")) }
}

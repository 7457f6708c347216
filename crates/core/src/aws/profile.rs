//! The profiles of the AWS configuration files: which one is selected, and whether it exists.

use aws_config::profile::ProfileSet;
use aws_types::os_shim_internal::{Env, Fs};

use super::ConnectError;

/// Reads `~/.aws/config` and `~/.aws/credentials`, or the files that the environment names instead.
pub(super) async fn load() -> Result<ProfileSet, ConnectError> {
    let files = &Default::default();
    let profiles = aws_config::profile::load(&Fs::real(), &Env::real(), files, None).await.map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        ConnectError::ConfigFile(format!("{error}: {cause}"))
    })?;
    let named = std::env::var("AWS_PROFILE").ok().filter(|name| !name.is_empty());
    match missing(&profiles, named.as_deref(), std::env::var_os("AWS_ACCESS_KEY_ID").is_some()) {
        Some(error) => Err(error),
        None => Ok(profiles),
    }
}

/// Says so where the profile that was asked for does not exist, or one that it names as `source_profile`. The SDK would go on to the next
/// provider of its chain.
fn missing(profiles: &ProfileSet, named: Option<&str>, has_keys: bool) -> Option<ConnectError> {
    let mut known: Vec<String> = profiles.profiles().map(str::to_owned).collect();
    known.sort_unstable();
    let absent = |name: &str, setting: String| {
        Some(ConnectError::NoProfile { name: name.to_owned(), setting, known: known.clone() })
    };
    let mut name = named.unwrap_or("default");
    if name != "default" && profiles.get_profile(name).is_none() {
        return absent(name, "AWS_PROFILE".to_owned());
    }
    // Access keys in the environment come before any profile.
    if has_keys {
        return None;
    }
    let mut followed = vec![name];
    while let Some(source) = profiles.get_profile(name).and_then(|profile| profile.get("source_profile")) {
        if profiles.get_profile(source).is_none() {
            return absent(source, format!("source_profile of profile {name}"));
        }
        // A profile may be its own source, with access keys of its own.
        if followed.contains(&source) {
            return None;
        }
        followed.push(source);
        name = source;
    }
    None
}

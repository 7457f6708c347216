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
    match missing(&profiles, std::env::var("AWS_PROFILE").ok().as_deref()) {
        Some(error) => Err(error),
        None => Ok(profiles),
    }
}

/// Says so where the profile that was asked for does not exist. The SDK would go on to the next provider of its chain.
fn missing(profiles: &ProfileSet, named: Option<&str>) -> Option<ConnectError> {
    let name = named.filter(|name| !name.is_empty() && *name != "default")?;
    if profiles.get_profile(name).is_some() {
        return None;
    }
    let mut known: Vec<String> = profiles.profiles().map(str::to_owned).collect();
    known.sort_unstable();
    Some(ConnectError::NoProfile { name: name.to_owned(), known })
}

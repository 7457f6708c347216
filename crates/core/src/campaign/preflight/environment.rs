//! How this process reaches AWS: what is in force of the caller's environment.

use crate::aws::Environment;
use crate::model::{Check, CheckKind, Standing};

/// What is in force. GetCallerIdentity has succeeded with it, so it works for STS.
pub(super) fn check(environment: &Environment) -> Check {
    let credentials = match (environment.credentials, &environment.profile) {
        (Some(source), Some(profile)) => format!("credentials from {source}, profile {profile}"),
        (Some(source), None) => format!("credentials from {source}"),
        (None, _) => {
            let message =
                "the simulated AWS of --sandbox: credentials, proxies and CA bundles of the environment are not used";
            return Check::new(CheckKind::Environment, Standing::Ok, message);
        }
    };
    let proxy = match environment.proxies.as_slice() {
        [] => "no proxy".to_owned(),
        proxies => format!("proxy {}", proxies.join(" and ")),
    };
    let trusted = match &environment.trusted {
        None => "the machine's trusted CAs".to_owned(),
        Some(bundle) => format!("trusted CAs from {bundle}"),
    };
    let endpoints = match environment.endpoints.as_slice() {
        [] => String::new(),
        endpoints => format!(", endpoint {}", endpoints.join(", ")),
    };
    let message = format!("{credentials}, {proxy}, {trusted}{endpoints}");
    let facts = [
        ("credentials", environment.credentials.map(str::to_owned)),
        ("profile", environment.profile.clone()),
        ("proxy", (!environment.proxies.is_empty()).then(|| environment.proxies.join(", "))),
        ("ca_bundle", environment.trusted.clone()),
        ("endpoint", (!environment.endpoints.is_empty()).then(|| environment.endpoints.join(", "))),
    ];
    let check = Check::new(CheckKind::Environment, Standing::Ok, message);
    facts.into_iter().fold(check, |check, (name, value)| match value {
        Some(value) => check.fact(name, value),
        None => check,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_what_is_in_force() {
        let plain = check(&Environment { credentials: Some("environment variables"), ..Environment::default() });
        assert_eq!(plain.message, "credentials from environment variables, no proxy, the machine's trusted CAs");
        assert!(check(&Environment::default()).message.contains("--sandbox"));
        let all = check(&Environment {
            credentials: Some("a console session (aws login)"),
            profile: Some("security".into()),
            proxies: vec!["http://proxy:3128 (HTTPS_PROXY)".into()],
            trusted: Some("/etc/ca.pem (AWS_CA_BUNDLE)".into()),
            endpoints: vec!["https://vpce.example.com".into()],
        });
        assert_eq!(
            all.message,
            "credentials from a console session (aws login), profile security, proxy http://proxy:3128 (HTTPS_PROXY), trusted CAs from \
             /etc/ca.pem (AWS_CA_BUNDLE), endpoint https://vpce.example.com"
        );
        assert_eq!(all.known("proxy"), Some("http://proxy:3128 (HTTPS_PROXY)"));
    }
}

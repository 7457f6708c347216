//! How AWS is reached: the proxy and the trusted certificates in force, and what an error says of them.

use std::fmt;

use aws_smithy_runtime_api::box_error::BoxError;

use super::ca_bundle::CaBundle;
use super::proxy::ProxySettings;

/// The network settings of the environment and the profile.
#[derive(Debug, Default)]
pub(super) struct Network {
    pub(super) proxies: ProxySettings,
    pub(super) ca_bundle: Option<CaBundle>,
    /// Where the trusted certificates come from, if not from the machine's own trust store.
    pub(super) trusted: Option<String>,
}

impl Network {
    pub(super) fn new(proxies: ProxySettings, ca_bundle: Option<CaBundle>) -> Network {
        let trusted = ca_bundle.as_ref().map(ToString::to_string).or_else(replaced_trust_store);
        Network { proxies, ca_bundle, trusted }
    }

    /// Nothing is set that an error would have to name.
    pub(super) fn is_default(&self) -> bool {
        self.proxies.is_empty() && self.trusted.is_none()
    }
}

/// The two variables that replace the machine's trust store for rustls.
fn replaced_trust_store() -> Option<String> {
    ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().find_map(|name| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
        Some(format!("{value} ({name})"))
    })
}

/// The settings with which one connection was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ConnectionContext {
    pub(super) proxy: Option<String>,
    pub(super) ca: Option<String>,
}

impl ConnectionContext {
    pub(super) fn is_empty(&self) -> bool {
        self.proxy.is_none() && self.ca.is_none()
    }

    pub(super) fn around(self, source: BoxError) -> FailedConnection {
        FailedConnection { context: self, source }
    }

    /// What to do when the connection failed with this message.
    pub(super) fn hint(&self, message: &str) -> Option<String> {
        let certificate = message.contains("certificate");
        if let (Some(proxy), true) = (&self.proxy, message.contains(PROXY_AUTHORIZATION)) {
            return Some(format!(
                "set the proxy's user name and password in its URL: http://USER:PASSWORD@HOST:PORT instead of {proxy}"
            ));
        }
        match (&self.proxy, &self.ca) {
            (_, Some(ca)) if certificate => {
                let other =
                    if ca.contains("AWS_CA_BUNDLE") { "" } else { ", or set AWS_CA_BUNDLE to a PEM file with it" };
                Some(format!(
                    "add the certificate of the CA that signed the endpoint's certificate to {ca}, which replaces the machine's \
                     trust store{other}"
                ))
            }
            (Some(_), None) if certificate => Some(
                "the proxy seems to inspect TLS: set AWS_CA_BUNDLE to a PEM file with its CA certificate".to_owned(),
            ),
            (Some(proxy), _) => Some(format!(
                "check that the proxy {proxy} is reachable and allows connections to AWS, or add the endpoint's host to NO_PROXY"
            )),
            _ => None,
        }
    }
}

impl fmt::Display for ConnectionContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [("proxy", &self.proxy), ("trusted certificates", &self.ca)];
        let named: Vec<String> =
            parts.into_iter().filter_map(|(name, value)| Some(format!("{name}: {}", value.as_ref()?))).collect();
        f.write_str(&named.join(", "))
    }
}

/// How the HTTP client words a proxy that asks for credentials.
const PROXY_AUTHORIZATION: &str = "proxy authorization required";

/// What the HTTP client says of a connection that failed, in words that name the proxy.
pub(super) fn in_words(cause: &str) -> String {
    match cause.strip_prefix("tunnel error: ") {
        Some(PROXY_AUTHORIZATION) => format!("the proxy requires credentials ({PROXY_AUTHORIZATION})"),
        Some("unsuccessful") => "the proxy did not connect to the endpoint".to_owned(),
        Some(cause) => format!("the proxy did not connect to the endpoint ({cause})"),
        None => cause.to_owned(),
    }
}

/// A connection that failed, with the settings that it was made with.
#[derive(Debug)]
pub(super) struct FailedConnection {
    pub(super) context: ConnectionContext,
    source: BoxError,
}

impl fmt::Display for FailedConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection failed ({})", self.context)
    }
}

impl std::error::Error for FailedConnection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.source.as_ref())
    }
}

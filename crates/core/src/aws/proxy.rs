//! The proxy settings of the environment: which requests go through a proxy, and which never do.
//!
//! They mean what they mean to boto3 and the AWS CLI: `HTTPS_PROXY` for https endpoints, `HTTP_PROXY` for http ones, `NO_PROXY` for
//! hosts that are reached directly, the lower case names winning over the upper case ones. `ALL_PROXY` is not read by these tools.

use std::fmt;
use std::net::IpAddr;

/// The addresses under which instances, ECS tasks and EKS pods get credentials: never behind a proxy, which would answer for
/// another machine.
const METADATA: [&str; 5] = ["169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23"];

/// A proxy, and the variable that names it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Proxy {
    /// With its scheme, and with the credentials that it may hold: never shown.
    pub(super) url: String,
    pub(super) variable: &'static str,
}

/// Its URL without credentials, and where it comes from.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.url.split_once("://").unwrap_or(("http", &self.url));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        write!(f, "{scheme}://{host} ({})", self.variable)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A variable that names no proxy that can be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidProxy {
    pub(super) variable: &'static str,
    pub(super) why: String,
}

/// The proxies in force, and what is reached without one.
#[derive(Clone, Debug, Default)]
pub(super) struct ProxySettings {
    http: Option<Proxy>,
    https: Option<Proxy>,
    no_proxy: Vec<Rule>,
}

/// One entry of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    host: HostRule,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostRule {
    Any,
    /// Addresses that share so many leading bits.
    Network(IpAddr, u8),
    /// The domain and all names below it.
    Domain(String),
}

impl ProxySettings {
    /// The settings of this process.
    pub(super) fn from_env() -> Result<ProxySettings, InvalidProxy> {
        ProxySettings::of(|name| std::env::var(name).ok())
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Result<ProxySettings, InvalidProxy> {
        // A lower case variable that is set and empty switches the proxy off.
        let first = |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, variable(name)?)));
        let proxy = |names| first(names).map_or(Ok(None), |(name, value)| parse_proxy(name, &value));
        let no_proxy = first(["no_proxy", "NO_PROXY"]).map(|(_, value)| value).unwrap_or_default();
        Ok(ProxySettings {
            http: proxy(["http_proxy", "HTTP_PROXY"])?,
            https: proxy(["https_proxy", "HTTPS_PROXY"])?,
            no_proxy: no_proxy.split(',').filter_map(Rule::parse).collect(),
        })
    }

    #[cfg(test)]
    pub(super) fn for_https(proxy: Proxy) -> ProxySettings {
        ProxySettings { https: Some(proxy), ..ProxySettings::default() }
    }

    /// The proxy through which a request for this URL goes; `None`: it goes directly.
    pub(super) fn proxy_for(&self, url: &str) -> Option<&Proxy> {
        let target = Target::of(url)?;
        let proxy = if target.https { self.https.as_ref() } else { self.http.as_ref() }?;
        let direct = target.is_local() || self.no_proxy.iter().any(|rule| rule.matches(&target));
        (!direct).then_some(proxy)
    }

    pub(super) fn http(&self) -> Option<&Proxy> {
        self.http.as_ref()
    }

    pub(super) fn https(&self) -> Option<&Proxy> {
        self.https.as_ref()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.http.is_none() && self.https.is_none()
    }
}

fn parse_proxy(variable: &'static str, value: &str) -> Result<Option<Proxy>, InvalidProxy> {
    let value = value.trim();
    if value.is_empty() {
        return Ok(None);
    }
    let url = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let scheme = url.split("://").next().unwrap_or_default().to_ascii_lowercase();
    if scheme != "http" && scheme != "https" {
        return Err(InvalidProxy { variable, why: format!("the scheme {scheme} is not supported") });
    }
    // Characters of a password that end the host's part of a URL would show what is before them, and name another host.
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let (authority, after) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if after.contains('@') || authority.matches('@').count() > 1 {
        let why = "special characters in its user name and password must be percent-encoded".to_owned();
        return Err(InvalidProxy { variable, why });
    }
    // The URL itself may hold a password, so it is in no message.
    match aws_smithy_http_client::proxy::ProxyConfig::all(url.as_str()) {
        Ok(_) => Ok(Some(Proxy { url, variable })),
        Err(_) => Err(InvalidProxy { variable, why: "its value is not a URL".to_owned() }),
    }
}

/// Where a request goes.
struct Target {
    https: bool,
    host: String,
    port: u16,
    address: Option<IpAddr>,
}

impl Target {
    fn of(url: &str) -> Option<Target> {
        let (scheme, _) = url.split_once("://")?;
        let https = scheme.eq_ignore_ascii_case("https");
        let (host, port) = host_and_port(url);
        let host = host.to_ascii_lowercase();
        let address = host.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        Some(Target { https, port: port.unwrap_or(if https { 443 } else { 80 }), host, address })
    }

    /// Loopback and the metadata endpoints.
    fn is_local(&self) -> bool {
        let Some(address) = self.address else {
            return self.host == "localhost" || self.host.ends_with(".localhost");
        };
        address.is_loopback() || METADATA.iter().any(|known| known.parse() == Ok(address))
    }
}

/// Host and port of a URL, without the brackets of an IPv6 address; empty where there is none.
pub(super) fn host_and_port(url: &str) -> (&str, Option<u16>) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // What stands before an @ is no host.
    let authority = authority.rsplit('@').next().unwrap_or_default();
    match authority.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':').and_then(|port| port.parse().ok())),
        None => match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()),
            None => (authority, None),
        },
    }
}

impl Rule {
    fn parse(entry: &str) -> Option<Rule> {
        let entry = entry.trim().to_ascii_lowercase();
        if entry.is_empty() {
            return None;
        }
        if let Some(network) = network(&entry) {
            return Some(Rule { host: network, port: None });
        }
        let (host, port) = host_and_port(&entry);
        let host = match network(host) {
            Some(network) => network,
            None if host == "*" => HostRule::Any,
            None => HostRule::Domain(host.trim_start_matches('*').trim_start_matches('.').to_owned()),
        };
        Some(Rule { host, port })
    }

    fn matches(&self, target: &Target) -> bool {
        if self.port.is_some_and(|port| port != target.port) {
            return false;
        }
        match &self.host {
            HostRule::Any => true,
            HostRule::Network(network, bits) => {
                target.address.is_some_and(|address| shares_prefix(*network, address, *bits))
            }
            HostRule::Domain(domain) => match target.host.strip_suffix(domain.as_str()) {
                Some(rest) => !domain.is_empty() && (rest.is_empty() || rest.ends_with('.')),
                None => false,
            },
        }
    }
}

/// An address, or a network in CIDR notation.
fn network(text: &str) -> Option<HostRule> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    Some(HostRule::Network(address, bits.unwrap_or(most).min(most)))
}

fn shares_prefix(a: IpAddr, b: IpAddr, bits: u8) -> bool {
    let differ = match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        _ => return false,
    };
    differ >= u32::from(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> ProxySettings {
        ProxySettings::of(|name| lookup(variables, name)).unwrap()
    }

    fn lookup(variables: &[(&str, &str)], name: &str) -> Option<String> {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn each_scheme_has_its_own_proxy_and_lower_case_wins() {
        let both = settings(&[("HTTPS_PROXY", "http://a:1"), ("HTTP_PROXY", "b:2")]);
        assert_eq!(both.proxy_for("https://sts.amazonaws.com/").unwrap().to_string(), "http://a:1 (HTTPS_PROXY)");
        assert_eq!(both.proxy_for("http://example.com").unwrap().to_string(), "http://b:2 (HTTP_PROXY)");
        let lower = settings(&[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "http://c:3")]);
        assert_eq!(lower.proxy_for("https://sts.amazonaws.com/").unwrap().to_string(), "http://c:3 (https_proxy)");
        assert!(lower.proxy_for("http://example.com").is_none());
        assert!(settings(&[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "")]).is_empty());
        assert!(settings(&[("ALL_PROXY", "socks5://a:1")]).is_empty());
    }

    #[test]
    fn loopback_and_metadata_are_never_proxied() {
        let all = settings(&[("HTTPS_PROXY", "http://a:1"), ("HTTP_PROXY", "http://a:1")]);
        for direct in [
            "http://127.0.0.1:4566/",
            "http://localhost:4566",
            "http://111122223333.localhost:4566",
            "https://[::1]:443/x",
            "http://[::ffff:127.0.0.1]/",
            "http://169.254.169.254/latest/api/token",
            "http://169.254.170.2/v2/credentials",
            "http://169.254.170.23/v1/credentials",
            "http://[fd00:ec2::254]/latest",
            "http://[fd00:ec2::23]/v1/credentials",
        ] {
            assert!(all.proxy_for(direct).is_none(), "{direct}");
        }
        for proxied in ["http://127.0.0.1.example.com", "https://s3.eu-west-1.amazonaws.com/b", "http://169.254.1.1"] {
            assert!(all.proxy_for(proxied).is_some(), "{proxied}");
        }
    }

    #[test]
    fn no_proxy_names_hosts_domains_networks_and_ports() {
        let some = settings(&[
            ("HTTPS_PROXY", "http://a:1"),
            ("NO_PROXY", "sts.amazonaws.com, .vpce.amazonaws.com,*.internal,10.0.0.0/8,[fd12::]/16,kms.local:8443"),
        ]);
        for direct in [
            "https://sts.amazonaws.com/",
            "https://vpce-1.s3.eu-west-1.vpce.amazonaws.com",
            "https://STS.AMAZONAWS.COM",
            "https://x.internal",
            "https://10.2.3.4:8443",
            "https://[fd12:1::1]/",
            "https://kms.local:8443/",
        ] {
            assert!(some.proxy_for(direct).is_none(), "{direct}");
        }
        for proxied in
            ["https://notsts.amazonaws.com", "https://kms.local/", "https://11.0.0.1", "https://s3.amazonaws.com"]
        {
            assert!(some.proxy_for(proxied).is_some(), "{proxied}");
        }
        let none = settings(&[("HTTPS_PROXY", "http://a:1"), ("no_proxy", "*")]);
        assert!(none.proxy_for("https://s3.amazonaws.com").is_none());
    }

    #[test]
    fn credentials_of_a_proxy_are_never_shown() {
        let secret = settings(&[("HTTPS_PROXY", "http://user:s3cret@proxy.example.com:3128/")]);
        let shown = format!("{secret:?} {}", secret.https().unwrap());
        assert!(!shown.contains("s3cret") && !shown.contains("user"), "{shown}");
        assert!(shown.contains("http://proxy.example.com:3128 (HTTPS_PROXY)"), "{shown}");
        for bad in [
            "socks5://user:s3cret@proxy:1080",
            "http://user:s3cret@pro xy:1",
            "http://user:12/s3cret@proxy:3128",
            "http://user:p@s3cret@proxy:3128",
        ] {
            let error = ProxySettings::of(|name| lookup(&[("https_proxy", bad)], name)).unwrap_err();
            assert_eq!(error.variable, "https_proxy");
            assert!(!error.why.contains("s3cret"), "{error:?}");
        }
    }
}

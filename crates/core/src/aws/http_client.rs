//! The HTTP client of every AWS call, those of credential providers included.
//!
//! A client built by hand gets neither proxies nor a CA bundle from the SDK, so both are chosen here, request by request.

use std::sync::Arc;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, TlsContext};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use super::ca_bundle::CaBundle;
use super::connection::ConnectError;
use super::network::{ConnectionContext, Network};
use super::proxy::Proxy;

/// A client without a proxy, which trusts what the machine trusts: for the sandbox inside the process.
pub(super) fn direct_client() -> SharedHttpClient {
    client(None, None)
}

/// A client that follows the network settings of the environment. A setting that cannot be used is an error: without it, calls would
/// bypass the proxy, or trust the machine's own CAs.
pub(super) fn http_client(network: &Arc<Network>) -> Result<SharedHttpClient, ConnectError> {
    let context = network.ca_bundle.as_ref().map(tls_context).transpose()?;
    if network.is_default() {
        return Ok(client(context, None));
    }
    let through = |proxy: &Proxy| match ProxyConfig::all(proxy.url.as_str()) {
        Ok(config) => Ok(client(context.clone(), Some(config))),
        // The URL may hold a password, and so may the error.
        Err(_) => Err(ConnectError::Proxy { variable: proxy.variable, why: "its value is not a URL".to_owned() }),
    };
    Ok(SharedHttpClient::new(RoutingClient {
        network: Arc::clone(network),
        http: network.proxies.http().map(through).transpose()?,
        https: network.proxies.https().map(through).transpose()?,
        direct: client(context.clone(), None),
    }))
}

fn tls_context(bundle: &CaBundle) -> Result<TlsContext, ConnectError> {
    bundle.tls_context().map_err(|unusable| ConnectError::CaBundle {
        path: unusable.path.display().to_string(),
        setting: unusable.setting,
        why: unusable.why,
    })
}

fn client(context: Option<TlsContext>, proxy: Option<ProxyConfig>) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut builder =
            Connector::builder().tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc));
        builder.set_connector_settings(settings.cloned());
        builder.set_proxy_config(proxy.clone());
        builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        if let Some(context) = &context {
            builder.set_tls_context(context.clone());
        }
        builder.build()
    })
}

/// Sends each request directly or through its scheme's proxy.
#[derive(Debug)]
struct RoutingClient {
    network: Arc<Network>,
    direct: SharedHttpClient,
    http: Option<SharedHttpClient>,
    https: Option<SharedHttpClient>,
}

impl HttpClient for RoutingClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connector = |client: &SharedHttpClient| client.http_connector(settings, components);
        SharedHttpConnector::new(RoutingConnector {
            network: Arc::clone(&self.network),
            direct: connector(&self.direct),
            http: self.http.as_ref().map(connector),
            https: self.https.as_ref().map(connector),
        })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.direct.connector_metadata()
    }
}

#[derive(Debug)]
struct RoutingConnector {
    network: Arc<Network>,
    direct: SharedHttpConnector,
    http: Option<SharedHttpConnector>,
    https: Option<SharedHttpConnector>,
}

impl HttpConnector for RoutingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let url = request.uri();
        let https = url.starts_with("https:");
        let proxied = if https { self.https.as_ref() } else { self.http.as_ref() };
        let proxy = proxied.and(self.network.proxies.proxy_for(url));
        let context = ConnectionContext {
            proxy: proxy.map(ToString::to_string),
            ca: if https { self.network.trusted.clone() } else { None },
        };
        let connector = if proxy.is_some() { proxied } else { None }.unwrap_or(&self.direct);
        let answer = connector.call(request);
        if context.is_empty() {
            return answer;
        }
        HttpConnectorFuture::new(async move { answer.await.map_err(|error| in_context(error, context)) })
    }
}

/// The same error, which names the settings that the connection was made with. The SDK decides by its kind whether to try again.
fn in_context(error: ConnectorError, context: ConnectionContext) -> ConnectorError {
    let (timeout, user, io, kind) = (error.is_timeout(), error.is_user(), error.is_io(), error.as_other());
    let connection = error.connection_metadata().cloned();
    let source = Box::new(context.around(error.into_source()));
    let wrapped = match () {
        () if timeout => ConnectorError::timeout(source),
        () if user => ConnectorError::user(source),
        () if io => ConnectorError::io(source),
        () => ConnectorError::other(source, kind),
    };
    match connection {
        Some(connection) => wrapped.with_connection(connection),
        None => wrapped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::proxy::ProxySettings;

    #[test]
    fn a_proxy_that_cannot_be_used_is_an_error_and_not_a_direct_connection() {
        let proxy = Proxy { url: "http://[::1:8080".to_owned(), variable: "HTTPS_PROXY" };
        let network = Arc::new(Network::new(ProxySettings::for_https(proxy), None));
        let refused = http_client(&network).unwrap_err();
        assert!(matches!(refused, ConnectError::Proxy { variable: "HTTPS_PROXY", .. }), "{refused}");
    }
}

//! An HTTP client whose connectors are wrapped: what is measured or checked of each response is the wrapper's business alone.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector};
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_types::config_bag::ConfigBag;

type Wrap = fn(SharedHttpConnector) -> SharedHttpConnector;

#[derive(Debug)]
struct Wrapped {
    client: SharedHttpClient,
    wrap: Wrap,
}

/// The same client with each of its connectors wrapped.
pub(super) fn wrapped(client: SharedHttpClient, wrap: Wrap) -> SharedHttpClient {
    SharedHttpClient::new(Wrapped { client, wrap })
}

impl HttpClient for Wrapped {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        (self.wrap)(self.client.http_connector(settings, components))
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        HttpClient::validate_base_client_config(&self.client, components, config)
    }

    fn validate_final_config(&self, components: &RuntimeComponents, config: &ConfigBag) -> Result<(), BoxError> {
        HttpClient::validate_final_config(&self.client, components, config)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.client.connector_metadata()
    }
}

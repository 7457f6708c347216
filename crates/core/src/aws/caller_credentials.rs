//! The caller's own credentials, loaded once and kept until they are about to expire.

use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use tokio::sync::Mutex;

use crate::clock;

/// Credentials that expire within this time are loaded anew.
const LOAD_BEFORE: Duration = Duration::from_secs(10);

/// The default chain's credentials. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct CallerCredentials {
    provider: SharedCredentialsProvider,
    current: Arc<Mutex<Option<Credentials>>>,
}

impl CallerCredentials {
    pub(super) fn new(provider: SharedCredentialsProvider) -> CallerCredentials {
        CallerCredentials { provider, current: Arc::default() }
    }

    async fn current(&self) -> Result<Credentials, CredentialsError> {
        let mut current = self.current.lock().await;
        let soon = clock::system_now() + LOAD_BEFORE;
        if let Some(kept) = current.as_ref().filter(|kept| kept.expiry().is_none_or(|end| end > soon)) {
            return Ok(kept.clone());
        }
        let loaded = self.provider.provide_credentials().await?;
        Ok(current.insert(loaded).clone())
    }

    /// Which provider of the chain gave them, in words; `None` where the SDK does not say.
    pub(super) async fn source(&self) -> Option<&'static str> {
        let credentials = self.current().await.ok()?;
        let features = credentials.get_property::<Vec<AwsCredentialFeature>>()?;
        // Whatever a profile leads to is marked as the profile's too.
        let profile = AwsCredentialFeature::CredentialsProfile;
        features.iter().rev().filter(|feature| **feature != profile).chain([&profile]).find_map(source)
    }
}

fn source(feature: &AwsCredentialFeature) -> Option<&'static str> {
    use AwsCredentialFeature as F;
    Some(match feature {
        F::CredentialsEnvVars => "environment variables",
        F::CredentialsEnvVarsStsWebIdToken | F::CredentialsProfileStsWebIdToken | F::CredentialsStsAssumeRoleWebId => {
            "a web identity token"
        }
        F::CredentialsProfileSso | F::CredentialsSso => "IAM Identity Center (aws sso login)",
        F::CredentialsProfileLogin | F::CredentialsLogin => "a console session (aws login)",
        F::CredentialsProfileProcess | F::CredentialsProcess => "a credential_process",
        F::CredentialsStsAssumeRole | F::CredentialsProfileSourceProfile => "a role that the profile assumes",
        F::CredentialsHttp => "the container's credential endpoint",
        F::CredentialsImds => "the instance metadata service",
        F::CredentialsProfile => "access keys in the profile",
        _ => return None,
    })
}

impl ProvideCredentials for CallerCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.current())
    }
}

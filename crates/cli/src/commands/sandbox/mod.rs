//! `orgseal sandbox`: a simulated organization for any AWS tool, until it is stopped.

mod demo;

use crate::args::{Common, Demo, Sandbox, SandboxVerb};
use crate::failure::Failure;
use crate::replace::{self, Own};
use crate::{connect, output, signals};

pub(crate) async fn run(common: &Common, own: &Sandbox, json: bool) -> Result<u8, Failure> {
    if common.sandbox.is_some() {
        return Err(Failure::plain(
            "--sandbox starts a sandbox inside another command, and this command is one",
            "name a spec file with --spec, a seed with --seed, a speed with --speed",
        ));
    }
    if let Some(SandboxVerb::Demo { what: Demo::ConfigRemediation }) = own.verb {
        return demo::config_remediation(own.speed.unwrap_or(demo::SPEED), json).await;
    }
    if let Some(path) = &own.write_config {
        replace::check(path, Own::SandboxCampaign)?;
    }
    let spec = connect::read_spec(own.spec.as_deref(), own.seed)?;
    let sandbox = connect::start(spec, own.directory.clone(), own.speed.unwrap_or(1.0), own.port).await?;
    if let Some(path) = &own.write_config {
        std::fs::write(path, sandbox.campaign_file())
            .map_err(|error| Failure::file("the campaign file cannot be written to", path, &error))?;
    }
    if json {
        let (access_key, secret_key) = sandbox.credentials();
        let (management_key, management_secret) = sandbox.management_credentials();
        output::out_json(&serde_json::json!({
            "schema": "orgseal.sandbox/1",
            "seed": sandbox.seed(),
            "organization": sandbox.organization_id(),
            "security_account": sandbox.security_account(),
            "environment": {
                "AWS_ENDPOINT_URL": sandbox.endpoint(),
                "AWS_ACCESS_KEY_ID": access_key,
                "AWS_SECRET_ACCESS_KEY": secret_key,
                "AWS_REGION": sandbox.client_region(),
            },
            "management_account": sandbox.management_account(),
            "management_credentials": {
                "AWS_ACCESS_KEY_ID": management_key,
                "AWS_SECRET_ACCESS_KEY": management_secret,
            },
        }))?;
    } else {
        output::out(&format!("# seed {}, organization {}", sandbox.seed(), sandbox.organization_id()))?;
        output::out(sandbox.exports().trim_end())?;
        let (access_key, secret_key) = sandbox.management_credentials();
        output::out(&format!(
            "# For the management account, {}: AWS_ACCESS_KEY_ID={access_key} AWS_SECRET_ACCESS_KEY={secret_key}",
            sandbox.management_account()
        ))?;
    }
    output::err("serving until Ctrl-C");
    signals::stop_requested().await;
    sandbox.stop();
    Ok(signals::INTERRUPTED)
}

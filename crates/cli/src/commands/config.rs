//! `orgseal config`: check the campaign file, print its schema.

use orgseal_core::config::{CampaignFile, Exemptions, MOST_PROBLEMS};

use crate::args::{Common, Config, ConfigVerb};
use crate::failure::Failure;
use crate::{connect, output};

pub(crate) fn run(common: &Common, own: &Config, json: bool) -> Result<u8, Failure> {
    match own.verb {
        ConfigVerb::Schema { exemptions } => {
            let schema = if exemptions { Exemptions::schema() } else { CampaignFile::schema() };
            output::out_json(schema.as_value())?;
            Ok(0)
        }
        ConfigVerb::Check => check(common, json),
    }
}

fn check(common: &Common, json: bool) -> Result<u8, Failure> {
    let checked = connect::campaign_file(common);
    if !json {
        let loaded = checked?;
        let regions: Vec<String> = loaded.campaign.keys().iter().map(|(region, _)| region.to_owned()).collect();
        let warnings = loaded.campaign.warnings();
        for warning in warnings.iter().take(MOST_PROBLEMS) {
            output::err_wrapped(&format!("warning: {}: {}", warning.path, warning.message));
            output::err_wrapped(&format!("  help: {}", warning.instead));
        }
        if warnings.len() > MOST_PROBLEMS {
            output::err(&format!("{} more warnings are not shown", warnings.len() - MOST_PROBLEMS));
        }
        output::out(&format!(
            "campaign file {} is valid: keys for {}, SHA-256 {}",
            loaded.origin,
            regions.join(", "),
            loaded.hash
        ))?;
        return Ok(0);
    }
    let (hash, problems, more) = match &checked {
        Ok(loaded) => (Some(loaded.hash.clone()), Vec::new(), 0),
        Err(failure) => (None, failure.problems(), failure.more()),
    };
    let warnings = checked.as_ref().map(|loaded| loaded.campaign.warnings()).unwrap_or_default();
    let warnings: Vec<_> = warnings
        .iter()
        .map(|warning| {
            serde_json::json!({ "path": warning.path, "message": warning.message, "instead": warning.instead })
        })
        .collect();
    let code = u8::from(!problems.is_empty());
    output::out_json(&serde_json::json!({
        "schema": "orgseal.config-check/1", "sha256": hash, "problems": problems, "more_problems": more,
        "warnings": warnings,
    }))?;
    Ok(code)
}

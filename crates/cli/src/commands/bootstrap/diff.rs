//! `orgseal bootstrap diff`: what is deployed, compared with what the campaign file makes.

use orgseal_bootstrap::deployed::{Compared, Site};

use orgseal_report::Suggest;

use super::{Open, open, way_again, words};
use crate::args::{Common, Way};
use crate::failure::Failure;
use crate::signals::INTERRUPTED;
use crate::{connect, output};

pub(super) async fn run(common: &Common, way: &Way, json: bool) -> Result<u8, Failure> {
    let Open { place: _place, site, screen, .. } = open(common, way).await?;
    let compared = site.compare().await;
    screen.clear();
    let compared = compared?;
    if json {
        output::out_json(&document(&compared))?;
    } else {
        words::findings(&compared).iter().try_for_each(|line| output::out_wrapped(line))?;
        output::out_wrapped(&format!("\n{}", words::counts(&compared.counts())))?;
    }
    next(common, way, &site, &compared);
    Ok(if compared.interrupted { INTERRUPTED } else { compared.exit_code() })
}

pub(super) fn document(compared: &Compared) -> serde_json::Value {
    serde_json::json!({
        "schema": "orgseal.bootstrap-diff/1",
        "same": compared.exit_code() == 0,
        "counts": compared.counts(),
        "organization": compared.organization,
        "interrupted": compared.interrupted,
        "accounts": compared.accounts,
        "guardrails": compared.guardrails,
    })
}

/// What to do now.
fn next(common: &Common, way: &Way, site: &Site, compared: &Compared) {
    let counts = compared.counts();
    if site.leaves_out_management() {
        output::err_wrapped(words::WITHOUT_MANAGEMENT);
    }
    if counts.missing + counts.differing > 0 {
        let deploy = Suggest::here(&connect::place(common)).anew(&format!("bootstrap deploy{}", way_again(way)));
        output::err_wrapped(&format!(
            "help: find out who changed it; `{deploy}` restores what the campaign file defines"
        ));
    }
    if counts.unread > 0 {
        let hints: std::collections::BTreeSet<&str> = compared
            .findings()
            .map(|(_, finding)| finding)
            .chain(&compared.guardrails)
            .filter_map(|finding| finding.error.as_ref())
            .map(|error| error.hint.as_str())
            .collect();
        hints.into_iter().for_each(|hint| output::err_wrapped(&format!("help: {hint}")));
    }
}

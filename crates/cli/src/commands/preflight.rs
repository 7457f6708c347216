//! `orgseal preflight`: can a rollout work? Reads, and changes nothing; the ledger is not touched.

use std::io;

use orgseal_core::campaign::preflight;
use orgseal_report::preflight as report;

use super::to_stdout;
use crate::args::{Common, Preflight};
use crate::connect;
use crate::failure::Failure;
use crate::signals::{INTERRUPTED, Watched};

pub(crate) async fn run(common: &Common, _: &Preflight, json: bool) -> Result<u8, Failure> {
    if !common.bucket.is_empty() {
        return Err(Failure::plain(
            "--bucket selects buckets, but preflight checks accounts and Regions",
            "use --account and --region instead",
        ));
    }
    let watched = Watched::new();
    let place = watched.opens(connect::open(common)).await?;
    let Watched { stop, events, screen } = watched;
    let found = preflight(place.setting(events, stop)).await;
    screen.clear();
    let found = found?;
    if json {
        to_stdout(|out| report::write_json(&found, out))?;
        let aside = connect::style_aside(common);
        // The document is out; nobody may be reading the words.
        let _ = report::write(&found, &aside, &mut io::stderr().lock());
    } else {
        let people = connect::style(common);
        to_stdout(|out| report::write(&found, &people, out))?;
    }
    Ok(if found.interrupted { INTERRUPTED } else { report::exit_code(&found) })
}

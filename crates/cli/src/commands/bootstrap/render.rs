//! `orgseal bootstrap render`: the groundwork as files.

use std::path::Path;

use orgseal_bootstrap::{Difference, Groundwork, compare, render, write};

use crate::args::Common;
use crate::failure::Failure;
use crate::{connect, output};

/// The files of a folder differ from what would be rendered.
const DIFFERS: u8 = 2;

pub(super) fn run(common: &Common, folder: &Path, check: bool, json: bool) -> Result<u8, Failure> {
    let mut loaded = connect::campaign_file(common)?;
    if let Some(organization) = loaded.campaign.complete_example() {
        output::err_wrapped(&format!(
            "note: {} is the shipped example: its keys, and {organization} in place of organization.id, are placeholders. Read what is \
             rendered, but do not deploy it",
            loaded.origin
        ));
    }
    let groundwork = Groundwork::new(&loaded.campaign)?;
    let files = render(&groundwork)?;
    let differences = if check { compare(folder, &files)? } else { write(folder, &files)? };
    if json {
        let differing: Vec<_> = differences
            .iter()
            .map(|(path, difference)| serde_json::json!({ "path": path, "state": difference }))
            .collect();
        output::out_json(&serde_json::json!({
            "schema": "orgseal.bootstrap-render/1", "folder": folder, "checked": check,
            "files": files.iter().map(|file| &file.path).collect::<Vec<_>>(), "differences": differing,
        }))?;
    } else {
        for (path, difference) in &differences {
            let said = match (check, difference) {
                (true, Difference::Missing) => "is missing",
                (true, Difference::Differs) => "differs from the campaign file",
                (false, Difference::Missing) => "written",
                (false, Difference::Differs) => "updated",
            };
            output::out(&format!("{}  {said}", folder.join(path).display()))?;
        }
        let as_it_was = files.len() - differences.len();
        match differences.is_empty() || check {
            true => output::out(&format!("{as_it_was} of {} files match the campaign file", files.len()))?,
            false => output::out(&format!("{} files written, {as_it_was} unchanged", differences.len()))?,
        }
    }
    let differs = check && !differences.is_empty();
    if differs {
        output::err("help: render again without --check, and review the changes before you deploy them");
    }
    Ok(if differs { DIFFERS } else { 0 })
}

//! `orgseal ledger`: whether the record is as it was written, and the record itself as JSON Lines.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use orgseal_core::ledger::{self, ExportError, Reader};
use serde_json::json;

use crate::args::{Common, Export, Ledger, LedgerVerb, Verify};
use crate::failure::Failure;
use crate::replace::{self, Own};
use crate::{connect, output};

pub(crate) fn run(common: &Common, own: &Ledger, json: bool) -> Result<u8, Failure> {
    match &own.verb {
        LedgerVerb::Verify(own) => verify(common, own, json),
        LedgerVerb::Export(own) => export(common, own),
    }
}

fn verify(common: &Common, own: &Verify, json: bool) -> Result<u8, Failure> {
    let folder = connect::state_in_force(common)?;
    let wanted = own.head.as_deref().map(head).transpose()?;
    let verified = ledger::verify(&folder, wanted.as_deref())?;
    if json {
        let fault = verified.fault.as_ref().map(|fault| {
            let [account, region, bucket] = &fault.about;
            json!({
                "entry": fault.entry, "at": fault.at, "run": fault.run, "account": account, "region": region,
                "bucket": bucket, "what": fault.what,
            })
        });
        let known = wanted.as_ref().map(|head| json!({ "head": head, "entry": verified.known.flatten() }));
        output::out_json(&json!({
            "schema": "orgseal.ledger-verify/1", "sound": verified.is_sound(), "entries": verified.sound,
            "head": verified.head, "known_head": known, "fault": fault,
        }))?;
        return Ok(if verified.is_sound() { 0 } else { 2 });
    }
    match &verified.fault {
        Some(fault) => {
            output::out(&fault.to_string())?;
            output::out(&match fault.entry > verified.sound {
                true => format!("the {} entries before it are sound", verified.sound),
                false => format!("the {} entries themselves are sound; the fault is outside of them", verified.sound),
            })?;
        }
        None => {
            output::out(&format!("{} entries verified: none was edited, removed or reordered", verified.sound))?;
            output::out(&format!("head {}", verified.head))?;
        }
    }
    match verified.known {
        Some(Some(entry)) => output::out(&format!("the head that you kept is entry {entry} of {}", verified.sound))?,
        Some(None) if verified.fault.is_some() => {
            output::out("the head that you kept is not among the sound entries")?;
        }
        Some(None) => output::out(
            "the head that you kept is not in this ledger: entries were cut off or rewritten since, or it is another ledger's",
        )?,
        None => {}
    }
    Ok(if verified.is_sound() { 0 } else { 2 })
}

/// A head as it was printed. A part of one would be missed in every ledger, and cry wolf.
fn head(text: &str) -> Result<String, Failure> {
    let head = text.trim().to_ascii_lowercase();
    match head.len() == 64 && head.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(head),
        false => Err(Failure::plain(
            format!("--head {text} is no head of a ledger"),
            "give the 64 hexadecimal digits that a report or the command ledger verify printed",
        )),
    }
}

fn export(common: &Common, own: &Export) -> Result<u8, Failure> {
    if let Some(path) = &own.output {
        replace::check(path, Own::Export)?;
    }
    let reader = Reader::open(&connect::state_in_force(common)?)?;
    // The lines belong together, also while another process writes.
    reader.snapshot()?;
    let run = own.campaign.as_deref().map(|id| reader.run(id)).transpose()?;
    let written = match &own.output {
        Some(path) => {
            let file =
                File::create(path).map_err(|error| Failure::file("the export cannot be written:", path, &error))?;
            let mut out = BufWriter::new(file);
            reader.export(run.as_ref(), &mut out).and_then(|()| Ok(out.flush()?))
        }
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            reader.export(run.as_ref(), &mut out).and_then(|()| Ok(out.flush()?))
        }
    };
    match written {
        Ok(()) => Ok(0),
        // A reader that closes a pipe early has read enough.
        Err(ExportError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe && own.output.is_none() => Ok(0),
        Err(ExportError::Io(error)) => Err(Failure::plain(
            format!("the export cannot be written: {error}"),
            "check the disk's free space and the path",
        )),
        Err(ExportError::Ledger(error)) => Err(error.into()),
    }
}

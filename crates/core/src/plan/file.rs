//! The plan file `orgseal.plan/1`: what a rollout is to do, whole, for a person to read and approve. JSON, one bucket a line, so
//! that it is written and read as a stream, and two of them compare line by line.
//!
//! Its last member is the SHA-256 of everything before it, which finds slips of an editor. What proves a plan is the hash of the
//! whole file, kept elsewhere.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Narrowed;
use super::draft::Draft;
use super::error::{Content, PlanError};
use crate::model::{AwsError, DefaultEncryption, EncryptionRule, ExemptionNote, GuardFinding, Reason, Verdict};
use crate::text::visible_json;

/// The name and version of the file's shape.
pub const PLAN_SCHEMA: &str = "orgseal.plan/1";

/// What a plan says of itself, before its buckets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanHead {
    /// [`PLAN_SCHEMA`].
    pub schema: String,
    /// Its id: the run that made it.
    pub id: String,
    /// When reading began.
    pub created_at: jiff::Timestamp,
    /// `o-…`
    pub organization: String,
    /// `aws`, …
    pub partition: String,
    /// `aws`, or the endpoint that stands in for it.
    pub endpoint: String,
    /// Who made it.
    pub caller: String,
    /// This program's version.
    pub version: String,
    /// SHA-256 of the campaign file in force.
    pub campaign_file_sha256: String,
    /// SHA-256 of the exemptions in force.
    pub exemptions_sha256: Option<String>,
    /// What the command line narrowed it to, in words; empty for everything.
    pub selection: String,
    /// The same as the flags had it: whoever carries the plan out narrows to it again.
    #[serde(default, skip_serializing_if = "Narrowed::is_empty")]
    pub narrowed: Narrowed,
    /// The settings that decide outcomes.
    pub target: Value,
    /// The central key of each Region, with its state.
    pub keys: Vec<PlannedKey>,
    /// The documents found, each with the number of places (account and Region) that have it.
    pub documents: Vec<PlannedDocument>,
    /// The waves, in their order.
    pub waves: Vec<PlannedWave>,
    /// How many buckets have which decision.
    pub decisions: BTreeMap<String, u64>,
    /// What the rollout will take.
    pub forecast: Value,
    /// Seconds of an execution that the forecast rests on.
    pub execution_seconds: f64,
    /// Whether they were measured in an earlier campaign of the same ledger; else they are the campaign file's.
    pub execution_seconds_measured: bool,
    /// What configuration cannot show.
    pub notices: Vec<String>,
    /// Accounts that could not be read.
    pub unread_accounts: Vec<UnreadAccount>,
    /// Users and roles that hold buckets of their account back, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocking_principals: Vec<PlannedPrincipal>,
    /// How many more there are: a plan names the first [`MOST_PRINCIPALS`], by buckets.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_blocking_principals: u64,
    /// What to know of accounts, and what holds none of their buckets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub account_warnings: Vec<PlannedWarning>,
}

/// So many principals are named in a plan's head, which is written and read as a whole.
pub const MOST_PRINCIPALS: usize = 20_000;

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A user or role that may not use the central key, and so holds buckets of its account back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPrincipal {
    /// Its account.
    pub account: String,
    /// Its ARN.
    pub principal: String,
    /// How many buckets of the account it holds back.
    pub buckets: u64,
    /// The KMS actions that it lacks.
    pub lacks: Vec<String>,
    /// Why it lacks them.
    pub why: String,
    /// What to do: one fix for each central key, or cause.
    pub fixes: Vec<String>,
}

/// What to know of an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PlannedWarning {
    /// The account.
    pub account: String,
    /// Whom it is about, by ARN.
    pub principal: String,
    /// What will happen.
    pub says: String,
    /// What to do.
    pub hint: String,
}

/// The central key of a Region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedKey {
    /// The Region.
    pub region: String,
    /// The key's ARN.
    pub arn: String,
    /// Why it cannot be used.
    pub fault: Option<AwsError>,
}

/// What a document's SHA-256 is the hash of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HashOf {
    /// The canonical JSON form of its content: members sorted by name, no white space.
    CanonicalJson,
}

/// A document as it was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PlannedDocument {
    /// Name or ARN.
    pub name: String,
    /// The version that would be started.
    pub version: String,
    /// SHA-256, of what `hash_of` says.
    pub sha256: String,
    /// What `sha256` is the hash of; `None` in plans of earlier versions: the text that `GetDocument` returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash_of: Option<HashOf>,
    /// `DescribeDocument`'s own hash (`Hash`), of the text that was uploaded; `None` where it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws_hash: Option<String>,
    /// In how many accounts and Regions.
    pub places: u64,
}

/// A wave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedWave {
    /// From 1.
    pub number: u32,
    /// What people call it.
    pub name: String,
    /// Accounts with a bucket to change in it.
    pub accounts: u64,
    /// Buckets to change.
    pub buckets: u64,
    /// Seconds of watching afterwards.
    pub bake: u64,
    /// Whether a person must approve it.
    pub approval: bool,
}

/// An account that could not be read: what is in it is in no plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadAccount {
    /// Twelve digits.
    pub id: String,
    /// The name given in Organizations.
    pub name: String,
    /// Why.
    pub error: Option<AwsError>,
}

/// What is to be done with a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It is changed.
    Change,
    /// It is held back.
    Hold,
    /// It stays as it is, by exemption.
    Exempt,
    /// It is as wanted.
    Keep,
    /// It could not be read.
    Unread,
}

impl Decision {
    /// The name in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Decision::Change => "change",
            Decision::Hold => "hold",
            Decision::Exempt => "exempt",
            Decision::Keep => "keep",
            Decision::Unread => "unread",
        }
    }

    /// What a verdict comes to.
    #[must_use]
    pub fn of(verdict: Verdict) -> Decision {
        match verdict {
            Verdict::NotSealed | Verdict::NotRestored => Decision::Change,
            Verdict::Sealed | Verdict::Restored => Decision::Keep,
            Verdict::Exempt => Decision::Exempt,
            Verdict::Held => Decision::Hold,
            Verdict::Unread | Verdict::Failed => Decision::Unread,
        }
    }
}

/// A bucket in a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedBucket {
    /// Its account.
    pub account: String,
    /// Its Region.
    pub region: String,
    /// Its name.
    pub bucket: String,
    /// What is to be done.
    pub decision: Decision,
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// What lies beneath a hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Reason>,
    /// The reason in words.
    pub why: String,
    /// The wave in which it is changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<u32>,
    /// What it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<DefaultEncryption>,
    /// What it would get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<EncryptionRule>,
    /// SHA-256 of the document that would change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_sha256: Option<String>,
    /// What guards found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<GuardFinding>,
    /// When they looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guarded_at: Option<jiff::Timestamp>,
    /// The exemption that names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exemption: Option<ExemptionNote>,
    /// Why it is unread or held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<AwsError>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A plan being written. Each bucket is a line of its own; nothing is gathered.
pub struct PlanWriter<W: Write> {
    out: W,
    inside: Sha256,
    whole: Sha256,
    first: bool,
}

impl<W: Write> PlanWriter<W> {
    /// Writes what the plan says of itself.
    pub fn begin(out: W, head: &PlanHead) -> io::Result<PlanWriter<W>> {
        let mut writer = PlanWriter { out, inside: Sha256::new(), whole: Sha256::new(), first: true };
        let text = serde_json::to_string_pretty(head)?;
        let text = visible_json(&text);
        // The head's closing brace makes way for the buckets.
        let open = text.trim_end().trim_end_matches('}').trim_end();
        writer.put(open)?;
        writer.put(",\n  \"buckets\": [")?;
        Ok(writer)
    }

    /// Writes a bucket.
    pub fn bucket(&mut self, bucket: &PlannedBucket) -> io::Result<()> {
        let line = serde_json::to_string(bucket)?;
        let line = visible_json(&line);
        let separator = if std::mem::take(&mut self.first) { "\n    " } else { ",\n    " };
        self.put(separator)?;
        self.put(&line)
    }

    /// Ends the file. Returns the SHA-256 of the whole of it, in hex.
    pub fn end(mut self) -> io::Result<String> {
        let close = if self.first { "],\n" } else { "\n  ],\n" };
        self.put(close)?;
        let own = hex(&self.inside.clone().finalize());
        let last = format!("  \"sha256\": \"{own}\"\n}}\n");
        self.out.write_all(last.as_bytes())?;
        self.whole.update(last.as_bytes());
        self.out.flush()?;
        Ok(hex(&self.whole.finalize()))
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        self.inside.update(text.as_bytes());
        self.whole.update(text.as_bytes());
        self.out.write_all(text.as_bytes())
    }
}

/// A plan file that is whole: its own hash fits.
#[derive(Clone, Debug)]
pub struct PlanFile {
    path: PathBuf,
    /// What it says of itself.
    pub head: PlanHead,
    /// SHA-256 of the whole file, in hex.
    pub sha256: String,
}

impl PlanFile {
    /// Opens a plan and reads it through once, so that nothing of it is believed before all of it fits.
    pub fn open(path: &Path) -> Result<PlanFile, PlanError> {
        let unreadable = |error: io::Error| PlanError::Unreadable { path: path.to_owned(), why: error.to_string() };
        let no_plan = |why: String| PlanError::NoPlan { path: path.to_owned(), why };
        let mut whole = Sha256::new();
        let mut inside = Sha256::new();
        // The last two lines are held back: what they are shows when nothing follows.
        let mut held: Vec<Vec<u8>> = Vec::new();
        let mut head = Vec::new();
        let mut in_head = true;
        let mut lines = BufReader::new(regular(path)?);
        loop {
            let mut line = Vec::new();
            let most = if in_head { MOST_OF_LINE.min(MOST_OF_HEAD - head.len()) } else { MOST_OF_LINE };
            match read_line(&mut lines, &mut line, most).map_err(unreadable)? {
                Line::End => break,
                Line::Whole => {}
                Line::TooLong if most < MOST_OF_LINE => return Err(no_plan("its head has no end".to_owned())),
                Line::TooLong => return Err(no_plan(TOO_LONG.to_owned())),
            }
            whole.update(&line);
            if in_head {
                in_head = !line.starts_with(BUCKETS.as_bytes());
                if in_head {
                    head.extend_from_slice(&line);
                }
            }
            held.push(line);
            if held.len() > 2 {
                inside.update(held.remove(0));
            }
        }
        let [own, close] = held.as_slice() else { return Err(no_plan("it is no JSON object".to_owned())) };
        let fits = format!("  \"sha256\": \"{}\"\n", hex(&inside.finalize()));
        let head = String::from_utf8_lossy(&head);
        let head = format!("{}\n}}", head.trim_end().trim_end_matches(','));
        let parsed: Value = serde_json::from_str(&head).map_err(|error| no_plan(error.to_string()))?;
        if parsed["schema"] != PLAN_SCHEMA {
            return Err(no_plan(format!("its schema is {}, and {PLAN_SCHEMA} is known", parsed["schema"])));
        }
        if *own != fits.as_bytes() || close != b"}\n" {
            return Err(PlanError::Altered { path: path.to_owned() });
        }
        let head: PlanHead = serde_json::from_value(parsed).map_err(|error| no_plan(error.to_string()))?;
        Ok(PlanFile { path: path.to_owned(), head, sha256: hex(&whole.finalize()) })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its buckets, in the order of the file: by account and name.
    pub fn buckets(&self) -> Result<PlannedBuckets, PlanError> {
        let mut buckets =
            PlannedBuckets { lines: BufReader::new(regular(&self.path)?), line: Vec::new(), path: self.path.clone() };
        while buckets.read()? && !buckets.line.starts_with(BUCKETS.as_bytes()) {}
        Ok(buckets)
    }

    /// Copies the file, and makes sure that the copy is the same.
    pub fn keep(&self, folder: &Path) -> Result<PlanFile, PlanError> {
        let kept = folder.join(format!("{}.json", self.sha256));
        let unwritable = |error: io::Error| PlanError::Unwritable { path: kept.clone(), why: error.to_string() };
        // It names accounts and buckets: only the owner of the state directory may read it.
        crate::ledger::make_folder(folder)
            .map_err(|error| PlanError::Unwritable { path: kept.clone(), why: error.to_string() })?;
        let mut copy = Draft::begin(&kept, Content::Plan)?;
        copy.make_private().map_err(unwritable)?;
        let mut hashed = Hashed { whole: Sha256::new(), out: &mut copy };
        let mut file = regular(&self.path)?;
        io::copy(&mut file, &mut hashed).map_err(unwritable)?;
        if hex(&hashed.whole.finalize()) != self.sha256 {
            return Err(PlanError::Altered { path: self.path.clone() });
        }
        copy.commit()?;
        Ok(PlanFile { path: kept, ..self.clone() })
    }
}

/// What is written, hashed on its way.
struct Hashed<W> {
    whole: Sha256,
    out: W,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.whole.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Opens a file that can be read more than once: no device, no pipe, which may have no end.
fn regular(path: &Path) -> Result<File, PlanError> {
    let unreadable = |error: io::Error| PlanError::Unreadable { path: path.to_owned(), why: error.to_string() };
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(PlanError::NoPlan { path: path.to_owned(), why: "it is no regular file".to_owned() });
    }
    File::open(path).map_err(unreadable)
}

enum Line {
    Whole,
    TooLong,
    End,
}

/// Reads a line with its end, at most so many bytes of it.
fn read_line(lines: &mut impl BufRead, line: &mut Vec<u8>, most: usize) -> io::Result<Line> {
    line.clear();
    let read = lines.take(most as u64 + 1).read_until(b'\n', line)?;
    Ok(match read {
        0 => Line::End,
        _ if read > most => Line::TooLong,
        _ => Line::Whole,
    })
}

/// The buckets of a plan, read line by line.
pub struct PlannedBuckets {
    lines: BufReader<File>,
    line: Vec<u8>,
    path: PathBuf,
}

impl PlannedBuckets {
    /// Reads the next line; false at the end.
    fn read(&mut self) -> Result<bool, PlanError> {
        match read_line(&mut self.lines, &mut self.line, MOST_OF_LINE) {
            Ok(Line::Whole) => Ok(true),
            Ok(Line::End) => Ok(false),
            Ok(Line::TooLong) => Err(PlanError::NoPlan { path: self.path.clone(), why: TOO_LONG.to_owned() }),
            Err(error) => Err(PlanError::Unreadable { path: self.path.clone(), why: error.to_string() }),
        }
    }
}

impl Iterator for PlannedBuckets {
    type Item = Result<PlannedBucket, PlanError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.read() {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => return Some(Err(error)),
        }
        let bucket = self.line.strip_prefix(b"    ")?.trim_ascii_end();
        let bucket = bucket.strip_suffix(b",").unwrap_or(bucket);
        let parsed = serde_json::from_slice(bucket);
        Some(parsed.map_err(|error| PlanError::NoPlan { path: self.path.clone(), why: error.to_string() }))
    }
}

/// How the line begins after which the buckets come.
const BUCKETS: &str = "  \"buckets\": [";
/// A head is small: waves, keys, documents, the accounts that could not be read.
const MOST_OF_HEAD: usize = 64 * 1024 * 1024;
/// A line is a bucket with what guards found: some kilobytes. More than this is held of none.
const MOST_OF_LINE: usize = 16 * 1024 * 1024;
const TOO_LONG: &str = "it has a line of more than 16 MiB";

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::plan) fn head() -> PlanHead {
        PlanHead {
            schema: PLAN_SCHEMA.into(),
            id: "plan-1".into(),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            organization: "o-a".into(),
            partition: "aws".into(),
            endpoint: "aws".into(),
            caller: "arn".into(),
            version: "0".into(),
            campaign_file_sha256: "x".into(),
            exemptions_sha256: None,
            selection: String::new(),
            narrowed: Narrowed::default(),
            target: Value::Null,
            keys: vec![],
            documents: vec![],
            waves: vec![],
            decisions: BTreeMap::from([("change".to_owned(), 2)]),
            forecast: Value::Null,
            execution_seconds: 5.0,
            execution_seconds_measured: false,
            notices: vec!["}".to_owned(), "  \"buckets\": [".to_owned()],
            unread_accounts: vec![],
            blocking_principals: vec![],
            more_blocking_principals: 0,
            account_warnings: vec![],
        }
    }

    fn bucket(name: &str) -> PlannedBucket {
        PlannedBucket {
            account: "444455556666".into(),
            region: "us-east-1".into(),
            bucket: name.into(),
            decision: Decision::Change,
            verdict: Verdict::NotSealed,
            reason: Reason::SseS3,
            observed: None,
            why: "SSE-S3".into(),
            wave: Some(1),
            found: None,
            rule: None,
            document_sha256: None,
            guards: vec![],
            guarded_at: None,
            exemption: None,
            error: None,
        }
    }

    fn written(names: &[&str]) -> (Vec<u8>, String) {
        let mut bytes = Vec::new();
        let mut writer = PlanWriter::begin(&mut bytes, &head()).unwrap();
        names.iter().for_each(|name| writer.bucket(&bucket(name)).unwrap());
        let hash = writer.end().unwrap();
        (bytes, hash)
    }

    fn read(bytes: &[u8]) -> Result<(PlanFile, Vec<String>), PlanError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        std::fs::write(&path, bytes).unwrap();
        let plan = PlanFile::open(&path)?;
        let names = plan.buckets()?.map(|bucket| Ok(bucket?.bucket)).collect::<Result<_, PlanError>>()?;
        Ok((plan, names))
    }

    #[test]
    fn what_is_written_is_read() {
        for names in [&["a", "b"][..], &[], &["one"]] {
            let (bytes, hash) = written(names);
            serde_json::from_slice::<Value>(&bytes).unwrap();
            let (plan, found) = read(&bytes).unwrap();
            assert_eq!(found, names);
            assert_eq!(plan.head, head());
            assert_eq!(plan.sha256, hash);
            assert_eq!(plan.sha256, hex(&Sha256::digest(&bytes)));
        }
    }

    #[test]
    fn a_changed_byte_is_found_wherever_it_is() {
        let (bytes, hash) = written(&["a", "b"]);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] = if changed[at] == b'x' { b'y' } else { b'x' };
            match read(&changed) {
                Err(_) => {}
                Ok((plan, _)) => panic!("byte {at} is not missed: {} {hash}", plan.sha256),
            }
        }
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn what_has_no_end_is_refused_before_it_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        // Zeros without a line end, on no disk: and heads of lines that never end.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let error = PlanFile::open(&path).unwrap_err().to_string();
        assert!(error.ends_with(TOO_LONG), "{error}");
        std::fs::write(&path, format!("{{\n{}", format!("{}\n", "x".repeat(1 << 20)).repeat(70))).unwrap();
        let error = PlanFile::open(&path).unwrap_err().to_string();
        assert!(error.ends_with("its head has no end"), "{error}");
        for no_file in [Path::new("/dev/zero"), folder.path()] {
            let error = PlanFile::open(no_file).unwrap_err().to_string();
            assert!(error.ends_with("it is no regular file"), "{error}");
        }
    }

    #[test]
    fn a_kept_plan_is_a_copy_and_what_was_altered_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (path, plans) = (folder.path().join("plan.json"), folder.path().join("plans"));
        std::fs::write(&path, written(&["a", "b"]).0).unwrap();
        let plan = PlanFile::open(&path).unwrap();
        // Once more does no harm.
        for _ in 0..2 {
            let kept = plan.keep(&plans).unwrap();
            assert_eq!(PlanFile::open(kept.path()).unwrap().sha256, plan.sha256);
            let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(kept.path()).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
            assert_eq!(kept.keep(&plans).unwrap().path(), kept.path());
        }
        std::fs::write(&path, written(&["a", "c"]).0).unwrap();
        assert!(matches!(plan.keep(&folder.path().join("others")), Err(PlanError::Altered { .. })));
        assert_eq!(std::fs::read_dir(folder.path().join("others")).unwrap().count(), 0, "nothing is left behind");
    }

    #[test]
    fn a_plan_with_its_own_hash_made_anew_has_another_hash() {
        let (bytes, hash) = written(&["a"]);
        let text = String::from_utf8(bytes).unwrap().replace("\"bucket\":\"a\"", "\"bucket\":\"z\"");
        let inside = &text[..text.rfind("  \"sha256\"").unwrap()];
        let forged = format!("{inside}  \"sha256\": \"{}\"\n}}\n", hex(&Sha256::digest(inside)));
        let (plan, names) = read(forged.as_bytes()).unwrap();
        assert_eq!(names, ["z"]);
        assert_ne!(plan.sha256, hash);
    }
}

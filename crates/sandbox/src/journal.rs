//! The durable record of what changed since generation: JSON lines, written before the answer is sent, replayed at start.
//! What is not here: sessions (they do not outlive the process) and anything that follows from the seed.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::StartError;
use crate::automation::document::Format;
use crate::observe::BucketEncryption;
use crate::spec::Spec;
use crate::wire::error::AwsError;
use crate::world::config::ConfigChange;
use crate::world::configuration::{Configuration, Configurations};
use crate::world::execution::{Execution, Status, StepRecord, Stop};
use crate::world::key::GENERATED_MS;
use crate::world::key_settings::KeySetting;
use crate::world::key_state::KeyState;
use crate::world::key_store::CreatedKey;
use crate::world::lock::lock;
use crate::world::managed_policy::ManagedRecord;
use crate::world::object::Object;
use crate::world::organization_state::OrganizationChange;
use crate::world::role_record::RoleRecord;
use crate::world::stacks::{StackRecord, StackSetChange};

/// One change.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    Encryption {
        bucket: String,
        encryption: Option<BucketEncryption>,
    },
    BucketDeleted {
        bucket: String,
    },
    DocumentVersion(Box<DocumentEntry>),
    Shared {
        account: String,
        region: String,
        name: String,
        add: Vec<String>,
        remove: Vec<String>,
    },
    Started {
        account: String,
        region: String,
        execution: Box<Execution>,
    },
    Running {
        account: String,
        region: String,
        id: String,
        at_ms: i64,
    },
    Step {
        account: String,
        region: String,
        id: String,
        step: Box<StepRecord>,
        next: Option<String>,
    },
    Stopping {
        account: String,
        region: String,
        id: String,
        stop: Stop,
    },
    Ended(Box<EndEntry>),
    BucketCreated(Box<BucketEntry>),
    Configured {
        bucket: String,
        configuration: Configuration,
        value: Option<Value>,
    },
    AccountBlock {
        account: String,
        value: Option<Value>,
    },
    ObjectPut {
        bucket: String,
        key: String,
        object: Box<Object>,
    },
    ObjectDeleted {
        bucket: String,
        key: String,
    },
    KeyState {
        arn: String,
        state: KeyState,
    },
    KeyCreated {
        account: String,
        region: String,
        key: Box<CreatedKey>,
    },
    KeyAlias {
        account: String,
        region: String,
        alias: String,
        key_id: Option<String>,
        #[serde(default = "years_ago")]
        at_ms: i64,
    },
    KeyPolicy {
        arn: String,
        policy: String,
    },
    KeySetting {
        arn: String,
        setting: KeySetting,
    },
    Role {
        account: String,
        role: Box<RoleRecord>,
    },
    RoleDeleted {
        account: String,
        name: String,
    },
    ManagedPolicy {
        account: String,
        policy: Box<ManagedRecord>,
    },
    ManagedPolicyDeleted {
        account: String,
        name: String,
    },
    UserAttached {
        account: String,
        name: String,
        /// All that are attached from now on.
        attached: Vec<String>,
    },
    DocumentDefault {
        account: String,
        region: String,
        name: String,
        version: usize,
    },
    DocumentDeleted {
        account: String,
        region: String,
        name: String,
        version: Option<usize>,
    },
    DocumentTags {
        account: String,
        region: String,
        name: String,
        tags: Vec<(String, String)>,
    },
    Config {
        account: String,
        region: String,
        change: Box<ConfigChange>,
    },
    Organization(Box<OrganizationChange>),
    StackTemplate {
        id: String,
        body: String,
    },
    Stack {
        account: String,
        region: String,
        stack: Box<StackRecord>,
    },
    StackSet {
        region: String,
        change: Box<StackSetChange>,
    },
    ExecutionTags {
        account: String,
        region: String,
        id: String,
        tags: Vec<(String, String)>,
    },
}

/// For entries of before aliases had a time.
fn years_ago() -> i64 {
    GENERATED_MS
}

/// A bucket that somebody made.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BucketEntry {
    pub(crate) bucket: String,
    pub(crate) account: String,
    pub(crate) region: String,
    /// Seconds since 1970.
    pub(crate) created: u32,
    pub(crate) encryption: BucketEncryption,
    pub(crate) configurations: Configurations,
}

/// A document version that was added.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DocumentEntry {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) name: String,
    pub(crate) content: String,
    pub(crate) format: Format,
    pub(crate) version_name: Option<String>,
    pub(crate) created_ms: i64,
    pub(crate) make_default: bool,
    pub(crate) tags: Vec<(String, String)>,
    /// Nothing where it stays as it was.
    #[serde(default)]
    pub(crate) target_type: Option<String>,
}

/// How an execution ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EndEntry {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) id: String,
    pub(crate) status: Status,
    pub(crate) at_ms: i64,
    pub(crate) outputs: BTreeMap<String, Vec<String>>,
    pub(crate) failure: Option<String>,
}

/// The open journal. Dropping it lets another process have the directory.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: Option<Mutex<File>>,
    /// Held locked for as long as this sandbox runs.
    _lock: Option<File>,
    past: Mutex<Vec<Entry>>,
}

impl Journal {
    pub(crate) fn in_memory() -> Journal {
        Journal { path: PathBuf::new(), file: None, _lock: None, past: Mutex::default() }
    }

    pub(crate) fn open(directory: &Path, spec: &Spec) -> Result<Journal, StartError> {
        let fault = |path: &Path| {
            let path = path.to_path_buf();
            move |source| StartError::Directory { path, source }
        };
        std::fs::create_dir_all(directory).map_err(fault(directory))?;
        let lock_path = directory.join("lock");
        let lock_file = File::create(&lock_path).map_err(fault(&lock_path))?;
        match lock_file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(StartError::InUse { path: directory.to_path_buf() });
            }
            Err(std::fs::TryLockError::Error(source)) => {
                return Err(StartError::Directory { path: lock_path, source });
            }
        }
        check_spec(directory, spec)?;
        let path = directory.join("journal.jsonl");
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(&path).map_err(fault(&path))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(fault(&path))?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if whole < text.len() {
            // Killed in the middle of a write: no answer was sent for that line, so it never happened.
            file.set_len(whole as u64).map_err(fault(&path))?;
        }
        let mut past = Vec::new();
        for (index, line) in text[..whole].split(|byte| *byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            past.push(serde_json::from_slice(line).map_err(|error| StartError::Journal {
                path: path.clone(),
                line: index + 1,
                reason: error.to_string(),
            })?);
        }
        Ok(Journal { path, file: Some(Mutex::new(file)), _lock: Some(lock_file), past: Mutex::new(past) })
    }

    /// What happened before this start; empty when asked again.
    pub(crate) fn take_past(&self) -> Vec<Entry> {
        std::mem::take(&mut lock(&self.past))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a change durable against the end of this process (not of the machine).
    pub(crate) fn append(&self, entry: &Entry) -> Result<(), AwsError> {
        let Some(file) = &self.file else { return Ok(()) };
        let fault = |error: &dyn std::fmt::Display| {
            AwsError::server("InternalError", format!("The sandbox cannot write its journal: {error}"))
        };
        let mut line = serde_json::to_vec(entry).map_err(|error| fault(&error))?;
        line.push(b'\n');
        lock(file).write_all(&line).map_err(|error| fault(&error))
    }
}

fn check_spec(directory: &Path, spec: &Spec) -> Result<(), StartError> {
    let path = directory.join("spec.toml");
    let fault = |source| StartError::Directory { path: path.clone(), source };
    let mine = toml::to_string(spec).map_err(|error| fault(std::io::Error::other(error)))?;
    match std::fs::read_to_string(&path) {
        Ok(text) if text == mine => Ok(()),
        Ok(text) => {
            let found = toml::from_str::<toml::Table>(&text)
                .ok()
                .and_then(|table| table.get("seed").and_then(toml::Value::as_integer));
            Err(StartError::OtherSpec {
                path: directory.to_path_buf(),
                found: found.map_or(0, |seed| seed as u64),
                wanted: spec.seed,
            })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // Renamed into place: a kill in between must not leave half a spec, which would be refused ever after.
            let draft = directory.join("spec.toml.new");
            std::fs::write(&draft, mine).map_err(fault)?;
            std::fs::rename(&draft, &path).map_err(fault)
        }
        Err(error) => Err(fault(error)),
    }
}

//! The access log in CloudTrail's words: what is kept of each request, where, and for how long.
//! How a record is written is in `record`; LookupEvents is in `services::cloudtrail`.

pub(crate) mod background;
pub(crate) mod record;

use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use serde_json::Value;
use uuid::Uuid;

use crate::request::Request;
use crate::spec::ObserveSpec;
use crate::wire::error::AwsError;
use crate::wire::{Answer, now_ms};
use crate::world::World;
use crate::world::lock::{lock, read, write};
use crate::world::session::Caller;
use record::{Actor, Event, Parameters};

/// So many events are kept in all; beyond it an account's newest event takes the place of its own oldest.
const MOST_IN_ALL: usize = 100_000;
/// Even then so many of each account are kept.
const LEAST_OF_ACCOUNT: usize = 10;
/// Sessions whose source identity is remembered.
const MOST_SESSIONS: usize = 100_000;

/// How long S3 goes on with a Bucket Key before it asks KMS again.
const WHILE_MS: i64 = 300_000;

/// The events of one account, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) events: VecDeque<Event>,
    /// How many there were before the first one that is kept.
    pub(crate) gone: u64,
}

/// A call that an AWS service makes for a principal.
pub(crate) struct OnBehalf<'a> {
    /// `ssm.amazonaws.com`
    pub(crate) by: &'static str,
    pub(crate) actor: &'a Caller,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    pub(crate) operation: &'a str,
}

/// Source identities of sessions.
#[derive(Debug, Default)]
struct Sources {
    by_key: HashMap<String, Arc<str>>,
    /// The access keys in the order they came.
    keys: VecDeque<String>,
}

/// Everything that is kept of the requests.
#[derive(Debug)]
pub(crate) struct Trail {
    most_of_account: usize,
    accounts: Vec<Mutex<Kept>>,
    in_all: AtomicUsize,
    log: OnceLock<Mutex<File>>,
    agents: RwLock<HashMap<String, Arc<str>>>,
    sources: RwLock<Sources>,
    /// What `is_new` was asked about, and when it last said yes.
    seen: Mutex<HashMap<String, i64>>,
}

impl Trail {
    pub(crate) fn new(spec: &ObserveSpec, accounts: usize) -> Trail {
        Trail {
            most_of_account: spec.events_per_account as usize,
            accounts: (0..accounts).map(|_| Mutex::default()).collect(),
            in_all: AtomicUsize::new(0),
            log: OnceLock::new(),
            agents: RwLock::default(),
            sources: RwLock::default(),
            seen: Mutex::default(),
        }
    }

    /// Whether this has not been said for a while.
    pub(crate) fn is_new(&self, text: &str) -> bool {
        let (mut seen, now) = (lock(&self.seen), now_ms());
        if seen.get(text).is_some_and(|last| now - last < WHILE_MS) {
            return false;
        }
        if seen.len() >= MOST_SESSIONS {
            seen.clear();
        }
        seen.insert(text.into(), now);
        true
    }

    /// Appends every record to this file from now on.
    pub(crate) fn log_to(&self, path: &Path) -> std::io::Result<()> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let _ = self.log.set(Mutex::new(file));
        Ok(())
    }

    /// Remembers who is behind a session: its records name the source identity, and so do those of sessions chained to it.
    pub(crate) fn opened(&self, access_key: &str, source_identity: Option<&str>, by: &str) {
        let mut sources = write(&self.sources);
        let inherited = sources.by_key.get(by).cloned();
        let Some(source) = inherited.or_else(|| source_identity.map(Arc::from)) else { return };
        if sources.keys.len() >= MOST_SESSIONS
            && let Some(oldest) = sources.keys.pop_front()
        {
            sources.by_key.remove(&oldest);
        }
        sources.by_key.insert(access_key.into(), source);
        sources.keys.push_back(access_key.into());
    }

    /// Notes a request that came in on the socket and what was answered.
    pub(crate) fn request(
        &self,
        world: &World,
        request: &Request,
        caller: Option<&Caller>,
        (service, operation): (&'static str, &'static str),
        request_id: Uuid,
        answer: &Answer,
    ) {
        let data = service == "s3" && record::is_data_event(operation);
        let keeps = caller.is_some() && !data && self.most_of_account > 0;
        if !keeps && self.log.get().is_none() {
            return;
        }
        let scope = request.scope();
        let access_key = scope.map_or("", |scope| scope.access_key.as_str());
        let source_identity = read(&self.sources).by_key.get(access_key).cloned();
        let event = Event {
            at_ms: now_ms(),
            event_id: record::derived(request_id, 0),
            shared_id: None,
            request_id,
            actor: Actor { caller: caller.cloned(), access_key: access_key.into(), source_identity, invoked_by: None },
            recipient: caller.map(|caller| caller.account),
            service: service.into(),
            operation: operation.into(),
            region: record::region_of(world, service, scope.map_or("", |scope| scope.region.as_str())),
            parameters: Parameters::of(service, request),
            error: answer.error.as_ref().map(|(code, message)| (*code, message.as_str().into())),
            agent: self.agent(request.header("user-agent").unwrap_or_default()),
        };
        // The account of the role sees who came in, too.
        let other = (service == "sts" && operation == "AssumeRole" && answer.error.is_none())
            .then(|| event.role_account(world))
            .flatten()
            .filter(|account| Some(*account) != event.recipient);
        if let Some(account) = other {
            let shared = Some(record::derived(request_id, 1));
            let copy = Event {
                recipient: Some(account),
                event_id: record::derived(request_id, 2),
                shared_id: shared,
                ..event.clone()
            };
            self.note(world, Event { shared_id: shared, ..event }, data);
            self.note(world, copy, data);
        } else {
            self.note(world, event, data);
        }
    }

    /// Notes what an AWS service called on a principal's behalf: an automation as its role, or S3 that needs a data key.
    pub(crate) fn on_behalf(&self, world: &World, call: OnBehalf<'_>, input: Value, error: Option<&AwsError>) {
        let OnBehalf { by, actor, region, service, operation } = call;
        let event = Event {
            at_ms: now_ms(),
            event_id: Uuid::new_v4(),
            shared_id: None,
            request_id: Uuid::new_v4(),
            actor: Actor {
                caller: Some(actor.clone()),
                access_key: "".into(),
                source_identity: None,
                invoked_by: Some(by),
            },
            recipient: Some(actor.account),
            service: service.to_string().into(),
            operation: operation.to_string().into(),
            region: record::region_of(world, service, region),
            parameters: Parameters::Value(Box::new(input)),
            error: error.map(|error| (error.code, error.message.as_str().into())),
            agent: self.agent(by),
        };
        self.note(world, event, service == "s3" && record::is_data_event(operation));
    }

    fn note(&self, world: &World, event: Event, data: bool) {
        if let Some(log) = self.log.get() {
            let mut line = event.record(world).to_string();
            line.push('\n');
            // A full disk must not end the simulation.
            let _ = lock(log).write_all(line.as_bytes());
        }
        let Some(recipient) = event.recipient.filter(|_| !data && self.most_of_account > 0) else { return };
        let mut kept = lock(&self.accounts[recipient]);
        let crowded = self.in_all.load(Ordering::Relaxed) >= MOST_IN_ALL && kept.events.len() >= LEAST_OF_ACCOUNT;
        if crowded || kept.events.len() >= self.most_of_account {
            kept.events.pop_front();
            kept.gone += 1;
        } else {
            self.in_all.fetch_add(1, Ordering::Relaxed);
        }
        kept.events.push_back(event);
    }

    /// Works on the events of one account.
    pub(crate) fn with_events<T>(&self, account: usize, work: impl FnOnce(&Kept) -> T) -> T {
        work(&lock(&self.accounts[account]))
    }

    /// One copy of each user agent: there are few, and each is long.
    fn agent(&self, text: &str) -> Arc<str> {
        if let Some(known) = read(&self.agents).get(text) {
            return known.clone();
        }
        let mut agents = write(&self.agents);
        if agents.len() >= 256 {
            agents.clear();
        }
        agents.entry(text.to_string()).or_insert_with(|| text.into()).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_identity_stays_along_a_chain_of_roles() {
        let trail = Trail::new(&ObserveSpec::default(), 0);
        let of = |key: &str| read(&trail.sources).by_key.get(key).cloned();
        trail.opened("first", Some("alice"), "user");
        trail.opened("second", None, "first");
        trail.opened("third", None, "user");
        assert_eq!(
            (of("first").as_deref(), of("second").as_deref(), of("third")),
            (Some("alice"), Some("alice"), None)
        );
    }
}

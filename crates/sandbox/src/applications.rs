//! Applications at work: they write into buckets and read again what they wrote, as signed requests of their principals
//! would, so that a change of default encryption which breaks them is seen. Who they are is in `spec::applications`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::time::MissedTickBehavior;

use crate::request::{Request, Scope, Signed};
use crate::services::UNKNOWN;
use crate::services::s3;
use crate::spec::{ApplicationKind, Spec};
use crate::wire::error::AwsError;
use crate::wire::now_ms;
use crate::world::World;
use crate::world::lock::lock;
use crate::world::organization::Organization;
use crate::world::session::{Caller, CallerKind, LongLived};

/// However fast the sandbox is, an application does not write more often.
const SHORTEST: Duration = Duration::from_millis(10);

/// What an application has done so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationState {
    /// Its name.
    pub name: String,
    /// Writes that succeeded, in all buckets.
    pub writes: u64,
    /// Writes that were refused.
    pub failed_writes: u64,
    /// Reads that succeeded.
    pub reads: u64,
    /// Reads that were refused.
    pub failed_reads: u64,
    /// The newest refusal, as `Code: message`. It stays when a later attempt succeeds.
    pub last_error: Option<String>,
    /// By account and bucket.
    pub buckets: Vec<ApplicationBucket>,
}

/// What an application has done in one bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationBucket {
    /// The application's account.
    pub account: String,
    /// The bucket's name.
    pub bucket: String,
    /// Writes that succeeded.
    pub writes: u64,
    /// Writes that were refused.
    pub failed_writes: u64,
    /// Reads that succeeded.
    pub reads: u64,
    /// Reads that were refused.
    pub failed_reads: u64,
    /// The newest refusal, as `Code: message`.
    pub last_error: Option<String>,
    /// When that was, in milliseconds since 1970.
    pub last_error_ms: Option<i64>,
    /// Whether the newest write, or the read after it, was refused.
    pub failing: bool,
}

/// Credentials of an application in one of its accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationCredentials {
    /// The account.
    pub account: String,
    /// The access key's id.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
    /// Of a role's session; a user has none.
    pub session_token: Option<String>,
}

/// By account and bucket.
type Tally = BTreeMap<(usize, String), ApplicationBucket>;

/// All applications of a world.
#[derive(Debug, Default)]
pub(crate) struct Applications {
    /// In the order of the spec.
    tallies: Vec<Mutex<Tally>>,
    /// Users, by ARN.
    users: HashMap<Arc<str>, LongLived>,
    /// Their ARNs, by access key.
    access_keys: HashMap<String, Arc<str>>,
}

impl Applications {
    pub(crate) fn new(spec: &Spec, organization: &Organization) -> Applications {
        let (mut users, mut access_keys) = (HashMap::new(), HashMap::new());
        for application in spec.application.iter().filter(|one| one.kind == ApplicationKind::User) {
            for (index, account) in organization.accounts.iter().enumerate() {
                if application.accounts.takes(&account.id, &account.name) {
                    let user = LongLived::new(spec, index, &account.id, &application.name);
                    access_keys.insert(user.access_key.clone(), user.caller.arn.clone());
                    users.insert(user.caller.arn.clone(), user);
                }
            }
        }
        Applications { tallies: spec.application.iter().map(|_| Mutex::default()).collect(), users, access_keys }
    }

    /// The user of an access key.
    pub(crate) fn user(&self, access_key: &str) -> Option<&LongLived> {
        self.users.get(self.access_keys.get(access_key)?)
    }

    pub(crate) fn users(&self) -> impl Iterator<Item = &LongLived> {
        self.users.values()
    }
}

impl World {
    fn application_at(&self, name: &str) -> Option<usize> {
        self.spec.application.iter().position(|application| application.name == name)
    }

    /// The accounts that an application is in.
    fn accounts_of(&self, nth: usize) -> Vec<usize> {
        let accounts = self.organization.accounts.iter().enumerate();
        let taken =
            accounts.filter(|(_, account)| self.spec.application[nth].accounts.takes(&account.id, &account.name));
        taken.map(|(index, _)| index).collect()
    }

    /// As whom an application calls in an account.
    fn application_caller(&self, nth: usize, account: usize) -> Option<Caller> {
        let (partition, name) = (self.spec.partition, &self.spec.application[nth].name);
        let id = &self.organization.accounts[account].id;
        match self.spec.application[nth].kind {
            ApplicationKind::User => {
                let user = self.applications.users.get(partition.iam_arn(id, format_args!("user/{name}")).as_str());
                user.map(|user| user.caller.clone())
            }
            ApplicationKind::Role => Some(Caller {
                account,
                arn: partition.session_arn(id, name, "application").into(),
                user_id: format!("{}:application", self.role(account, name)?.id).into(),
                kind: CallerKind::RoleSession,
                session: None,
            }),
        }
    }

    /// The buckets that an application writes into: name and Region.
    fn buckets_of_application(&self, nth: usize, account: usize) -> Vec<(String, usize)> {
        let mut found = BTreeMap::new();
        for wanted in &self.spec.application[nth].buckets {
            let pattern = wanted.contains(['*', '?']);
            let owner = if pattern { Some(account) } else { self.bucket_owner(wanted) };
            let Some(owner) = owner else { continue };
            self.with_buckets(owner, |buckets| {
                let fitting = buckets.iter().filter(|bucket| crate::faults::glob::matches(wanted, &bucket.name));
                found.extend(fitting.map(|bucket| (bucket.name.to_string(), usize::from(bucket.region))));
            });
        }
        found.into_iter().collect()
    }

    pub(crate) fn application_state(&self, name: &str) -> Option<ApplicationState> {
        let nth = self.application_at(name)?;
        let tally = lock(&self.applications.tallies[nth]);
        let mut state = ApplicationState { name: name.into(), ..ApplicationState::default() };
        for bucket in tally.values() {
            state.writes += bucket.writes;
            state.failed_writes += bucket.failed_writes;
            state.reads += bucket.reads;
            state.failed_reads += bucket.failed_reads;
        }
        state.last_error = tally.values().max_by_key(|bucket| bucket.last_error_ms).and_then(|b| b.last_error.clone());
        state.buckets = tally.values().cloned().collect();
        Some(state)
    }

    pub(crate) fn application_states(&self) -> Vec<ApplicationState> {
        self.spec.application.iter().filter_map(|application| self.application_state(&application.name)).collect()
    }

    /// Credentials in each of its accounts: a user's own, for a role a session of an hour that nobody assumed.
    pub(crate) fn application_credentials(&self, name: &str) -> Option<Vec<ApplicationCredentials>> {
        let nth = self.application_at(name)?;
        let of = |account: usize| {
            let caller = self.application_caller(nth, account)?;
            let id = self.organization.accounts[account].id.clone();
            Some(match self.applications.users.get(&caller.arn) {
                Some(user) => ApplicationCredentials {
                    account: id,
                    access_key_id: user.access_key.clone(),
                    secret_access_key: user.secret.clone(),
                    session_token: None,
                },
                None => {
                    let session = self.sessions.open(caller, now_ms(), 3600);
                    ApplicationCredentials {
                        account: id,
                        access_key_id: session.access_key.clone(),
                        secret_access_key: session.secret.clone(),
                        session_token: Some(session.token.clone()),
                    }
                }
            })
        };
        Some(self.accounts_of(nth).into_iter().filter_map(of).collect())
    }
}

/// Starts what writes by itself.
pub(crate) fn start(world: &Arc<World>) {
    for (nth, application) in world.spec.application.iter().enumerate() {
        if application.writes_every_ms > 0 {
            world.runtime.spawn(work(world.clone(), nth));
        }
    }
}

async fn work(world: Arc<World>, nth: usize) {
    let every = world.latency.scale(world.spec.application[nth].writes_every_ms as f64).max(SHORTEST);
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let accounts = world.accounts_of(nth);
    loop {
        ticks.tick().await;
        for account in &accounts {
            if world.organization.accounts[*account].state == "ACTIVE"
                && let Some(caller) = world.application_caller(nth, *account)
            {
                for (bucket, region) in world.buckets_of_application(nth, *account) {
                    attempt(&world, nth, &caller, &bucket, region);
                }
            }
            tokio::task::yield_now().await;
        }
    }
}

/// One write into one bucket, and the read after it.
fn attempt(world: &World, nth: usize, caller: &Caller, bucket: &str, region: usize) {
    let application = &world.spec.application[nth];
    let key = format!("applications/{}", application.name);
    let region = &world.spec.regions[region];
    let written = send(world, caller, "PUT", region, bucket, &key);
    // What was written before a change stays readable, or not, by its own encryption.
    let read = (application.reads && world.objects.get(bucket, &key).is_some())
        .then(|| send(world, caller, "GET", region, bucket, &key));
    let mut tally = lock(&world.applications.tallies[nth]);
    let at = tally.entry((caller.account, bucket.into())).or_default();
    at.account.clone_from(&world.organization.accounts[caller.account].id);
    at.bucket = bucket.into();
    at.failing = false;
    for (result, good, bad) in
        [(Some(written), &mut at.writes, &mut at.failed_writes), (read, &mut at.reads, &mut at.failed_reads)]
    {
        match result {
            None => {}
            Some(Ok(())) => *good += 1,
            Some(Err(error)) => {
                *bad += 1;
                at.failing = true;
                at.last_error_ms = Some(now_ms());
                at.last_error = Some(format!("{}: {}", error.code, error.message));
            }
        }
    }
}

/// What a request of this principal comes to, its signature taken as good.
fn send(world: &World, caller: &Caller, method: &str, region: &str, bucket: &str, key: &str) -> Result<(), AwsError> {
    let built = http::Request::builder().method(method).uri(format!("/{bucket}/{key}")).body(());
    let parts = built.map_err(|error| AwsError::client("InvalidURI", error.to_string()))?.into_parts().0;
    let body = if method == "PUT" { Bytes::from_static(b"written by an application") } else { Bytes::new() };
    let mut request = Request::new(parts, body);
    request.signed = Signed::By(Scope { access_key: String::new(), region: region.into(), service: "s3".into() });
    match s3::operation(&request) {
        UNKNOWN => Err(AwsError::client("InvalidURI", "Couldn't parse the specified URI.")),
        operation => s3::answer_unrecorded(world, caller, operation, &request).map(|_| ()),
    }
}

//! Who is calling: long-lived users and the sessions that AssumeRole made. Sessions live in memory only.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use crate::policy::Policy;
use crate::random::{KEY_ID, Random, SECRET};
use crate::spec::Spec;
use crate::world::lock::{read, write};

/// How a caller came by its credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallerKind {
    User,
    /// A session of a role: what it assumes next is role chaining.
    RoleSession,
}

/// A principal that calls.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) account: usize,
    pub(crate) arn: Arc<str>,
    pub(crate) user_id: Arc<str>,
    pub(crate) kind: CallerKind,
    /// What AssumeRole was given, for sessions that were.
    pub(crate) session: Option<Arc<SessionContext>>,
}

/// What a session carries beside its role.
#[derive(Debug, Default)]
pub(crate) struct SessionContext {
    /// The session policy.
    pub(crate) policy: Option<Arc<Policy>>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) source_identity: Option<String>,
}

/// A user with an access key that does not expire.
#[derive(Debug, Clone)]
pub(crate) struct LongLived {
    pub(crate) access_key: String,
    pub(crate) secret: String,
    pub(crate) caller: Caller,
}

impl LongLived {
    pub(crate) fn new(spec: &Spec, account: usize, account_id: &str, user: &str) -> LongLived {
        let mut random = Random::new(spec.seed, user, account as u64);
        LongLived {
            access_key: format!("AKIA{}", random.text(KEY_ID, 16)),
            secret: random.text(SECRET, 40),
            caller: Caller {
                account,
                arn: spec.partition.iam_arn(account_id, format_args!("user/{user}")).into(),
                user_id: format!("AIDA{}", random.text(KEY_ID, 17)).into(),
                kind: CallerKind::User,
                session: None,
            },
        }
    }

    pub(crate) fn pair(&self) -> (String, String) {
        (self.access_key.clone(), self.secret.clone())
    }
}

/// What AssumeRole handed out. The secret is kept so that signatures can be verified against it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) access_key: String,
    pub(crate) secret: String,
    pub(crate) token: String,
    pub(crate) expires_ms: i64,
    pub(crate) caller: Caller,
}

/// All sessions by access key.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    by_key: RwLock<HashMap<String, Arc<Session>>>,
}

/// An expired session is remembered this long, so that its use is answered with ExpiredToken and not as unknown.
const REMEMBERED_MS: i64 = 3_600_000;

impl Sessions {
    pub(crate) fn find(&self, access_key: &str) -> Option<Arc<Session>> {
        read(&self.by_key).get(access_key).cloned()
    }

    pub(crate) fn open(&self, caller: Caller, now_ms: i64, seconds: u32) -> Arc<Session> {
        // From the operating system and not from the seed: two runs must not hand out the same credentials.
        let entropy = uuid::Uuid::new_v4().as_u128();
        let mut random = Random::new((entropy >> 64) as u64, "session", entropy as u64);
        let session = Arc::new(Session {
            access_key: format!("ASIA{}", random.text(KEY_ID, 16)),
            secret: random.text(SECRET, 40),
            token: format!("IQoJb3JpZ2luX2Vj{}==", random.text(SECRET, 240)),
            expires_ms: now_ms + i64::from(seconds) * 1000,
            caller,
        });
        let mut by_key = write(&self.by_key);
        if by_key.len() % 4096 == 4095 {
            by_key.retain(|_, old| old.expires_ms + REMEMBERED_MS > now_ms);
        }
        by_key.insert(session.access_key.clone(), session.clone());
        session
    }

    /// Lets every session of this access key end now.
    #[cfg(test)]
    pub(crate) fn expire_all(&self, now_ms: i64) {
        for session in write(&self.by_key).values_mut() {
            *session = Arc::new(Session {
                access_key: session.access_key.clone(),
                secret: session.secret.clone(),
                token: session.token.clone(),
                expires_ms: now_ms - 1,
                caller: session.caller.clone(),
            });
        }
    }
}

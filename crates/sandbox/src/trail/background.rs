//! KMS events of others in an account and Region, at a rate: made when somebody asks for them, the same for the same seed,
//! and never stored. Event number `k` of a stream happens within the `k`th interval since 1970.

use serde_json::json;
use uuid::Uuid;

use super::record::{Actor, Event, Parameters};
use crate::random::Random;
use crate::world::World;
use crate::world::session::{Caller, CallerKind};

const AGENT: &str = "s3.amazonaws.com";

/// The events of one rate in one account and Region.
pub(crate) struct Stream<'a> {
    world: &'a World,
    account: usize,
    region: usize,
    per_second: f64,
    role: &'a str,
    denied: bool,
    seed: u64,
}

/// The streams of an account and Region, in the order of the spec.
pub(crate) fn streams(world: &World, account: usize, region: usize) -> Vec<Stream<'_>> {
    let here = &world.organization.accounts[account];
    let mut streams = Vec::new();
    for spec in world.spec.cloudtrail.background.iter().filter(|spec| spec.accounts.takes(&here.id, &here.name)) {
        let rates =
            [(spec.kms_events_per_second, "data-lake", false), (spec.kms_denials_per_second, &*spec.denied_role, true)];
        for (per_second, role, denied) in rates.into_iter().filter(|(rate, ..)| *rate > 0.0) {
            let label = format!("background {} {region} {}", here.id, streams.len());
            let seed = Random::new(world.spec.seed, &label, 0).next();
            streams.push(Stream { world, account, region, per_second, role, denied, seed });
        }
    }
    streams
}

impl Stream<'_> {
    /// The number of the first event that is later than a moment.
    pub(crate) fn after(&self, ms: i64) -> u64 {
        let mut k = (ms.max(0) as f64 / 1000.0 * self.per_second) as u64;
        while self.at_ms(k) <= ms {
            k += 1;
        }
        while k > 0 && self.at_ms(k - 1) > ms {
            k -= 1;
        }
        k
    }

    /// When an event happens.
    pub(crate) fn at_ms(&self, k: u64) -> i64 {
        let within = Random::new(self.seed, "", k).fraction();
        ((k as f64 + within) * 1000.0 / self.per_second) as i64
    }

    pub(crate) fn event_id(&self, k: u64) -> Uuid {
        let bytes = (u128::from(self.seed) << 64) | u128::from(k);
        uuid::Builder::from_random_bytes(bytes.to_be_bytes()).into_uuid()
    }

    /// The number of the event with this id, if it is one of these.
    pub(crate) fn number_of(&self, id: Uuid) -> Option<u64> {
        // The two highest bits of the lower half say which kind of UUID it is.
        let k = (id.as_u128() as u64) & (u64::MAX >> 2);
        (self.event_id(k) == id).then_some(k)
    }

    pub(crate) fn event(&self, k: u64) -> Event {
        let account = &self.world.organization.accounts[self.account].id;
        let partition = self.world.spec.partition;
        let session = partition.session_arn(account, self.role, "background");
        let bucket = partition.arn("s3", "", "", format_args!("background-{account}"));
        let message = format!(
            "User: {session} is not authorized to perform: kms:Decrypt on the resource associated with this ciphertext because \
             no identity-based policy allows the kms:Decrypt action"
        );
        let caller = Caller {
            account: self.account,
            arn: session.as_str().into(),
            user_id: format!("AROABACKGROUND{account}:background").into(),
            kind: CallerKind::RoleSession,
            session: None,
        };
        // A denied request often shows neither its parameters nor a resource.
        let parameters = match self.denied {
            true => Parameters::LeftOut,
            false => Parameters::Value(Box::new(json!({ "encryptionContext": { "aws:s3:arn": bucket } }))),
        };
        Event {
            at_ms: self.at_ms(k),
            event_id: self.event_id(k),
            shared_id: None,
            request_id: self.event_id(k),
            actor: Actor {
                caller: Some(caller),
                access_key: "".into(),
                source_identity: None,
                invoked_by: Some(AGENT),
            },
            recipient: Some(self.account),
            service: "kms".into(),
            operation: "Decrypt".into(),
            region: self.region as u16,
            parameters,
            error: self.denied.then(|| ("AccessDenied", message.into())),
            agent: AGENT.into(),
        }
    }
}

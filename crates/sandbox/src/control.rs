//! The control path `/_sandbox/…`: what the sandbox saw and holds, as JSON, for whoever is on this machine.
//! It is not part of AWS and needs no signature.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use crate::request::Request;
use crate::wire::Answer;
use crate::world::World;

/// The answer, or nothing when the request is not for the control path.
pub(crate) fn answer(world: &Arc<World>, request: &Request) -> Option<Answer> {
    let what = request.path.strip_prefix("/_sandbox/")?;
    let body: Value = match (&request.method, what) {
        (&Method::GET, "counters") => json!(world.observe.counters(world)),
        (&Method::DELETE, "counters") => {
            world.observe.reset();
            json!({})
        }
        (&Method::GET, "state") => json!({
            "seed": world.spec.seed,
            "organization": world.organization.id,
            "management_account": world.management_account().id,
            "security_account": world.security_account().id,
            "external_id": world.external_id,
            // An organization's administrator is nobody's secret here: it exists in this process alone.
            "management_credentials": { "AccessKeyId": world.management_user.pair().0, "SecretAccessKey": world.management_user.pair().1 },
            "regions": world.spec.regions,
            "accounts": world.account_states(),
            "buckets": world.bucket_states(),
        }),
        (&Method::GET, "executions") => json!({ "executions": world.execution_states() }),
        (&Method::GET, "in-flight") => {
            let by_region: Vec<Value> = world
                .peak_in_flight()
                .into_iter()
                .map(|((account, region), peak)| json!({ "account": account, "region": region, "peak": peak }))
                .collect();
            json!({ "by_account_and_region": by_region, "by_account": world.peak_in_flight_by_account() })
        }
        _ => {
            let known = "GET counters, DELETE counters, GET state, GET executions, GET in-flight";
            let body = json!({ "error": format!("the control path knows {known}") });
            return Some(Answer::new(404, "application/json", body.to_string()));
        }
    };
    Some(Answer::new(200, "application/json", body.to_string()))
}

//! The control path `/_sandbox/…`: what the sandbox saw and holds, as JSON, for whoever is on this machine.
//! It is not part of AWS and needs no signature.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use crate::dump::{Difference, Dump};
use crate::faults::Fault;
use crate::request::Request;
use crate::wire::Answer;
use crate::world::World;

/// The answer, or nothing when the request is not for the control path.
pub(crate) fn answer(world: &Arc<World>, request: &Request) -> Option<Answer> {
    let what = request.path.strip_prefix("/_sandbox/")?;
    let body: Value = match (&request.method, what) {
        (&Method::GET, "counters") => {
            let mut counters = json!(world.observe.counters(world));
            counters["answers"] = json!(world.observe.answers(world));
            counters
        }
        (&Method::GET, "faults") => json!({ "faults": world.fault_states() }),
        (&Method::PUT, "faults") => match faults(&request.body) {
            Ok(faults) => {
                world.faults.set(faults);
                json!({ "faults": world.fault_states() })
            }
            Err(reason) => return Some(refused(400, &reason)),
        },
        (&Method::DELETE, "faults") => {
            world.faults.set(Vec::new());
            json!({ "faults": [] })
        }
        (&Method::GET, "dump") => json!(world.dump()),
        (&Method::POST, "dump") => {
            let Some(name) = request.parameter("name").filter(|name| !name.is_empty()) else {
                return Some(refused(400, "name the dump: POST /_sandbox/dump?name=before"));
            };
            world.dumps.keep(name, world.dump());
            json!({ "name": name })
        }
        (&Method::GET, "diff") => match difference(world, request) {
            Ok(differences) => json!({ "differences": differences }),
            Err(reason) => return Some(refused(404, &reason)),
        },
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
        (&Method::GET, "applications") => json!({ "applications": world.application_states() }),
        (&Method::GET, "application-credentials") => {
            let name = request.parameter("name").unwrap_or_default();
            match world.application_credentials(name) {
                Some(credentials) => json!({ "credentials": credentials }),
                None => return Some(refused(404, &format!("there is no application named {name}"))),
            }
        }
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
            let known = "GET and DELETE counters, GET state, GET executions, GET in-flight, GET applications, \
                         GET application-credentials?name=NAME, GET, PUT and DELETE faults, \
                         GET dump, POST dump?name=NAME, GET diff?from=NAME&to=NAME";
            return Some(refused(404, &format!("the control path knows {known}")));
        }
    };
    Some(answered(200, &body))
}

fn answered(status: u16, body: &Value) -> Answer {
    let mut answer = Answer::new(status, "application/json", body.to_string());
    answer.headers.push(("x-amzn-requestid", uuid::Uuid::new_v4().to_string()));
    answer
}

fn refused(status: u16, reason: &str) -> Answer {
    answered(status, &json!({ "error": reason }))
}

/// A list of faults, or an object with the list as its `faults`.
fn faults(body: &[u8]) -> Result<Vec<Fault>, String> {
    let value: Value = serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?;
    let list = match value {
        Value::Object(mut members) => members.remove("faults").unwrap_or_default(),
        other => other,
    };
    let faults: Vec<Fault> = serde_json::from_value(list).map_err(|error| error.to_string())?;
    match faults.iter().find_map(Fault::wrong) {
        None => Ok(faults),
        Some(reason) => Err(reason),
    }
}

/// `from` names a dump that was kept; without `to` it is compared with the present.
fn difference(world: &World, request: &Request) -> Result<Vec<Difference>, String> {
    let kept = |name: &str| world.dumps.get(name).ok_or_else(|| format!("there is no dump named {name}"));
    let from = kept(request.parameter("from").ok_or("name the dump: GET /_sandbox/diff?from=before")?)?;
    let to = request.parameter("to").map_or_else(|| Ok(world.dump()), kept)?;
    Ok(Dump::diff(&from, &to))
}

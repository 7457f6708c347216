//! From a request to the service it is for: who calls, which operation, how long it takes, how its answer is written.
//! One file (or folder) per service holds the service's own rules.

pub(crate) mod cloudformation;
pub(crate) mod cloudtrail;
pub(crate) mod config;
pub(crate) mod iam;
pub(crate) mod kms;
pub(crate) mod organizations;
pub(crate) mod resource_policy;
pub(crate) mod s3;
pub(crate) mod ssm;
pub(crate) mod sts;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::faults::request::Blow;
use crate::faults::{self, Occasion, Target};
use crate::request::{Request, Signed};
use crate::signature::{self, Style};
use crate::wire::error::AwsError;
use crate::wire::json::{self, Input};
use crate::wire::protocol::Protocol;
use crate::wire::{Answer, now_ms, query_xml, rest_xml};
use crate::world::World;
use crate::world::session::Caller;

/// The services behind the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Sts,
    Organizations,
    S3,
    Ssm,
    Kms,
    Iam,
    CloudTrail,
    Config,
    CloudFormation,
    /// Signed for a service that is not here, and refused in the protocol that the request speaks.
    Other(Protocol),
}

impl Service {
    /// By the scope of the signature; without one by what the request looks like.
    fn of(request: &Request) -> Service {
        if let Some(scope) = request.scope() {
            return match scope.service.as_str() {
                "sts" => Service::Sts,
                "organizations" => Service::Organizations,
                // Directory buckets: a service of their own to sign for, with S3's model and protocol.
                "s3" | "s3express" => Service::S3,
                "ssm" => Service::Ssm,
                "kms" => Service::Kms,
                "iam" => Service::Iam,
                "cloudtrail" => Service::CloudTrail,
                "config" => Service::Config,
                "cloudformation" => Service::CloudFormation,
                _ => Service::Other(Protocol::of(request)),
            };
        }
        match request.header("x-amz-target").and_then(|target| target.split('.').next()) {
            Some("AWSOrganizationsV20161128") => Service::Organizations,
            Some("AmazonSSM") => Service::Ssm,
            Some("TrentService") => Service::Kms,
            Some("com") => Service::CloudTrail,
            Some("StarlingDoveService") => Service::Config,
            Some(_) => Service::Other(Protocol::of(request)),
            None if query_xml::Form::read(request).get("Action").is_some() => Service::Sts,
            None => Service::S3,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Service::Sts => "sts",
            Service::Organizations => "organizations",
            Service::S3 => "s3",
            Service::Ssm => "ssm",
            Service::Kms => "kms",
            Service::Iam => "iam",
            Service::CloudTrail => "cloudtrail",
            Service::Config => "config",
            Service::CloudFormation => "cloudformation",
            Service::Other(_) => "other",
        }
    }

    fn operation(self, request: &Request) -> &'static str {
        let known: (&str, &[&'static str]) = match self {
            Service::S3 => return s3::operation(request),
            Service::Sts => {
                let form = query_xml::Form::read(request);
                let action = form.get("Action").unwrap_or_default();
                return sts::OPERATIONS.iter().find(|name| **name == action).copied().unwrap_or(UNKNOWN);
            }
            Service::Iam => {
                let form = query_xml::Form::read(request);
                let action = form.get("Action").unwrap_or_default();
                return iam::OPERATIONS.iter().find(|name| **name == action).copied().unwrap_or(UNKNOWN);
            }
            Service::CloudFormation => {
                let form = query_xml::Form::read(request);
                let action = form.get("Action").unwrap_or_default();
                return cloudformation::OPERATIONS.iter().find(|name| **name == action).copied().unwrap_or(UNKNOWN);
            }
            Service::Organizations => ("AWSOrganizationsV20161128.", organizations::OPERATIONS),
            Service::Ssm => ("AmazonSSM.", ssm::OPERATIONS),
            Service::Kms => ("TrentService.", kms::OPERATIONS),
            Service::CloudTrail => (cloudtrail::TARGET, cloudtrail::OPERATIONS),
            Service::Config => (config::TARGET, config::OPERATIONS),
            Service::Other(_) => return UNKNOWN,
        };
        let target = target(request).and_then(|target| target.strip_prefix(known.0));
        known.1.iter().find(|name| Some(**name) == target).copied().unwrap_or(UNKNOWN)
    }
}

pub(crate) const UNKNOWN: &str = "Unknown";

/// Answers one request.
pub(crate) async fn answer(world: &Arc<World>, asked: &Request) -> Answer {
    let request = asked;
    let service = Service::of(request);
    let operation = service.operation(request);
    let caller = authenticate(world, request, service);
    let known = caller.as_ref().ok().cloned();
    let account = known.as_ref().map(|caller| caller.account);
    world.observe.count(account, service.name(), operation);
    let region = request.scope().and_then(|scope| world.region_index(&scope.region));
    let blow = struck(world, request, known.as_ref(), service, operation);
    let delay = world.latency.of(service.name()) + blow.as_ref().map_or(Duration::ZERO, |blow| blow.delay);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let request_id = uuid::Uuid::new_v4();
    let refused = match (account, &blow) {
        (Some(account), _) if !world.rates.admit(account, region.unwrap_or(0), service.name(), operation) => {
            Some(faults::request::throttled(service.name()))
        }
        (_, Some(blow)) => blow.error.clone(),
        _ => None,
    };
    let caller = caller.and_then(|caller| refused.map_or(Ok(caller), Err));
    let carry_out = blow.as_ref().is_none_or(|blow| !blow.no_effect);
    let replaced = blow.as_ref().and_then(|blow| blow.alteration.as_ref()?.request(request));
    let request = replaced.as_ref().unwrap_or(request);
    let mut answer = match carry_out {
        true => carried_out(world, request, caller, service, operation, request_id),
        false => Answer::new(200, "", ""),
    };
    if let Some(blow) = &blow {
        blow.apply(asked, &mut answer);
    }
    let code = answer.error.as_ref().map_or("", |(code, _)| *code);
    world.observe.answered(account, region, (service.name(), operation), code, answer.status);
    if carry_out {
        let source = if operation == s3::LIST_DIRECTORY_BUCKETS { "s3express" } else { service.name() };
        world.trail.request(world, request, known.as_ref(), (source, operation), request_id, &answer);
    }
    answer
}

/// What the faults in force do to this request.
fn struck(
    world: &World,
    request: &Request,
    caller: Option<&Caller>,
    service: Service,
    operation: &'static str,
) -> Option<Blow> {
    if !world.faults.any() {
        return None;
    }
    let parameters: std::collections::BTreeMap<String, Vec<String>>;
    let bucket = match (service, operation) {
        (Service::S3, _) => s3::bucket_and_key(request).0,
        (Service::Ssm, "StartAutomationExecution") => {
            let input: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            parameters = serde_json::from_value(input["Parameters"].clone()).unwrap_or_default();
            faults::start::bucket_of(&parameters)
        }
        _ => "",
    };
    let target = Target {
        account: caller.map(|caller| caller.account),
        account_id: caller.map_or("-", |caller| &world.organization.accounts[caller.account].id),
        region: request.scope().map_or("", |scope| scope.region.as_str()),
        service: service.name(),
        operation,
        bucket,
    };
    let faults = world.faults.strike(Occasion::Request, &target);
    Blow::of(&faults, service.name(), caller.map_or("", |caller| &caller.arn), operation)
}

fn carried_out(
    world: &Arc<World>,
    request: &Request,
    caller: Result<Caller, AwsError>,
    service: Service,
    operation: &'static str,
    request_id: uuid::Uuid,
) -> Answer {
    match service {
        Service::S3 => {
            let ids = rest_xml::Ids {
                request: request_id.simple().to_string()[..16].to_uppercase(),
                host: format!("{}{}=", uuid::Uuid::new_v4().simple(), request_id.simple()),
            };
            let result = match caller {
                Err(_) if request.signed == Signed::No => s3::answer_anonymous(world, operation, request),
                caller => caller.and_then(|caller| s3::answer(world, &caller, operation, request)),
            };
            let head = request.method == http::Method::HEAD;
            let mut answer = result.unwrap_or_else(|error| match s3::is_control(request) {
                true => rest_xml::wrapped_error(&error, &ids),
                false => rest_xml::error(&error, &ids, &request.path, head),
            });
            answer.headers.push(("x-amz-request-id", ids.request));
            answer.headers.push(("x-amz-id-2", ids.host));
            answer
        }
        Service::Sts | Service::Iam | Service::CloudFormation => {
            let id = request_id.to_string();
            let result = caller.and_then(|caller| match service {
                Service::Iam => iam::answer(world, &caller, operation, request),
                Service::CloudFormation => cloudformation::answer(world, &caller, operation, request),
                _ => sts::answer(world, &caller, operation, request),
            });
            let namespace = match service {
                Service::Iam => iam::NAMESPACE,
                Service::CloudFormation => cloudformation::NAMESPACE,
                _ => query_xml::STS_NAMESPACE,
            };
            let mut answer = match result {
                Ok(body) => query_xml::answer(operation, namespace, &body, &id),
                Err(error) => query_xml::error(&error, namespace, &id),
            };
            answer.headers.push(("x-amzn-requestid", id));
            answer
        }
        Service::Other(protocol) => {
            let error = caller.err().unwrap_or_else(|| protocol.unknown(request));
            protocol.error(&error, &request_id.to_string())
        }
        Service::Organizations | Service::Ssm | Service::Kms | Service::CloudTrail | Service::Config => {
            let result = caller.and_then(|caller| json_answer(world, &caller, service, operation, request));
            let message = if matches!(service, Service::Kms | Service::CloudTrail | Service::Config) {
                "message"
            } else {
                "Message"
            };
            let mut answer = match result {
                Ok(value) => json::answer(&value),
                Err(error) => json::error(&error, message),
            };
            answer.headers.push(("x-amzn-requestid", request_id.to_string()));
            answer
        }
    }
}

fn json_answer(
    world: &Arc<World>,
    caller: &Caller,
    service: Service,
    operation: &'static str,
    request: &Request,
) -> Result<Value, AwsError> {
    if operation == UNKNOWN {
        let target = request.header("x-amz-target").unwrap_or("none");
        return Err(AwsError::client(
            "UnknownOperationException",
            format!("The operation {target} is not known to this sandbox"),
        ));
    }
    let mut input = Input::read(request)?;
    let region = request.scope().map_or("", |scope| scope.region.as_str());
    match service {
        Service::Organizations => organizations::answer(world, caller, operation, &mut input),
        Service::Kms => kms::answer(world, caller, region_index(world, region)?, operation, &mut input),
        Service::Config => config::answer(world, caller, region_index(world, region)?, operation, &mut input),
        Service::CloudTrail => cloudtrail::answer(world, caller, region_index(world, region)?, &mut input),
        _ => ssm::answer(world, caller, region_index(world, region)?, operation, &mut input),
    }
}

fn region_index(world: &World, region: &str) -> Result<usize, AwsError> {
    // A Region that is not in the spec is one that is not enabled in the organization.
    world.region_index(region).ok_or_else(|| {
        AwsError::client("UnrecognizedClientException", "The security token included in the request is invalid.")
    })
}

/// Who calls. Each service words what is wrong with the credentials in its own way.
fn authenticate(world: &World, request: &Request, service: Service) -> Result<Caller, AwsError> {
    let scope = match &request.signed {
        Signed::By(scope) => scope,
        Signed::No => return Err(unsigned(service)),
        Signed::Malformed => {
            return Err(match style(service) {
                Style::S3 => AwsError::client("InvalidArgument", "Unsupported Authorization Type"),
                Style::Query => AwsError::client("IncompleteSignature", "The Authorization header is incomplete."),
                Style::Json => {
                    AwsError::client("IncompleteSignatureException", "The Authorization header is incomplete.")
                }
            });
        }
    };
    if let Some(right) = scope_of_target(request).filter(|right| *right != scope.service) {
        let message = format!("Credential should be scoped to correct service: '{right}'.");
        return Err(AwsError::client("InvalidSignatureException", message));
    }
    // A global service is served from, and signed for, one Region of the partition.
    if world.spec.partition.global_region(service.name()).is_some_and(|region| region != scope.region) {
        return Err(AwsError::client(
            if service == Service::Iam { "SignatureDoesNotMatch" } else { "InvalidSignatureException" },
            format!("Credential should be scoped to a valid region, not '{}'.", scope.region),
        ));
    }
    if matches!(service, Service::Sts | Service::S3) && !world.spec.is_enabled(&scope.region) {
        return Err(match service {
            Service::Sts => AwsError::new(
                403,
                "RegionDisabledException",
                format!("STS is not activated in this region for account. The region is {}.", scope.region),
            ),
            _ => AwsError::client(
                "AuthorizationHeaderMalformed",
                format!(
                    "The authorization header is malformed; the region '{}' is wrong; expecting '{}'",
                    scope.region, world.spec.regions[0]
                ),
            )
            .with("Region", world.spec.regions[0].as_str()),
        });
    }
    let described = world.applications.user(&scope.access_key);
    for user in [&world.security_user, &world.management_user].into_iter().chain(described) {
        if user.access_key == scope.access_key {
            if request.session_token.is_some() {
                return Err(invalid_token(service));
            }
            // The Region does not know the key, so it cannot check the signature.
            if world.disabled_regions.contains(user.caller.account, &scope.region) {
                return Err(invalid(service));
            }
            signature::verify(&world.signing_keys, request, &user.secret, style(service), now_ms())?;
            return Ok(user.caller.clone());
        }
    }
    let session = world.sessions.find(&scope.access_key).ok_or_else(|| invalid(service))?;
    match request.session_token.as_deref() {
        None => return Err(invalid(service)),
        Some(token) if token != session.token => return Err(invalid_token(service)),
        Some(_) => {}
    }
    if world.disabled_regions.contains(session.caller.account, &scope.region) {
        return Err(invalid_token(service));
    }
    if session.expires_ms <= now_ms() {
        return Err(expired(service));
    }
    signature::verify(&world.signing_keys, request, &session.secret, style(service), now_ms())?;
    Ok(session.caller.clone())
}

/// The operation that a JSON request names, without what some clients put before its service.
fn target(request: &Request) -> Option<&str> {
    let target = request.header("x-amz-target")?;
    Some(target.strip_prefix(cloudtrail::NAMESPACE).unwrap_or(target))
}

/// The service that a JSON request's own target belongs to.
fn scope_of_target(request: &Request) -> Option<&'static str> {
    Some(match target(request)?.split('.').next()? {
        "AWSOrganizationsV20161128" => "organizations",
        "AmazonSSM" => "ssm",
        "TrentService" => "kms",
        "StarlingDoveService" => "config",
        "CloudTrail_20131101" => "cloudtrail",
        _ => return None,
    })
}

fn style(service: Service) -> Style {
    match service {
        Service::S3 => Style::S3,
        Service::Sts
        | Service::Iam
        | Service::CloudFormation
        | Service::Other(Protocol::Query | Protocol::Ec2 | Protocol::RestXml) => Style::Query,
        Service::Organizations
        | Service::Ssm
        | Service::Kms
        | Service::CloudTrail
        | Service::Config
        | Service::Other(Protocol::Json10 | Protocol::Json11 | Protocol::RestJson | Protocol::Cbor) => Style::Json,
    }
}

/// The session's time is over.
fn expired(service: Service) -> AwsError {
    match style(service) {
        Style::Query => faults::request::expired("sts"),
        Style::S3 | Style::Json => faults::request::expired(service.name()),
    }
}

/// A session token that does not belong to the access key, or to an account that has disabled the Region.
fn invalid_token(service: Service) -> AwsError {
    match service {
        Service::S3 => AwsError::client("InvalidToken", "The provided token is malformed or otherwise invalid."),
        _ => invalid(service),
    }
}

fn unsigned(service: Service) -> AwsError {
    match style(service) {
        Style::S3 => AwsError::new(403, "AccessDenied", "Access Denied"),
        Style::Query => AwsError::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token"),
        Style::Json => AwsError::client("MissingAuthenticationTokenException", "Missing Authentication Token"),
    }
}

fn invalid(service: Service) -> AwsError {
    match style(service) {
        Style::S3 => AwsError::new(
            403,
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
        ),
        Style::Query if matches!(service, Service::Other(Protocol::Ec2)) => {
            AwsError::new(401, "AuthFailure", "AWS was not able to validate the provided access credentials")
        }
        Style::Query => {
            AwsError::new(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
        }
        Style::Json => {
            AwsError::client("UnrecognizedClientException", "The security token included in the request is invalid.")
        }
    }
}

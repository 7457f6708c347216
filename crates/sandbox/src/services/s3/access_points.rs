//! S3 Control: ListAccessPoints, GetAccessPoint and GetAccessPointPolicy over the access points that the spec states. An
//! account sees its own, whoever owns the bucket behind them; nothing can be read or written through them here. There are no
//! Multi-Region Access Points, and a list of them is empty.

use std::fmt::Write as _;

use super::buckets;
use crate::authorize::{Ask, authorize};
use crate::policy::shipped::in_account;
use crate::random::{LOWER, Random};
use crate::request::Request;
use crate::wire::error::AwsError;
use crate::wire::{Answer, escape, rest_xml};
use crate::world::World;
use crate::world::session::Caller;

const NAMESPACE: &str = "http://awss3control.amazonaws.com/doc/2018-08-20/";
const PATH: &str = "/v20180820/accesspoint";
const MULTI_REGION_PATH: &str = "/v20180820/mrap/instances";
/// Multi-Region Access Points are served from this Region alone (S3 guide, "Multi-Region Access Point restrictions").
const MULTI_REGION_HOME: &str = "us-west-2";
pub(super) const OPERATIONS: &[&str] =
    &["ListAccessPoints", "GetAccessPoint", "GetAccessPointPolicy", "ListMultiRegionAccessPoints"];

/// An access point of the spec.
struct AccessPoint {
    name: String,
    bucket: String,
    /// The bucket's owner.
    owner: usize,
    policy: Option<String>,
    vpc: Option<String>,
}

/// The operation, for a request about access points that is modelled.
pub(super) fn operation(request: &Request) -> Option<&'static str> {
    if request.path == MULTI_REGION_PATH {
        return (request.method == http::Method::GET).then_some("ListMultiRegionAccessPoints");
    }
    let rest = request.path.strip_prefix(PATH)?;
    match (request.method.as_str(), rest) {
        ("GET", "") => Some("ListAccessPoints"),
        ("GET", rest) if name_of(rest).is_some() => Some("GetAccessPointPolicy"),
        ("GET", rest) if plain_name_of(rest).is_some() => Some("GetAccessPoint"),
        _ => None,
    }
}

/// The name in `/NAME/policy`.
fn name_of(rest: &str) -> Option<&str> {
    rest.strip_prefix('/')?.strip_suffix("/policy").filter(|name| !name.is_empty() && !name.contains('/'))
}

/// The name in `/NAME`.
fn plain_name_of(rest: &str) -> Option<&str> {
    rest.strip_prefix('/').filter(|name| !name.is_empty() && !name.contains('/'))
}

/// The access points of an account in a Region, by name.
fn stated(world: &World, account: usize, region: &str) -> Vec<AccessPoint> {
    let mut found = Vec::new();
    for (owner, facts) in world.organization.accounts.iter().enumerate() {
        let Some(described) = facts.described else { continue };
        for bucket in world.spec.account[described as usize].buckets.iter().flatten() {
            let home = bucket.region.as_ref().unwrap_or(&world.spec.regions[0]);
            // A bucket that is gone, or another one's now, has lost its access points.
            if home != region || bucket.access_points.is_empty() || world.bucket_owner(&bucket.name) != Some(owner) {
                continue;
            }
            let own = &world.organization.accounts[account];
            let points = bucket.access_points.iter().filter(|point| match &point.account {
                Some(name) => *name == own.id || *name == own.name,
                None => owner == account,
            });
            found.extend(points.map(|point| AccessPoint {
                name: point.name.clone(),
                bucket: bucket.name.clone(),
                owner,
                policy: point.policy.as_ref().map(|text| in_account(text, &world.organization, account)),
                vpc: point.vpc.clone(),
            }));
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

pub(super) fn answer(world: &World, caller: &Caller, operation: &str, request: &Request) -> Result<Answer, AwsError> {
    let region = request.scope().map_or("", |scope| scope.region.as_str());
    match operation {
        "ListAccessPoints" => list(world, caller, region, request),
        "ListMultiRegionAccessPoints" => list_multi_region(world, caller, region),
        "GetAccessPoint" => get(world, caller, region, request),
        _ => policy(world, caller, region, request),
    }
}

fn arn(world: &World, account: usize, region: &str, name: &str) -> String {
    let account = &world.organization.accounts[account].id;
    world.spec.partition.arn("s3", region, account, format_args!("accesspoint/{name}"))
}

fn list(world: &World, caller: &Caller, region: &str, request: &Request) -> Result<Answer, AwsError> {
    authorize(world, caller, &Ask::new("s3:ListAccessPoints", "*").in_region(region))?;
    let invalid = |name: &str| AwsError::client("InvalidRequest", format!("The {name} is not valid"));
    let known = ["bucket", "nextToken", "maxResults"];
    if let Some((name, _)) = request.query.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        return Err(invalid(name));
    }
    let most = match request.parameter("maxResults") {
        None | Some("0") => 1000,
        Some(text) => text.parse().ok().filter(|n| (1..=1000).contains(n)).ok_or_else(|| invalid("maxResults"))?,
    };
    let after = match request.parameter("nextToken") {
        None => String::new(),
        Some(token) => buckets::from_token(token).ok_or_else(|| invalid("nextToken"))?,
    };
    let points = stated(world, caller.account, region);
    let wanted = request.parameter("bucket");
    let mut left = points
        .iter()
        .filter(|point| wanted.is_none_or(|bucket| bucket == point.bucket))
        .filter(|point| point.name.as_str() > after.as_str());
    let page: Vec<&AccessPoint> = left.by_ref().take(most).collect();
    let more = left.next().is_some();
    let mut xml = format!("<ListAccessPointsResult xmlns=\"{NAMESPACE}\"><AccessPointList>");
    for point in &page {
        let origin = if point.vpc.is_some() { "VPC" } else { "Internet" };
        let _ = write!(xml, "<AccessPoint><Name>{}</Name><NetworkOrigin>{origin}</NetworkOrigin>", escape(&point.name));
        if let Some(vpc) = &point.vpc {
            let _ = write!(xml, "<VpcConfiguration><VpcId>{}</VpcId></VpcConfiguration>", escape(vpc));
        }
        let _ = write!(
            xml,
            "<Bucket>{}</Bucket><AccessPointArn>{}</AccessPointArn><Alias>{}</Alias>\
             <BucketAccountId>{}</BucketAccountId></AccessPoint>",
            point.bucket,
            escape(&arn(world, caller.account, region, &point.name)),
            alias(world, caller.account, &point.name),
            world.organization.accounts[point.owner].id
        );
    }
    xml.push_str("</AccessPointList>");
    if let Some(last) = page.last().filter(|_| more) {
        let _ = write!(xml, "<NextToken>{}</NextToken>", buckets::to_token(&last.name));
    }
    xml.push_str("</ListAccessPointsResult>");
    Ok(rest_xml::answer(&xml))
}

/// 63 characters that end in `-s3alias`.
fn alias(world: &World, account: usize, name: &str) -> String {
    let head: String = name.chars().take(20).collect();
    let length = 63 - head.chars().count() - "--s3alias".len();
    let middle = Random::new(world.spec.seed, name, account as u64).text(LOWER, length);
    format!("{head}-{middle}-s3alias")
}

/// The access point of this name, when the caller may do this to it.
fn named(world: &World, caller: &Caller, region: &str, action: &str, name: &str) -> Result<AccessPoint, AwsError> {
    let resource = arn(world, caller.account, region, name);
    authorize(world, caller, &Ask::new(action, resource).in_region(region))?;
    stated(world, caller.account, region).into_iter().find(|point| point.name == name).ok_or_else(|| {
        AwsError::new(404, "NoSuchAccessPoint", "The specified accesspoint does not exist")
            .with("AccessPointName", name)
    })
}

fn get(world: &World, caller: &Caller, region: &str, request: &Request) -> Result<Answer, AwsError> {
    let name = request.path.strip_prefix(PATH).and_then(plain_name_of).unwrap_or_default();
    let point = named(world, caller, region, "s3:GetAccessPoint", name)?;
    let origin = if point.vpc.is_some() { "VPC" } else { "Internet" };
    let mut xml = format!(
        "<GetAccessPointResult xmlns=\"{NAMESPACE}\"><Name>{}</Name><Bucket>{}</Bucket><NetworkOrigin>{origin}</NetworkOrigin>",
        escape(name),
        point.bucket
    );
    if let Some(vpc) = &point.vpc {
        let _ = write!(xml, "<VpcConfiguration><VpcId>{}</VpcId></VpcConfiguration>", escape(vpc));
    }
    // All four are on unless CreateAccessPoint says otherwise.
    let _ = write!(
        xml,
        "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls>\
         <BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets>\
         </PublicAccessBlockConfiguration><Alias>{}</Alias><AccessPointArn>{}</AccessPointArn>\
         <BucketAccountId>{}</BucketAccountId></GetAccessPointResult>",
        alias(world, caller.account, name),
        escape(&arn(world, caller.account, region, name)),
        world.organization.accounts[point.owner].id
    );
    Ok(rest_xml::answer(&xml))
}

fn list_multi_region(world: &World, caller: &Caller, region: &str) -> Result<Answer, AwsError> {
    authorize(world, caller, &Ask::new("s3:ListMultiRegionAccessPoints", "*").in_region(region))?;
    if region != MULTI_REGION_HOME {
        return Err(AwsError::client(
            "InvalidRequest",
            format!("Multi-Region Access Points are managed in {MULTI_REGION_HOME} only"),
        ));
    }
    Ok(rest_xml::answer(&format!(
        "<ListMultiRegionAccessPointsResult xmlns=\"{NAMESPACE}\"><AccessPoints/></ListMultiRegionAccessPointsResult>"
    )))
}

fn policy(world: &World, caller: &Caller, region: &str, request: &Request) -> Result<Answer, AwsError> {
    let name = request.path.strip_prefix(PATH).and_then(name_of).unwrap_or_default();
    let point = named(world, caller, region, "s3:GetAccessPointPolicy", name)?;
    let policy = point.policy.ok_or_else(|| {
        AwsError::new(404, "NoSuchAccessPointPolicy", "The specified accesspoint does not have a policy")
            .with("AccessPointName", name)
    })?;
    Ok(rest_xml::answer(&format!(
        "<GetAccessPointPolicyResult xmlns=\"{NAMESPACE}\"><Policy>{}</Policy></GetAccessPointPolicyResult>",
        escape(&policy)
    )))
}

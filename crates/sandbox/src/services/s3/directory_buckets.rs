//! ListDirectoryBuckets: the directory buckets (S3 Express One Zone) that the spec states, by account and Region. It is
//! signed for `s3express` and goes to `s3express-control.REGION.amazonaws.com`, or to an endpoint that overrides it
//! (S3's endpoint rules, UseS3ExpressControlEndpoint). Nothing else of directory buckets is modelled.

use std::fmt::Write as _;

use super::buckets::{from_token, to_token};
use crate::authorize::{Ask, authorize};
use crate::random::Random;
use crate::request::Request;
use crate::spec::DirectoryBucketSpec;
use crate::wire::error::AwsError;
use crate::wire::rest_xml::NAMESPACE;
use crate::wire::{Answer, escape, iso8601, rest_xml};
use crate::world::World;
use crate::world::session::Caller;

/// What its requests are signed for.
pub(super) const SERVICE: &str = "s3express";
pub(crate) const LIST: &str = "ListDirectoryBuckets";

/// The most that one page has [model: MaxDirectoryBuckets].
const PAGE: usize = 1000;

fn stated<'a>(world: &'a World, caller: &Caller, region: &str) -> Vec<&'a DirectoryBucketSpec> {
    let described = world.organization.accounts[caller.account].described;
    let all = described.map(|at| &world.spec.account[at as usize].directory_buckets[..]).unwrap_or_default();
    let first = &world.spec.regions[0];
    let mut here: Vec<_> = all.iter().filter(|one| one.region.as_ref().unwrap_or(first) == region).collect();
    here.sort_by(|a, b| a.name.cmp(&b.name));
    here
}

pub(super) fn list(world: &World, caller: &Caller, region: &str, request: &Request) -> Result<Answer, AwsError> {
    authorize(world, caller, &Ask::new("s3express:ListAllMyDirectoryBuckets", "*").in_region(region))?;
    let known = |name: &str| matches!(name, "continuation-token" | "max-directory-buckets" | "x-id");
    let unknown = |name: &str| !known(name) && !name.to_ascii_lowercase().starts_with("x-amz-");
    if let Some((name, _)) = request.query.iter().find(|(name, _)| unknown(name)) {
        return Err(AwsError::new(501, "NotImplemented", format!("The parameter {name} is not implemented")));
    }
    let invalid = |name: &'static str| {
        AwsError::client("InvalidArgument", format!("The value of {name} is not valid")).with("ArgumentName", name)
    };
    let most = match request.parameter("max-directory-buckets") {
        None => PAGE,
        Some(text) => match text.parse::<usize>() {
            Ok(most) if most <= PAGE => most,
            _ => return Err(invalid("max-directory-buckets")),
        },
    };
    let after = match request.parameter("continuation-token") {
        None => String::new(),
        Some(token) => from_token(token).ok_or_else(|| invalid("continuation-token"))?,
    };
    let all = stated(world, caller, region);
    let mut left = all.into_iter().filter(|one| one.name.as_str() > after.as_str());
    let page: Vec<_> = left.by_ref().take(most).collect();
    let more = left.next().is_some();
    let account = &world.organization.accounts[caller.account].id;
    let mut body = format!("<ListAllMyDirectoryBucketsResult xmlns=\"{NAMESPACE}\"><Buckets>");
    for one in &page {
        let created = 1_700_000_000_000 + Random::new(world.spec.seed, &one.name, 0).below(60_000_000_000) as i64;
        let _ = write!(
            body,
            "<Bucket><BucketArn>arn:{}:s3express:{region}:{account}:bucket/{name}</BucketArn>\
             <CreationDate>{}</CreationDate><Name>{name}</Name></Bucket>",
            world.spec.partition,
            iso8601(created),
            name = escape(&one.name),
        );
    }
    body.push_str("</Buckets>");
    if let Some(last) = page.last().filter(|_| more) {
        let _ = write!(body, "<ContinuationToken>{}</ContinuationToken>", to_token(&last.name));
    }
    body.push_str("</ListAllMyDirectoryBucketsResult>");
    Ok(rest_xml::answer(&body))
}

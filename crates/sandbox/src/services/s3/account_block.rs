//! S3 Control: its API has a path and a header of its own, under S3's scope. Here the account's own public access block;
//! access points are in `access_points`.

use serde_json::Value;

use super::access_points;
use super::encryption::malformed;
use super::shapes::PUBLIC_ACCESS_BLOCK;
use crate::journal::Entry;
use crate::request::Request;
use crate::services::UNKNOWN;
use crate::wire::element::Element;
use crate::wire::error::AwsError;
use crate::wire::{Answer, rest_xml};
use crate::world::World;
use crate::world::session::Caller;

const PATH: &str = "/v20180820/configuration/publicAccessBlock";

/// Whether a request is for S3 Control: no bucket is called `v20180820`, which is a version of its API.
pub(crate) fn is_control(request: &Request) -> bool {
    request.path.starts_with("/v20180820/")
}

/// The operation as CloudTrail and IAM name it, for a request that is for S3 Control.
pub(super) fn operation(request: &Request) -> Option<&'static str> {
    if !is_control(request) {
        return None;
    }
    if let Some(operation) = access_points::operation(request) {
        return Some(operation);
    }
    Some(match (request.path.as_str(), request.method.as_str()) {
        (PATH, "GET") => "GetAccountPublicAccessBlock",
        (PATH, "PUT") => "PutAccountPublicAccessBlock",
        (PATH, "DELETE") => "DeleteAccountPublicAccessBlock",
        _ => UNKNOWN,
    })
}

pub(super) fn answer(world: &World, caller: &Caller, operation: &str, request: &Request) -> Result<Answer, AwsError> {
    let own = &world.organization.accounts[caller.account].id;
    let account = request.header("x-amz-account-id").map(String::from).or_else(|| request.host_bucket.clone());
    if account.as_ref() != Some(own) {
        return Err(AwsError::new(403, "AccessDenied", "Access Denied"));
    }
    if access_points::OPERATIONS.contains(&operation) {
        return access_points::answer(world, caller, operation, request);
    }
    super::permissions::account(world, caller, operation)?;
    let store = |value: Option<Value>| -> Result<(), AwsError> {
        world.journal.append(&Entry::AccountBlock { account: own.clone(), value: value.clone() })?;
        world.with_account(caller.account, |state| state.public_access_block = value);
        Ok(())
    };
    match operation {
        "GetAccountPublicAccessBlock" => {
            let block = world.with_account(caller.account, |state| state.public_access_block.clone());
            let block = block.ok_or_else(|| {
                AwsError::new(
                    404,
                    "NoSuchPublicAccessBlockConfiguration",
                    "The public access block configuration was not found",
                )
                .with("AccountId", own.as_str())
            })?;
            let mut xml = String::from(
                "<PublicAccessBlockConfiguration xmlns=\"http://awss3control.amazonaws.com/doc/2018-08-20/\">",
            );
            PUBLIC_ACCESS_BLOCK.write(&block, &mut xml);
            xml.push_str("</PublicAccessBlockConfiguration>");
            Ok(rest_xml::answer(&xml))
        }
        "PutAccountPublicAccessBlock" => {
            let root = Element::parse(&request.body).filter(|root| root.name == "PublicAccessBlockConfiguration");
            store(Some(PUBLIC_ACCESS_BLOCK.read(&root.ok_or_else(malformed)?)?))?;
            Ok(rest_xml::empty(201))
        }
        _ => {
            store(None)?;
            Ok(rest_xml::empty(204))
        }
    }
}

//! REST with XML: the protocol of S3.

use crate::wire::error::AwsError;
use crate::wire::{Answer, escape};

pub(crate) const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
const PROLOG: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// The two ids that every S3 answer carries.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    pub(crate) request: String,
    pub(crate) host: String,
}

pub(crate) fn answer(body: &str) -> Answer {
    Answer::new(200, "application/xml", format!("{PROLOG}{body}"))
}

/// An answer without a body.
pub(crate) fn empty(status: u16) -> Answer {
    Answer::new(status, "", "")
}

/// `head`: the answer to a HEAD request has no body, not even for an error.
pub(crate) fn error(error: &AwsError, ids: &Ids, resource: &str, head: bool) -> Answer {
    let mut body = format!("{PROLOG}<Error><Code>{}</Code><Message>{}</Message>", error.code, escape(&error.message));
    for (name, value) in &error.members {
        let text = value.as_str().map_or_else(|| value.to_string(), String::from);
        body.push_str(&format!("<{name}>{}</{name}>", escape(&text)));
    }
    body.push_str(&format!(
        "<Resource>{}</Resource><RequestId>{}</RequestId><HostId>{}</HostId></Error>",
        escape(resource),
        ids.request,
        ids.host
    ));
    let mut answer = Answer::new(error.status, "application/xml", if head { String::new() } else { body });
    answer.headers.clone_from(&error.headers);
    answer.error = Some((error.code, error.message.clone()));
    answer
}

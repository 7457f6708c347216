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
    let body =
        format!("{PROLOG}<Error>{}<Resource>{}</Resource>{}</Error>", members(error), escape(resource), ids_of(ids));
    refusal(error, if head { String::new() } else { body })
}

/// S3 Control's errors are wrapped [model: it has no `noErrorWrapping`]: the SDKs find neither code nor message in bare ones.
pub(crate) fn wrapped_error(error: &AwsError, ids: &Ids) -> Answer {
    refusal(error, format!("{PROLOG}<ErrorResponse><Error>{}</Error>{}</ErrorResponse>", members(error), ids_of(ids)))
}

fn members(error: &AwsError) -> String {
    let mut text = format!("<Code>{}</Code><Message>{}</Message>", error.code, escape(&error.message));
    for (name, value) in &error.members {
        let value = value.as_str().map_or_else(|| value.to_string(), String::from);
        text.push_str(&format!("<{name}>{}</{name}>", escape(&value)));
    }
    text
}

fn ids_of(ids: &Ids) -> String {
    format!("<RequestId>{}</RequestId><HostId>{}</HostId>", ids.request, ids.host)
}

fn refusal(error: &AwsError, body: String) -> Answer {
    let mut answer = Answer::new(error.status, "application/xml", body);
    answer.headers.clone_from(&error.headers);
    answer.error = Some((error.code, error.message.clone()));
    answer
}

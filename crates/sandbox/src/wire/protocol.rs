//! The protocol that a request speaks, for a service that is not modelled: its refusal must be one that the client's parser
//! reads, or the client reports a broken answer instead of a missing service. (botocore: `protocols` of each service model.)

use serde_json::json;

use crate::request::Request;
use crate::wire::error::AwsError;
use crate::wire::query_xml::Form;
use crate::wire::{Answer, escape, query_xml, rest_xml};

/// How a request is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// AWS JSON 1.0: `X-Amz-Target`.
    Json10,
    /// AWS JSON 1.1.
    Json11,
    /// A form with an `Action`, answered in XML.
    Query,
    /// The same with the errors of EC2.
    Ec2,
    /// JSON under a path of the operation's own.
    RestJson,
    /// XML under a path of the operation's own.
    RestXml,
    /// Smithy RPC v2 with CBOR.
    Cbor,
}

/// Services by their signing name whose REST protocol is XML; all others speak JSON.
const REST_XML: [&str; 4] = ["cloudfront", "route53", "s3-object-lambda", "s3-outposts"];

impl Protocol {
    pub(crate) fn of(request: &Request) -> Protocol {
        let service = request.scope().map_or("", |scope| scope.service.as_str());
        if request.header("smithy-protocol") == Some("rpc-v2-cbor") {
            return Protocol::Cbor;
        }
        if request.header("x-amz-target").is_some() {
            let one = request.header("content-type").is_some_and(|kind| kind.starts_with("application/x-amz-json-1.0"));
            return if one { Protocol::Json10 } else { Protocol::Json11 };
        }
        if Form::read(request).get("Action").is_some() {
            return if service == "ec2" { Protocol::Ec2 } else { Protocol::Query };
        }
        if REST_XML.contains(&service) { Protocol::RestXml } else { Protocol::RestJson }
    }

    /// The operation as far as the request names it.
    fn operation(self, request: &Request) -> String {
        match self {
            Protocol::Json10 | Protocol::Json11 => request.header("x-amz-target").unwrap_or_default().to_string(),
            Protocol::Query | Protocol::Ec2 => Form::read(request).get("Action").unwrap_or_default().to_string(),
            Protocol::Cbor => request.path.rsplit('/').next().unwrap_or_default().to_string(),
            Protocol::RestJson | Protocol::RestXml => format!("{} {}", request.method, request.path),
        }
    }

    /// What AWS answers to an operation that a service does not have, with the reason that it is not here.
    pub(crate) fn unknown(self, request: &Request) -> AwsError {
        let service = request.scope().map_or("unknown", |scope| scope.service.as_str());
        let operation = self.operation(request);
        match self {
            Protocol::Query | Protocol::Ec2 => AwsError::client(
                "InvalidAction",
                format!(
                    "The action {operation} is not valid for this web service: this sandbox does not model the service {service}."
                ),
            ),
            _ => {
                let status = if matches!(self, Protocol::RestJson | Protocol::RestXml) { 404 } else { 400 };
                let message = format!(
                    "The operation {operation} is not known: this sandbox does not model the service {service}."
                );
                AwsError::new(status, "UnknownOperationException", message)
            }
        }
    }

    /// An error as this protocol writes it.
    pub(crate) fn error(self, error: &AwsError, request_id: &str) -> Answer {
        let mut answer = match self {
            Protocol::Json10 => json_error(error, "application/x-amz-json-1.0"),
            Protocol::Json11 => json_error(error, "application/x-amz-json-1.1"),
            Protocol::Query => {
                let mut answer =
                    query_xml::error(error, "http://webservices.amazon.com/AWSFault/2005-15-09", request_id);
                answer.error = None;
                answer
            }
            Protocol::Ec2 => Answer::new(
                error.status,
                "text/xml",
                format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{}</Code><Message>{}</Message>\
                     </Error></Errors><RequestID>{request_id}</RequestID></Response>",
                    error.code,
                    escape(&error.message)
                ),
            ),
            Protocol::RestJson => {
                let mut answer =
                    Answer::new(error.status, "application/json", json!({ "message": error.message }).to_string());
                answer.headers.push(("x-amzn-errortype", error.code.to_string()));
                answer
            }
            Protocol::RestXml => {
                let ids = rest_xml::Ids { request: request_id.into(), host: String::new() };
                rest_xml::wrapped_error(error, &ids)
            }
            Protocol::Cbor => {
                let mut answer = Answer::new(error.status, "application/cbor", cbor_error(error));
                answer.headers.push(("smithy-protocol", "rpc-v2-cbor".into()));
                answer
            }
        };
        answer.headers.push(("x-amzn-requestid", request_id.into()));
        answer.error = Some((error.code, error.message.clone()));
        answer
    }
}

fn json_error(error: &AwsError, content_type: &'static str) -> Answer {
    let body = json!({ "__type": error.code, "message": error.message }).to_string();
    Answer::new(error.status, content_type, body)
}

/// A map of two text strings (RFC 8949).
fn cbor_error(error: &AwsError) -> Vec<u8> {
    let mut bytes = vec![0xa2];
    for text in ["__type", error.code, "message", &error.message] {
        let length = text.len();
        match u8::try_from(length) {
            Ok(short) if short < 24 => bytes.push(0x60 | short),
            Ok(byte) => bytes.extend([0x78, byte]),
            Err(_) => {
                bytes.push(0x7a);
                bytes.extend((length as u32).to_be_bytes());
            }
        }
        bytes.extend(text.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn request(service: &str, uri: &str, headers: &[(&str, &str)], body: &'static str) -> Request {
        let scope = format!("AWS4-HMAC-SHA256 Credential=A/20261125/us-east-1/{service}/aws4_request, Signature=00");
        let mut builder = http::Request::builder().method("POST").uri(uri).header("authorization", scope);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        Request::new(builder.body(()).unwrap().into_parts().0, Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn each_protocol_is_told_by_the_request_alone() {
        let of = |service: &str, uri: &str, headers: &[(&str, &str)], body| {
            Protocol::of(&request(service, uri, headers, body))
        };
        let target = ("x-amz-target", "AmazonSQS.ListQueues");
        assert_eq!(of("sqs", "/", &[target, ("content-type", "application/x-amz-json-1.0")], "{}"), Protocol::Json10);
        assert_eq!(of("tagging", "/", &[target], "{}"), Protocol::Json11);
        assert_eq!(of("sns", "/", &[], "Action=ListTopics"), Protocol::Query);
        assert_eq!(of("ec2", "/", &[], "Action=DescribeRegions"), Protocol::Ec2);
        assert_eq!(
            of("monitoring", "/service/X/operation/Y", &[("smithy-protocol", "rpc-v2-cbor")], ""),
            Protocol::Cbor
        );
        assert_eq!(of("lambda", "/2015-03-31/functions", &[], ""), Protocol::RestJson);
        assert_eq!(of("cloudfront", "/2020-05-31/distribution", &[], ""), Protocol::RestXml);
    }

    #[test]
    fn a_text_of_cbor_has_its_length_before_it() {
        let bytes = cbor_error(&AwsError::client("Code", "m".repeat(300)));
        assert_eq!(&bytes[..8], b"\xa2\x66__type");
        assert_eq!(&bytes[8..13], b"\x64Code");
        assert_eq!(&bytes[21..26], &[0x7a, 0, 0, 1, 44]);
        assert_eq!(bytes.len(), 26 + 300);
    }
}

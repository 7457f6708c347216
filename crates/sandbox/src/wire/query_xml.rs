//! The query protocol of STS, IAM and CloudFormation: a form goes in, XML comes out.

use crate::request::Request;
use crate::wire::error::AwsError;
use crate::wire::{Answer, escape};

pub(crate) const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The form's fields.
#[derive(Debug, Default)]
pub(crate) struct Form {
    fields: Vec<(String, String)>,
}

impl Form {
    /// A form that is not a request's own, but an AWS service's for its caller.
    pub(crate) fn of(fields: Vec<(String, String)>) -> Form {
        Form { fields }
    }

    pub(crate) fn read(request: &Request) -> Form {
        let mut fields = request.query.clone();
        fields.extend(crate::request::form_fields(&request.body));
        Form { fields }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Whether there are fields that begin so.
    pub(crate) fn has_list(&self, prefix: &str) -> bool {
        self.fields.iter().any(|(field, _)| field.starts_with(prefix))
    }

    pub(crate) fn fields(&self) -> &[(String, String)] {
        &self.fields
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(field, _)| field.as_str())
    }
}

pub(crate) fn answer(action: &str, namespace: &str, result: &str, request_id: &str) -> Answer {
    Answer::new(
        200,
        "text/xml",
        format!(
            "<{action}Response xmlns=\"{namespace}\">\n<{action}Result>\n{result}</{action}Result>\n\
             <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\n</{action}Response>\n"
        ),
    )
}

pub(crate) fn error(error: &AwsError, namespace: &str, request_id: &str) -> Answer {
    let fault = if error.status < 500 { "Sender" } else { "Receiver" };
    let body = format!(
        "<ErrorResponse xmlns=\"{namespace}\">\n<Error>\n<Type>{fault}</Type>\n<Code>{}</Code>\n\
         <Message>{}</Message>\n</Error>\n<RequestId>{request_id}</RequestId>\n</ErrorResponse>\n",
        error.code,
        escape(&error.message)
    );
    let mut answer = Answer::new(error.status, "text/xml", body);
    answer.headers.clone_from(&error.headers);
    answer.error = Some((error.code, error.message.clone()));
    answer
}

//! How things are written on AWS's wires: one file per protocol, and the error that each of them renders in its own way.
//! What is said is decided in `services`.

pub(crate) mod element;
pub(crate) mod error;
pub(crate) mod json;
pub(crate) mod protocol;
pub(crate) mod query_xml;
pub(crate) mod rest_xml;

use bytes::Bytes;

/// An answer before it is given its request id.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Headers that a user named: an object's own metadata.
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) body: Bytes,
    /// Code and message of the error in it, when it is one.
    pub(crate) error: Option<(&'static str, String)>,
    pub(crate) disposition: Disposition,
}

/// What becomes of an answer on its way to the socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Disposition {
    #[default]
    Send,
    /// The connection is reset instead.
    Reset,
    /// Half of the body is sent, then the connection is closed.
    Truncate,
    /// After the body, white space without end.
    Endless,
}

impl Answer {
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
        Answer {
            status,
            content_type,
            headers: Vec::new(),
            metadata: Vec::new(),
            body: body.into(),
            error: None,
            disposition: Disposition::Send,
        }
    }
}

pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// `2026-11-25T02:53:19.000Z`
pub(crate) fn iso8601(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Seconds since 1970 with a fraction: the JSON protocols' timestamp.
pub(crate) fn epoch(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// Text made safe between XML tags.
pub(crate) fn escape(text: &str) -> std::borrow::Cow<'_, str> {
    quick_xml::escape::escape(text)
}

//! A tree in the order in which it was written: policies and templates are read by people.

use serde_norway::{Mapping, Value};

/// A text.
pub(crate) fn text(value: impl Into<String>) -> Value {
    Value::String(value.into())
}

/// A list of texts; one alone stands by itself, as IAM and people write it.
pub(crate) fn texts(values: &[String]) -> Value {
    match values {
        [one] => text(one),
        all => Value::Sequence(all.iter().map(text).collect()),
    }
}

/// Members in this order.
pub(crate) fn map<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let members = members.into_iter().map(|(name, value)| (text(name), value));
    Value::Mapping(members.collect::<Mapping>())
}

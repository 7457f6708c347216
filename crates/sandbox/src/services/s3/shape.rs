//! A payload structure of the service model as data: one description reads XML and JSON, refuses what is not in it, and
//! writes XML. The descriptions themselves are in `shapes`.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::encryption::{malformed, member_bool};
use crate::wire::element::Element;
use crate::wire::error::AwsError;
use crate::wire::escape;

/// What a value may be.
pub(super) enum Shape {
    Text,
    Bool,
    Int,
    OneOf(&'static [&'static str]),
    /// The items' element and shape; a flattened list has no element of its own.
    List(&'static str, &'static Shape),
    Struct(&'static [Member]),
}

/// A member of a structure.
pub(super) struct Member {
    name: &'static str,
    element: &'static str,
    shape: &'static Shape,
    required: bool,
    flat: bool,
    attribute: bool,
}

pub(super) const fn optional(name: &'static str, shape: &'static Shape) -> Member {
    Member { name, element: name, shape, required: false, flat: false, attribute: false }
}

pub(super) const fn required(name: &'static str, shape: &'static Shape) -> Member {
    Member { required: true, ..optional(name, shape) }
}

impl Member {
    /// Spelled otherwise in XML.
    pub(super) const fn element(self, element: &'static str) -> Member {
        Member { element, ..self }
    }

    /// A list without an element around it.
    pub(super) const fn flat(self) -> Member {
        Member { flat: true, ..self }
    }

    /// An `xsi:` attribute of its parent.
    pub(super) const fn attribute(self) -> Member {
        Member { attribute: true, ..self }
    }
}

impl Shape {
    /// The value of an element; MalformedXML for what does not validate.
    pub(super) fn read(&self, element: &Element) -> Result<Value, AwsError> {
        match self {
            Shape::Text => Ok(json!(element.text)),
            Shape::Bool => member_bool(&element.text).map(Value::Bool).ok_or_else(malformed),
            Shape::Int => element.text.trim().parse::<i64>().map(Value::from).map_err(|_| malformed()),
            Shape::OneOf(known) => {
                known.iter().find(|name| **name == element.text.trim()).map(|name| json!(name)).ok_or_else(malformed)
            }
            Shape::List(item, shape) => {
                let items = element.children.iter().map(|child| match child.name == *item {
                    true => shape.read(child),
                    false => Err(malformed()),
                });
                Ok(Value::Array(items.collect::<Result<_, _>>()?))
            }
            Shape::Struct(members) => {
                let mut read = Map::new();
                for child in &element.children {
                    let member = members.iter().find(|m| m.element == child.name && !m.attribute);
                    let member = member.ok_or_else(malformed)?;
                    match (member.flat, member.shape) {
                        (true, Shape::List(_, item)) => {
                            let value = item.read(child)?;
                            match read.entry(member.name).or_insert_with(|| json!([])) {
                                Value::Array(list) => list.push(value),
                                _ => return Err(malformed()),
                            }
                        }
                        _ => {
                            if read.insert(member.name.into(), member.shape.read(child)?).is_some() {
                                return Err(malformed());
                            }
                        }
                    }
                }
                for member in members.iter().filter(|member| member.attribute) {
                    if let Some((_, value)) = element.attributes.iter().find(|(name, _)| name == member.element) {
                        read.insert(member.name.into(), json!(value));
                    }
                }
                if members.iter().any(|member| member.required && !read.contains_key(member.name)) {
                    return Err(malformed());
                }
                Ok(Value::Object(read))
            }
        }
    }

    /// Checks a value as an SDK would before it sends it; the path names what is wrong.
    pub(super) fn check(&self, value: &Value, path: &str) -> Result<(), AwsError> {
        let wrong = |path: &str| {
            let message = format!("Parameter validation failed: invalid or missing {path}");
            Err(AwsError::client("ParamValidationError", message))
        };
        match (self, value) {
            (Shape::Text, Value::String(_)) | (Shape::Bool, Value::Bool(_)) => Ok(()),
            (Shape::Int, value) if value.is_i64() => Ok(()),
            (Shape::OneOf(known), Value::String(text)) if known.contains(&text.as_str()) => Ok(()),
            (Shape::OneOf(_), Value::String(_)) => Err(malformed()),
            (Shape::List(_, shape), Value::Array(items)) => {
                items.iter().try_for_each(|item| shape.check(item, &format!("{path}[]")))
            }
            (Shape::Struct(members), Value::Object(given)) => {
                for (name, value) in given {
                    match members.iter().find(|member| member.name == name) {
                        Some(member) => member.shape.check(value, &format!("{path}.{name}"))?,
                        None => return wrong(&format!("{path}.{name}")),
                    }
                }
                match members.iter().find(|member| member.required && !given.contains_key(member.name)) {
                    Some(missing) => wrong(&format!("{path}.{}", missing.name)),
                    None => Ok(()),
                }
            }
            _ => wrong(path),
        }
    }

    /// The content of the element, in the model's order.
    pub(super) fn write(&self, value: &Value, xml: &mut String) {
        match (self, value) {
            (Shape::Struct(members), Value::Object(given)) => {
                for member in members.iter().filter(|member| !member.attribute) {
                    let Some(value) = given.get(member.name) else { continue };
                    match (member.flat, member.shape, value) {
                        (true, Shape::List(_, shape), Value::Array(items)) => {
                            items.iter().for_each(|item| shape.write_element(member.element, item, xml));
                        }
                        _ => member.shape.write_element(member.element, value, xml),
                    }
                }
            }
            (Shape::List(item, shape), Value::Array(items)) => {
                items.iter().for_each(|value| shape.write_element(item, value, xml));
            }
            (_, Value::String(text)) => xml.push_str(&escape(text)),
            (_, other) => {
                let _ = write!(xml, "{other}");
            }
        }
    }

    fn write_element(&self, name: &str, value: &Value, xml: &mut String) {
        let _ = write!(xml, "<{name}");
        if let Shape::Struct(members) = self {
            for member in members.iter().filter(|member| member.attribute) {
                if let Some(text) = value.get(member.name).and_then(Value::as_str) {
                    let _ = write!(
                        xml,
                        " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:{}=\"{}\"",
                        member.element,
                        escape(text)
                    );
                }
            }
        }
        xml.push('>');
        self.write(value, xml);
        let _ = write!(xml, "</{name}>");
    }
}

#[cfg(test)]
mod tests {
    use super::super::shapes;
    use super::*;

    fn read(shape: &Shape, xml: &str) -> Result<Value, AwsError> {
        shape.read(&Element::parse(xml.as_bytes()).unwrap())
    }

    #[test]
    fn what_is_read_is_written_again() {
        let xml = "<ReplicationConfiguration><Role>r</Role><Rule><ID>a &amp; b</ID><Priority>1</Priority><Filter><Prefix>p</Prefix>\
                   </Filter><Status>Enabled</Status><SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status>\
                   </SseKmsEncryptedObjects></SourceSelectionCriteria><Destination><Bucket>arn:aws:s3:::d</Bucket>\
                   <EncryptionConfiguration><ReplicaKmsKeyID>k</ReplicaKmsKeyID></EncryptionConfiguration></Destination></Rule>\
                   </ReplicationConfiguration>";
        let value = read(&shapes::REPLICATION, xml).unwrap();
        assert_eq!(value["Rules"][0]["ID"], "a & b");
        let mut again = String::new();
        shapes::REPLICATION.write(&value, &mut again);
        assert_eq!(format!("<ReplicationConfiguration>{again}</ReplicationConfiguration>"), xml);
        shapes::REPLICATION.check(&value, "ReplicationConfiguration").unwrap();
    }

    #[test]
    fn what_the_schema_does_not_know_is_malformed() {
        for xml in [
            "<OwnershipControls/>",
            "<OwnershipControls><Rule><ObjectOwnership>Mine</ObjectOwnership></Rule></OwnershipControls>",
            "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership><Odd/></Rule></OwnershipControls>",
        ] {
            assert_eq!(read(&shapes::OWNERSHIP_CONTROLS, xml).unwrap_err().code, "MalformedXML", "{xml}");
        }
        let grants = "<AccessControlPolicy><AccessControlList><Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
                      xsi:type=\"Group\"><URI>u</URI></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>";
        assert_eq!(read(&shapes::ACL, grants).unwrap()["Grants"][0]["Grantee"]["Type"], "Group");
        let error = shapes::OWNERSHIP_CONTROLS.check(&json!({}), "OwnershipControls").unwrap_err();
        assert!(error.code == "ParamValidationError" && error.message.contains("OwnershipControls.Rules"));
    }
}

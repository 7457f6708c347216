//! An output of CloudFormation's as XML: structures are elements, the items of a list are each a `member`.

use serde_json::Value;

use crate::wire::escape;

/// The members of a structure. Those that are null are left out.
pub(super) fn members(value: &Value) -> String {
    let mut xml = String::new();
    for (name, member) in value.as_object().into_iter().flatten().filter(|(_, member)| !member.is_null()) {
        xml.push_str(&format!("<{name}>{}</{name}>\n", content(member)));
    }
    xml
}

fn content(value: &Value) -> String {
    match value {
        Value::Object(_) => members(value),
        Value::Array(items) => items.iter().map(|item| format!("<member>{}</member>\n", content(item))).collect(),
        Value::String(text) => escape(text).into_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_have_members_and_nothing_is_no_element() {
        let value = json!({ "A": [{ "B": "<1>" }, "x"], "C": null, "D": true, "E": [] });
        let xml = members(&value).replace('\n', "");
        assert_eq!(xml, "<A><member><B>&lt;1&gt;</B></member><member>x</member></A><D>true</D><E></E>");
    }
}

//! JSON as people read it, and as AWS counts it.

use serde_norway::Value;

/// What is no longer than this stands on one line.
const WIDTH: usize = 110;

/// A tree as JSON for people: short lists and objects on one line, members in their order.
pub(crate) fn pretty(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, 0, &mut out);
    out.push('\n');
    out
}

/// A tree as JSON without a space too many.
pub(crate) fn minified(value: &Value) -> String {
    inline(value, "", "")
}

fn write(value: &Value, indent: usize, used: usize, out: &mut String) {
    let whole = inline(value, " ", " ");
    // A statement is read line by line, however short it is.
    let is_statement = value.as_mapping().is_some_and(|members| members.contains_key("Effect"));
    if used + whole.len() <= WIDTH && indent > 0 && !is_statement && !holds_objects(value) {
        out.push_str(&whole);
        return;
    }
    let inner = " ".repeat(indent + 2);
    let close = " ".repeat(indent);
    match value {
        Value::Sequence(items) if !items.is_empty() => {
            out.push_str("[\n");
            for (place, item) in items.iter().enumerate() {
                out.push_str(&inner);
                write(item, indent + 2, indent + 3, out);
                out.push_str(if place + 1 < items.len() { ",\n" } else { "\n" });
            }
            out.push_str(&close);
            out.push(']');
        }
        Value::Mapping(members) if !members.is_empty() => {
            out.push_str("{\n");
            for (place, (name, item)) in members.iter().enumerate() {
                let name = format!("{inner}{}: ", inline(name, " ", " "));
                out.push_str(&name);
                write(item, indent + 2, name.len() + 1, out);
                out.push_str(if place + 1 < members.len() { ",\n" } else { "\n" });
            }
            out.push_str(&close);
            out.push('}');
        }
        _ => out.push_str(&whole),
    }
}

/// A list of objects is read item by item.
fn holds_objects(value: &Value) -> bool {
    value.as_sequence().is_some_and(|items| items.iter().any(|item| item.is_mapping()))
}

/// On one line: `space` after commas and colons, `pad` inside an object's braces.
fn inline(value: &Value, space: &str, pad: &str) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(is) => is.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Sequence(items) => {
            let items: Vec<String> = items.iter().map(|item| inline(item, space, pad)).collect();
            format!("[{}]", items.join(&format!(",{space}")))
        }
        Value::Mapping(members) if members.is_empty() => "{}".to_owned(),
        Value::Mapping(members) => {
            let member = |(name, item): (&Value, &Value)| {
                format!("{}:{space}{}", inline(name, space, pad), inline(item, space, pad))
            };
            let members: Vec<String> = members.iter().map(member).collect();
            format!("{{{pad}{}{pad}}}", members.join(&format!(",{space}")))
        }
        Value::Tagged(tagged) => inline(&tagged.value, space, pad),
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            letter if u32::from(letter) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(letter))),
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_mean_what_the_tree_means() {
        let text = "a: [1, 2]\nb: {c: \"say \\\"x\\\"\\n\\\\ \\u0001\", d: [], e: {}}\nstatements: [{Effect: Deny, f: true}, null]\n";
        let tree: Value = serde_norway::from_str(text).unwrap();
        let meant: serde_json::Value = serde_norway::from_str(text).unwrap();
        for json in [pretty(&tree), minified(&tree)] {
            assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), meant, "{json}");
        }
        assert!(pretty(&tree).contains("\"a\": [1, 2],\n"), "{}", pretty(&tree));
        assert!(!minified(&tree).contains(": "));
    }
}

//! Where two trees differ first.

use serde_norway::Value;

/// The path of the first difference; `None` where both hold the same.
pub(super) fn first_difference(wanted: &Value, found: &Value) -> Option<String> {
    let mut path = Vec::new();
    differs(wanted, found, &mut path).then(|| match path.is_empty() {
        true => "as a whole".to_owned(),
        false => format!("first at {}", path.join(".")),
    })
}

fn differs(wanted: &Value, found: &Value, path: &mut Vec<String>) -> bool {
    match (wanted, found) {
        (Value::Mapping(wants), Value::Mapping(has)) => {
            let names = wants.keys().chain(has.keys().filter(|name| !wants.contains_key(*name)));
            for name in names {
                path.push(name.as_str().map_or_else(|| format!("{name:?}"), str::to_owned));
                match (wants.get(name), has.get(name)) {
                    (Some(wants), Some(has)) if !differs(wants, has, path) => drop(path.pop()),
                    _ => return true,
                }
            }
            false
        }
        (Value::Sequence(wants), Value::Sequence(has)) => {
            for place in 0..wants.len().max(has.len()) {
                path.push(named(wants.get(place).or(has.get(place)), place));
                match (wants.get(place), has.get(place)) {
                    (Some(wants), Some(has)) if !differs(wants, has, path) => drop(path.pop()),
                    _ => return true,
                }
            }
            false
        }
        (wants, has) => wants != has,
    }
}

/// A step of a document by its name, anything else by its place.
fn named(item: Option<&Value>, place: usize) -> String {
    item.and_then(|item| item.get("name")?.as_str()).map_or_else(|| place.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(wanted: &str, found: &str) -> Option<String> {
        first_difference(&serde_norway::from_str(wanted).unwrap(), &serde_norway::from_str(found).unwrap())
    }

    #[test]
    fn the_place_of_a_difference_is_named() {
        let wanted = "a: 1\nsteps:\n- name: Put\n  inputs: {algorithm: aws:kms}\n- name: Check\n";
        assert_eq!(difference(wanted, "steps: [{inputs: {algorithm: aws:kms}, name: Put}, {name: Check}]\na: 1"), None);
        let other = wanted.replace("aws:kms", "AES256");
        assert_eq!(difference(wanted, &other).unwrap(), "first at steps.Put.inputs.algorithm");
        assert_eq!(difference(wanted, &format!("{wanted}- name: More\n")).unwrap(), "first at steps.More");
        assert_eq!(difference(wanted, &format!("{wanted}more: 1\n")).unwrap(), "first at more");
        assert_eq!(difference(wanted, "[]").unwrap(), "as a whole");
    }
}

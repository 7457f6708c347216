//! Lists that choose among accounts, buckets or waves: left out, they mean "all". Written down and empty, one of them says the
//! opposite of what it does, so it is refused.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Problem;

/// The settings of both files for which an absent list means all; indexes of tables are left out.
const MEAN_ALL: [&str; 15] = [
    "accounts.include",
    "accounts.include.ids",
    "accounts.include.names",
    "accounts.include.ous",
    "accounts.include.tags",
    "bootstrap.service_accounts",
    "buckets.include",
    "exemption.account_tags",
    "exemption.accounts",
    "exemption.bucket_tags",
    "exemption.buckets",
    "exemption.ous",
    "guards.overrides.accounts",
    "guards.overrides.buckets",
    "waves",
];

/// The empty lists of a file.
pub(super) fn find(table: &DeTable<'_>) -> Vec<Problem> {
    let mut found = Vec::new();
    walk_table(table, "", "", &mut found);
    found
}

/// The empty lists of a value that overrides a setting.
pub(super) fn find_in_override(path: &[String], value: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    let text = format!("v = {value}");
    if let Ok(tree) = DeTable::parse(&text)
        && let Some(value) = tree.get_ref().get("v")
    {
        let path = path.join(".");
        walk(value, &path, &path, &mut found);
    }
    // The places are those of the override, not of the file.
    found.into_iter().map(|problem| Problem { span: None, ..problem }).collect()
}

fn walk_table(table: &DeTable<'_>, setting: &str, shown: &str, found: &mut Vec<Problem>) {
    let below = |above: &str, name: &str| if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") };
    for (key, value) in table {
        let name: &str = key.get_ref();
        let before = found.len();
        walk(value, &below(setting, name), &below(shown, name), found);
        // A table's own place is where its entries begin: its name is what a person looks for.
        if let (Some(problem), DeValue::Table(_)) = (found[before..].first_mut(), value.get_ref())
            && problem.path == below(shown, name)
        {
            problem.span = Some(key.span());
        }
    }
}

fn walk(value: &Spanned<DeValue<'_>>, setting: &str, shown: &str, found: &mut Vec<Problem>) {
    let is_empty = match value.get_ref() {
        DeValue::Table(table) => table.is_empty(),
        DeValue::Array(items) => items.is_empty(),
        _ => return,
    };
    if is_empty && MEAN_ALL.contains(&setting) {
        let message = format!("{shown} is empty, and would mean all");
        let instead = "leave it out if all are meant, otherwise name those that are";
        found.push(Problem { span: Some(value.span()), ..Problem::new(shown, message, instead) });
    }
    match value.get_ref() {
        DeValue::Table(table) => walk_table(table, setting, shown, found),
        DeValue::Array(items) => {
            let is_blank =
                |item: &Spanned<DeValue<'_>>| item.get_ref().as_str().is_some_and(|text| text.trim().is_empty());
            // Patterns of exemptions and overrides are checked where their names are.
            let is_checked = setting.starts_with("exemption.") || setting.starts_with("guards.overrides.");
            if let Some(item) = items.iter().find(|item| !is_checked && is_blank(item)) {
                let message = format!("{shown} holds an empty text, which matches nothing");
                found.push(Problem {
                    span: Some(item.span()),
                    ..Problem::new(shown, message, "remove it, or write what is meant")
                });
            }
            for (index, item) in items.iter().enumerate() {
                walk(item, setting, &format!("{shown}[{index}]"), found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let tree = DeTable::parse(text).unwrap();
        find(tree.get_ref()).into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn an_empty_list_that_means_all_is_found_wherever_it_stands() {
        for setting in MEAN_ALL {
            let (list, name) = match setting.split_once('.') {
                Some(("exemption", name)) => ("[[exemption]]", name.to_owned()),
                Some(("guards", name)) => ("[[guards.overrides]]", name.replace("overrides.", "")),
                _ => ("", setting.to_owned()),
            };
            let empty = if name.contains("tags") || name == "accounts.include" { "{}" } else { "[]" };
            assert_eq!(found(&format!("{list}\n{name} = {empty}\n")).len(), 1, "{setting}");
            assert!(found(&format!("{list}\n{name} = [\"x\"]\n")).is_empty(), "{setting}");
        }
        assert_eq!(found("[accounts.include]\n# ids = []\n"), ["accounts.include"]);
        assert_eq!(found("[[exemption]]\nous = [\"x\"]\n[[exemption]]\nbuckets = []\n"), ["exemption[1].buckets"]);
    }

    #[test]
    fn an_empty_text_in_a_list_is_found_wherever_it_stands() {
        for text in ["buckets.include = [\"\"]", "accounts.exclude.ids = [\"1\", \" \"]"] {
            assert_eq!(found(text).len(), 1, "{text}");
        }
        let path = ["buckets".to_owned(), "include".to_owned()];
        assert_eq!(find_in_override(&path, "[\"\"]").len(), 1);
    }

    #[test]
    fn an_empty_list_that_means_none_is_fine() {
        let text = "accounts.exclude = { ids = [] }\n[guards]\nignored_principals = []\n[organization]\naccept_states = []\n[buckets]\n";
        assert!(found(text).is_empty());
    }

    #[test]
    fn overrides_are_looked_through_as_well() {
        let path = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(find_in_override(&path("accounts.include.ids"), "[]").len(), 1);
        assert_eq!(find_in_override(&path("accounts"), "{ include = { names = [] } }").len(), 1);
        assert!(find_in_override(&path("accounts.include.ids"), "[\"111122223333\"]").is_empty());
        assert!(find_in_override(&path("member_role.name"), "[").is_empty());
    }
}

//! `aws:branch`: which step comes next, by the choices' operators.

use serde_json::Value;

use super::document::Step;
use super::parameter::boolean;
use super::reference::text_of;

/// The steps that a branch may lead to; empty for every other action.
pub(crate) fn targets(step: &Step) -> Result<Vec<String>, String> {
    if step.action != "aws:branch" {
        return Ok(Vec::new());
    }
    let choices = step.inputs.get("Choices").and_then(Value::as_array);
    let choices = choices.filter(|list| !list.is_empty());
    let choices = choices.ok_or_else(|| format!("step {}: aws:branch needs Choices", step.name))?;
    let mut targets = Vec::new();
    for choice in choices {
        let next = choice.get("NextStep").and_then(Value::as_str);
        targets.push(next.ok_or_else(|| format!("step {}: a choice has no NextStep", step.name))?.to_string());
        check(choice).map_err(|what| format!("step {}: {what}", step.name))?;
    }
    targets.extend(step.inputs.get("Default").and_then(Value::as_str).map(String::from));
    Ok(targets)
}

/// The step to go to, with the inputs resolved; nothing when no choice fits and there is no default.
pub(crate) fn choose(inputs: &Value) -> Option<String> {
    let fits = inputs.get("Choices")?.as_array()?.iter().find(|choice| holds(choice));
    fits.and_then(|choice| choice.get("NextStep")).or_else(|| inputs.get("Default"))?.as_str().map(String::from)
}

const OPERATORS: [&str; 11] = [
    "StringEquals",
    "EqualsIgnoreCase",
    "StartsWith",
    "EndsWith",
    "Contains",
    "NumericEquals",
    "NumericGreater",
    "NumericLesser",
    "NumericGreaterOrEquals",
    "NumericLesserOrEquals",
    "BooleanEquals",
];

fn check(condition: &Value) -> Result<(), String> {
    let members = condition.as_object().ok_or("a choice must be a map")?;
    let mut operators = 0;
    for (name, value) in members {
        match name.as_str() {
            "NextStep" | "Variable" => {}
            "And" | "Or" => {
                operators += 1;
                value.as_array().ok_or_else(|| format!("{name} must be a list"))?.iter().try_for_each(check)?;
            }
            "Not" => {
                operators += 1;
                check(value)?;
            }
            operator if OPERATORS.contains(&operator) => operators += 1,
            unknown => return Err(format!("{unknown} is not an operator of aws:branch")),
        }
    }
    if operators == 1 { Ok(()) } else { Err("a choice needs exactly one operator".into()) }
}

fn holds(condition: &Value) -> bool {
    let Some(members) = condition.as_object() else { return false };
    let variable = members.get("Variable").unwrap_or(&Value::Null);
    members.iter().all(|(operator, wanted)| {
        let numbers = || Some((number(variable)?, number(wanted)?));
        let texts = || (text_of(variable), text_of(wanted));
        match operator.as_str() {
            "And" => wanted.as_array().is_some_and(|all| all.iter().all(holds)),
            "Or" => wanted.as_array().is_some_and(|any| any.iter().any(holds)),
            "Not" => !holds(wanted),
            "StringEquals" => variable.is_string() && texts().0 == texts().1,
            "EqualsIgnoreCase" => texts().0.eq_ignore_ascii_case(&texts().1),
            "StartsWith" => texts().0.starts_with(&texts().1),
            "EndsWith" => texts().0.ends_with(&texts().1),
            "Contains" => texts().0.contains(&texts().1),
            "NumericEquals" => numbers().is_some_and(|(a, b)| a == b),
            "NumericGreater" => numbers().is_some_and(|(a, b)| a > b),
            "NumericLesser" => numbers().is_some_and(|(a, b)| a < b),
            "NumericGreaterOrEquals" => numbers().is_some_and(|(a, b)| a >= b),
            "NumericLesserOrEquals" => numbers().is_some_and(|(a, b)| a <= b),
            "BooleanEquals" => boolean(variable).is_some() && boolean(variable) == boolean(wanted),
            _ => true,
        }
    })
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_choice_that_holds_wins_and_the_default_is_last() {
        let inputs = |v: Value| {
            json!({
                "Choices": [
                    { "NextStep": "Small", "And": [
                        { "Variable": v, "NumericLesser": 5 }, { "Not": { "Variable": v, "NumericEquals": 3 } } ] },
                    { "NextStep": "Yes", "Variable": v, "BooleanEquals": true },
                    { "NextStep": "Text", "Variable": v, "StringEquals": "a" },
                ],
                "Default": "Else"
            })
        };
        for (value, next) in
            [(json!(4), "Small"), (json!(3), "Else"), (json!(true), "Yes"), (json!("a"), "Text"), (json!("b"), "Else")]
        {
            assert_eq!(choose(&inputs(value)).as_deref(), Some(next));
        }
        assert_eq!(choose(&json!({ "Choices": [{ "NextStep": "A", "Variable": "x", "StringEquals": "y" }] })), None);
    }
}

//! Conditions in three values. An operator or a key that is not known is "cannot tell".

use super::pattern::{Coverage, coverage, coverage_of_arn, coverage_of_letters, widened};
use super::{Answer, Condition, Known, Request, Text};

/// How an operator compares one value of the policy with one of the request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Letters,
    LettersIgnoringCase,
    Wildcards,
    Arn,
}

/// How an operator treats a key with several values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    Single,
    ForAny,
    ForAll,
}

impl Condition {
    /// Whether the condition holds for a request.
    #[must_use]
    pub fn holds(&self, request: &Request) -> Answer {
        let written = self.operator.to_ascii_lowercase();
        let quantifier = match written.split_once(':') {
            None => Quantifier::Single,
            Some(("foranyvalue", _)) => Quantifier::ForAny,
            Some(("forallvalues", _)) => Quantifier::ForAll,
            Some(_) => return self.unclear("is not understood"),
        };
        let known = request.known(&self.key);
        let (plain, negated) = self.plain_operator();
        if plain == "null" {
            return self.null(known);
        }
        let Some(comparison) = comparison(&plain) else { return self.unclear("is not evaluated") };
        let values = match known {
            Known::Unknown => return self.unclear("depends on the request"),
            Known::OneOf(values) => return self.for_one_of(values, comparison, negated),
            Known::Values(values) if !values.is_empty() => values,
            // A negated operator matches a key that is absent, with and without IfExists.
            Known::Values(_) | Known::Absent => {
                return match quantifier {
                    Quantifier::ForAll => Answer::Yes,
                    Quantifier::ForAny if negated => self.unclear("is asked of a key without values"),
                    _ => Answer::from(negated || written.ends_with("ifexists")),
                };
            }
        };
        let each = values.iter().map(|value| {
            let named = self.names(comparison, value);
            if negated { named.negated() } else { named }
        });
        match quantifier {
            Quantifier::Single if values.len() > 1 => self.unclear("is asked of a key with several values"),
            Quantifier::Single | Quantifier::ForAll => each.fold(Answer::Yes, Answer::and),
            Quantifier::ForAny => each.fold(Answer::No, Answer::or),
        }
    }

    /// The request has one value, and it is not known which: only what holds for each of them is certain.
    fn for_one_of(&self, values: &[Text], comparison: Comparison, negated: bool) -> Answer {
        let mut answers = values.iter().map(|value| {
            let named = self.names(comparison, value);
            if negated { named.negated() } else { named }
        });
        match answers.next() {
            Some(first) if answers.all(|other| other == first) => first,
            _ => self.unclear("depends on the request"),
        }
    }

    fn null(&self, known: &Known) -> Answer {
        let absent = match known {
            Known::Unknown => return self.unclear("depends on the request"),
            Known::Absent => true,
            Known::Values(values) => values.is_empty(),
            Known::OneOf(_) => false,
        };
        Answer::from(self.values.iter().any(|value| value.eq_ignore_ascii_case(if absent { "true" } else { "false" })))
    }

    /// Whether a value of the request is among the condition's.
    fn names(&self, comparison: Comparison, value: &Text) -> Answer {
        let mut named = Answer::No;
        for wanted in &self.values {
            // What a variable stands for is not known, so no more is certain than that it does not fit.
            let (wanted, covered) = match widened(wanted) {
                Some(wide) => (wanted, coverage(&wide, value).min(Coverage::Some)),
                None => match compare(comparison, wanted, value) {
                    Some(covered) => (wanted, covered),
                    None => (wanted, Coverage::Some),
                },
            };
            named = named.or(match covered {
                Coverage::All => Answer::Yes,
                Coverage::None => Answer::No,
                Coverage::Some => self.unclear(&format!("may cover {wanted}")),
            });
        }
        named
    }

    fn unclear(&self, why: &str) -> Answer {
        Answer::CannotTell(format!("its condition {} on {} {why}", self.operator, self.key))
    }
}

fn comparison(plain: &str) -> Option<Comparison> {
    Some(match plain {
        "stringequals" | "stringnotequals" => Comparison::Letters,
        "stringequalsignorecase" | "stringnotequalsignorecase" | "bool" => Comparison::LettersIgnoringCase,
        "stringlike" | "stringnotlike" => Comparison::Wildcards,
        "arnequals" | "arnlike" | "arnnotequals" | "arnnotlike" => Comparison::Arn,
        _ => return None,
    })
}

/// How much of a value is covered; `None` where that is not understood.
fn compare(comparison: Comparison, wanted: &str, value: &Text) -> Option<Coverage> {
    Some(match comparison {
        Comparison::Letters => coverage_of_letters(wanted, value),
        Comparison::LettersIgnoringCase => {
            let value = match value {
                Text::Exactly(text) => Text::Exactly(text.to_lowercase()),
                Text::Beginning(text) => Text::Beginning(text.to_lowercase()),
            };
            coverage_of_letters(&wanted.to_lowercase(), &value)
        }
        Comparison::Wildcards => coverage(wanted, value),
        Comparison::Arn => return coverage_of_arn(wanted, value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(operator: &str, key: &str, values: &[&str], known: Known) -> &'static str {
        let condition = Condition {
            operator: operator.to_owned(),
            key: key.to_ascii_lowercase(),
            values: values.iter().map(|&value| value.to_owned()).collect(),
        };
        let request = Request::of("p", "111122223333", "s3:PutObject", "*".into()).with(key, known);
        match condition.holds(&request) {
            Answer::Yes => "yes",
            Answer::No => "no",
            Answer::CannotTell(_) => "?",
        }
    }

    fn values(values: &[&str]) -> Known {
        Known::Values(values.iter().map(|&value| value.into()).collect())
    }

    #[test]
    fn each_operator() {
        let arn = "arn:aws:iam::111122223333:role/team/writer";
        for (operator, wanted, value, holds_is) in [
            ("StringEquals", "a", "a", "yes"),
            ("StringEquals", "a*", "ab", "no"),
            ("StringNotEquals", "a", "b", "yes"),
            ("StringNotEquals", "a", "a", "no"),
            ("StringEqualsIgnoreCase", "A", "a", "yes"),
            ("StringNotEqualsIgnoreCase", "A", "a", "no"),
            ("StringLike", "a*", "ab", "yes"),
            ("StringNotLike", "a*", "ab", "no"),
            ("stringlikeifexists", "b*", "ab", "no"),
            ("ArnLike", "arn:aws:iam::*:role/team/*", arn, "yes"),
            ("ArnEquals", "arn:aws:iam::*:role/other/*", arn, "no"),
            ("ArnNotLike", "arn:aws:iam::*:role/team/*", arn, "no"),
            ("ArnNotEquals", "arn:aws:iam::444455556666:role/*", arn, "yes"),
            ("ArnLike", "*", arn, "?"),
            ("Bool", "True", "true", "yes"),
            ("Bool", "false", "true", "no"),
            ("StringEquals", "${aws:username}", "a", "?"),
            ("StringLike", "b/${aws:username}", "a", "no"),
            ("StringNotLike", "b/${aws:username}", "b/c", "?"),
            ("NumericEquals", "1", "1", "?"),
            ("IpAddress", "10.0.0.0/8", "10.0.0.1", "?"),
            ("SomeValue:StringEquals", "a", "a", "?"),
        ] {
            assert_eq!(holds(operator, "x:k", &[wanted], values(&[value])), holds_is, "{operator} {wanted} {value}");
        }
    }

    #[test]
    fn a_key_that_is_absent() {
        for (operator, holds_is) in [
            ("StringEquals", "no"),
            ("StringEqualsIfExists", "yes"),
            ("StringNotEquals", "yes"),
            ("StringNotEqualsIfExists", "yes"),
            ("ArnNotLike", "yes"),
            ("Bool", "no"),
            ("BoolIfExists", "yes"),
            ("ForAllValues:StringEquals", "yes"),
            ("ForAnyValue:StringEquals", "no"),
            ("ForAnyValue:StringNotEquals", "?"),
        ] {
            assert_eq!(holds(operator, "x:k", &["a"], Known::Absent), holds_is, "{operator}");
        }
        for (value, absent, present) in [("true", "yes", "no"), ("false", "no", "yes"), ("perhaps", "no", "no")] {
            assert_eq!(holds("Null", "x:k", &[value], Known::Absent), absent);
            assert_eq!(holds("Null", "x:k", &[value], values(&["a"])), present);
            assert_eq!(holds("Null", "x:k", &[value], Known::Unknown), "?");
        }
    }

    #[test]
    fn one_value_of_several_is_certain_where_each_gives_the_same() {
        let forms = || Known::OneOf(vec!["s3.cn".into(), "s3.com".into()]);
        for (operator, wanted, holds_is) in [
            ("StringEquals", &["s3.cn", "s3.com"][..], "yes"),
            ("StringLike", &["s3.*"], "yes"),
            ("StringEquals", &["s3.cn"], "?"),
            ("StringNotEquals", &["s3.cn"], "?"),
            ("StringEquals", &["sqs.com"], "no"),
            ("StringNotEquals", &["sqs.com"], "yes"),
            ("Null", &["true"], "no"),
        ] {
            assert_eq!(holds(operator, "x:k", wanted, forms()), holds_is, "{operator} {wanted:?}");
        }
    }

    #[test]
    fn keys_with_several_values() {
        for (operator, wanted, has, holds_is) in [
            ("ForAllValues:StringEquals", ["a", "b"], ["a", "b"], "yes"),
            ("ForAllValues:StringEquals", ["a", "b"], ["a", "c"], "no"),
            ("ForAnyValue:StringEquals", ["a", "b"], ["c", "b"], "yes"),
            ("ForAnyValue:StringEquals", ["a", "b"], ["c", "d"], "no"),
            ("ForAllValues:StringNotEquals", ["a", "b"], ["c", "d"], "yes"),
            ("ForAllValues:StringNotEquals", ["a", "b"], ["a", "d"], "no"),
            ("ForAnyValue:StringNotEquals", ["a", "b"], ["a", "d"], "yes"),
            ("StringEquals", ["a", "b"], ["a", "b"], "?"),
        ] {
            assert_eq!(holds(operator, "x:k", &wanted, values(&has)), holds_is, "{operator} {has:?}");
        }
    }

    #[test]
    fn a_value_known_by_its_beginning() {
        let objects = || Known::Values(vec![Text::Beginning("arn:aws:s3:::b/".into())]);
        for (operator, wanted, holds_is) in [
            ("StringLike", "arn:aws:s3:::b/*", "yes"),
            ("StringLike", "arn:aws:s3:::b/x*", "?"),
            ("StringLike", "arn:aws:s3:::b", "no"),
            ("StringEquals", "arn:aws:s3:::b/x", "?"),
            ("ArnNotLike", "arn:aws:s3:::b/*", "no"),
        ] {
            assert_eq!(holds(operator, "x:k", &[wanted], objects()), holds_is, "{operator} {wanted}");
        }
    }
}

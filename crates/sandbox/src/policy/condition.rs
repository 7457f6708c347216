//! Condition operators. The rule that trips people most is IAM's own: a negated operator matches when its key is absent,
//! with or without `IfExists` (aws-facts.md, Guardrails).

use std::borrow::Cow;
use std::net::IpAddr;

use super::Keys;
use super::pattern::{Pattern, Reading};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn holds<T: PartialOrd>(self, actual: T, wanted: T) -> bool {
        match self {
            Order::Equal => actual == wanted,
            Order::Less => actual < wanted,
            Order::LessOrEqual => actual <= wanted,
            Order::Greater => actual > wanted,
            Order::GreaterOrEqual => actual >= wanted,
        }
    }
}

/// One value that a condition wants, read as its operator reads it.
#[derive(Debug, Clone, PartialEq)]
enum Wanted {
    Text(Pattern),
    /// ARNs are compared part by part: a `*` does not reach over a colon.
    Arn(Vec<Pattern>),
    Bool(bool),
    Number(Order, f64),
    /// Milliseconds since 1970.
    Date(Order, i64),
    Network(IpAddr, u8),
}

/// Several values of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    AnyValue,
    AllValues,
}

/// One operator on one key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    /// In lower case: names of keys are matched without regard to case.
    key: Box<str>,
    test: Test,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    /// `Null`: true wants the key absent.
    Absent(bool),
    Values {
        negated: bool,
        if_exists: bool,
        set: Option<Set>,
        wanted: Vec<Wanted>,
    },
}

impl Condition {
    /// `operator` as in the policy, with its prefix and suffix.
    ///
    /// # Errors
    /// When IAM knows no such operator, or it cannot take one of the values.
    pub(crate) fn read(operator: &str, key: &str, values: &[String], variables: bool) -> Result<Condition, String> {
        let lower: Box<str> = key.to_lowercase().into();
        if operator == "Null" {
            let absent = values.iter().map(|value| truth(value)).collect::<Result<Vec<bool>, _>>()?;
            let [absent] = absent[..] else { return Err(format!("Null on {key} takes one value, true or false")) };
            return Ok(Condition { key: lower, test: Test::Absent(absent) });
        }
        let (set, bare) = match operator.split_once(':') {
            Some(("ForAnyValue", rest)) => (Some(Set::AnyValue), rest),
            Some(("ForAllValues", rest)) => (Some(Set::AllValues), rest),
            Some(_) => return Err(unknown(operator)),
            None => (None, operator),
        };
        let (bare, if_exists) = match bare.strip_suffix("IfExists") {
            Some(rest) => (rest, true),
            None => (bare, false),
        };
        let (negated, read) = reader(bare).ok_or_else(|| unknown(operator))?;
        let wanted: Result<Vec<Wanted>, String> = values.iter().map(|value| read(value, variables)).collect();
        Ok(Condition { key: lower, test: Test::Values { negated, if_exists, set, wanted: wanted? } })
    }

    pub(crate) fn holds(&self, keys: &dyn Keys) -> bool {
        let actual = keys.values(&self.key);
        let (negated, if_exists, set, wanted) = match &self.test {
            Test::Absent(absent) => return actual.is_empty() == *absent,
            Test::Values { negated, if_exists, set, wanted } => (*negated, *if_exists, *set, wanted),
        };
        if actual.is_empty() {
            return match set {
                Some(Set::AllValues) => true,
                Some(Set::AnyValue) => if_exists,
                None => negated || if_exists,
            };
        }
        let fits = |value: &Cow<'_, str>| wanted.iter().any(|wanted| wanted.fits(value, keys));
        match set {
            Some(Set::AnyValue) => actual.iter().any(|value| fits(value) != negated),
            Some(Set::AllValues) => actual.iter().all(|value| fits(value) != negated),
            None => actual.iter().any(fits) != negated,
        }
    }
}

fn unknown(operator: &str) -> String {
    format!("\"{operator}\" is not a condition operator of IAM")
}

type Reader = Box<dyn Fn(&str, bool) -> Result<Wanted, String>>;

/// Whether the operator is a negated one, and how its values are read.
fn reader(operator: &str) -> Option<(bool, Reader)> {
    let text = |wildcards, ignore_case| -> Reader {
        Box::new(move |value, variables| {
            Pattern::read(value, Reading { wildcards, variables, ignore_case }).map(Wanted::Text)
        })
    };
    let number = |order| -> Reader {
        Box::new(move |value, _| {
            let number = value.parse().map_err(|_| format!("\"{value}\" is not a number"))?;
            Ok(Wanted::Number(order, number))
        })
    };
    let date = |order| -> Reader {
        Box::new(move |value, _| {
            let ms = instant(value)
                .ok_or_else(|| format!("\"{value}\" is not a date: write one like 2026-01-31T00:00:00Z"))?;
            Ok(Wanted::Date(order, ms))
        })
    };
    use Order as O;
    Some(match operator {
        "StringEquals" | "BinaryEquals" => (false, text(false, false)),
        "StringNotEquals" => (true, text(false, false)),
        "StringEqualsIgnoreCase" => (false, text(false, true)),
        "StringNotEqualsIgnoreCase" => (true, text(false, true)),
        "StringLike" => (false, text(true, false)),
        "StringNotLike" => (true, text(true, false)),
        "ArnEquals" | "ArnLike" => (false, Box::new(read_arn)),
        "ArnNotEquals" | "ArnNotLike" => (true, Box::new(read_arn)),
        "Bool" => (false, Box::new(|value, _| truth(value).map(Wanted::Bool))),
        "NumericEquals" => (false, number(O::Equal)),
        "NumericNotEquals" => (true, number(O::Equal)),
        "NumericLessThan" => (false, number(O::Less)),
        "NumericLessThanEquals" => (false, number(O::LessOrEqual)),
        "NumericGreaterThan" => (false, number(O::Greater)),
        "NumericGreaterThanEquals" => (false, number(O::GreaterOrEqual)),
        "DateEquals" => (false, date(O::Equal)),
        "DateNotEquals" => (true, date(O::Equal)),
        "DateLessThan" => (false, date(O::Less)),
        "DateLessThanEquals" => (false, date(O::LessOrEqual)),
        "DateGreaterThan" => (false, date(O::Greater)),
        "DateGreaterThanEquals" => (false, date(O::GreaterOrEqual)),
        "IpAddress" => (false, Box::new(read_network)),
        "NotIpAddress" => (true, Box::new(read_network)),
        _ => return None,
    })
}

fn truth(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("\"{value}\" is neither true nor false")),
    }
}

fn read_arn(value: &str, variables: bool) -> Result<Wanted, String> {
    let reading = Reading { wildcards: true, variables, ignore_case: false };
    if value == "*" {
        return Ok(Wanted::Text(Pattern::read(value, reading)?));
    }
    // A variable holds a colon of its own, which parts nothing.
    let hidden = value.replace("${aws:", "${aws\u{0}");
    let parts: Vec<String> = hidden.splitn(6, ':').map(|part| part.replace('\u{0}', ":")).collect();
    if parts.len() < 6 || parts[0] != "arn" {
        return Err(format!("\"{value}\" is not an ARN"));
    }
    parts.iter().map(|part| Pattern::read(part, reading)).collect::<Result<_, _>>().map(Wanted::Arn)
}

fn read_network(value: &str, _variables: bool) -> Result<Wanted, String> {
    let wrong = || format!("\"{value}\" is not an IP address or CIDR block");
    let (address, bits) = match value.split_once('/') {
        None => (value, None),
        Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| wrong())?)),
    };
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    match bits.unwrap_or(most) {
        bits if bits <= most => Ok(Wanted::Network(address, bits)),
        _ => Err(wrong()),
    }
}

fn instant(value: &str) -> Option<i64> {
    if let Ok(seconds) = value.parse::<i64>() {
        return seconds.checked_mul(1000);
    }
    if let Ok(date) = value.parse::<jiff::civil::Date>()
        && value.len() == 10
    {
        return jiff::tz::Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok().map(jiff::Timestamp::as_millisecond);
    }
    value.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

fn bits_of(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(four) => (u128::from(u32::from(four)), 32),
        IpAddr::V6(six) => (u128::from(six), 128),
    }
}

impl Wanted {
    fn fits(&self, value: &str, keys: &dyn Keys) -> bool {
        match self {
            Wanted::Text(pattern) => pattern.matches(value, keys),
            Wanted::Arn(parts) => {
                let actual: Vec<&str> = value.splitn(6, ':').collect();
                actual.len() == parts.len() && parts.iter().zip(actual).all(|(part, text)| part.matches(text, keys))
            }
            Wanted::Bool(wanted) => truth(value) == Ok(*wanted),
            Wanted::Number(order, wanted) => value.parse::<f64>().is_ok_and(|actual| order.holds(actual, *wanted)),
            Wanted::Date(order, wanted) => instant(value).is_some_and(|actual| order.holds(actual, *wanted)),
            Wanted::Network(network, bits) => value.parse().is_ok_and(|address: IpAddr| {
                let ((actual, width), (network, of)) = (bits_of(address), bits_of(*network));
                let shift = u32::from(of - bits);
                width == of && actual.checked_shr(shift) == network.checked_shr(shift)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `key=value` pairs; a key may stand more than once.
    struct Given(&'static [(&'static str, &'static str)]);

    impl Keys for Given {
        fn values(&self, key: &str) -> Vec<Cow<'_, str>> {
            self.0.iter().filter(|(name, _)| *name == key).map(|(_, value)| Cow::Borrowed(*value)).collect()
        }
    }

    fn holds(operator: &str, values: &[&str], given: &'static [(&'static str, &'static str)]) -> bool {
        let values: Vec<String> = values.iter().map(|v| (*v).to_string()).collect();
        Condition::read(operator, "K", &values, true).unwrap().holds(&Given(given))
    }

    #[test]
    fn one_value() {
        for (operator, wanted, actual, expected) in [
            ("StringEquals", "a", "a", true),
            ("StringEquals", "a", "A", false),
            ("StringEquals", "a*", "ab", false),
            ("StringNotEquals", "a", "b", true),
            ("StringNotEquals", "a", "a", false),
            ("StringEqualsIgnoreCase", "a", "A", true),
            ("StringNotEqualsIgnoreCase", "a", "A", false),
            ("StringLike", "s3.*.amazonaws.com", "s3.eu-west-1.amazonaws.com", true),
            ("StringNotLike", "s3.*", "s3.x", false),
            (
                "ArnLike",
                "arn:aws:ssm:*:1:automation-execution/*",
                "arn:aws:ssm:eu-west-1:1:automation-execution/x",
                true,
            ),
            ("ArnLike", "arn:aws:*:1:x:y", "arn:aws:ssm:eu-west-1:1:x:y", false),
            ("ArnEquals", "arn:aws:iam::1:role/*", "arn:aws:iam::1:role/a", true),
            ("ArnNotLike", "arn:aws:iam::1:role/*", "arn:aws:iam::2:role/a", true),
            ("Bool", "true", "true", true),
            ("Bool", "false", "true", false),
            ("NumericLessThan", "10", "9", true),
            ("NumericLessThan", "10", "10", false),
            ("NumericGreaterThanEquals", "10", "10.5", true),
            ("NumericNotEquals", "10", "11", true),
            ("DateLessThan", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", true),
            ("DateGreaterThan", "2026-01-01", "1767225601", true),
            ("IpAddress", "10.0.0.0/8", "10.1.2.3", true),
            ("IpAddress", "10.0.0.0/8", "11.1.2.3", false),
            ("IpAddress", "0.0.0.0/0", "11.1.2.3", true),
            ("NotIpAddress", "10.0.0.0/8", "::1", true),
            ("IpAddress", "2001:db8::/32", "2001:db8::7", true),
        ] {
            let given: &'static [_] = Box::leak(Box::new([("k", actual)]));
            assert_eq!(holds(operator, &[wanted], given), expected, "{operator} {wanted} {actual}");
        }
    }

    #[test]
    fn an_absent_key_fits_negated_operators_with_or_without_if_exists() {
        for (operator, wanted, expected) in [
            ("StringEquals", "a", false),
            ("StringEqualsIfExists", "a", true),
            ("StringNotEquals", "a", true),
            ("StringNotEqualsIfExists", "a", true),
            ("ArnNotLike", "arn:aws:iam::1:x/*", true),
            ("NotIpAddress", "10.0.0.0/8", true),
            ("NumericNotEquals", "1", true),
            ("NumericLessThan", "1", false),
            ("Bool", "false", false),
            ("BoolIfExists", "false", true),
            ("Null", "true", true),
            ("Null", "false", false),
            ("ForAllValues:StringEquals", "a", true),
            ("ForAnyValue:StringEquals", "a", false),
            ("ForAnyValue:StringNotEquals", "a", false),
            ("ForAllValues:StringNotEquals", "a", true),
        ] {
            assert_eq!(holds(operator, &[wanted], &[]), expected, "{operator} {wanted}");
        }
        assert!(!holds("Null", &["true"], &[("k", "x")]) && holds("Null", &["false"], &[("k", "x")]));
    }

    #[test]
    fn several_values() {
        let two: &'static [_] = &[("k", "a"), ("k", "b")];
        for (operator, wanted, expected) in [
            ("ForAllValues:StringEquals", &["a", "b", "c"][..], true),
            ("ForAllValues:StringEquals", &["a"], false),
            ("ForAnyValue:StringEquals", &["b"], true),
            ("ForAnyValue:StringEquals", &["c"], false),
            ("ForAnyValue:StringNotEquals", &["a"], true),
            ("ForAnyValue:StringNotEquals", &["a", "b"], false),
            ("ForAllValues:StringNotEquals", &["c"], true),
            ("ForAllValues:StringNotEquals", &["a"], false),
        ] {
            assert_eq!(holds(operator, wanted, two), expected, "{operator} {wanted:?}");
        }
        assert!(holds("StringEquals", &["x", "a"], &[("k", "a")]), "one of the values is enough");
        assert!(!holds("StringNotEquals", &["x", "a"], &[("k", "a")]), "none of the values may fit");
    }

    #[test]
    fn what_iam_does_not_know_is_refused() {
        for (operator, value) in [
            ("StringMatches", "a"),
            ("ForSomeValues:StringEquals", "a"),
            ("Bool", "maybe"),
            ("NumericEquals", "ten"),
            ("IpAddress", "10.0.0.0/40"),
            ("ArnLike", "role/x"),
            ("DateEquals", "yesterday"),
            ("Null", "perhaps"),
            ("NullIfExists", "true"),
        ] {
            assert!(Condition::read(operator, "k", &[value.to_string()], true).is_err(), "{operator} {value}");
        }
    }
}

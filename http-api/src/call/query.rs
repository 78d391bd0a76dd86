//! Query parameters: named in the route table, decoded, checked, none unknown, none twice.

use std::collections::BTreeMap;

use crate::encode::percent_decode;
use crate::problem::{Code, Problem};

/// What a parameter may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text of at most so many bytes.
    Text(usize),
    /// A decimal number in a range, both ends included.
    Number(u64, u64),
}

/// One query parameter of a route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Param {
    /// Name.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// What it means, as a sentence.
    pub about: &'static str,
}

/// The parameters of one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    values: BTreeMap<&'static str, String>,
}

impl Query {
    /// Reads the part after `?`; all faults are reported at once.
    pub(crate) fn parse(text: &str, params: &'static [Param]) -> Result<Self, Problem> {
        let mut query = Self::default();
        let mut unknown = Problem::new(
            Code::UnknownParameter,
            "A query parameter is not known here.",
        );
        let mut invalid = Problem::new(Code::InvalidParameter, "A query parameter is wrong.");
        for pair in text.split('&').filter(|p| !p.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) =
                (percent_decode(name, true), percent_decode(value, true))
            else {
                let detail = "The query has a broken percent-escape.";
                return Err(Problem::new(Code::BadTarget, detail));
            };
            match params.iter().find(|p| p.name == name) {
                None => unknown = unknown.with_error(shorten(&name), "is not known here"),
                Some(param) => {
                    if let Some(fault) = check(&value, param.kind) {
                        invalid = invalid.with_error(param.name, fault);
                    } else if query.values.insert(param.name, value).is_some() {
                        invalid = invalid.with_error(param.name, "is there twice");
                    }
                }
            }
        }
        for param in params.iter().filter(|p| p.required) {
            let reported = invalid.errors.iter().any(|e| e.pointer == param.name);
            if !query.values.contains_key(param.name) && !reported {
                invalid = invalid.with_error(param.name, "is required");
            }
        }
        match (unknown.errors.is_empty(), invalid.errors.is_empty()) {
            (false, _) => Err(unknown),
            (_, false) => Err(invalid),
            _ => Ok(query),
        }
    }

    /// A parameter as text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// A parameter of kind number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.text(name).and_then(|t| t.parse().ok())
    }
}

fn check(value: &str, kind: Kind) -> Option<String> {
    match kind {
        Kind::Text(max) if value.len() > max => Some(format!("is longer than {max} bytes")),
        Kind::Text(_) if value.chars().any(char::is_control) => {
            Some("has a control character".to_owned())
        }
        Kind::Text(_) => None,
        Kind::Number(min, max) => {
            let number = value
                .parse::<u64>()
                .ok()
                .filter(|_| !value.starts_with('+'));
            let fine = number.is_some_and(|n| (min..=max).contains(&n));
            (!fine).then(|| format!("must be a number from {min} to {max}"))
        }
    }
}

fn shorten(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMS: &[Param] = &[
        Param {
            name: "q",
            kind: Kind::Text(4),
            required: true,
            about: "",
        },
        Param {
            name: "limit",
            kind: Kind::Number(1, 500),
            required: false,
            about: "",
        },
    ];

    fn code(text: &str) -> Code {
        Query::parse(text, PARAMS).unwrap_err().code
    }

    #[test]
    fn reads_what_the_route_names() {
        let query = Query::parse("q=a%20b&limit=7&", PARAMS).unwrap();
        assert_eq!(query.text("q"), Some("a b"));
        assert_eq!(query.number("limit"), Some(7));
    }

    #[test]
    fn every_fault_has_its_code() {
        assert_eq!(code("limit=1"), Code::InvalidParameter);
        assert_eq!(code("q=abcde"), Code::InvalidParameter);
        assert_eq!(code("q=a&q=b"), Code::InvalidParameter);
        assert_eq!(code("q=a%00"), Code::InvalidParameter);
        assert_eq!(code("q=a&limit=0"), Code::InvalidParameter);
        assert_eq!(code("q=a&limit=%2B1"), Code::InvalidParameter);
        assert_eq!(code("q=a&limits=1"), Code::UnknownParameter);
        assert_eq!(code("q=%"), Code::BadTarget);
    }
}

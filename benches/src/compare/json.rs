//! JSON, written: enough for samples and reports.

#![forbid(unsafe_code)]

use std::fmt::{self, Display, Formatter, Write};

/// A value of JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number; one that is not finite is written as `null`, for JSON has none.
    Number(f64),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// Names and values, in the order in which they are written.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// An object of these fields.
    pub fn object<K: Into<String>>(fields: impl IntoIterator<Item = (K, Json)>) -> Self {
        Self::Object(fields.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }

    /// A list of numbers.
    pub fn numbers(numbers: &[f64]) -> Self {
        Self::List(numbers.iter().map(|&number| Self::Number(number)).collect())
    }
}

impl From<f64> for Json {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<Option<f64>> for Json {
    fn from(number: Option<f64>) -> Self {
        number.map_or(Self::Null, Self::Number)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl Display for Json {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) if number.is_finite() => write!(f, "{number}"),
            Self::Null | Self::Number(_) => f.write_str("null"),
            Self::Bool(yes) => write!(f, "{yes}"),
            Self::Text(text) => quoted(f, text),
            Self::List(list) => separated(f, ['[', ']'], list, |f, value| write!(f, "{value}")),
            Self::Object(fields) => separated(f, ['{', '}'], fields, |f, (name, value)| {
                quoted(f, name)?;
                write!(f, ":{value}")
            }),
        }
    }
}

fn separated<T>(
    f: &mut Formatter<'_>,
    [open, close]: [char; 2],
    items: &[T],
    each: impl Fn(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_char(open)?;
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_char(',')?;
        }
        each(f, item)?;
    }
    f.write_char(close)
}

fn quoted(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            c if c < ' ' => write!(f, "\\u{:04x}", c as u32)?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        let text = "a \"b\" \\ c\nd\u{1}é";
        assert_eq!(Json::from(text).to_string(), r#""a \"b\" \\ c\nd\u0001é""#);
    }

    #[test]
    fn numbers_are_those_of_json() {
        let numbers = [1.0, -0.5, 1e9, 1e-7, f64::NAN, f64::INFINITY];
        let text = Json::numbers(&numbers).to_string();
        assert_eq!(text, "[1,-0.5,1000000000,0.0000001,null,null]");
    }

    #[test]
    fn objects_keep_their_order() {
        let object = Json::object([
            ("z", Json::Bool(true)),
            ("a\"", Json::List(vec![Json::Null, Json::object::<&str>([])])),
        ]);
        assert_eq!(object.to_string(), r#"{"z":true,"a\"":[null,{}]}"#);
    }
}

//! Requests typed by hand: words on a line, with quotes and escapes.
//!
//! `socket ─▶ [parser] ─▶ route ─▶ batch ─▶ store ─▶ reply ─▶ socket`
//!
//! Words are separated by white space. `"..."` knows `\n \r \t \b \a \xHH` and takes any other
//! escaped byte as it is; `'...'` knows only `\'`. A closing quote must end its word.
#![forbid(unsafe_code)]

use super::Span;

/// A quote was left open, or something touched a closing one.
#[derive(Debug)]
pub struct Unbalanced;

/// Splits `line` into words: their bytes go to `bytes`, their places to `spans`.
pub fn split(line: &[u8], bytes: &mut Vec<u8>, spans: &mut Vec<Span>) -> Result<(), Unbalanced> {
    let mut rest = skip_space(line);
    while !rest.is_empty() {
        let start = bytes.len();
        rest = skip_space(word(rest, bytes)?);
        spans.push(Span::new(start, bytes.len()));
    }
    Ok(())
}

/// Reads one word into `bytes` and gives what follows it.
fn word<'a>(mut rest: &'a [u8], bytes: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    while let [byte, after @ ..] = rest {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => return Ok(rest),
            b'"' => return double_quoted(after, bytes),
            b'\'' => return single_quoted(after, bytes),
            _ => bytes.push(*byte),
        }
        rest = after;
    }
    Ok(rest)
}

fn double_quoted<'a>(mut rest: &'a [u8], bytes: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    loop {
        rest = match rest {
            [b'\\', b'x', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                bytes.push(hex(*high) << 4 | hex(*low));
                after
            }
            [b'\\', escaped, after @ ..] => {
                bytes.push(unescape(*escaped));
                after
            }
            [b'"', after @ ..] => return closed(after),
            [byte, after @ ..] => {
                bytes.push(*byte);
                after
            }
            [] => return Err(Unbalanced),
        }
    }
}

fn single_quoted<'a>(mut rest: &'a [u8], bytes: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    loop {
        rest = match rest {
            [b'\\', b'\'', after @ ..] => {
                bytes.push(b'\'');
                after
            }
            [b'\'', after @ ..] => return closed(after),
            [byte, after @ ..] => {
                bytes.push(*byte);
                after
            }
            [] => return Err(Unbalanced),
        }
    }
}

/// A closing quote must be followed by white space or the end.
fn closed(after: &[u8]) -> Result<&[u8], Unbalanced> {
    match after.first() {
        Some(byte) if !is_space(*byte) => Err(Unbalanced),
        _ => Ok(after),
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        other => other,
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn skip_space(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|byte| !is_space(*byte)).unwrap_or(line.len());
    &line[start..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::Args;

    fn words(line: &str) -> Option<Vec<String>> {
        let (mut bytes, mut spans) = (Vec::new(), Vec::new());
        split(line.as_bytes(), &mut bytes, &mut spans).ok()?;
        let args = Args::new(&bytes, &spans);
        Some(args.from(0).map(|word| String::from_utf8_lossy(word).into_owned()).collect())
    }

    #[test]
    fn words_quotes_and_escapes() {
        assert_eq!(words("  set  a\tb \r").unwrap(), ["set", "a", "b"]);
        assert_eq!(words("").unwrap(), [""; 0]);
        assert_eq!(words(r#"set "a b" 'c d' """#).unwrap(), ["set", "a b", "c d", ""]);
        assert_eq!(words(r#""\x41\n\t\"\q\xzz" 'it\'s \n'"#).unwrap(), ["A\n\t\"qxzz", r"it's \n"]);
        assert_eq!(words(r#"a"b c""#).unwrap(), ["ab c"]);
    }

    #[test]
    fn an_open_quote_or_a_word_after_a_closing_one_is_unbalanced() {
        for line in [r#"set "a"#, "set 'a", r#""a"b"#, "'a'b", r#""a\"#] {
            assert_eq!(words(line), None, "{line}");
        }
    }
}

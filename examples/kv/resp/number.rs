//! Integers as Redis reads and writes them.
//!
//! `socket ─▶ [parser] ─▶ route ─▶ batch ─▶ store ─▶ [reply] ─▶ socket`
//!
//! Redis takes only the one canonical spelling of a number: no plus sign, no leading zero, no
//! space, no `-0`. A value that parses here therefore prints as the same bytes, which is what
//! lets a set of integers forget the text it was given.
#![forbid(unsafe_code)]

/// Longest decimal spelling of an `i64`: a sign and nineteen digits.
const DIGITS_MAX: usize = 20;

/// The integer that `text` spells canonically, or `None`.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    if text == b"0" {
        return Some(0);
    }
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if !matches!(digits.first(), Some(b'1'..=b'9')) || digits.len() >= DIGITS_MAX {
        return None;
    }
    // Nineteen digits fit a u64, so only the last step, into i64, can fail.
    let magnitude = digits.iter().try_fold(0_u64, |sum, digit| match digit {
        b'0'..=b'9' => Some(sum * 10 + u64::from(digit - b'0')),
        _ => None,
    })?;
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Appends `number` in decimal to `out`.
pub fn write_i64(out: &mut Vec<u8>, number: i64) {
    if number < 0 {
        out.push(b'-');
    }
    write_u64(out, number.unsigned_abs());
}

/// Appends `number` in decimal to `out`.
pub fn write_u64(out: &mut Vec<u8>, mut number: u64) {
    if number < 10 {
        out.push(b'0' + number as u8);
        return;
    }
    let mut digits = [0_u8; DIGITS_MAX];
    let mut start = DIGITS_MAX;
    while number > 0 {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_is_a_number() {
        for number in [0, 1, -1, 42, i64::MAX, i64::MIN, 1_000_000_000_000_000_000] {
            assert_eq!(parse_i64(number.to_string().as_bytes()), Some(number));
        }
        for text in ["", "-", "-0", "01", "+1", " 1", "1 ", "1a", "0x1", "00", "1.0"] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
        }
        for text in ["9223372036854775808", "-9223372036854775809", "99999999999999999999"] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn writing_gives_what_the_standard_library_gives() {
        for number in [0, 7, 9, 10, 99, 100, -1, -10, 12345, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            write_i64(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }
}

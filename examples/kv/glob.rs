//! Glob patterns, as `KEYS` and `SCAN ... MATCH` take them.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
//!
//! `*` any bytes, `?` any byte, `[a-c]` one of these, `[^a-c]` none of these, `\x` x itself. What
//! Redis makes of broken patterns is kept: an open class closes at the end of the pattern.
//!
//! When a byte does not match, only the last star can still help by taking one byte more: what
//! an earlier star could take, the later one can as well. So one place to return to is enough,
//! and the time is bounded by pattern times text; no pattern is exponential.
#![forbid(unsafe_code)]

/// True if the whole of `text` matches `pattern`.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = pattern {
            pattern = rest;
            star = Some((rest, text));
            if rest.is_empty() {
                return true;
            }
            continue;
        }
        let step = text.split_first().and_then(|(byte, after)| Some((one(pattern, *byte)?, after)));
        if let Some((next, after)) = step {
            (pattern, text) = (next, after);
        } else if text.is_empty() && pattern.is_empty() {
            return true;
        } else {
            let Some((after_star, [_, kept @ ..])) = star else { return false };
            (pattern, text) = (after_star, kept);
            star = Some((after_star, kept));
        }
    }
}

/// Matches one byte with the front of `pattern`, which is no star, and gives what is left of it.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', rest @ ..] => Some(rest),
        [b'[', b'^', class @ ..] => one_of(class, byte, true),
        [b'[', class @ ..] => one_of(class, byte, false),
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => (*literal == byte).then_some(rest),
        [] => None,
    }
}

fn one_of(mut class: &[u8], byte: u8, negated: bool) -> Option<&[u8]> {
    let mut found = false;
    let rest = loop {
        class = match class {
            [b'\\', literal, rest @ ..] => {
                found |= *literal == byte;
                rest
            }
            [b']', rest @ ..] => break rest,
            [low, b'-', high, rest @ ..] => {
                found |= (*low.min(high)..=*low.max(high)).contains(&byte);
                rest
            }
            [literal, rest @ ..] => {
                found |= *literal == byte;
                rest
            }
            [] => break class,
        };
    };
    (found != negated).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_what_they_match() {
        let cases = [
            ("*", "", true),
            ("*", "anything", true),
            ("", "", true),
            ("", "a", false),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h*llo", "heeeello", true),
            ("h*llo", "hllox", false),
            ("*a*b*c*", "xxaxxbxxcxx", true),
            ("*a*b*c*", "xxaxxcxxbxx", false),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("h[a-c]llo", "hdllo", false),
            ("[abc", "a", true),
            ("[abc", "d", false),
            ("[]", "a", false),
            (r"[\]a]", "]", true),
            (r"\*", "*", true),
            (r"\*", "a", false),
            (r"a\", r"a\", true),
            ("key:*", "key:", true),
            ("**", "", true),
            ("a*", "b", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn no_pattern_takes_exponential_time() {
        let pattern = "*a".repeat(50) + "b";
        assert!(!matches(pattern.as_bytes(), &[b'a'; 10_000]));
    }
}

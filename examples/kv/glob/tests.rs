//! Patterns against a list of cases, against Redis' own way of matching, and what they cost.
use super::*;

fn matches(pattern: impl AsRef<[u8]>, text: impl AsRef<[u8]>) -> bool {
    let pattern = Pattern::new(pattern.as_ref()).unwrap();
    pattern.matches(text.as_ref())
}

#[test]
fn patterns_and_what_they_match() {
    let cases = [
        ("*", "anything", true),
        ("", "", true),
        ("", "a", false),
        ("h?llo", "hello", true),
        ("h?llo", "hllo", false),
        ("h*llo", "heeeello", true),
        ("h*llo", "hllox", false),
        ("*a*b*c*", "xxaxxbxxcxx", true),
        ("*a*b*c*", "xxaxxcxxbxx", false),
        ("*ab*b", "ab", false),
        ("ab*ba", "aba", false),
        ("h[ae]llo", "hallo", true),
        ("h[ae]llo", "hillo", false),
        ("h[^e]llo", "hallo", true),
        ("h[^e]llo", "hello", false),
        ("h[a-c]llo", "hbllo", true),
        ("h[c-a]llo", "hbllo", true),
        ("h[a-c]llo", "hdllo", false),
        ("[abc", "a", true),
        ("[abc", "d", false),
        ("[a-", "-", true),
        ("[a-]", "b", false),
        ("[a-]", "_", true),
        ("[]", "a", false),
        ("[^]", "a", true),
        ("[^", "a", true),
        (r"[\]a]", "]", true),
        (r"[\", r"\", true),
        (r"\*", "*", true),
        (r"\*", "a", false),
        (r"a\", r"a\", true),
        ("key:*", "key:", true),
        ("a*", "b", false),
    ];
    for (pattern, text, expected) in cases {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}

#[test]
fn only_the_empty_pattern_matches_the_empty_text() {
    for pattern in ["*", "**", "*?", "?", "[a", "[^a"] {
        assert!(!matches(pattern, ""), "{pattern}");
    }
}

#[test]
fn a_range_compares_bytes_that_have_a_sign() {
    // From -1 to 97: what has a sign lies below what has none.
    assert!(matches(b"[a-\xff]", b"\xff") && matches(b"[a-\xff]", b"A"));
    assert!(!matches(b"[a-\xff]", b"b") && !matches(b"[a-\xff]", b"\xfe"));
    assert!(matches(b"[\x80-\x90]", b"\x88"));
    assert!((0..=u8::MAX).all(|byte| matches(b"[\x80-\x7f]", [byte])));
}

/// Matches as Redis does, by trying every place for every star.
fn oracle(pattern: &[u8], text: &[u8]) -> bool {
    let [byte, after @ ..] = text else { return pattern.is_empty() };
    match pattern {
        [] => false,
        [b'*', rest @ ..] => {
            rest.iter().all(|byte| *byte == b'*')
                || (0..text.len()).any(|start| oracle(rest, &text[start..]))
        }
        [b'?', rest @ ..] => oracle_rest(rest, after),
        [b'[', b'^', class @ ..] => {
            let (found, rest) = oracle_class(class, *byte, false);
            !found && oracle_rest(rest, after)
        }
        [b'[', class @ ..] => {
            let (found, rest) = oracle_class(class, *byte, false);
            found && oracle_rest(rest, after)
        }
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => {
            literal == byte && oracle_rest(rest, after)
        }
    }
}

/// At the end of a text that had bytes, the stars that are left match nothing.
fn oracle_rest(pattern: &[u8], text: &[u8]) -> bool {
    let only_stars = pattern.iter().all(|byte| *byte == b'*');
    if text.is_empty() { only_stars } else { oracle(pattern, text) }
}

fn oracle_class(class: &[u8], byte: u8, found: bool) -> (bool, &[u8]) {
    match class {
        [] => (found, class),
        [b'\\', literal, rest @ ..] => oracle_class(rest, byte, found || *literal == byte),
        [b']', rest @ ..] => (found, rest),
        [one, b'-', other, rest @ ..] => {
            let [one, other, this] = [*one, *other, byte].map(|byte| byte as i8);
            let within = one.min(other) <= this && this <= one.max(other);
            oracle_class(rest, byte, found || within)
        }
        [literal, rest @ ..] => oracle_class(rest, byte, found || *literal == byte),
    }
}

/// Random words over few letters: they nearly match often.
struct Words(u64);

impl Words {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % end
    }

    fn word(&mut self, letters: &[u8], len_end: usize) -> Vec<u8> {
        (0..self.below(len_end)).map(|_| letters[self.below(letters.len())]).collect()
    }
}

#[test]
fn random_patterns_match_what_they_match_in_redis() {
    let mut matched = 0;
    for seed in 1..60_000 {
        let mut words = Words(seed);
        let pattern = words.word(b"aabb**?[]^-\\\x80", 12);
        let text = words.word(b"aaabb]-\\\xff", 9);
        let expected = oracle(&pattern, &text);
        matched += usize::from(expected);
        let shown = (pattern.escape_ascii(), text.escape_ascii());
        assert_eq!(matches(&pattern, &text), expected, "seed {seed}: {shown:?}");
    }
    assert!(matched > 1000, "{matched}");
}

#[test]
fn runs_of_any_length_are_found_where_they_are() {
    for seed in 1..400 {
        let mut words = Words(seed);
        let len_end = if seed % 2 == 0 { WILD_RUN_MAX } else { 300 };
        let run = [&b"a"[..], &words.word(b"aab", len_end)].concat();
        let mut text = words.word(b"aab", 100);
        let end = words.word(b"aab", 100);
        text.extend([&run[..], &end].concat());
        let mut pattern = [b"*", &run[..], b"*"].concat();
        if seed % 2 == 0 {
            pattern[1 + words.below(run.len())] = b'?';
        }
        assert!(matches(&pattern, &text), "seed {seed}");
        let twice = [&pattern[..], &pattern, b"c*"].concat();
        assert!(!matches(&twice, &text), "seed {seed}");
        text.extend([&run[..], b"c"].concat());
        assert!(matches(&twice, &text), "seed {seed}");
    }
}

#[test]
fn many_runs_share_words_and_are_still_told_apart() {
    let pattern = "*?a*[bc]?*?[^d]e".repeat(40) + "*";
    let text = "xabxyzexxaccxye".repeat(40);
    assert!(matches(&pattern, &text));
    assert!(!matches(&pattern, text.replacen('e', "d", 80)));
}

/// The text is so long that a time of another order would be noticed.
#[test]
fn no_pattern_takes_longer_than_linear_time() {
    let text = vec![b'a'; 4 << 20];
    let stubborn = [
        format!("*{}b*", "a".repeat(60_000)),
        format!("*{}?{}b*", "a".repeat(30), "a".repeat(30)),
        "*a".repeat(1000) + "b",
        "*a?a".repeat(1000) + "b",
        format!("*{}b", "a".repeat(60_000)),
        format!("*[{}]b*", "a-z".repeat(20_000)),
    ];
    for pattern in stubborn {
        assert!(!matches(&pattern, &text), "{pattern:.20}");
    }
}

#[test]
fn a_pattern_that_would_cost_too_much_is_refused() {
    let refused = |pattern: &str| Pattern::new(pattern.as_bytes()).err() == Some(TooLong);
    assert!(!refused(&"a".repeat(PATTERN_BYTES_MAX)));
    assert!(refused(&"a".repeat(PATTERN_BYTES_MAX + 1)));
    assert!(!refused(&"*a".repeat(STARS_MAX)));
    assert!(refused(&"*a".repeat(STARS_MAX + 1)));
    assert!(!refused(&"*".repeat(PATTERN_BYTES_MAX)));
    let wild = |len: usize| format!("*{}[xy]*", "?".repeat(len - 1));
    assert!(!refused(&wild(WILD_RUN_MAX)) && refused(&wild(WILD_RUN_MAX + 1)));
    assert!(!refused(&wild(WILD_RUN_MAX).repeat(WORDS_MAX)));
    assert!(refused(&wild(WILD_RUN_MAX).repeat(WORDS_MAX + 1)));
    // Where it is not looked for, it may be as long as it likes.
    assert!(!refused(&format!("{0}*a?b*{0}", "?[xy]".repeat(1000))));
    assert!(!refused(&format!("*{}*", "?".repeat(1000))));
}

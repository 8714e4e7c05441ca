//! Glob patterns, as `KEYS` and `SCAN ... MATCH` take them.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
//!
//! `*` any bytes, `?` any byte, `[a-c]` one of these, `[^a-c]` none of these, `\x` x itself. What
//! Redis makes of unusual patterns is kept: an open class closes at the end of the pattern, a
//! range may be the wrong way round and compares signed bytes, and nothing but the empty pattern
//! matches the empty text.
//!
//! Client and key are strangers, so what a match costs is bounded by both. A pattern is read once
//! and cut at its stars. What stands before the first star and behind the last one is compared
//! where it must be: at the ends of the text. Each run of elements between two stars is then
//! looked for behind the one before it, and the earliest place is the right one, because a star
//! behind it can take what a later place would have left.
//!
//! The search is *shift-and*: a row of bits has bit `n` set if the last bytes of the text match
//! the first `n` elements of the run. One byte more shifts the row and keeps the bits of those
//! elements that take this byte. So a byte costs one step for each 64 elements, whatever they are.
//! With [`MIDDLE_MAX`] of them a match takes time linear in the text; a longer pattern is refused.
#![forbid(unsafe_code)]

/// Bytes of a pattern at most: what is kept of one is several times as large.
pub const PATTERN_BYTES_MAX: usize = 64 << 10;
/// Elements between the first and the last star at most; a whole class is one.
pub const MIDDLE_MAX: usize = 1024;

/// Bits in a word of the search.
const WORD_BITS: usize = u64::BITS as usize;
/// Words that hold a bit for each element between the stars.
const WORDS_MAX: usize = MIDDLE_MAX / WORD_BITS;

/// The pattern exceeds [`PATTERN_BYTES_MAX`] or [`MIDDLE_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// A pattern that was read.
#[derive(Debug)]
pub struct Pattern {
    /// Everything but the stars.
    elements: Vec<Element>,
    classes: Vec<Class>,
    /// How many elements stand before the first star.
    front: usize,
    /// Where the elements behind the last star begin; `None` without a star.
    back: Option<usize>,
    middle: Middle,
}

/// What matches one byte.
#[derive(Clone, Copy, Debug)]
enum Element {
    Any,
    Byte(u8),
    /// One of the class at this index.
    OneOf(u16),
}

impl Pattern {
    /// Reads `pattern`.
    ///
    /// # Errors
    ///
    /// It is too long.
    pub fn new(mut pattern: &[u8]) -> Result<Self, TooLong> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(TooLong);
        }
        let (mut elements, mut classes, mut stars) = (Vec::new(), Vec::new(), Vec::new());
        while let [first, rest @ ..] = pattern {
            pattern = rest;
            match (first, rest) {
                (b'*', _) => stars.push(elements.len()),
                (b'?', _) => elements.push(Element::Any),
                (b'[', _) => {
                    let (class, rest) = Class::read(rest);
                    pattern = rest;
                    elements.push(Element::OneOf(classes.len() as u16));
                    classes.push(class);
                }
                (b'\\', [literal, rest @ ..]) => {
                    pattern = rest;
                    elements.push(Element::Byte(*literal));
                }
                (literal, _) => elements.push(Element::Byte(*literal)),
            }
        }
        let front = stars.first().copied().unwrap_or(elements.len());
        let middle = Middle::new(&elements, &classes, &stars)?;
        Ok(Self { elements, classes, front, back: stars.last().copied(), middle })
    }

    /// True if the whole of `text` matches.
    pub fn matches(&self, text: &[u8]) -> bool {
        let Some(back) = self.back else {
            return text.len() == self.elements.len() && self.fits(0, text);
        };
        let behind = self.elements.len() - back;
        // Redis looks at no star once the text has ended, not even at its beginning.
        if text.is_empty() || text.len() < self.front + behind {
            return false;
        }
        let (begin, rest) = text.split_at(self.front);
        let (between, end) = rest.split_at(rest.len() - behind);
        self.fits(0, begin) && self.fits(back, end) && self.middle.is_in(between)
    }

    /// What a match with a text of `len` bytes takes at most, in steps of about a nanosecond.
    pub fn steps(&self, len: usize) -> usize {
        len * self.middle.words.max(1)
    }

    /// True if the elements from `start` on match `text`, byte for byte.
    fn fits(&self, start: usize, text: &[u8]) -> bool {
        let pairs = self.elements[start..].iter().zip(text);
        pairs.into_iter().all(|(element, byte)| element.takes(*byte, &self.classes))
    }
}

impl Element {
    fn takes(self, byte: u8, classes: &[Class]) -> bool {
        match self {
            Self::Any => true,
            Self::Byte(literal) => literal == byte,
            Self::OneOf(class) => classes[usize::from(class)].has(byte),
        }
    }
}

/// The runs of elements between the stars.
#[derive(Debug, Default)]
struct Middle {
    /// Where each run ends, as a number of bits; it begins where the one before it ends.
    ends: Vec<usize>,
    /// For each byte a row of words, whose bits say which elements take it.
    takes: Vec<u64>,
    /// Words in a row.
    words: usize,
}

impl Middle {
    fn new(elements: &[Element], classes: &[Class], stars: &[usize]) -> Result<Self, TooLong> {
        let [first, .., last] = stars else { return Ok(Self::default()) };
        let elements = &elements[*first..*last];
        if elements.len() > MIDDLE_MAX {
            return Err(TooLong);
        }
        let words = elements.len().div_ceil(WORD_BITS);
        let mut takes = vec![0; words << u8::BITS];
        for (bit, element) in elements.iter().enumerate() {
            let bytes = match element {
                Element::Byte(byte) => *byte..=*byte,
                _ => 0..=u8::MAX,
            };
            for byte in bytes.filter(|byte| element.takes(*byte, classes)) {
                takes[usize::from(byte) * words + bit / WORD_BITS] |= 1 << (bit % WORD_BITS);
            }
        }
        let mut ends: Vec<usize> = stars[1..].iter().map(|star| star - first).collect();
        // Stars side by side are one, and have nothing between them.
        ends.dedup();
        ends.retain(|end| *end > 0);
        Ok(Self { ends, takes, words })
    }

    /// True if `text` has all runs in their order.
    fn is_in(&self, mut text: &[u8]) -> bool {
        let mut start = 0;
        self.ends.iter().all(|end| {
            let found = self.find(start, *end, text);
            start = *end;
            found.is_some_and(|len| {
                text = &text[len..];
                true
            })
        })
    }

    /// How much of `text` it takes to find the run whose bits go from `start` to `end`.
    fn find(&self, start: usize, end: usize, text: &[u8]) -> Option<usize> {
        let words = start / WORD_BITS..(end - 1) / WORD_BITS + 1;
        let last_bit = 1 << ((end - 1) % WORD_BITS);
        let mut room = [0_u64; WORDS_MAX];
        let states = &mut room[..words.len()];
        let found = text.iter().position(|byte| {
            let row = &self.takes[usize::from(*byte) * self.words..][words.clone()];
            // A run may begin at any byte.
            let mut carry = 1 << (start % WORD_BITS);
            for (state, takes) in states.iter_mut().zip(row) {
                let shifted = *state << 1 | carry;
                carry = *state >> (WORD_BITS - 1);
                *state = shifted & takes;
            }
            states.last().is_some_and(|state| state & last_bit != 0)
        });
        found.map(|index| index + 1)
    }
}

/// A set of bytes, one bit each.
#[derive(Clone, Copy, Debug)]
struct Class([u64; 4]);

impl Class {
    /// Reads what follows a `[`; gives what follows the class.
    fn read(text: &[u8]) -> (Self, &[u8]) {
        let (mut text, negated) = match text {
            [b'^', rest @ ..] => (rest, true),
            _ => (text, false),
        };
        let mut class = Self([0; 4]);
        let rest = loop {
            text = match text {
                [b'\\', literal, rest @ ..] => {
                    class.add(*literal, *literal);
                    rest
                }
                [b']', rest @ ..] => break rest,
                [one, b'-', other, rest @ ..] => {
                    class.add_range(*one, *other);
                    rest
                }
                [literal, rest @ ..] => {
                    class.add(*literal, *literal);
                    rest
                }
                [] => break text,
            };
        };
        (if negated { Self(class.0.map(|word| !word)) } else { class }, rest)
    }

    fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte) / WORD_BITS] & 1 << (usize::from(byte) % WORD_BITS) != 0
    }

    /// Adds what lies between two bytes. Redis compares them as `char`, which has a sign.
    fn add_range(&mut self, one: u8, other: u8) {
        let (low, high) = (one.cast_signed(), other.cast_signed());
        let (low, high) = (low.min(high), low.max(high));
        if low < 0 && high >= 0 {
            self.add(low.cast_unsigned(), u8::MAX);
            self.add(0, high.cast_unsigned());
        } else {
            self.add(low.cast_unsigned(), high.cast_unsigned());
        }
    }

    /// Adds the bytes from `low` to `high`.
    fn add(&mut self, low: u8, high: u8) {
        let (low, high) = (usize::from(low), usize::from(high));
        for (index, word) in self.0.iter_mut().enumerate() {
            let start = index * WORD_BITS;
            let (first, last) = (low.max(start), high.min(start + WORD_BITS - 1));
            if first <= last {
                *word |= u64::MAX >> (WORD_BITS - 1 - (last - first)) << (first - start);
            }
        }
    }
}

#[cfg(test)]
mod tests;

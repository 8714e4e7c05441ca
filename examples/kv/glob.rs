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
//! where it must be: at the ends of the text. Each run between two stars is then looked for behind
//! the one before it, and the earliest place is the right one, because a star behind it can take
//! what a later place would have left. Plain bytes are found in linear time.
//!
//! A run that has a `?` or a class is found by *shift-and*: bit `n` of a word is set if the last
//! bytes of the text match the first `n` elements of the run. One byte more shifts the word and
//! keeps the bits of those elements that take this byte. A run that has no room in a word is
//! refused. So a match takes time linear in the text, whatever the pattern.
#![forbid(unsafe_code)]

use memchr::memmem::Finder;

/// Bytes of a pattern at most: what is kept of one is several times as large.
pub const PATTERN_BYTES_MAX: usize = 64 << 10;
/// Stars at most, those side by side counted as one.
pub const STARS_MAX: usize = 1024;
/// Elements of a run at most that has a `?` or a class: the bits of a word.
pub const WILD_RUN_MAX: usize = u64::BITS as usize;

/// Words for all such runs of a pattern.
const WORDS_MAX: usize = 64;
/// Values of a byte.
const BYTES: usize = u8::MAX as usize + 1;
/// Bits in a word of a class.
const WORD_BITS: usize = u64::BITS as usize;

/// The pattern exceeds what it may have.
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

    /// True if the elements from `start` on match `text`, byte for byte.
    fn fits(&self, start: usize, text: &[u8]) -> bool {
        let pairs = self.elements[start..].iter().zip(text);
        pairs.into_iter().all(|(element, byte)| element.takes(*byte, &self.classes))
    }
}

impl Element {
    /// The byte that it is, if it is one.
    fn byte(self) -> Option<u8> {
        if let Self::Byte(byte) = self { Some(byte) } else { None }
    }

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
    runs: Vec<Run>,
    /// For each word and each byte, which elements take it.
    takes: Vec<[u64; BYTES]>,
    /// Bits of the last word that are used.
    bits: usize,
}

#[derive(Debug)]
enum Run {
    Bytes(Box<Finder<'static>>),
    /// So many bytes, whichever.
    Any(usize),
    /// Elements that are bits of this word, from the first to the last.
    Bits {
        word: usize,
        first: usize,
        last: usize,
    },
}

impl Middle {
    fn new(elements: &[Element], classes: &[Class], stars: &[usize]) -> Result<Self, TooLong> {
        let mut middle = Self::default();
        let runs = stars.windows(2).map(|ends| &elements[ends[0]..ends[1]]);
        for run in runs.filter(|run| !run.is_empty()) {
            if middle.runs.len() + 1 == STARS_MAX {
                return Err(TooLong);
            }
            let run = middle.read(run, classes)?;
            middle.runs.push(run);
        }
        Ok(middle)
    }

    fn read(&mut self, run: &[Element], classes: &[Class]) -> Result<Run, TooLong> {
        let bytes = run.iter().map(|element| element.byte());
        if let Some(bytes) = bytes.collect::<Option<Vec<u8>>>() {
            return Ok(Run::Bytes(Box::new(Finder::new(&bytes).into_owned())));
        }
        if run.iter().all(|element| matches!(element, Element::Any)) {
            return Ok(Run::Any(run.len()));
        }
        let first = self.make_room(run.len())?;
        let word = self.takes.len() - 1;
        for (bit, element) in run.iter().enumerate() {
            for byte in 0..=u8::MAX {
                let takes = u64::from(element.takes(byte, classes));
                self.takes[word][usize::from(byte)] |= takes << (first + bit);
            }
        }
        Ok(Run::Bits { word, first, last: first + run.len() - 1 })
    }

    /// Finds room for a run of `len` in one word; gives its first bit.
    fn make_room(&mut self, len: usize) -> Result<usize, TooLong> {
        if self.takes.is_empty() || self.bits + len > WILD_RUN_MAX {
            if len > WILD_RUN_MAX || self.takes.len() == WORDS_MAX {
                return Err(TooLong);
            }
            self.takes.push([0; BYTES]);
            self.bits = 0;
        }
        let first = self.bits;
        self.bits += len;
        Ok(first)
    }

    /// True if `text` has all runs in their order.
    fn is_in(&self, mut text: &[u8]) -> bool {
        self.runs.iter().all(|run| {
            let found = self.find(run, text);
            text = &text[found.unwrap_or(0)..];
            found.is_some()
        })
    }

    /// How much of `text` it takes to find `run`.
    fn find(&self, run: &Run, text: &[u8]) -> Option<usize> {
        match run {
            Run::Bytes(finder) => finder.find(text).map(|start| start + finder.needle().len()),
            Run::Any(len) => (text.len() >= *len).then_some(*len),
            Run::Bits { word, first, last } => {
                let (takes, begin, end) = (&self.takes[*word], 1 << first, 1 << last);
                let mut state = 0;
                // A run may begin at any byte.
                let found = text.iter().position(|byte| {
                    state = (state << 1 | begin) & takes[usize::from(*byte)];
                    state & end != 0
                });
                found.map(|index| index + 1)
            }
        }
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

//! The arguments of one request, wherever their bytes are.
//!
//! `socket ─▶ [parser] ─▶ route ─▶ [batch] ─▶ store ─▶ reply ─▶ socket`
//!
//! A request is one run of bytes and a list of ranges in it. The same type therefore reads a
//! receive buffer in place and a request that was copied for another shard.
#![forbid(unsafe_code)]

/// Where one argument lies in its request's bytes.
///
/// Thirty-two bits are enough: a request is bounded by
/// [`REQUEST_BYTES_MAX`](super::parser::REQUEST_BYTES_MAX), far below 4 GiB.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The range from `start` to `end`, both byte offsets.
    pub fn new(start: usize, end: usize) -> Self {
        debug_assert!(start <= end && end <= u32::MAX as usize);
        Self { start: start as u32, end: end as u32 }
    }
}

/// The arguments of one request; the first is the command's name.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    /// The arguments at `spans` in `bytes`.
    pub fn new(bytes: &'a [u8], spans: &'a [Span]) -> Self {
        Self { bytes, spans }
    }

    /// How many arguments there are, the command's name included.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Argument `index`, zero being the command's name.
    ///
    /// # Panics
    ///
    /// If there is no such argument: a command's arity is checked before it runs.
    pub fn at(&self, index: usize) -> &'a [u8] {
        let span = self.spans[index];
        &self.bytes[span.start as usize..span.end as usize]
    }

    /// The arguments from `index` on; none if there are fewer.
    pub fn from(&self, index: usize) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let Self { bytes, spans } = *self;
        let spans = spans.get(index..).unwrap_or_default();
        spans.iter().map(|span| &bytes[span.start as usize..span.end as usize])
    }

    /// True if argument `index` is `word`, in capital or small letters. `word` is in small ones.
    pub fn is(&self, index: usize, word: &str) -> bool {
        self.at(index).eq_ignore_ascii_case(word.as_bytes())
    }
}

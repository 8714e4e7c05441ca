//! One connection's parser: requests out of a receive buffer, without copying them.
//!
//! `socket ─▶ [parser] ─▶ route ─▶ batch ─▶ store ─▶ reply ─▶ socket`
//!
//! The caller keeps a buffer of received bytes and calls [`Parser::parse`] on what is not
//! consumed yet. A request's arguments are ranges of that buffer; only inline requests, whose
//! quotes change their bytes, are copied.
//!
//! An incomplete request costs nothing to look at again. The parser keeps how far it came,
//! counted from the first byte of the request, so the caller may move or grow the buffer freely
//! as long as the request's bytes stay in order at its front. A value that arrives in a thousand
//! pieces is measured a thousand times and scanned never.
//!
//! **Nothing announced is believed.** A length is checked against its limit before anything is
//! done with it, and no memory is reserved for what has only been promised.
#![forbid(unsafe_code)]

use super::number::parse_i64;
use super::{Args, Output, Span, inline, reply};

/// Arguments in one request. Redis draws the line here in some versions and higher in others.
pub const ARGS_MAX: usize = 1024 * 1024;
/// Bytes in one argument: `proto-max-bulk-len` of Redis.
pub const BULK_BYTES_MAX: usize = 512 << 20;
/// Bytes in one request, all told, unless its connection may hold less:
/// `client-query-buffer-limit` of Redis.
pub const REQUEST_BYTES_MAX: usize = 1 << 30;
/// Bytes in one line: an inline request or a length (`PROTO_INLINE_MAX_SIZE` of Redis).
pub const LINE_BYTES_MAX: usize = 64 << 10;

/// Spans kept between requests; a request with more gives the room back.
const SPANS_KEPT: usize = 32;

/// What the bytes received so far amount to.
#[derive(Debug)]
pub enum Parsed<'a> {
    /// A whole request. Consume its bytes once it is handled.
    Request {
        /// Its arguments, at least one.
        args: Args<'a>,
        /// How many bytes it took.
        used: usize,
    },
    /// An empty request: consume its bytes, answer nothing.
    Nothing {
        /// How many bytes it took.
        used: usize,
    },
    /// The request is not whole yet; call again with more bytes behind the same ones.
    Incomplete,
}

/// The connection does not speak the protocol: answer this and close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// An array's length is no number or too large.
    ArgsCount,
    /// An argument's length is no number or too large.
    BulkLength,
    /// An argument starts with this byte instead of `$`.
    ExpectedBulk(u8),
    /// The line with an array's length does not end.
    ArgsLine,
    /// The line with an argument's length does not end.
    BulkLine,
    /// The line of an inline request does not end.
    InlineLine,
    /// An inline request has an open quote.
    Quotes,
    /// The arguments together are larger than [`REQUEST_BYTES_MAX`].
    RequestBytes,
}

impl ProtocolError {
    /// Appends the error reply in the words of Redis.
    pub fn write(self, out: &mut Output) {
        let text = match self {
            Self::ArgsCount => "invalid multibulk length",
            Self::BulkLength => "invalid bulk length",
            Self::ArgsLine => "too big mbulk count string",
            Self::BulkLine => "too big bulk count string",
            Self::InlineLine => "too big inline request",
            Self::Quotes => "unbalanced quotes in request",
            Self::RequestBytes => "too big request",
            Self::ExpectedBulk(_) => "expected '$', got '",
        };
        let mut line = [b"ERR Protocol error: ", text.as_bytes()].concat();
        if let Self::ExpectedBulk(byte) = self {
            line.extend([byte, b'\'']);
        }
        reply::error(out, &line);
    }
}

/// The state of one connection's parsing.
#[derive(Debug)]
pub struct Parser {
    /// Arguments found, as ranges from the request's first byte (or of `unquoted`).
    spans: Vec<Span>,
    /// The words of an inline request.
    unquoted: Vec<u8>,
    /// Where to go on, from the request's first byte.
    position: usize,
    /// How much of the current line is known to hold no line end.
    scanned: usize,
    /// Arguments still to come; zero between requests.
    args_left: usize,
    /// The length of the argument at `position`, once its line is read.
    bulk: Option<usize>,
    /// Bytes that a request may have.
    request_bytes_max: usize,
}

/// How far one step came.
enum Step {
    Whole,
    Empty,
    Inline,
    Short,
}

impl Parser {
    /// A parser at the start of a request, which may have `request_bytes_max` bytes.
    pub fn new(request_bytes_max: usize) -> Self {
        Self {
            spans: Vec::new(),
            unquoted: Vec::new(),
            position: 0,
            scanned: 0,
            args_left: 0,
            bulk: None,
            request_bytes_max: request_bytes_max.min(REQUEST_BYTES_MAX),
        }
    }

    /// Gives back what the last request needed, unless one is on its way.
    pub fn shrink(&mut self) {
        if self.args_left == 0 {
            self.begin();
        }
    }

    /// Memory it owns, in bytes.
    pub fn capacity_bytes(&self) -> usize {
        self.unquoted.capacity() + self.spans.capacity() * size_of::<Span>()
    }

    /// Reads the request at the front of `buffer`.
    ///
    /// # Errors
    ///
    /// The bytes break the protocol. The parser is of no use after that.
    #[inline]
    pub fn parse<'a>(&'a mut self, buffer: &'a [u8]) -> Result<Parsed<'a>, ProtocolError> {
        let step = self.step(buffer)?;
        if matches!(step, Step::Short) {
            return Ok(Parsed::Incomplete);
        }
        let used = core::mem::take(&mut self.position);
        self.scanned = 0;
        Ok(match step {
            Step::Whole => Parsed::Request { args: Args::new(buffer, &self.spans), used },
            Step::Inline => Parsed::Request { args: Args::new(&self.unquoted, &self.spans), used },
            _ => Parsed::Nothing { used },
        })
    }

    #[inline]
    fn step(&mut self, buffer: &[u8]) -> Result<Step, ProtocolError> {
        if self.args_left == 0 {
            self.begin();
            match buffer.first() {
                None => return Ok(Step::Short),
                Some(b'*') => {}
                Some(_) => return self.inline(buffer),
            }
            let Some(args) = self.length(buffer, ARGS_MAX as i64, Line::Args)? else {
                return Ok(Step::Short);
            };
            if args <= 0 {
                return Ok(Step::Empty);
            }
            self.args_left = args as usize;
        }
        self.bulks(buffer)
    }

    #[inline]
    fn begin(&mut self) {
        self.spans.clear();
        self.spans.shrink_to(SPANS_KEPT);
        if !self.unquoted.is_empty() {
            self.unquoted = Vec::new();
        }
    }

    fn bulks(&mut self, buffer: &[u8]) -> Result<Step, ProtocolError> {
        while self.args_left > 0 {
            let len = match self.bulk {
                Some(len) => len,
                None => match self.bulk_length(buffer)? {
                    Some(len) => len,
                    None => return Ok(Step::Short),
                },
            };
            let end = self.position + len;
            if buffer.len() < end + 2 {
                self.bulk = Some(len);
                return Ok(Step::Short);
            }
            self.spans.push(Span::new(self.position, end));
            self.bulk = None;
            self.position = end + 2;
            self.args_left -= 1;
        }
        Ok(Step::Whole)
    }

    fn bulk_length(&mut self, buffer: &[u8]) -> Result<Option<usize>, ProtocolError> {
        match buffer.get(self.position) {
            None | Some(b'$') => {}
            Some(other) => return Err(ProtocolError::ExpectedBulk(*other)),
        }
        let Some(len) = self.length(buffer, BULK_BYTES_MAX as i64, Line::Bulk)? else {
            return Ok(None);
        };
        let len = usize::try_from(len).map_err(|_| ProtocolError::BulkLength)?;
        if self.position + len > self.request_bytes_max {
            return Err(ProtocolError::RequestBytes);
        }
        Ok(Some(len))
    }

    /// Reads the line at `position`: a sign and a number of at most `max`. Steps behind it.
    #[inline(always)]
    fn length(
        &mut self,
        buffer: &[u8],
        max: i64,
        line: Line,
    ) -> Result<Option<i64>, ProtocolError> {
        let start = self.position + 1;
        if let Some((number, next)) = short_number(buffer, start) {
            self.position = next;
            return if number <= max { Ok(Some(number)) } else { Err(line.bad_number()) };
        }
        self.unusual_length(buffer, max, line)
    }

    /// Reads a line that is not whole, not short or not canonical.
    #[cold]
    fn unusual_length(
        &mut self,
        buffer: &[u8],
        max: i64,
        line: Line,
    ) -> Result<Option<i64>, ProtocolError> {
        let start = self.position + 1;
        let Some(end) = self.line_end(buffer, b'\r') else {
            let too_long = buffer.len().saturating_sub(self.position) > LINE_BYTES_MAX;
            return if too_long { Err(line.too_long()) } else { Ok(None) };
        };
        if buffer.len() < end + 2 {
            return Ok(None);
        }
        self.position = end + 2;
        let number = parse_i64(&buffer[start..end]).filter(|number| *number <= max);
        number.map(Some).ok_or(line.bad_number())
    }

    fn inline(&mut self, buffer: &[u8]) -> Result<Step, ProtocolError> {
        let Some(end) = self.line_end(buffer, b'\n') else {
            let too_long = buffer.len() > LINE_BYTES_MAX;
            return if too_long { Err(ProtocolError::InlineLine) } else { Ok(Step::Short) };
        };
        self.position = end + 1;
        let line = buffer[..end].strip_suffix(b"\r").unwrap_or(&buffer[..end]);
        inline::split(line, &mut self.unquoted, &mut self.spans)
            .map_err(|_| ProtocolError::Quotes)?;
        Ok(if self.spans.is_empty() { Step::Empty } else { Step::Inline })
    }

    /// Where the line at `position` ends; bytes seen before are not looked at again. As in Redis,
    /// which searches C strings, a line that has a NUL does not end.
    fn line_end(&mut self, buffer: &[u8], end: u8) -> Option<usize> {
        let from = self.scanned.max(self.position);
        let found = buffer.get(from..)?.iter().position(|byte| *byte == end || *byte == 0);
        // What is found is left to be found again: the byte behind it may be missing.
        self.scanned = from + found.unwrap_or(buffer.len() - from);
        found.map(|offset| from + offset).filter(|at| buffer[*at] == end)
    }
}

/// Which of the two kinds of length a line gives.
#[derive(Clone, Copy)]
enum Line {
    Args,
    Bulk,
}

impl Line {
    fn bad_number(self) -> ProtocolError {
        match self {
            Self::Args => ProtocolError::ArgsCount,
            Self::Bulk => ProtocolError::BulkLength,
        }
    }

    fn too_long(self) -> ProtocolError {
        match self {
            Self::Args => ProtocolError::ArgsLine,
            Self::Bulk => ProtocolError::BulkLine,
        }
    }
}

/// The usual line, read in one pass: up to nine digits without a leading zero, and its end. Gives
/// the number and what follows the line; anything else is left to the careful path.
#[inline(always)]
fn short_number(buffer: &[u8], start: usize) -> Option<(i64, usize)> {
    let line = buffer.get(start..)?;
    // One digit is what most lines have: the length of a command's name, the number of arguments.
    if let [digit @ b'0'..=b'9', b'\r', _, ..] = line {
        return Some((i64::from(digit - b'0'), start + 3));
    }
    let mut number = 0;
    for (index, byte) in line.iter().take(10).enumerate() {
        match byte {
            b'0'..=b'9' => number = number * 10 + i64::from(byte - b'0'),
            b'\r' if index > 0 && line.len() > index + 1 => {
                let canonical = line[0] != b'0' || index == 1;
                return canonical.then_some((number, start + index + 2));
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests;

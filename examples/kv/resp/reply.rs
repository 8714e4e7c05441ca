//! RESP2 and RESP3 replies, written straight into the output buffer.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ store ─▶ [reply] ─▶ socket`
//!
//! A string is left out where its output has no room for it ([`output`](super::output)).
//! Where the two protocols differ the function takes [`Proto`]: nulls, maps, sets and text.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::number::{write_i64, write_u64};
use super::output::Output;

/// The protocol version a connection speaks; `HELLO` changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proto {
    /// The default: strings, errors, integers, arrays.
    Resp2,
    /// Adds nulls, maps, sets and verbatim text.
    Resp3,
}

/// Bytes around a string at most: sign, length and two line ends.
pub const FRAME_BYTES_MAX: usize = 32;

/// `+OK`
pub fn ok(out: &mut Output) {
    simple(out, "OK");
}

/// A status line. `text` has no line ends.
pub fn simple(out: &mut Output, text: &str) {
    let out = out.bytes_mut();
    out.push(b'+');
    out.extend_from_slice(text.as_bytes());
    end(out);
}

/// An error line, code included. Line ends in `text` become spaces: it may quote the client.
pub fn error(out: &mut Output, text: &[u8]) {
    let out = out.bytes_mut();
    out.push(b'-');
    out.extend(text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
    end(out);
}

/// An integer.
pub fn integer(out: &mut Output, number: i64) {
    let out = out.bytes_mut();
    out.push(b':');
    write_i64(out, number);
    end(out);
}

/// A number of things, as an integer.
pub fn count(out: &mut Output, number: usize) {
    head(out.bytes_mut(), b':', number);
}

/// A string of any bytes.
pub fn bulk(out: &mut Output, bytes: &[u8]) {
    if !out.has_room(bytes.len() + FRAME_BYTES_MAX) {
        return;
    }
    let out = out.bytes_mut();
    // One reservation instead of four.
    out.reserve(bytes.len() + FRAME_BYTES_MAX);
    head(out, b'$', bytes.len());
    out.extend_from_slice(bytes);
    end(out);
}

/// A string that is shown even if there is no room for it: it was taken from its place.
pub fn bulk_taken(out: &mut Output, bytes: &[u8]) {
    out.force_room(bytes.len() + FRAME_BYTES_MAX);
    bulk(out, bytes);
}

/// A long string, without a copy.
pub fn shared(out: &mut Output, string: &Arc<Vec<u8>>) {
    if out.has_room(FRAME_BYTES_MAX) {
        head(out.bytes_mut(), b'$', string.len());
        out.share(string);
        end(out.bytes_mut());
    }
}

/// An integer as a string, as `LRANGE` and `SMEMBERS` give numbers.
pub fn bulk_integer(out: &mut Output, number: u64) {
    let mut text = Vec::with_capacity(20);
    write_u64(&mut text, number);
    bulk(out, &text);
}

/// Text for people: verbatim in RESP3, a plain string in RESP2.
pub fn text(out: &mut Output, proto: Proto, text: &str) {
    match proto {
        Proto::Resp2 => bulk(out, text.as_bytes()),
        Proto::Resp3 => {
            let out = out.bytes_mut();
            head(out, b'=', text.len() + 4);
            out.extend_from_slice(b"txt:");
            out.extend_from_slice(text.as_bytes());
            end(out);
        }
    }
}

/// The absence of a string.
pub fn null(out: &mut Output, proto: Proto) {
    out.bytes_mut().extend_from_slice(match proto {
        Proto::Resp2 => b"$-1\r\n",
        Proto::Resp3 => b"_\r\n",
    });
}

/// The absence of an array.
pub fn null_array(out: &mut Output, proto: Proto) {
    out.bytes_mut().extend_from_slice(match proto {
        Proto::Resp2 => b"*-1\r\n",
        Proto::Resp3 => b"_\r\n",
    });
}

/// The head of an array; `len` replies follow.
pub fn array(out: &mut Output, len: usize) {
    if out.has_room(FRAME_BYTES_MAX) {
        head(out.bytes_mut(), b'*', len);
    }
}

/// The head of a map; `len` pairs of replies follow.
pub fn map(out: &mut Output, proto: Proto, len: usize) {
    match proto {
        Proto::Resp2 => head(out.bytes_mut(), b'*', len * 2),
        Proto::Resp3 => head(out.bytes_mut(), b'%', len),
    }
}

/// The head of a set; `len` replies follow.
pub fn set(out: &mut Output, proto: Proto, len: usize) {
    head(out.bytes_mut(), if proto == Proto::Resp2 { b'*' } else { b'~' }, len);
}

#[inline]
fn head(out: &mut Vec<u8>, kind: u8, len: usize) {
    // Most strings are short: one reservation instead of three.
    if len < 10 {
        return out.extend_from_slice(&[kind, b'0' + len as u8, b'\r', b'\n']);
    }
    out.push(kind);
    write_u64(out, len as u64);
    end(out);
}

fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Output)) -> String {
        let mut out = Output::default();
        write(&mut out);
        String::from_utf8(out.bytes_mut().clone()).unwrap()
    }

    #[test]
    fn every_kind_in_both_protocols() {
        use Proto::{Resp2, Resp3};
        assert_eq!(written(ok), "+OK\r\n");
        assert_eq!(written(|out| error(out, b"ERR a\r\nb")), "-ERR a  b\r\n");
        assert_eq!(written(|out| integer(out, -12)), ":-12\r\n");
        assert_eq!(written(|out| count(out, 12)), ":12\r\n");
        assert_eq!(written(|out| bulk(out, b"a\r\nb")), "$4\r\na\r\nb\r\n");
        assert_eq!(written(|out| bulk(out, b"")), "$0\r\n\r\n");
        assert_eq!(written(|out| text(out, Resp2, "hi")), "$2\r\nhi\r\n");
        assert_eq!(written(|out| text(out, Resp3, "hi")), "=6\r\ntxt:hi\r\n");
        assert_eq!(written(|out| null(out, Resp2)), "$-1\r\n");
        assert_eq!(written(|out| null_array(out, Resp2)), "*-1\r\n");
        assert_eq!(written(|out| null(out, Resp3)), "_\r\n");
        assert_eq!(written(|out| map(out, Resp2, 2)), "*4\r\n");
        assert_eq!(written(|out| map(out, Resp3, 2)), "%2\r\n");
        assert_eq!(written(|out| set(out, Resp2, 2)), "*2\r\n");
        assert_eq!(written(|out| set(out, Resp3, 2)), "~2\r\n");
        assert_eq!(written(|out| array(out, 0)), "*0\r\n");
    }
}

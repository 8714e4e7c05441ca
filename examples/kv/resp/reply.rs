//! RESP2 and RESP3 replies, written straight into the output buffer.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ store ─▶ [reply] ─▶ socket`
//!
//! Where the two protocols differ the function takes [`Proto`]: nulls, maps, sets and text.
#![forbid(unsafe_code)]

use super::number::{write_i64, write_u64};

/// The protocol version a connection speaks; `HELLO` changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proto {
    /// The default: strings, errors, integers, arrays.
    Resp2,
    /// Adds nulls, maps, sets and verbatim text.
    Resp3,
}

/// `+OK`
pub fn ok(out: &mut Vec<u8>) {
    simple(out, "OK");
}

/// A status line. `text` has no line ends.
pub fn simple(out: &mut Vec<u8>, text: &str) {
    out.push(b'+');
    out.extend_from_slice(text.as_bytes());
    end(out);
}

/// An error line, code included. Line ends in `text` become spaces: it may quote the client.
pub fn error(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'-');
    out.extend(text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
    end(out);
}

/// An integer.
pub fn integer(out: &mut Vec<u8>, number: i64) {
    out.push(b':');
    write_i64(out, number);
    end(out);
}

/// A number of things, as an integer.
pub fn count(out: &mut Vec<u8>, number: usize) {
    head(out, b':', number);
}

/// A string of any bytes.
pub fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    // Sign, length and two line ends at most: one reservation instead of four.
    out.reserve(bytes.len() + 32);
    head(out, b'$', bytes.len());
    out.extend_from_slice(bytes);
    end(out);
}

/// An integer as a string, as `LRANGE` and `SMEMBERS` give numbers.
pub fn bulk_integer(out: &mut Vec<u8>, number: u64) {
    let mut text = Vec::with_capacity(20);
    write_u64(&mut text, number);
    bulk(out, &text);
}

/// Text for people: verbatim in RESP3, a plain string in RESP2.
pub fn text(out: &mut Vec<u8>, proto: Proto, text: &str) {
    match proto {
        Proto::Resp2 => bulk(out, text.as_bytes()),
        Proto::Resp3 => {
            head(out, b'=', text.len() + 4);
            out.extend_from_slice(b"txt:");
            out.extend_from_slice(text.as_bytes());
            end(out);
        }
    }
}

/// The absence of a string.
pub fn null(out: &mut Vec<u8>, proto: Proto) {
    out.extend_from_slice(match proto {
        Proto::Resp2 => b"$-1\r\n",
        Proto::Resp3 => b"_\r\n",
    });
}

/// The absence of an array.
pub fn null_array(out: &mut Vec<u8>, proto: Proto) {
    out.extend_from_slice(match proto {
        Proto::Resp2 => b"*-1\r\n",
        Proto::Resp3 => b"_\r\n",
    });
}

/// The head of an array; `len` replies follow.
pub fn array(out: &mut Vec<u8>, len: usize) {
    head(out, b'*', len);
}

/// The head of a map; `len` pairs of replies follow.
pub fn map(out: &mut Vec<u8>, proto: Proto, len: usize) {
    match proto {
        Proto::Resp2 => head(out, b'*', len * 2),
        Proto::Resp3 => head(out, b'%', len),
    }
}

/// The head of a set; `len` replies follow.
pub fn set(out: &mut Vec<u8>, proto: Proto, len: usize) {
    head(out, if proto == Proto::Resp2 { b'*' } else { b'~' }, len);
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

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
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

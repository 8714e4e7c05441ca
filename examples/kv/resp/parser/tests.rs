//! The parser against whole requests, requests in pieces, and every way to break the protocol.
use super::*;

/// What one call gave, owned.
#[derive(Debug, PartialEq)]
enum Seen {
    Request(Vec<Vec<u8>>, usize),
    Nothing(usize),
    Incomplete,
    Broken(ProtocolError),
}

fn see(parser: &mut Parser, buffer: &[u8]) -> Seen {
    match parser.parse(buffer) {
        Ok(Parsed::Request { args, used }) => {
            Seen::Request(args.from(0).map(<[u8]>::to_vec).collect(), used)
        }
        Ok(Parsed::Nothing { used }) => Seen::Nothing(used),
        Ok(Parsed::Incomplete) => Seen::Incomplete,
        Err(error) => Seen::Broken(error),
    }
}

fn request(words: &[&str], used: usize) -> Seen {
    Seen::Request(words.iter().map(|word| word.as_bytes().to_vec()).collect(), used)
}

#[test]
fn whole_requests() {
    let mut parser = Parser::new(REQUEST_BYTES_MAX);
    let pipeline = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\nping\r\n\r\n*0\r\n*-1\r\n*1\r\n$0\r\n\r\n";
    let mut rest = &pipeline[..];
    let mut take = |expected: Seen, used: usize| {
        assert_eq!(see(&mut parser, rest), expected);
        rest = &rest[used..];
    };
    take(request(&["GET", "a"], 20), 20);
    take(request(&["ping"], 6), 6);
    take(Seen::Nothing(2), 2);
    take(Seen::Nothing(4), 4);
    take(Seen::Nothing(5), 5);
    take(request(&[""], 10), 10);
    take(Seen::Incomplete, 0);
}

#[test]
fn a_request_in_pieces_of_any_size_is_the_same_request() {
    let bytes = b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$12\r\nhello\r\nworld\r\n";
    let whole = request(&["SET", "key", "hello\r\nworld"], bytes.len());
    for first in 0..bytes.len() {
        for second in first..bytes.len() {
            let mut parser = Parser::new(REQUEST_BYTES_MAX);
            assert_eq!(see(&mut parser, &bytes[..first]), Seen::Incomplete);
            assert_eq!(see(&mut parser, &bytes[..second]), Seen::Incomplete);
            assert_eq!(see(&mut parser, bytes), whole);
        }
    }
}

#[test]
fn an_inline_request_in_pieces_is_the_same_request() {
    let bytes = b"set a \"b c\"\r\n";
    for cut in 0..bytes.len() {
        let mut parser = Parser::new(REQUEST_BYTES_MAX);
        assert_eq!(see(&mut parser, &bytes[..cut]), Seen::Incomplete);
        assert_eq!(see(&mut parser, bytes), request(&["set", "a", "b c"], 13));
    }
}

#[test]
fn the_protocol_s_errors() {
    use ProtocolError::*;
    let long = "1".repeat(LINE_BYTES_MAX + 1);
    let cases = [
        ("*abc\r\n".to_owned(), ArgsCount),
        ("*1048577\r\n".to_owned(), ArgsCount),
        ("*1048577\r\n".to_owned(), ArgsCount),
        ("*99999999999999999999\r\n".to_owned(), ArgsCount),
        ("*01\r\n".to_owned(), ArgsCount),
        ("*\r\n".to_owned(), ArgsCount),
        ("*1\r\n$-1\r\n".to_owned(), BulkLength),
        ("*1\r\n$536870913\r\n".to_owned(), BulkLength),
        ("*1\r\n$9999999999\r\n".to_owned(), BulkLength),
        ("*1\r\n$x\r\n".to_owned(), BulkLength),
        ("*1\r\n:1\r\n".to_owned(), ExpectedBulk(b':')),
        (format!("*{long}"), ArgsLine),
        (format!("*1\r\n${long}"), BulkLine),
        (long, InlineLine),
        ("get 'a\r\n".to_owned(), Quotes),
    ];
    for (bytes, error) in cases {
        let seen = see(&mut Parser::new(REQUEST_BYTES_MAX), bytes.as_bytes());
        assert_eq!(seen, Seen::Broken(error), "{}", &bytes[..bytes.len().min(40)]);
    }
}

#[test]
fn errors_in_the_words_of_redis() {
    let mut out = Output::default();
    ProtocolError::ExpectedBulk(b':').write(&mut out);
    ProtocolError::BulkLength.write(&mut out);
    let expected = "-ERR Protocol error: expected '$', got ':'\r\n\
                    -ERR Protocol error: invalid bulk length\r\n";
    assert_eq!(out.bytes_mut(), expected.as_bytes());
}

#[test]
fn what_is_announced_is_not_reserved() {
    let mut parser = Parser::new(REQUEST_BYTES_MAX);
    assert_eq!(see(&mut parser, b"*1048576\r\n$536870912\r\n"), Seen::Incomplete);
    assert!(parser.spans.capacity() <= SPANS_KEPT);
}

#[test]
fn a_request_larger_than_all_is_refused_before_it_arrives() {
    let mut parser = Parser::new(REQUEST_BYTES_MAX);
    parser.args_left = 1;
    parser.position = REQUEST_BYTES_MAX - 10;
    parser.bulk = None;
    // The head of the argument lies far behind; only its length line matters.
    let mut buffer = vec![0; parser.position];
    buffer.extend_from_slice(b"$100\r\n");
    assert_eq!(see(&mut parser, &buffer), Seen::Broken(ProtocolError::RequestBytes));
}

#[test]
fn a_line_with_a_nul_does_not_end_until_it_is_too_long() {
    use ProtocolError::{ArgsLine, InlineLine};
    for line in [&b"PI\0NG\r\n"[..], b"PING \0\nPING\n", b"*1\0\r\n$4\r\nPING\r\n", b"\0\n"] {
        let mut parser = Parser::new(REQUEST_BYTES_MAX);
        for end in 1..=line.len() {
            assert_eq!(see(&mut parser, &line[..end]), Seen::Incomplete, "{}", line.escape_ascii());
        }
        let long = [line, &[b'\n'; LINE_BYTES_MAX]].concat();
        assert!(matches!(see(&mut parser, &long), Seen::Broken(ArgsLine | InlineLine)));
    }
}

#[test]
fn a_request_may_have_a_million_arguments() {
    let bytes = format!("*1048576\r\n{}", "$0\r\n\r\n".repeat(ARGS_MAX)).into_bytes();
    let mut parser = Parser::new(REQUEST_BYTES_MAX);
    let Ok(Parsed::Request { args, used }) = parser.parse(&bytes) else { panic!("no request") };
    assert_eq!((args.len(), used), (ARGS_MAX, bytes.len()));
}

#[test]
fn nothing_of_a_large_request_is_kept_and_nothing_of_a_half_one_is_lost() {
    let mut parser = Parser::new(REQUEST_BYTES_MAX);
    let many = format!("*10000\r\n{}", "$1\r\na\r\n".repeat(10_000));
    assert!(matches!(see(&mut parser, many.as_bytes()), Seen::Request(..)));
    parser.shrink();
    assert!(parser.spans.capacity() <= SPANS_KEPT);
    let long = format!("echo {}\r\n", "a".repeat(LINE_BYTES_MAX - 10));
    assert!(matches!(see(&mut parser, long.as_bytes()), Seen::Request(..)));
    parser.shrink();
    assert_eq!(parser.unquoted.capacity(), 0);
    let half = many.len() / 2;
    assert_eq!(see(&mut parser, &many.as_bytes()[..half]), Seen::Incomplete);
    parser.shrink();
    let seen = see(&mut parser, many.as_bytes());
    assert!(matches!(seen, Seen::Request(words, _) if words.len() == 10_000));
}

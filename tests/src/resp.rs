//! A client that speaks the Redis protocol in plain blocking code.

#![forbid(unsafe_code)]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// `+` and a line.
    Status(String),
    /// `-` and a line.
    Error(String),
    /// `:` and a number.
    Integer(i64),
    /// `$`, a length, and so many bytes.
    Bytes(Vec<u8>),
    /// The absence of something.
    Null,
    /// `*`, a length, and so many replies. A set or a map of RESP3 also reads as one.
    Array(Vec<Reply>),
}

impl Reply {
    /// `+OK`
    pub fn ok() -> Self {
        Self::Status("OK".into())
    }

    /// The bytes of `text`.
    pub fn text(text: impl AsRef<[u8]>) -> Self {
        Self::Bytes(text.as_ref().to_vec())
    }

    /// The bytes, or a null.
    pub fn bytes_or_null<T: AsRef<[u8]>>(bytes: Option<T>) -> Self {
        bytes.map_or(Self::Null, Self::text)
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// What the system says; `InvalidData` if the bytes are no reply, or the stream ends.
    pub fn read(from: &mut impl BufRead) -> io::Result<Self> {
        let mut line = Vec::new();
        from.read_until(b'\n', &mut line)?;
        let line = line.strip_suffix(b"\r\n").ok_or_else(|| invalid(&line))?;
        let (kind, rest) = line.split_first().ok_or_else(|| invalid(line))?;
        let rest = str::from_utf8(rest).map_err(|_| invalid(line))?;
        let number = || rest.parse::<i64>().map_err(|_| invalid(line));
        Ok(match kind {
            b'+' => Self::Status(rest.into()),
            b'-' => Self::Error(rest.into()),
            b':' => Self::Integer(number()?),
            b'_' => Self::Null,
            b'$' | b'*' if number()? < 0 => Self::Null,
            b'$' | b'=' => Self::Bytes(read_bytes(from, number()?)?),
            b'*' | b'~' => Self::Array(read_array(from, number()?)?),
            b'%' => Self::Array(read_array(from, 2 * number()?)?),
            _ => return Err(invalid(line)),
        })
    }
}

fn invalid(line: &[u8]) -> io::Error {
    let text = format!("no reply: {:?}", String::from_utf8_lossy(line));
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn read_bytes(from: &mut impl BufRead, len: i64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len as usize + 2];
    from.read_exact(&mut bytes)?;
    if !bytes.ends_with(b"\r\n") {
        return Err(invalid(b"a string without its end"));
    }
    bytes.truncate(len as usize);
    Ok(bytes)
}

fn read_array(from: &mut impl BufRead, len: i64) -> io::Result<Vec<Reply>> {
    (0..len).map(|_| Reply::read(from)).collect()
}

/// Appends the request made of `words`.
pub fn request<T: AsRef<[u8]>>(out: &mut Vec<u8>, words: &[T]) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words.iter().map(T::as_ref) {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// The request that `text` is when it is split at its spaces.
pub fn words(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    request(&mut out, &text.split(' ').collect::<Vec<_>>());
    out
}

/// A connection.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Speaks over `stream`.
    pub fn new(stream: TcpStream) -> Self {
        Self { stream: BufReader::with_capacity(64 << 10, stream) }
    }

    /// The stream below, for whatever is not a request or a reply.
    pub fn stream(&mut self) -> &mut TcpStream {
        self.stream.get_mut()
    }

    /// Sends bytes, which may be anything.
    ///
    /// # Panics
    ///
    /// If the connection fails.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).expect("the server takes bytes");
    }

    /// The next reply.
    ///
    /// # Panics
    ///
    /// If the connection fails or ends.
    #[track_caller]
    pub fn reply(&mut self) -> Reply {
        Reply::read(&mut self.stream).expect("the server answers")
    }

    /// Sends the words of `request`, and waits for the reply.
    ///
    /// # Panics
    ///
    /// If the connection fails or ends.
    #[track_caller]
    pub fn ask(&mut self, request: &str) -> Reply {
        self.send(words(request));
        self.reply()
    }

    /// Everything up to the end of the stream.
    ///
    /// # Panics
    ///
    /// If the connection fails.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).expect("the server ends in order");
        rest
    }
}

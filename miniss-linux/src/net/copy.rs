//! From one stream into another.
//!
//! What is received stays in the buffer that it came in, and that buffer is sent.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use super::kind::StreamKind;
use super::stream::Stream;
use crate::time::{Instant, sleep_until};

/// Copies from `first` into `second` until the peer of `first` will send no more, and returns how
/// many bytes there were. It leaves both streams open: to pass the end on, shut `second` down.
///
/// # Errors
///
/// [`CopyError`], which says which stream failed.
///
/// # Cancellation
///
/// Not cancel safe: bytes that were received and not yet sent are lost.
///
/// ```
/// # miniss_linux::doctest::connected(async |stream, peer| {
/// use std::net::Shutdown;
///
/// use miniss_linux::net::copy;
///
/// stream.write_all("hello").await.0?;
/// stream.shutdown(Shutdown::Write).await?;
/// assert_eq!(copy(&peer, &peer).await?, 5); // sends back what comes
/// assert_eq!(stream.recv().await?[..], *b"hello");
/// # Ok(()) });
/// ```
pub async fn copy<A: StreamKind, B: StreamKind>(
    first: &Stream<A>,
    second: &Stream<B>,
) -> Result<u64, CopyError> {
    let progress = Progress::new(false);
    match one_way(first, second, CopySide::First, &progress).await {
        Ok(()) => Ok(progress.copied().0),
        Err(failure) => Err(progress.end(failure)),
    }
}

/// Copies from each of two streams into the other, until neither peer will send any more. The end
/// of one direction is passed on at once, while the other goes on. Returns how many bytes went from
/// the first to the second, and from the second to the first.
///
/// # Errors
///
/// [`CopyError`], which says which stream failed, and how much had been copied. Neither stream is
/// closed then; drop both, for what was received and not yet sent is lost.
///
/// # Cancellation
///
/// Not cancel safe: bytes that were received and not yet sent are lost.
///
/// ```
/// # miniss_linux::doctest::connected(async |client, proxy| {
/// use std::net::Shutdown;
///
/// use miniss_linux::net::{UnixStream, copy_bidirectional};
/// use miniss_linux::spawn;
///
/// let (upstream, server) = UnixStream::pair()?;
/// let copying = spawn(async move { copy_bidirectional(&proxy, &upstream).await });
///
/// client.write_all("ping").await.0?;
/// client.shutdown(Shutdown::Write).await?;
/// assert_eq!(server.recv().await?[..], *b"ping");
/// assert!(server.recv().await?.is_empty()); // the end has come through
/// server.write_all("pong!").await.0?;
/// server.shutdown(Shutdown::Write).await?;
/// assert_eq!(client.recv().await?[..], *b"pong!");
/// assert_eq!(copying.await.unwrap()?, (4, 5));
/// # Ok(()) });
/// ```
pub async fn copy_bidirectional<A: StreamKind, B: StreamKind>(
    first: &Stream<A>,
    second: &Stream<B>,
) -> Result<(u64, u64), CopyError> {
    both_ways(first, second, None).await
}

/// As [`copy_bidirectional`], and ends with [`CopyFailure::Idle`] once no byte has moved either way
/// for `idle`: none was received, and none that waits to be sent was taken by the kernel.
///
/// # Errors
///
/// As there.
///
/// # Cancellation
///
/// As there.
///
/// ```
/// # miniss_linux::doctest::connected(async |_client, proxy| {
/// # use miniss_linux::net::UnixStream;
/// use std::time::Duration;
///
/// use miniss_linux::net::{CopyFailure, copy_bidirectional_with_idle_timeout};
///
/// # let (upstream, _server) = UnixStream::pair()?;
/// let idle = Duration::from_millis(2);
/// let copied = copy_bidirectional_with_idle_timeout(&proxy, &upstream, idle).await;
/// assert!(matches!(copied.unwrap_err().failure, CopyFailure::Idle(_)));
/// # Ok(()) });
/// ```
pub async fn copy_bidirectional_with_idle_timeout<A: StreamKind, B: StreamKind>(
    first: &Stream<A>,
    second: &Stream<B>,
    idle: Duration,
) -> Result<(u64, u64), CopyError> {
    both_ways(first, second, Some(idle)).await
}

/// One of the two streams of a copy, in the order in which they were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CopySide {
    /// The first.
    First,
    /// The second.
    Second,
}

impl CopySide {
    fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

impl fmt::Display for CopySide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::First { "first" } else { "second" })
    }
}

/// What a copy ended with.
///
/// ```
/// use miniss_linux::net::{CopyFailure, CopySide};
///
/// let gone = std::io::ErrorKind::BrokenPipe.into();
/// let failure = CopyFailure::Write(CopySide::Second, gone);
/// assert_eq!(failure.to_string(), "writing to the second stream: broken pipe");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum CopyFailure {
    /// This stream could not be read.
    Read(CopySide, io::Error),
    /// This stream could not be written to, or its sending direction not be ended.
    Write(CopySide, io::Error),
    /// Nothing moved for so long.
    Idle(Duration),
}

impl fmt::Display for CopyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(side, error) => write!(f, "reading from the {side} stream: {error}"),
            Self::Write(side, error) => write!(f, "writing to the {side} stream: {error}"),
            Self::Idle(idle) => write!(f, "no byte came or went for {idle:?}"),
        }
    }
}

/// A copy ended before the streams did.
///
/// It becomes an [`io::Error`] by `?`: that of the stream, or `TimedOut` if nothing moved.
///
/// ```
/// # miniss_linux::doctest::connected(async |stream, peer| {
/// use miniss_linux::net::{CopyFailure, CopySide, copy};
///
/// peer.close().await?;
/// let error = copy(&stream, &peer).await;
/// # assert!(error.is_ok());
/// # let error = copy(&peer, &stream).await;
/// let error = error.unwrap_err();
/// assert!(matches!(error.failure, CopyFailure::Read(CopySide::First, _)));
/// assert_eq!(error.copied, (0, 0));
/// # Ok(()) });
/// ```
#[derive(Debug)]
pub struct CopyError {
    /// What failed.
    pub failure: CopyFailure,
    /// How many bytes had gone to the second stream, and how many to the first.
    pub copied: (u64, u64),
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (to_second, to_first) = self.copied;
        write!(f, "copy: {}; {to_second} B went to the second stream", self.failure)?;
        write!(f, " and {to_first} B to the first before")
    }
}

impl Error for CopyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.failure {
            CopyFailure::Read(_, error) | CopyFailure::Write(_, error) => Some(error),
            CopyFailure::Idle(_) => None,
        }
    }
}

impl From<CopyError> for io::Error {
    fn from(error: CopyError) -> Self {
        match error.failure {
            CopyFailure::Read(_, error) | CopyFailure::Write(_, error) => error,
            CopyFailure::Idle(_) => Self::new(ErrorKind::TimedOut, error),
        }
    }
}

/// What has moved so far.
struct Progress {
    to_second: Cell<u64>,
    to_first: Cell<u64>,
    /// When something last did, if that matters.
    last: Option<Cell<Instant>>,
}

impl Progress {
    fn new(is_timed: bool) -> Self {
        let last = is_timed.then(|| Cell::new(Instant::now()));
        Self { to_second: Cell::new(0), to_first: Cell::new(0), last }
    }

    fn note(&self, to: CopySide, bytes: usize) {
        let count = if to == CopySide::First { &self.to_first } else { &self.to_second };
        count.set(count.get() + bytes as u64);
        if let Some(last) = &self.last {
            last.set(Instant::now());
        }
    }

    fn copied(&self) -> (u64, u64) {
        (self.to_second.get(), self.to_first.get())
    }

    fn end(&self, failure: CopyFailure) -> CopyError {
        CopyError { failure, copied: self.copied() }
    }

    /// Waits until nothing has moved for `idle`.
    async fn stalled(&self, idle: Duration) -> Result<(), CopyFailure> {
        let Some(last) = &self.last else { return Ok(()) };
        loop {
            let seen = last.get();
            sleep_until(seen + idle).await;
            if last.get() == seen {
                return Err(CopyFailure::Idle(idle));
            }
        }
    }
}

/// Copies until the end of `from`, which is `side`.
async fn one_way<A: StreamKind, B: StreamKind>(
    from: &Stream<A>,
    to: &Stream<B>,
    side: CopySide,
    progress: &Progress,
) -> Result<(), CopyFailure> {
    let failed = |error| CopyFailure::Write(side.other(), error);
    loop {
        let mut bytes = from.recv().await.map_err(|error| CopyFailure::Read(side, error))?;
        if bytes.is_empty() {
            return Ok(());
        }
        progress.note(side.other(), 0);
        while !bytes.is_empty() {
            // Not `write_all`: a slow peer that takes some is not idle.
            let result;
            (result, bytes) = to.write(bytes).await;
            let len = match result {
                Ok(0) => Err(ErrorKind::WriteZero.into()),
                result => result,
            };
            let len = len.map_err(failed)?;
            bytes.advance(len);
            progress.note(side.other(), len);
        }
    }
}

/// As [`one_way`], and passes the end on.
async fn one_way_to_its_end<A: StreamKind, B: StreamKind>(
    from: &Stream<A>,
    to: &Stream<B>,
    side: CopySide,
    progress: &Progress,
) -> Result<(), CopyFailure> {
    one_way(from, to, side, progress).await?;
    match to.shutdown(Shutdown::Write).await {
        // A peer that is gone needs no end.
        Err(error) if error.kind() != ErrorKind::NotConnected => {
            Err(CopyFailure::Write(side.other(), error))
        }
        _ => Ok(()),
    }
}

async fn both_ways<A: StreamKind, B: StreamKind>(
    first: &Stream<A>,
    second: &Stream<B>,
    idle: Option<Duration>,
) -> Result<(u64, u64), CopyError> {
    let progress = Progress::new(idle.is_some());
    let there = pin!(one_way_to_its_end(first, second, CopySide::First, &progress));
    let back = pin!(one_way_to_its_end(second, first, CopySide::Second, &progress));
    let mut stalled = pin!(progress.stalled(idle.unwrap_or(Duration::MAX)));
    let mut ways: [Option<Way<'_>>; 2] = [Some(there), Some(back)];
    let done = poll_fn(|cx| match poll_ways(&mut ways, cx) {
        Poll::Pending if idle.is_some() => stalled.as_mut().poll(cx),
        polled => polled,
    });
    match done.await {
        Ok(()) => Ok(progress.copied()),
        Err(failure) => Err(progress.end(failure)),
    }
}

/// One direction of two.
type Way<'a> = Pin<&'a mut dyn Future<Output = Result<(), CopyFailure>>>;

/// Ready once both have ended, or one has failed.
fn poll_ways(ways: &mut [Option<Way<'_>>], cx: &mut Context<'_>) -> Poll<Result<(), CopyFailure>> {
    for way in &mut *ways {
        let polled = way.as_mut().map(|way| way.as_mut().poll(cx));
        if let Some(Poll::Ready(result)) = polled {
            *way = None;
            result?;
        }
    }
    if ways.iter().all(Option::is_none) { Poll::Ready(Ok(())) } else { Poll::Pending }
}

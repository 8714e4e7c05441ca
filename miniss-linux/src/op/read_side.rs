//! What a stream knows of its reading: who reads, and which bytes wait.
//!
//! The promise is that a read which is dropped eats nothing. The kernel may have taken bytes off
//! the connection by the time it hears of the cancel. So the orphaned receive brings them
//! here, and the next read first waits for it to end, then takes these.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use miniss_core::op::OpId;

use super::connection::Connection;
use crate::driver::InFlight;
use crate::driver::buffers::PoolBuf;

/// The reading half's state, shared by a stream and the receives in flight on it.
#[derive(Default)]
pub(crate) struct ReadSide {
    reader: Cell<Reader>,
    /// The receive into a reader's buffer, its future awaited or dropped.
    in_flight: InFlight,
    waiter: Cell<Option<Waker>>,
    /// What an orphan brought, or what did not fit the last reader's buffer.
    kept: Cell<Option<io::Result<PoolBuf>>>,
}

/// Who reads.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Reader {
    #[default]
    NotNow,
    Reading,
    /// Whoever could have read was dropped.
    Gone,
}

impl ReadSide {
    fn begin(&self) -> io::Result<()> {
        if self.is_read() {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "another read of this stream is in progress; one task reads at a time",
            ));
        }
        self.reader.set(Reader::Reading);
        Ok(())
    }

    /// Whether a read is in progress.
    pub(crate) fn is_read(&self) -> bool {
        self.reader.get() == Reader::Reading
    }

    /// There will be no further read.
    pub(crate) fn stop(&self) {
        self.reader.set(Reader::Gone);
    }

    /// Waits for a receive whose future was dropped to end.
    #[inline]
    pub(crate) fn poll_drained(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.in_flight.get().is_none() {
            return Poll::Ready(());
        }
        self.waiter.set(Some(cx.waker().clone()));
        Poll::Pending
    }

    /// A receive into a reader's buffer has begun. It ends in one of two ways, whatever becomes of
    /// its future meanwhile: with [`end_receive`](Self::end_receive) or with [`keep`](Self::keep).
    pub(crate) fn start_receive(&self, id: Option<OpId>) {
        self.in_flight.set(id);
    }

    /// The receive has ended, and its reader has the outcome.
    pub(crate) fn end_receive(&self) {
        self.in_flight.set(None);
    }

    /// The receive that has not ended.
    pub(crate) fn in_flight(&self) -> Option<OpId> {
        self.in_flight.get()
    }

    /// The orphaned receive has ended: `outcome` is for the next reader.
    pub(crate) fn keep(&self, outcome: io::Result<Vec<u8>>) {
        self.in_flight.set(None);
        let kept = match outcome {
            _ if self.reader.get() == Reader::Gone => None,
            // The end of the stream comes again; the cancel was ours.
            Ok(bytes) if bytes.is_empty() => None,
            Err(error) if error.raw_os_error() == Some(libc::ECANCELED) => None,
            Ok(bytes) => Some(Ok(PoolBuf::from_heap(bytes.into_boxed_slice()))),
            Err(error) => Some(Err(error)),
        };
        if kept.is_some() {
            self.kept.set(kept);
        }
        if let Some(waiter) = self.waiter.take() {
            waiter.wake();
        }
    }

    /// Bytes that were received and not read.
    pub(crate) fn put_back(&self, rest: PoolBuf) {
        if !rest.is_empty() {
            self.kept.set(Some(Ok(rest)));
        }
    }

    /// What waits to be read.
    pub(crate) fn take_kept(&self) -> Option<io::Result<PoolBuf>> {
        self.kept.take()
    }
}

/// The orphaned receive of a connection ends with this guard, also if its buffer unwinds before
/// what it brought is kept.
pub(crate) struct OrphanEnd(Option<Rc<Connection>>);

impl OrphanEnd {
    pub(crate) fn new(connection: &Rc<Connection>) -> Self {
        Self(Some(connection.clone()))
    }

    /// What it brought is for the next reader.
    pub(crate) fn keep(mut self, outcome: io::Result<Vec<u8>>) {
        if let Some(connection) = self.0.take() {
            connection.side.keep(outcome);
        }
    }
}

impl Drop for OrphanEnd {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            connection.side.keep(Ok(Vec::new()));
        }
    }
}

/// The right to read.
pub(crate) struct Reading<'a>(&'a Connection);

impl<'a> Reading<'a> {
    /// Begins a read, unless the connection was closed or is being read.
    pub(crate) fn begin(connection: &'a Connection) -> io::Result<Self> {
        if connection.fd.is_closed() {
            return Err(connection.nothing_more());
        }
        connection.side.begin()?;
        Ok(Self(connection))
    }
}

impl Drop for Reading<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.side.reader.set(Reader::NotNow);
    }
}

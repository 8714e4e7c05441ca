//! Files: what a file and the operations in flight on it share, and the operations.
//!
//! Any number of operations may be in flight on a file. A file that is closed lets all of them end
//! first, also those whose futures were dropped: a write that has begun is part of the file's fate.
//!
//! Invariant **Open while used** (as in [`fd`](super::fd)): each operation on a descriptor holds a
//! [`Share`] of it up to its terminal completion, also if no one looks at that. The descriptor is
//! closed or given away when there is none. So a request never names another file, and a close
//! waits for the kernel alone.
//!
//! Invariant **Owned while in flight** (of `miniss_core::op`): what a request points at is in the
//! operation, or on the heap and owned by it.

use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::fmt;
use std::fs::File;
use std::future::Future;
use std::io;
use std::mem::{self, ManuallyDrop, MaybeUninit};
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::rc::Rc;

use miniss_core::Promise;
use miniss_core::op::{Completion, Operation};
use miniss_core::sync::Semaphore;

use super::connect::connection;
use super::describe::describe;
use super::fd::{Fd, close};
use super::send::PagePipe;
use crate::buf::{BufResult, IoBuf, IoBufMut, IoVecBuf, IoVecBufMut, IoVecs, op_len};
use crate::driver::{FileRequest, Op, Prepare, Request, ShardDriver, result_of};

/// An open file.
pub(crate) struct OpenFile {
    pub(crate) fd: Fd,
    /// Operations in flight.
    shares: Cell<usize>,
    end: Cell<End>,
    /// Where the next read or write by the cursor begins.
    pub(crate) cursor: Cell<u64>,
    /// The one read or write by the cursor that is in progress holds its unit.
    moving: Semaphore,
    /// How many share that unit.
    turns: Cell<usize>,
    /// Each write goes to the end of the file.
    pub(crate) appends: bool,
    /// It is read and written past the kernel's memory.
    pub(crate) is_direct: Cell<bool>,
    /// It would hold up the driver, so all of its operations go to the pool.
    holds_up: bool,
}

/// A wait for the cursor of a file that becomes a stream.
pub(crate) type Begins = Pin<Box<dyn Future<Output = ()>>>;

/// What becomes of the descriptor when nothing is in flight any more.
#[derive(Default)]
enum End {
    /// It is closed, and no one waits for that.
    #[default]
    Close,
    /// It is closed, and someone wants to know how that went.
    CloseAndTell(Promise<io::Result<()>>),
    Give(Promise<OwnedFd>),
}

impl OpenFile {
    pub(crate) fn new(
        fd: OwnedFd,
        driver: Rc<ShardDriver>,
        cursor: u64,
        appends: bool,
    ) -> Rc<Self> {
        let holds_up = driver.is_held_up_by(fd.as_fd());
        Rc::new(Self {
            fd: Fd::new(fd, driver),
            shares: Cell::new(0),
            end: Cell::default(),
            cursor: Cell::new(cursor),
            moving: Semaphore::new(1),
            turns: Cell::new(0),
            appends,
            is_direct: Cell::new(false),
            holds_up,
        })
    }

    pub(crate) fn driver(&self) -> &Rc<ShardDriver> {
        self.fd.driver()
    }

    /// A share for an operation that begins.
    pub(crate) fn share(self: &Rc<Self>) -> io::Result<Share> {
        self.fd.check_open()?;
        self.shares.set(self.shares.get() + 1);
        Ok(Share(self.clone()))
    }

    /// Starts an operation.
    pub(crate) fn start<O: Prepare>(&self, op: O) -> Op<O> {
        let op = self.driver().start_on(op, self.holds_up);
        if self.is_direct.get() {
            self.driver().submit_early();
        }
        op
    }

    /// The right to move the cursor.
    pub(crate) async fn turn(self: &Rc<Self>) -> CursorTurn {
        self.driver().assert_here();
        // Once it is closed, no one waits, and nothing begins.
        if let Ok(unit) = self.moving.acquire(1).await {
            unit.forget();
        }
        self.turns.set(self.turns.get() + 1);
        CursorTurn(self.clone())
    }

    /// A wait until reads and writes by the cursor that were dropped have ended: such a write moves
    /// it.
    pub(crate) fn cursor_free(self: &Rc<Self>) -> Begins {
        let file = self.clone();
        Box::pin(async move { drop(file.turn().await) })
    }

    /// So much was read or written at the cursor.
    pub(crate) fn advance(&self, len: usize) {
        self.cursor.set(self.cursor.get() + len as u64);
    }

    /// Closes it when nothing is in flight any more; a no-op if that was asked for before.
    pub(crate) fn start_close(&self) {
        self.start_end(End::Close);
    }

    /// As [`start_close`](Self::start_close); the future tells how it went. `None`: it was closed
    /// before.
    pub(crate) fn start_telling_close(&self) -> Option<miniss_core::Future<io::Result<()>>> {
        let (told, promise) = miniss_core::Future::new();
        self.start_end(End::CloseAndTell(promise)).then_some(told)
    }

    /// Gives the descriptor when nothing is in flight any more. `None`: it was closed before.
    pub(crate) fn start_giving(&self) -> Option<miniss_core::Future<OwnedFd>> {
        let (given, promise) = miniss_core::Future::new();
        self.start_end(End::Give(promise)).then_some(given)
    }

    fn start_end(&self, end: End) -> bool {
        let is_first = self.fd.start_close();
        if is_first {
            self.moving.close();
            self.end.set(end);
            self.end_if_unused();
        }
        is_first
    }

    fn end_if_unused(&self) {
        if self.shares.get() > 0 || !self.fd.is_closed() {
            return;
        }
        // If there is no descriptor, who waits hears nothing, and waits no longer.
        let (fd, end) = (self.fd.take_closing(), self.end.take());
        let Some(fd) = fd else { return };
        let told = match end {
            End::Close => None,
            End::CloseAndTell(promise) => Some(promise),
            End::Give(promise) => {
                // If no one wants it any more, it is closed at once.
                return drop(promise.complete(fd));
            }
        };
        let driver = self.driver();
        if driver.is_here() {
            driver.start_on(close_fd(driver.clone(), fd, told), self.holds_up).detach();
        } else {
            close_last(driver, fd, told);
        }
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.fd.end_loans();
        self.start_close();
    }
}

/// What an operation holds so that its descriptor stays open (*Open while used*).
pub(crate) trait Holds: 'static {
    fn number(&self) -> RawFd;
}

/// A share of a file, of an operation in flight.
pub(crate) struct Share(Rc<OpenFile>);

impl Holds for Share {
    /// Also while the file waits to be closed.
    fn number(&self) -> RawFd {
        self.0.fd.raw_number()
    }
}

impl Holds for Rc<Fd> {
    fn number(&self) -> RawFd {
        Fd::number(self)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.shares.set(self.0.shares.get() - 1);
        self.0.end_if_unused();
    }
}

/// The right to move the cursor. The operation that moves it shares it until it is settled: so a
/// read or write whose future was dropped holds back later ones.
pub(crate) struct CursorTurn(Rc<OpenFile>);

impl Clone for CursorTurn {
    fn clone(&self) -> Self {
        self.turns.set(self.turns.get() + 1);
        Self(self.0.clone())
    }
}

impl Deref for CursorTurn {
    type Target = Rc<OpenFile>;

    fn deref(&self) -> &Rc<OpenFile> {
        &self.0
    }
}

impl Drop for CursorTurn {
    fn drop(&mut self) {
        self.turns.set(self.turns.get() - 1);
        if self.turns.get() == 0 {
            self.moving.release(1);
        }
    }
}

/// An operation of files: what it owns, how the request is made of that, and what its completion
/// means. The request points at nothing but what is owned here (*Owned while in flight*).
struct FileOp<H, K, M, S> {
    /// Of the file that the request names, if it names one, up to the terminal completion.
    share: Option<H>,
    keeps: K,
    request: Stage<M>,
    settle: S,
}

enum Stage<M> {
    Make(M),
    Made(FileRequest),
}

impl<H, K, M, S, T> FileOp<H, K, M, S>
where
    M: FnOnce(RawFd, &mut K) -> FileRequest,
    S: FnOnce(K, Completion) -> T,
{
    /// Of an open file, or of paths, which begin where the process is.
    fn new(share: Option<H>, keeps: K, make: M, settle: S) -> Self {
        Self { share, keeps, request: Stage::Make(make), settle }
    }
}

impl<H: Holds, K: 'static, M: 'static, S, T> Operation for FileOp<H, K, M, S>
where
    S: FnOnce(K, Completion) -> T + 'static,
{
    type Output = T;

    fn settle(self, completion: Completion) -> T {
        (self.settle)(self.keeps, completion)
    }

    const HEARS_END: bool = true;

    fn ended(&mut self) {
        self.share = None;
    }

    unsafe fn describe(this: *const Self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: the caller's promise. *Owned while in flight*: the kernel writes to what `keeps`
        // has, and so does a thread of the pool; the request and the share it never writes to.
        let (request, share) = unsafe { (&(*this).request, &(*this).share) };
        match request {
            // SAFETY: the caller's promise: it is in flight.
            Stage::Made(request) => unsafe { describe(request, share.as_ref().map(H::number), f) },
            Stage::Make(_) => f.write_str("a request that was not made"),
        }
    }
}

impl<H: Holds, K: 'static, M, S, T> Prepare for FileOp<H, K, M, S>
where
    M: FnOnce(RawFd, &mut K) -> FileRequest + 'static,
    S: FnOnce(K, Completion) -> T + 'static,
{
    const MAY_BLOCK: bool = true;

    fn prepare(&mut self) -> Request {
        let nothing = Stage::Made(FileRequest::Close { fd: -1 });
        if let Stage::Make(make) = mem::replace(&mut self.request, nothing) {
            let fd = self.share.as_ref().map_or(libc::AT_FDCWD, H::number);
            self.request = Stage::Made(make(fd, &mut self.keeps));
        }
        match &self.request {
            Stage::Made(request) => Request::File(request),
            Stage::Make(_) => Request::Nop,
        }
    }
}

/// A read at an offset.
pub(crate) fn read_at<H: Holds, B: IoBufMut>(
    share: H,
    buffer: B,
    offset: u64,
) -> impl Prepare<Output = BufResult<usize, B>> {
    let make = move |fd, buffer: &mut B| {
        // SAFETY: *Initialised stays initialised*: only the kernel writes there, and only bytes.
        let memory = unsafe { buffer.as_uninit() };
        let (buffer, len) = (memory.as_mut_ptr().cast(), op_len(memory.len()));
        FileRequest::Read { fd, buffer, len, offset }
    };
    FileOp::new(Some(share), buffer, make, |mut buffer, completion| {
        let result = result_of(completion);
        if let Ok(len) = result {
            // SAFETY: the kernel has written the first `len` bytes.
            unsafe { buffer.set_len(len) };
        }
        (result, buffer)
    })
}

/// A write at an offset.
pub(crate) fn write_at<H: Holds, B: IoBuf>(
    share: H,
    buffer: B,
    offset: u64,
) -> impl Prepare<Output = BufResult<usize, B>> {
    let make = move |fd, buffer: &mut B| {
        let memory = buffer.as_init();
        let (bytes, len) = (memory.as_ptr(), op_len(memory.len()));
        FileRequest::Write { fd, bytes, len, offset }
    };
    FileOp::new(Some(share), buffer, make, |buffer, completion| (result_of(completion), buffer))
}

/// A read into several buffers.
pub(crate) fn read_vectored_at<V: IoVecBufMut>(
    share: Share,
    buffers: V,
    offset: u64,
) -> impl Prepare<Output = BufResult<usize, V>> {
    let make = move |fd, (buffers, list): &mut (V, IoVecs)| {
        list.scatter(buffers);
        let (pieces, count) = (list.as_slice().as_ptr(), list.as_slice().len() as u32);
        FileRequest::ReadVectored { fd, pieces, count, offset }
    };
    FileOp::new(Some(share), (buffers, IoVecs::new()), make, |(mut buffers, _), completion| {
        let result = result_of(completion);
        if let Ok(len) = result {
            // SAFETY: the kernel has filled the buffers front to back, with `len` bytes.
            unsafe { buffers.set_len_all(len) };
        }
        (result, buffers)
    })
}

/// A write from several buffers.
pub(crate) fn write_vectored_at<V: IoVecBuf>(
    share: Share,
    buffers: V,
    offset: u64,
) -> impl Prepare<Output = BufResult<usize, V>> {
    let make = move |fd, (buffers, list): &mut (V, IoVecs)| {
        list.gather(buffers);
        let (pieces, count) = (list.as_slice().as_ptr(), list.as_slice().len() as u32);
        FileRequest::WriteVectored { fd, pieces, count, offset }
    };
    FileOp::new(Some(share), (buffers, IoVecs::new()), make, |(buffers, _), completion| {
        (result_of(completion), buffers)
    })
}

/// Moves pages of a file into a pipe.
pub(crate) fn splice_at(
    share: Share,
    pipe: Rc<PagePipe>,
    offset: u64,
    len: u32,
) -> impl Prepare<Output = io::Result<usize>> {
    let make = move |from, pipe: &mut Rc<PagePipe>| {
        let to = pipe.writer.as_raw_fd();
        FileRequest::Splice { from, offset, to, len }
    };
    FileOp::new(Some(share), pipe, make, |_, completion| result_of(completion))
}

/// A request that brings nothing but success. It may point into what it keeps.
pub(crate) fn plain<K: 'static>(
    share: impl Into<Option<Share>>,
    keeps: K,
    make: impl FnOnce(RawFd, &mut K) -> FileRequest + 'static,
) -> impl Prepare<Output = io::Result<()>> {
    FileOp::new(share.into(), keeps, make, |_, completion| result_of(completion).map(drop))
}

/// Asks for the status of an open file, or of what is at a path.
pub(crate) fn status(
    share: impl Into<Option<Share>>,
    path: Cow<'static, CStr>,
    flags: i32,
) -> impl Prepare<Output = io::Result<libc::statx>> {
    type Kept = (Cow<'static, CStr>, MaybeUninit<libc::statx>);
    let make = move |fd, (path, status): &mut Kept| {
        let (path, into) = (path.as_ptr(), status.as_mut_ptr());
        FileRequest::Status { fd, path, flags, into }
    };
    FileOp::new(share.into(), (path, MaybeUninit::uninit()), make, |(_, status), completion| {
        // SAFETY: the kernel has written it.
        result_of(completion).map(|_| unsafe { status.assume_init() })
    })
}

/// Opens a file. If no one waits any more, it is closed again, as each file is.
pub(crate) fn open(
    driver: Rc<ShardDriver>,
    path: CString,
    flags: i32,
    mode: u32,
) -> impl Prepare<Output = io::Result<Rc<OpenFile>>> {
    let make = move |_, path: &mut CString| {
        let path = path.as_ptr();
        FileRequest::Open { path, flags, mode }
    };
    FileOp::new(None::<Share>, path, make, move |_, completion| {
        let appends = flags & libc::O_APPEND != 0;
        connection(completion).map(|fd| OpenFile::new(fd, driver, 0, appends))
    })
}

/// Who waits for a close.
type Told = Option<Promise<io::Result<()>>>;

/// Closes a file, whatever becomes of the request, and tells how that went.
fn close_fd(driver: Rc<ShardDriver>, fd: OwnedFd, told: Told) -> impl Prepare<Output = ()> {
    let make = |_, fd: &mut OwnedFd| FileRequest::Close { fd: fd.as_raw_fd() };
    FileOp::new(None::<Share>, fd, make, move |fd, completion| match completion.result {
        // It never began.
        result if result == -libc::ECANCELED => close_last(&driver, fd, told),
        // The number is free by now, also if there was an error.
        _ => {
            let _ = fd.into_raw_fd();
            tell(told, result_of(completion).map(drop));
        }
    })
}

/// Closes a file at the end of its shard, or where that does not run. A close may block, too.
fn close_last(driver: &ShardDriver, fd: OwnedFd, told: Told) {
    driver.do_last(move || tell(told, close(fd)));
}

fn tell(told: Told, result: io::Result<()>) {
    if let Some(promise) = told {
        // No one may wait any more.
        let _ = promise.complete(result);
    }
}

/// Work that may block and that no driver has a request for: it is done on a thread of the pool.
pub(crate) fn work<T: Send + 'static>(
    share: impl Into<Option<Share>>,
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Prepare<Output = io::Result<T>> {
    let make = |_, work: &mut Work<_, T>| work.request();
    FileOp::new(share.into(), Work::Given(work), make, |work, completion| work.output(completion))
}

/// As [`work`], on an open file.
pub(crate) fn work_with<T: Send + 'static>(
    share: Share,
    call: impl FnOnce(&File) -> T + Send + 'static,
) -> impl Prepare<Output = io::Result<T>> {
    let fd = share.number();
    work(share, move || {
        // SAFETY: *Open while used*: the share stays until this is done, and does not close it.
        call(&ManuallyDrop::new(unsafe { File::from_raw_fd(fd) }))
    })
}

enum Work<F, T> {
    Given(F),
    Begun,
    Done(T),
}

impl<F: FnOnce() -> T, T> Work<F, T> {
    fn request(&mut self) -> FileRequest {
        FileRequest::Call { function: Self::run, data: (&raw mut *self).cast() }
    }

    /// # Safety
    /// `work` is one of these, which no one else uses.
    unsafe fn run(work: *mut ()) -> i32 {
        // SAFETY: the caller's promise.
        let work = unsafe { &mut *work.cast::<Self>() };
        if let Self::Given(function) = mem::replace(work, Self::Begun) {
            *work = Self::Done(function());
        }
        0
    }

    fn output(self, completion: Completion) -> io::Result<T> {
        match (self, result_of(completion)) {
            (Self::Done(output), _) => Ok(output),
            (_, Err(error)) => Err(error),
            (_, Ok(_)) => Err(io::Error::other("the call on a file panicked")),
        }
    }
}

/// A read or write that moves the cursor, by as much as was read or written. A read whose future
/// was dropped does not move it; a write does, for what it has written is there.
pub(crate) struct ByCursor<O> {
    pub(crate) turn: CursorTurn,
    pub(crate) op: O,
    pub(crate) writes: bool,
}

impl<O> ByCursor<O> {
    fn advance(&self, completion: Completion) {
        if completion.result > 0 && !(self.writes && self.turn.appends) {
            self.turn.advance(completion.result as usize);
        }
    }
}

impl<O: Operation> Operation for ByCursor<O> {
    type Output = O::Output;

    fn settle(self, completion: Completion) -> Self::Output {
        self.advance(completion);
        self.op.settle(completion)
    }

    fn settle_orphan(self, completion: Completion) {
        if self.writes {
            self.advance(completion);
        }
        self.op.settle_orphan(completion);
    }

    const HEARS_END: bool = O::HEARS_END;

    fn ended(&mut self) {
        self.op.ended();
    }

    unsafe fn describe(this: *const Self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: the caller's promise, which holds for a part of it, too.
        unsafe { O::describe(&raw const (*this).op, f) }
    }
}

impl<O: Prepare> Prepare for ByCursor<O> {
    const MAY_BLOCK: bool = O::MAY_BLOCK;

    fn prepare(&mut self) -> Request {
        self.op.prepare()
    }
}

/// Whether each write to it goes to its end.
pub(crate) fn appends(fd: &OwnedFd) -> bool {
    // SAFETY: no pointers.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    flags != -1 && flags & libc::O_APPEND != 0
}

/// Has it read and written past the kernel's memory from now on, or not; `false` if it cannot be.
pub(crate) fn set_direct(file: &File, is_direct: bool) -> bool {
    // SAFETY: no pointers.
    let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) };
    let direct = if is_direct { libc::O_DIRECT } else { 0 };
    let wanted = flags & !libc::O_DIRECT | direct;
    // SAFETY: no pointers.
    flags != -1 && unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, wanted) } != -1
}

/// A write at an offset of a direct file that goes through the kernel's memory, so that it need not
/// fit the device. No other write may be in progress that relies on the one or the other.
pub(crate) fn write_through(
    share: Share,
    bytes: Vec<u8>,
    offset: u64,
) -> impl Prepare<Output = io::Result<io::Result<usize>>> {
    work_with(share, move |file| {
        set_direct(file, false);
        let result = file.write_at(&bytes, offset);
        set_direct(file, true);
        result
    })
}

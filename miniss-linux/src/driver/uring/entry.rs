//! From a request to an entry in the ring.

use std::cell::{Cell, OnceCell, RefCell, RefMut};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::ptr::{self, NonNull};
use std::rc::Rc;

use io_uring::types::Fd;
use io_uring::{IoUring, opcode, squeue, types};
use miniss_core::op::OpId;

use super::interrupted::{Waits, may_be_interrupted};
use super::ring::Ring;
use super::setup::{Features, make_ring, probe};
use super::sys::{device_of, is_fuse, poll_first};
use super::tag;
use crate::buf::CHUNK_BYTES;
use crate::diagnostics::{self, Event};
use crate::driver::aligned::CHUNKS_MAX;
use crate::driver::backend::{Backend, BackendStats};
use crate::driver::buffers::{BufferPool, GROUP};
use crate::driver::choice::DriverConfig;
use crate::driver::request::{FileRequest, MESSAGE_NAME_BYTES, Request, STATUS_MASK};
use crate::driver::start::Operations;
use crate::driver::sys::Wait;
use crate::error::DriverUnavailable;

/// Where the chunks of aligned memory begin that the kernel keeps in place, by their place in its
/// table; 0: there is none.
type Chunks = OnceCell<Box<[Cell<usize>; CHUNKS_MAX]>>;

/// The io_uring of a shard.
pub(in crate::driver) struct Uring {
    /// `None` once it is closed.
    pub(in crate::driver) ring: RefCell<Option<Ring>>,
    pub(in crate::driver) features: Features,
    registered: Chunks,
    pub(super) waits: Waits,
    /// The eventfd that other threads write to, and whether the kernel watches it for us.
    eventfd: RawFd,
    pub(in crate::driver) eventfd_is_armed: Cell<bool>,
    /// The devices of files, and whether they are of FUSE.
    devices: Box<RefCell<BTreeMap<u64, bool>>>,
}

impl Uring {
    /// A ring of the calling thread, which alone uses it.
    pub(in crate::driver) fn new(
        config: &DriverConfig,
        eventfd: RawFd,
    ) -> Result<Self, DriverUnavailable> {
        Self::over(make_ring(config)?, eventfd)
    }

    pub(in crate::driver) fn over(
        ring: IoUring,
        eventfd: RawFd,
    ) -> Result<Self, DriverUnavailable> {
        let features = probe(&ring)?;
        let mut ring = Ring::new(ring, &features);
        try_nop(&mut ring)?;
        let ring = RefCell::new(Some(ring));
        let (registered, eventfd_is_armed) = (OnceCell::new(), Cell::new(false));
        let (waits, devices) = (Waits::default(), Box::default());
        Ok(Self { ring, features, registered, waits, eventfd, eventfd_is_armed, devices })
    }

    /// Whether the ring itself would wait for the file, and the shard with it: the kernel takes the
    /// word of FUSE, and of terminals, that they do not wait. What a file system is, is asked once,
    /// when a file of it has just been opened.
    pub(in crate::driver) fn is_held_up_by(&self, fd: BorrowedFd<'_>) -> bool {
        let Some(device) = device_of(fd) else { return false };
        let of_fuse =
            || *self.devices.borrow_mut().entry(device.holds).or_insert_with(|| is_fuse(fd));
        device.is_character || of_fuse()
    }

    #[inline]
    fn ring_mut(&self) -> Option<RefMut<'_, Ring>> {
        RefMut::filter_map(self.ring.borrow_mut(), Option::as_mut).ok()
    }

    /// # Safety
    /// As for [`Ring::push`].
    #[inline]
    unsafe fn push_entry(&self, entry: squeue::Entry) {
        if let Some(mut ring) = self.ring_mut() {
            // SAFETY: the caller's promise.
            unsafe { ring.push(entry) };
        }
    }

    /// Puts a chunk of aligned memory into the kernel's table, or takes it out. Where the kernel
    /// has no such table (before 5.19), or no memory to lock, it finds the memory each time.
    ///
    /// # Safety
    /// The chunk lives until it is taken out or the ring is closed.
    pub(in crate::driver) unsafe fn register_chunk(
        &self,
        place: usize,
        start: Option<NonNull<u8>>,
    ) {
        let Some(ring) = self.ring_mut() else { return };
        let submitter = ring.submitter();
        // It is refused if the table is there.
        let _ = submitter.register_buffers_sparse(CHUNKS_MAX as u32);
        let (iov_base, iov_len) =
            start.map_or((ptr::null_mut(), 0), |start| (start.as_ptr().cast(), CHUNK_BYTES));
        let chunks = [libc::iovec { iov_base, iov_len }];
        // SAFETY: the caller's promise.
        let result = unsafe { submitter.register_buffers_update(place as u32, &chunks, None) };
        let registered = self.registered.get_or_init(Box::default);
        registered[place].set(if result.is_ok() { iov_base.addr() } else { 0 });
    }
}

impl Uring {
    /// Hands over a request of a file.
    ///
    /// # Safety
    /// As for [`Backend::push`].
    pub(super) unsafe fn push_file(&self, id: OpId, request: *const FileRequest) {
        // SAFETY: *Owned while in flight*, the caller's promise.
        let file = unsafe { &*request };
        let data = match may_be_interrupted(file) {
            true => self.waits.begin(id, request),
            false => tag::OP | id.to_bits(),
        };
        let entry = file_entry(*file, &self.registered).user_data(data);
        // SAFETY: *Owned while in flight*, the caller's promise.
        unsafe { self.push_entry(entry) };
    }

    /// Asks the kernel to cancel one operation.
    fn cancel_entry(&self, id: OpId) -> squeue::Entry {
        opcode::AsyncCancel::new(self.waits.cancel(id)).build()
    }
}

/// The entry that asks for `request`, which is of a socket, or of none.
#[inline]
fn entry_of(request: Request) -> squeue::Entry {
    match request {
        Request::Nop => opcode::Nop::new().build(),
        Request::Recv { fd, buffer, len, flags } => {
            opcode::Recv::new(Fd(fd), buffer, len).flags(flags).build()
        }
        // It tries at once. If it waited first, it would read what is there then and overlook an
        // end or a reset that is there as well: no later event tells of those.
        Request::RecvPool { fd } => opcode::RecvMulti::new(Fd(fd), GROUP).build(),
        // It waits for data before it takes a buffer: so when it finds none, data is here.
        Request::RecvPoolOnce { fd } => {
            let entry = opcode::Recv::new(Fd(fd), std::ptr::null_mut(), 0).buf_group(GROUP);
            poll_first(entry.build().flags(squeue::Flags::BUFFER_SELECT))
        }
        Request::RecvMsgPool { fd } => {
            let flags = libc::MSG_TRUNC as u32;
            opcode::RecvMsgMulti::new(Fd(fd), &raw const POOL_HEADER.0, GROUP).flags(flags).build()
        }
        Request::RecvMsg { fd, header, flags } => {
            opcode::RecvMsg::new(Fd(fd), header).flags(flags as u32).build()
        }
        Request::Send { fd, bytes, len, flags } => {
            opcode::Send::new(Fd(fd), bytes, len).flags(flags).build()
        }
        Request::SendZeroCopy { fd, bytes, len, flags } => {
            opcode::SendZc::new(Fd(fd), bytes, len).flags(flags).build()
        }
        Request::SendMsg { fd, header, flags } => {
            opcode::SendMsg::new(Fd(fd), header).flags(flags as u32).build()
        }
        Request::Accept { fd, flags } => {
            // The connection is asked for the address.
            let (address, len) = (std::ptr::null_mut(), std::ptr::null_mut());
            opcode::Accept::new(Fd(fd), address, len).flags(flags).build()
        }
        Request::AcceptMany { fd, flags } => opcode::AcceptMulti::new(Fd(fd)).flags(flags).build(),
        Request::Connect { fd, address, len } => {
            opcode::Connect::new(Fd(fd), address.cast(), len).build()
        }
        Request::Poll { fd, events } => opcode::PollAdd::new(Fd(fd), events as u32).build(),
        Request::File(_) | Request::Cancel { .. } => unreachable!("each has an entry of its own"),
    }
}

/// The entry that asks for something of a file.
fn file_entry(request: FileRequest, registered: &Chunks) -> squeue::Entry {
    use FileRequest::*;
    const HERE: Fd = Fd(libc::AT_FDCWD);
    match request {
        Read { fd, buffer, len, offset } => match place_of(registered, buffer, len) {
            Some(place) => {
                opcode::ReadFixed::new(Fd(fd), buffer, len, place).offset(offset).build()
            }
            None => opcode::Read::new(Fd(fd), buffer, len).offset(offset).build(),
        },
        ReadVectored { fd, pieces, count, offset } => {
            opcode::Readv::new(Fd(fd), pieces, count).offset(offset).build()
        }
        Write { fd, bytes, len, offset } => match place_of(registered, bytes, len) {
            Some(place) => {
                opcode::WriteFixed::new(Fd(fd), bytes, len, place).offset(offset).build()
            }
            None => opcode::Write::new(Fd(fd), bytes, len).offset(offset).build(),
        },
        WriteVectored { fd, pieces, count, offset } => {
            opcode::Writev::new(Fd(fd), pieces, count).offset(offset).build()
        }
        Splice { from, offset, to, len } => {
            opcode::Splice::new(Fd(from), offset as i64, Fd(to), -1, len).build()
        }
        Sync { fd, data_only } => {
            let flags =
                if data_only { types::FsyncFlags::DATASYNC } else { types::FsyncFlags::empty() };
            opcode::Fsync::new(Fd(fd)).flags(flags).build()
        }
        SetLen { fd, len } => opcode::Ftruncate::new(Fd(fd), len).build(),
        Allocate { fd, mode, offset, len } => {
            opcode::Fallocate::new(Fd(fd), len).offset(offset).mode(mode).build()
        }
        Advise { fd, advice, offset, len } => {
            opcode::Fadvise::new(Fd(fd), len, advice).offset(offset).build()
        }
        Status { fd, path, flags, into } => {
            opcode::Statx::new(Fd(fd), path, into.cast()).flags(flags).mask(STATUS_MASK).build()
        }
        Open { path, flags, mode } => {
            let entry = opcode::OpenAt::new(HERE, path).flags(flags).mode(mode).build();
            // Of a name that is known the kernel opens the file in the call, however long that
            // takes, unless it is told not to.
            entry.flags(squeue::Flags::ASYNC)
        }
        Close { fd } => opcode::Close::new(Fd(fd)).build(),
        Rename { from, to, flags } => {
            opcode::RenameAt::new(HERE, from, HERE, to).flags(flags).build()
        }
        Link { original, link } => opcode::LinkAt::new(HERE, original, HERE, link).build(),
        Symlink { original, link } => opcode::SymlinkAt::new(HERE, original, link).build(),
        Remove { path, flags } => opcode::UnlinkAt::new(HERE, path).flags(flags).build(),
        MakeDir { path, mode } => opcode::MkDirAt::new(HERE, path).mode(mode).build(),
        Call { .. } => unreachable!("the ring was asked whether it has it"),
    }
}

/// The place in the kernel's table of the chunk that so much memory lies in.
fn place_of(registered: &Chunks, start: *const u8, len: u32) -> Option<u16> {
    let rest = CHUNK_BYTES.checked_sub(len as usize)?;
    let has =
        |chunk: &Cell<usize>| chunk.get() != 0 && start.addr().wrapping_sub(chunk.get()) <= rest;
    registered.get()?.iter().position(has).map(|place| place as u16)
}

/// Asks for the sender's address, and for no descriptors.
static POOL_HEADER: PoolHeader = PoolHeader({
    // SAFETY: a plain C struct of numbers and nullable pointers.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_namelen = MESSAGE_NAME_BYTES as libc::socklen_t;
    header
});

struct PoolHeader(libc::msghdr);

// SAFETY: all pointers in it are null, and no one writes to it.
unsafe impl Sync for PoolHeader {}

impl Backend for Uring {
    /// The kernel waits by itself; a non-blocking descriptor would make it answer `EAGAIN`.
    const NONBLOCKING: bool = false;

    /// The kernel has threads of its own for what blocks.
    fn takes(&self, request: &Request) -> bool {
        let Request::File(request) = *request else { return true };
        // SAFETY: *Owned while in flight*: it is about to be handed over.
        match unsafe { &*request } {
            FileRequest::Call { .. } => false,
            FileRequest::SetLen { .. } => self.features.ftruncate,
            // Its entry has 32 bits for the length.
            FileRequest::Advise { len, .. } => u32::try_from(*len).is_ok(),
            _ => true,
        }
    }

    /// It is handed to the kernel with the next enter of this turn.
    #[inline]
    unsafe fn push(&self, id: OpId, request: Request, _: &Operations) {
        let entry = match request {
            // SAFETY: the caller's promise.
            Request::File(request) => return unsafe { self.push_file(id, request) },
            Request::Cancel { id } => self.cancel_entry(id),
            request => entry_of(request),
        };
        // SAFETY: *Owned while in flight*, the caller's promise.
        unsafe { self.push_entry(entry.user_data(tag::OP | id.to_bits())) };
    }

    /// It needs no room of its own: the ring makes some, or keeps the cancel until there is.
    fn cancel(&self, id: OpId, _: &Operations) {
        let entry = self.cancel_entry(id).user_data(tag::IGNORE);
        let skip = self.features.cqe_skip;
        let entry = if skip { entry.flags(squeue::Flags::SKIP_SUCCESS) } else { entry };
        // SAFETY: the entry points at nothing.
        unsafe { self.push_entry(entry) };
    }

    #[inline]
    fn submit(&self) -> io::Result<()> {
        let Some(mut ring) = self.ring_mut() else { return Ok(()) };
        if ring.wants_enter() { enter(ring, Wait::No) } else { Ok(()) }
    }

    #[inline]
    fn enter(&self, wait: Wait) -> io::Result<()> {
        self.ring_mut().map_or(Ok(()), |ring| enter(ring, wait))
    }

    #[inline]
    fn reap(&self, ops: &Operations) -> usize {
        self.take_completions(ops)
    }

    fn has_events(&self) -> bool {
        self.ring_mut().is_some_and(|mut ring| ring.has_completions() || ring.wants_enter())
    }

    /// What the kernel has to say is in memory.
    fn look(&self) -> io::Result<bool> {
        Ok(false)
    }

    /// Has the kernel watch the eventfd that other threads write to. A multishot poll is
    /// edge-triggered: each write ends a wait, and the counter need never be read.
    #[inline]
    fn arm_unparker(&self) {
        if self.eventfd_is_armed.replace(true) {
            return;
        }
        let entry = opcode::PollAdd::new(types::Fd(self.eventfd), libc::POLLIN as u32)
            .multi(true)
            .build()
            .user_data(tag::UNPARKER);
        // SAFETY: the entry points at nothing.
        unsafe { self.push_entry(entry) };
    }

    /// The kernel wakes what waits for it.
    fn shut_down(&self, _: RawFd, _: &Operations) {}

    /// Told by what is probed for that (6.0).
    fn has_zero_copy(&self) -> bool {
        self.features.multishot_recv
    }

    /// Nothing is kept for a descriptor.
    #[inline]
    fn forget(&self, _: RawFd) {}

    fn make_pool(&self, count: u16, bytes: u32) -> io::Result<Option<Rc<BufferPool>>> {
        match self.ring_mut() {
            Some(ring) if self.features.multishot_recv => {
                BufferPool::for_kernel(&ring.submitter(), count, bytes).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Cancels everything at once where the kernel can (6.0); the cancel of each orphan has been
    /// queued anyway.
    fn cancel_all(&self, _: &Operations) {
        self.waits.cancel_all();
        let Some(ring) = self.ring_mut() else { return };
        let builder = types::CancelBuilder::any().all();
        // It reports what it did not find, too; how it went shows in the completions.
        let _ = ring.submitter().register_sync_cancel(Some(types::Timespec::new()), builder);
    }

    fn close(&self, pool: Option<&BufferPool>) {
        let ring = self.ring.borrow_mut().take();
        if let (Some(pool), Some(ring)) = (pool, &ring) {
            pool.unregister(&ring.submitter());
        }
    }

    fn stats(&self) -> BackendStats {
        self.ring_mut().map_or_else(BackendStats::default, |ring| ring.stats)
    }
}

/// Enters the kernel, and reports what there is to report when nothing is borrowed any more: the
/// program's logger may use the runtime.
fn enter(mut ring: RefMut<'_, Ring>, wait: Wait) -> io::Result<()> {
    let result = ring.enter(wait);
    let overflowed = ring.take_overflowed();
    drop(ring);
    if overflowed {
        diagnostics::report(
            Event::QueueOverflowed,
            format_args!(
                "more operations completed at once than the completion queue has room for; \
                 nothing is lost, but more `ring_entries` would be faster"
            ),
        );
    }
    result
}

/// Runs one operation to its end, to learn whether the filters in force let us enter at all.
pub(super) fn try_nop(ring: &mut Ring) -> Result<(), DriverUnavailable> {
    let entry = opcode::Nop::new().build().user_data(tag::IGNORE);
    // SAFETY: the entry points at nothing.
    unsafe { ring.push(entry) };
    let mut batch = [const { std::mem::MaybeUninit::uninit() }; 1];
    while ring.take(&mut batch).is_empty() {
        ring.enter(Wait::Forever)
            .map_err(|error| DriverUnavailable::new("io_uring_enter", error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_lies_in_a_registered_chunk_is_named_by_the_place_of_it() {
        let chunks = Chunks::new();
        for (place, chunk) in [(1, 10), (2, 4)] {
            chunks.get_or_init(Box::default)[place].set(chunk * CHUNK_BYTES);
        }
        let place = |start: usize, len| place_of(&chunks, ptr::without_provenance(start), len);
        let (first, last) = (4 * CHUNK_BYTES, 11 * CHUNK_BYTES - 512);
        assert_eq!(place(first, CHUNK_BYTES as u32), Some(2));
        assert_eq!(place(last, 512), Some(1));
        // Beyond the end, too long, before it, behind it, and where there is none.
        for (start, len) in
            [(last, 513), (first, u32::MAX), (first - 1, 1), (last + 512, 1), (1, 0)]
        {
            assert_eq!(place(start, len), None, "{len} bytes at {start}");
        }
    }
}

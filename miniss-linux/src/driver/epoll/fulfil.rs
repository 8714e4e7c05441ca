//! Tries requests, keeps those that would block, and tries them again when epoll tells of a change.
//!
//! No borrow of the tables is held while a completion is reported, since that runs foreign code.
//!
//! Invariant **Owned while in flight**: what a request points at stays valid until its terminal
//! completion; a request leaves the tables before that is reported.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use miniss_core::op::{Completion, OpId};

use super::interest::{Interest, Interests, Side};
use super::perform::{After, Step, is_tcp, perform, recv_pool};
use super::sys::EpollSet;
use crate::driver::backend::{Backend, BackendStats, REFUSED};
use crate::driver::buffers::BufferPool;
use crate::driver::request::Request;
use crate::driver::start::Operations;
use crate::driver::sys::Wait;
use crate::error::DriverUnavailable;
use crate::guard::quietly;

/// Names the eventfd that other threads write to among the events.
const UNPARKER: u64 = u64::MAX;
/// Parts that one descriptor may bring before others have their turn.
const PARTS_MAX: u32 = 16;

/// The epoll set of a shard, and the requests that wait for it.
pub(in crate::driver) struct Epoll {
    set: EpollSet,
    interests: RefCell<Interests>,
    events: RefCell<VecDeque<Told>>,
    /// Descriptors that have more than they may bring in one turn.
    again: RefCell<Vec<RawFd>>,
    pool: RefCell<Option<Rc<BufferPool>>>,
    /// Completions reported; it wraps.
    completed: Cell<usize>,
    stats: Cell<BackendStats>,
}

/// An event that was told.
#[derive(Debug, Clone, Copy)]
struct Told {
    fd: RawFd,
    generation: u32,
    events: i16,
}

impl Epoll {
    /// A set without descriptors but `eventfd`, a write to which ends a wait.
    pub(in crate::driver) fn new(eventfd: RawFd) -> Result<Self, DriverUnavailable> {
        let set = EpollSet::new().map_err(|e| DriverUnavailable::of_epoll("epoll_create1", e))?;
        // A wait that is over at once finds out whether deadlines take a timer, and makes it while
        // there is a descriptor for it.
        set.wait(Wait::Nanos(0), |_, _| ())
            .map_err(|error| DriverUnavailable::of_epoll("epoll_pwait2", error))?;
        if eventfd >= 0 {
            set.add(eventfd, UNPARKER)
                .map_err(|error| DriverUnavailable::of_epoll("epoll_ctl", error))?;
        }
        Ok(Self {
            set,
            interests: RefCell::default(),
            events: RefCell::default(),
            again: RefCell::default(),
            pool: RefCell::default(),
            completed: Cell::new(0),
            stats: Cell::default(),
        })
    }

    /// As on a kernel without a wait with nanoseconds.
    #[cfg(test)]
    pub(in crate::driver) fn forget_pwait2(&self) {
        self.set.forget_pwait2();
    }

    /// System calls made for requests.
    #[cfg(test)]
    pub(in crate::driver) fn calls(&self) -> usize {
        super::perform::CALLS.with(std::cell::Cell::get)
    }

    fn count(&self, count: impl FnOnce(&mut BackendStats)) {
        let mut stats = self.stats.get();
        count(&mut stats);
        self.stats.set(stats);
    }

    /// Reports a completion. What panics there must not keep other requests from theirs.
    fn complete(&self, id: OpId, completion: Completion, more: bool, ops: &Operations) {
        self.completed.set(self.completed.get().wrapping_add(1));
        quietly(|| ops.complete(id, completion, more));
    }

    fn end(&self, id: OpId, result: i32, ops: &Operations) {
        self.complete(id, Completion { result, flags: 0 }, false, ops);
    }

    /// Reports the completion of a request that is just being taken in. No one waits for it yet, so
    /// this runs no foreign code.
    #[inline]
    fn answer(id: OpId, completion: Completion, ops: &Operations) {
        ops.complete(id, completion, false);
    }

    /// Answers with a number.
    fn answer_with(id: OpId, result: i32, ops: &Operations) {
        Self::answer(id, Completion { result, flags: 0 }, ops);
    }

    /// Puts a descriptor into the set, if it is not there. A read on it then waits to be told that
    /// there is something.
    fn register(&self, fd: RawFd) -> Result<(), i32> {
        let mut interests = self.interests.borrow_mut();
        let interest = interests.of(fd);
        if interest.is_known() { Ok(()) } else { self.add(fd, interest) }
    }

    #[cold]
    fn add(&self, fd: RawFd, interest: &mut Interest) -> Result<(), i32> {
        match self.set.add(fd, fd as u64 | u64::from(interest.generation) << 32) {
            Ok(()) => {
                interest.is_registered = true;
                interest.short_is_all = is_tcp(fd);
                interest.set_blocked(Side::Read, true);
                Ok(())
            }
            // A regular file, for instance.
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                interest.is_always_ready = true;
                Ok(())
            }
            Err(error) => Err(error.raw_os_error().unwrap_or(libc::EIO)),
        }
    }

    /// Whether a request that is tried once may be tried now.
    fn may_try(&self, fd: RawFd, side: Side) -> bool {
        let mut interests = self.interests.borrow_mut();
        let interest = interests.of(fd);
        match side {
            Side::Poll => true,
            Side::Read | Side::Write => !interest.is_blocked(side) && !interest.is_awaited(side),
        }
    }

    /// Performs a request that was not taken in. `None`: it is to be; it would block, or others
    /// wait before it.
    ///
    /// # Safety
    /// What the request points at stays valid until this returns (*Owned while in flight*).
    pub(in crate::driver) unsafe fn perform(&self, request: Request) -> Option<Completion> {
        let (fd, side) = request.place()?;
        if fd < 0 || !self.may_try(fd, side) {
            return None;
        }
        // SAFETY: the caller's promise.
        if let Step::End(completion, _) = unsafe { perform(request, None) } {
            self.count(|stats| stats.submitted += 1);
            return Some(completion);
        }
        // Not to be tried again before the set tells of a change.
        if self.register(fd).is_ok() {
            self.interests.borrow_mut().of(fd).set_blocked(side, true);
        }
        None
    }

    /// Receives from a byte stream into a buffer of `pool`, if there may be something; else the
    /// task is woken when there may be. So a reader that waits takes no operation.
    pub(in crate::driver) fn poll_receive(
        &self,
        fd: RawFd,
        pool: &BufferPool,
        cx: &Context<'_>,
    ) -> Poll<Completion> {
        let failed = |errno: i32| Poll::Ready(Completion { result: -errno, flags: 0 });
        if fd < 0 {
            return failed(libc::EBADF);
        }
        let mut interests = self.interests.borrow_mut();
        let interest = interests.of(fd);
        if !interest.is_known()
            && let Err(errno) = self.add(fd, interest)
        {
            return failed(errno);
        }
        if !interest.is_blocked(Side::Read) {
            match recv_pool(fd, Some(pool)) {
                Step::Part(completion, after) | Step::End(completion, after) => {
                    let is_all = after == After::Short && interest.short_is_all;
                    interest.set_blocked(Side::Read, is_all);
                    self.count(|stats| stats.submitted += 1);
                    return Poll::Ready(completion);
                }
                Step::Blocked | Step::Begun(_) => interest.set_blocked(Side::Read, true),
            }
        }
        if !interest.is_read_by(cx.waker()) {
            drop(interests);
            self.wait_to_receive(fd, cx.waker().clone());
        }
        Poll::Pending
    }

    fn wait_to_receive(&self, fd: RawFd, reader: Waker) {
        let former = self.interests.borrow_mut().set_reader(fd, reader);
        drop(former);
    }

    /// Wakes the task that waits to receive.
    fn wake_reader(&self, reader: Option<Waker>) {
        if let Some(reader) = reader {
            self.completed.set(self.completed.get().wrapping_add(1));
            quietly(|| reader.wake());
        }
    }

    fn wake_reader_of(&self, fd: RawFd) {
        let reader = self.interests.borrow_mut().take_reader(fd);
        self.wake_reader(reader);
    }

    /// Tries a request that is just being taken in. If it would block, it is kept.
    fn try_now(&self, id: OpId, request: Request, fd: RawFd, side: Side, ops: &Operations) {
        // SAFETY: *Owned while in flight*: its operation is in flight, as `push` was promised.
        let request = match unsafe { perform(request, None) } {
            Step::End(completion, after) => {
                if after == After::Short {
                    self.is_all(fd, side);
                }
                return Self::answer(id, completion, ops);
            }
            Step::Begun(request) => request,
            Step::Blocked | Step::Part(..) => request,
        };
        // If it could go on by now, the set tells that at once.
        if let Err(errno) = self.register(fd) {
            return Self::answer_with(id, -errno, ops);
        }
        let mut interests = self.interests.borrow_mut();
        interests.of(fd).set_blocked(side, true);
        interests.push(id, request);
    }

    /// A byte stream gave less than there was room for: whether that was all. Then the next call
    /// would block.
    #[inline]
    fn is_all(&self, fd: RawFd, side: Side) -> bool {
        let mut interests = self.interests.borrow_mut();
        let interest = interests.of(fd);
        let is_all = interest.is_registered && interest.short_is_all;
        interest.set_blocked(side, is_all);
        is_all
    }

    /// Tries the requests that wait on one side of a descriptor, until one would block.
    fn serve(&self, fd: RawFd, side: Side, ops: &Operations) {
        let mut parts = 0;
        while let Some((id, request)) = self.next_to_try(fd, side) {
            // SAFETY: *Owned while in flight*: it is in the tables.
            let step = unsafe { perform(request, self.pool.borrow().as_deref()) };
            match step {
                Step::Part(completion, after) => {
                    let is_all = after == After::Short && self.is_all(fd, side);
                    self.complete(id, completion, true, ops);
                    // It may have had enough.
                    self.cancel_wanted(ops);
                    parts += 1;
                    if is_all {
                        return;
                    }
                    if parts == PARTS_MAX {
                        return self.again.borrow_mut().push(fd);
                    }
                }
                Step::End(completion, after) => {
                    let is_all = after == After::Short && self.is_all(fd, side);
                    self.interests.borrow_mut().remove(id);
                    self.complete(id, completion, false, ops);
                    if is_all {
                        return;
                    }
                }
                Step::Blocked | Step::Begun(_) => {
                    return self.interests.borrow_mut().of(fd).set_blocked(side, true);
                }
            }
        }
    }

    fn next_to_try(&self, fd: RawFd, side: Side) -> Option<(OpId, Request)> {
        self.interests.borrow().next_to_try(fd, side)
    }

    fn cancel_wanted(&self, ops: &Operations) {
        if ops.table.wants_cancel() {
            self.cancel_wanted_now(ops);
        }
    }

    #[cold]
    fn cancel_wanted_now(&self, ops: &Operations) {
        while let Some(id) = ops.next_cancel() {
            self.cancel(id, ops);
        }
    }

    /// A descriptor has changed. What begins meanwhile is tried when it begins.
    fn dispatch(&self, told: Told, ops: &Operations) {
        let Told { fd, generation, events } = told;
        let (reader, [reads, writes, polls]) = {
            let mut interests = self.interests.borrow_mut();
            let Some(interest) = interests.known(fd, generation) else { return };
            interest.note(events);
            let may_receive = !interest.is_blocked(Side::Read);
            let awaited =
                [Side::Read, Side::Write, Side::Poll].map(|side| interest.is_awaited(side));
            (may_receive.then(|| interests.take_reader(fd)).flatten(), awaited)
        };
        self.wake_reader(reader);
        if polls {
            self.end_polls(fd, events, ops);
        }
        if reads {
            self.serve(fd, Side::Read, ops);
        }
        if writes {
            self.serve(fd, Side::Write, ops);
        }
    }

    fn end_polls(&self, fd: RawFd, events: i16, ops: &Operations) {
        loop {
            let poll = self.interests.borrow().first_poll_for(fd, events);
            let Some((id, found)) = poll else { return };
            self.interests.borrow_mut().remove(id);
            self.end(id, i32::from(found), ops);
        }
    }
}

/// Whether it is tried in its place in the tables: it may have several parts, or needs the pool.
fn is_served(request: Request) -> bool {
    use Request::{AcceptMany, RecvMsgPool, RecvPool, RecvPoolOnce};
    matches!(
        request,
        RecvPool { .. } | RecvPoolOnce { .. } | RecvMsgPool { .. } | AcceptMany { .. }
    )
}

impl Backend for Epoll {
    /// A call that would wait answers `EAGAIN` instead.
    const NONBLOCKING: bool = true;

    /// epoll tells of no file when it would not block.
    fn takes(&self, _: &Request) -> bool {
        false
    }

    unsafe fn push(&self, id: OpId, request: Request, ops: &Operations) {
        self.count(|stats| stats.submitted += 1);
        let Some((fd, side)) = request.place() else {
            if let Request::Cancel { id } = request {
                self.cancel(id, ops);
            }
            return Self::answer_with(id, 0, ops);
        };
        if fd < 0 {
            return Self::answer_with(id, -libc::EBADF, ops);
        }
        if side != Side::Write
            && let Err(errno) = self.register(fd)
        {
            return Self::answer_with(id, -errno, ops);
        }
        let is_served = is_served(request);
        if !is_served && self.may_try(fd, side) {
            return self.try_now(id, request, fd, side, ops);
        }
        self.interests.borrow_mut().push(id, request);
        if is_served {
            self.serve(fd, side, ops);
        }
    }

    /// It has not begun, or was done before.
    fn cancel(&self, id: OpId, ops: &Operations) {
        let waited = self.interests.borrow_mut().remove(id);
        if waited {
            self.complete(id, REFUSED, false, ops);
        }
    }

    fn submit(&self) -> io::Result<()> {
        if self.interests.borrow().are_awaited() { self.enter(Wait::No) } else { Ok(()) }
    }

    fn enter(&self, wait: Wait) -> io::Result<()> {
        self.count(|stats| stats.enters += 1);
        let mut events = self.events.borrow_mut();
        self.set.wait(wait, |data, events_told| {
            if data != UNPARKER {
                let (fd, generation) = (data as u32 as RawFd, (data >> 32) as u32);
                events.push_back(Told { fd, generation, events: events_told as i16 });
            }
        })
    }

    fn reap(&self, ops: &Operations) -> usize {
        let before = self.completed.get();
        loop {
            let told = self.events.borrow_mut().pop_front();
            let Some(told) = told else { break };
            self.dispatch(told, ops);
        }
        for fd in self.again.take() {
            self.serve(fd, Side::Read, ops);
        }
        self.completed.get().wrapping_sub(before)
    }

    fn has_events(&self) -> bool {
        !self.events.borrow().is_empty() || !self.again.borrow().is_empty()
    }

    fn is_awaited(&self) -> bool {
        self.interests.borrow().are_awaited()
    }

    fn look(&self) -> io::Result<bool> {
        self.submit()?;
        Ok(self.has_events())
    }

    /// The set has the eventfd from the start. Each write to it is an event, and the counter need
    /// never be read.
    fn arm_unparker(&self) {}

    /// The set does not tell that a Unix socket can send no more.
    fn shut_down(&self, fd: RawFd, ops: &Operations) {
        for side in [Side::Read, Side::Write] {
            self.interests.borrow_mut().of(fd).set_blocked(side, false);
            self.serve(fd, side, ops);
        }
        self.wake_reader_of(fd);
    }

    /// The kernel could, but tells of the end through the error queue of each socket.
    fn has_zero_copy(&self) -> bool {
        false
    }

    fn forget(&self, fd: RawFd) {
        self.wake_reader_of(fd);
        if self.interests.borrow_mut().forget(fd) {
            self.set.remove(fd);
        }
    }

    fn make_pool(&self, count: u16, bytes: u32) -> io::Result<Option<Rc<BufferPool>>> {
        let pool = BufferPool::new(count, bytes);
        *self.pool.borrow_mut() = Some(pool.clone());
        Ok(Some(pool))
    }

    fn cancel_all(&self, ops: &Operations) {
        let all = self.interests.borrow().ids();
        all.into_iter().for_each(|id| self.cancel(id, ops));
    }

    fn close(&self, _: Option<&BufferPool>) {
        self.pool.take();
        self.set.close();
        let readers = self.interests.borrow_mut().take_readers();
        readers.into_iter().for_each(|reader| self.wake_reader(Some(reader)));
    }

    fn stats(&self) -> BackendStats {
        self.stats.get()
    }
}

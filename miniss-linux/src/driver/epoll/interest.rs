//! What is known of each descriptor, and which requests wait for it.
//!
//! A descriptor is put into the epoll set once, when a request first waits for it. The set tells
//! each change once. So what it has told is kept here: a call that found nothing is not made again
//! before something has changed.

#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::task::Waker;

use miniss_core::op::OpId;

use crate::driver::request::Request;

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Read,
    Write,
    /// Any events that the request names.
    Poll,
}

impl Request {
    /// The descriptor that it is about, and what it waits for; `None` if it never waits.
    pub(super) fn place(&self) -> Option<(RawFd, Side)> {
        Some(match *self {
            Self::Nop | Self::Cancel { .. } | Self::File(_) => return None,
            Self::Recv { fd, .. } | Self::RecvMsg { fd, .. } => (fd, Side::Read),
            Self::RecvMsgPool { fd } => (fd, Side::Read),
            Self::RecvPool { fd } | Self::RecvPoolOnce { fd } => (fd, Side::Read),
            Self::Accept { fd, .. } | Self::AcceptMany { fd, .. } => (fd, Side::Read),
            Self::Send { fd, .. } | Self::SendMsg { fd, .. } => (fd, Side::Write),
            Self::SendZeroCopy { fd, .. } => (fd, Side::Write),
            Self::Connect { fd, .. } => (fd, Side::Write),
            Self::Poll { fd, .. } => (fd, Side::Poll),
        })
    }
}

/// No operation has this index.
const NONE: u32 = u32::MAX;

/// What is known of one descriptor.
#[derive(Debug)]
pub(super) struct Interest {
    /// The task that waits to receive without a request.
    reader: Option<Waker>,
    /// Counts the descriptors that have had this number.
    pub(super) generation: u32,
    /// The first request that waits on each side, as the index of its operation.
    first: [u32; 3],
    pub(super) is_registered: bool,
    /// It can be in no epoll set, for it never blocks.
    pub(super) is_always_ready: bool,
    /// Since its last event, a call on this side found that it would block.
    is_blocked: [bool; 3],
    /// A read that brought less than it had room for has brought all. True of TCP until the end of
    /// the stream or urgent data was told.
    pub(super) short_is_all: bool,
}

impl Interest {
    const FRESH: Self = Self {
        reader: None,
        generation: 0,
        first: [NONE; 3],
        is_registered: false,
        is_always_ready: false,
        is_blocked: [false; 3],
        short_is_all: false,
    };

    /// Whether the set has it, or never will.
    pub(super) fn is_known(&self) -> bool {
        self.is_registered || self.is_always_ready
    }

    pub(super) fn is_blocked(&self, side: Side) -> bool {
        self.is_blocked[side as usize]
    }

    pub(super) fn set_blocked(&mut self, side: Side, blocked: bool) {
        self.is_blocked[side as usize] = blocked;
    }

    /// Whether the task that waits to receive is that of `waker`.
    pub(super) fn is_read_by(&self, waker: &Waker) -> bool {
        self.reader.as_ref().is_some_and(|reader| reader.will_wake(waker))
    }

    pub(super) fn is_awaited(&self, side: Side) -> bool {
        self.first[side as usize] != NONE
    }

    /// Remembers what the set has told.
    pub(super) fn note(&mut self, events: i16) {
        const CLOSED: i16 = libc::POLLRDHUP | libc::POLLHUP | libc::POLLERR;
        if events & (libc::POLLIN | libc::POLLPRI | CLOSED) != 0 {
            self.set_blocked(Side::Read, false);
        }
        if events & (libc::POLLOUT | libc::POLLHUP | libc::POLLERR) != 0 {
            self.set_blocked(Side::Write, false);
        }
        // The end of the stream is told no second time, and a read stops short at urgent data.
        if events & (libc::POLLPRI | CLOSED) != 0 {
            self.short_is_all = false;
        }
    }
}

/// A request that waits. Its place is the index of its operation.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    request: Request,
    /// What the id of its operation has beside the index.
    generation: u32,
    next: u32,
}

/// Each connection has one of the second, and one of the first for each request that waits.
const _: () = assert!(size_of::<Option<Waiting>>() <= 32 && size_of::<Interest>() <= 40);

impl Waiting {
    fn id(&self, index: u32) -> OpId {
        OpId::from_bits(u64::from(index) | u64::from(self.generation) << 32)
    }
}

fn generation(id: OpId) -> u32 {
    (id.to_bits() >> 32) as u32
}

/// All descriptors by number, and all requests that wait.
#[derive(Debug, Default)]
pub(super) struct Interests {
    descriptors: Vec<Interest>,
    waiting: Vec<Option<Waiting>>,
    /// Requests and readers that wait.
    count: usize,
}

impl Interests {
    /// What is known of a descriptor.
    #[inline]
    pub(super) fn of(&mut self, fd: RawFd) -> &mut Interest {
        let index = fd as usize;
        if index >= self.descriptors.len() {
            self.grow(index + 1);
        }
        &mut self.descriptors[index]
    }

    #[cold]
    fn grow(&mut self, count: usize) {
        self.descriptors.resize_with(count, || Interest::FRESH);
    }

    /// Whether anything waits.
    pub(super) fn are_awaited(&self) -> bool {
        self.count > 0
    }

    /// What is known of a descriptor that was seen before, unless the number is another's by now.
    pub(super) fn known(&mut self, fd: RawFd, generation: u32) -> Option<&mut Interest> {
        let interest = self.descriptors.get_mut(fd as usize)?;
        (interest.generation == generation).then_some(interest)
    }

    /// Forgets a descriptor, which no one reads any more. `true` if it was in the set.
    pub(super) fn forget(&mut self, fd: RawFd) -> bool {
        let Some(interest) = self.descriptors.get_mut(fd as usize) else { return false };
        debug_assert_eq!(interest.first, [NONE; 3], "a request names a descriptor that goes");
        let was_registered = interest.is_registered;
        *interest = Interest { generation: interest.generation.wrapping_add(1), ..Interest::FRESH };
        was_registered
    }

    /// The task of `reader` waits to receive; returns the one that did so before.
    pub(super) fn set_reader(&mut self, fd: RawFd, reader: Waker) -> Option<Waker> {
        let former = self.of(fd).reader.replace(reader);
        self.count += usize::from(former.is_none());
        former
    }

    /// Takes the task that waits to receive, to be woken.
    pub(super) fn take_reader(&mut self, fd: RawFd) -> Option<Waker> {
        let reader = self.descriptors.get_mut(fd as usize)?.reader.take();
        self.count -= usize::from(reader.is_some());
        reader
    }

    /// Takes all of them.
    pub(super) fn take_readers(&mut self) -> Vec<Waker> {
        let fds = 0..self.descriptors.len() as RawFd;
        fds.filter_map(|fd| self.take_reader(fd)).collect()
    }

    /// Puts a request behind those that wait for the same.
    pub(super) fn push(&mut self, id: OpId, request: Request) {
        let Some((fd, side)) = request.place() else { return };
        let index = id.index();
        if index as usize >= self.waiting.len() {
            self.waiting.resize(index as usize + 1, None);
        }
        let generation = generation(id);
        self.waiting[index as usize] = Some(Waiting { request, generation, next: NONE });
        self.count += 1;
        match self.last(fd, side) {
            Some(last) => last.next = index,
            None => self.of(fd).first[side as usize] = index,
        }
    }

    fn at(&self, index: u32) -> Option<&Waiting> {
        self.waiting.get(index as usize)?.as_ref()
    }

    fn last(&mut self, fd: RawFd, side: Side) -> Option<&mut Waiting> {
        let mut index = self.of(fd).first[side as usize];
        while let Some(next) = self.at(index).map(|waiting| waiting.next)
            && next != NONE
        {
            index = next;
        }
        self.waiting.get_mut(index as usize)?.as_mut()
    }

    /// The request that has waited longest on a side that would not block.
    pub(super) fn next_to_try(&self, fd: RawFd, side: Side) -> Option<(OpId, Request)> {
        let interest = self.descriptors.get(fd as usize)?;
        if interest.is_blocked(side) {
            return None;
        }
        let index = interest.first[side as usize];
        let waiting = self.at(index)?;
        Some((waiting.id(index), waiting.request))
    }

    /// A poll that waits for one of `events`, or for any if they tell of an error.
    pub(super) fn first_poll_for(&self, fd: RawFd, events: i16) -> Option<(OpId, i16)> {
        let mut index = self.descriptors.get(fd as usize)?.first[Side::Poll as usize];
        while let Some(waiting) = self.at(index) {
            if let Request::Poll { events: wanted, .. } = waiting.request {
                let found = events & (wanted | libc::POLLERR | libc::POLLHUP);
                if found != 0 {
                    return Some((waiting.id(index), found));
                }
            }
            index = waiting.next;
        }
        None
    }

    /// Takes a request out; `false` if it does not wait.
    pub(super) fn remove(&mut self, id: OpId) -> bool {
        let waiting = self.at(id.index()).filter(|waiting| waiting.generation == generation(id));
        let Some(waiting) = waiting else { return false };
        let (next, place) = (waiting.next, waiting.request.place());
        let (fd, side) = place.expect("what waits has a place");
        self.unlink(fd, side, id.index(), next);
        self.waiting[id.index() as usize] = None;
        self.count -= 1;
        true
    }

    fn unlink(&mut self, fd: RawFd, side: Side, index: u32, next: u32) {
        let first = &mut self.of(fd).first[side as usize];
        if *first == index {
            *first = next;
            return;
        }
        let mut before = *first;
        while let Some(waiting) = self.waiting[before as usize].as_mut() {
            if waiting.next == index {
                waiting.next = next;
                return;
            }
            before = waiting.next;
        }
    }

    /// All requests that wait.
    pub(super) fn ids(&self) -> Vec<OpId> {
        let places = self.waiting.iter().zip(0..);
        places.filter_map(|(waiting, index)| Some(waiting.as_ref()?.id(index))).collect()
    }
}

//! Provided receive buffers by hand: one area, cut into equal pieces, and a ring of free ones that
//! the kernel takes from.
//!
//! Invariant **One hand**: a buffer is either the kernel's, from [`Buffers::give`] until the
//! completion that names it, or ours, from then on until it is given back.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;

use super::ring::Ring;

/// The only group of a ring.
pub const GROUP: u16 = 0;

/// The buffers of one ring, which has to be dropped before them.
pub struct Buffers {
    ring: Mapping,
    area: Mapping,
    count: u16,
    bytes: u32,
    tail: u16,
}

impl Buffers {
    /// Shows `count` buffers, a power of two, of `bytes` bytes to the kernel.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn new(ring: &Ring, count: u16, bytes: u32) -> io::Result<Self> {
        let entries = Mapping::new(usize::from(count) * size_of::<BufRingEntry>())?;
        let area = Mapping::new(usize::from(count) * bytes as usize)?;
        let address = entries.0.as_ptr().expose_provenance() as u64;
        // SAFETY: the mapping outlives the ring.
        unsafe { ring.submitter().register_buf_ring_with_flags(address, count, GROUP, 0) }?;
        let mut buffers = Self { ring: entries, area, count, bytes, tail: 0 };
        (0..count).for_each(|id| buffers.give(id));
        buffers.publish();
        Ok(buffers)
    }

    /// The first `len` bytes of a buffer that a completion has named, and that was not given back.
    pub fn bytes(&self, id: u16, len: usize) -> &[u8] {
        assert!(id < self.count && len <= self.bytes as usize, "the kernel names what we gave");
        // SAFETY: inside the area; *One hand*: it is ours.
        unsafe { std::slice::from_raw_parts(self.address(id), len) }
    }

    /// Puts a buffer into the ring; the kernel sees it at the next [`publish`](Self::publish).
    pub fn give(&mut self, id: u16) {
        let index = usize::from(self.tail & (self.count - 1));
        let address = self.address(id).expose_provenance() as u64;
        // SAFETY: the index is below the count; the kernel does not read beyond the tail.
        let entry = unsafe { self.ring.0.cast::<BufRingEntry>().add(index).as_mut() };
        entry.set_addr(address);
        entry.set_len(self.bytes);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Lets the kernel see what was given.
    pub fn publish(&self) {
        // SAFETY: the tail lies inside the first entry of the ring, which is ours.
        let tail = unsafe { BufRingEntry::tail(self.ring.0.as_ptr().cast()) };
        // SAFETY: as above; aligned, and everyone accesses it atomically.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        // Release: pairs with the kernel's acquiring load; it sees the entries before the tail.
        tail.store(self.tail, Ordering::Release);
    }

    fn address(&self, id: u16) -> *mut u8 {
        // SAFETY: callers name buffers that exist, so this is inside the area.
        unsafe { self.area.0.as_ptr().add(usize::from(id) * self.bytes as usize) }
    }
}

/// Zeroed pages.
struct Mapping(NonNull<u8>, usize);

impl Mapping {
    fn new(bytes: usize) -> io::Result<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
        // SAFETY: a fresh mapping.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).expect("nothing is mapped at 0");
        Ok(Self(start, bytes))
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped with this length; the ring that used it is gone.
        unsafe { libc::munmap(self.0.as_ptr().cast(), self.1) };
    }
}

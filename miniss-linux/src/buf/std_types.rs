//! The buffers that std gives us.
//!
//! | type | write from | read into | after a read of n bytes |
//! |---|---|---|---|
//! | `Vec<u8>` | its `len` bytes | its whole capacity | `len` is n |
//! | `Box<[u8]>`, `[u8; N]` | all | all | as long as before |
//! | `&'static [u8]`, `&'static [u8; N]`, `&'static str` | all | no | |
//! | `String`, `Rc<[u8]>`, `Arc<[u8]>` | all | no | |
//!
//! The invariants named below are those of the module above.

use super::{IoBuf, IoBufMut};
use std::mem::MaybeUninit;
use std::rc::Rc;
use std::slice;
use std::sync::Arc;

impl IoBuf for Vec<u8> {
    fn as_init(&self) -> &[u8] {
        self
    }

    fn bytes_total(&self) -> usize {
        self.capacity()
    }
}

// SAFETY: One memory. Both views begin at `Vec::as_ptr` and the second has its capacity; the
// length is a plain field, and `set_len` sets it.
unsafe impl IoBufMut for Vec<u8> {
    unsafe fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
        let start = self.as_mut_ptr().cast::<MaybeUninit<u8>>();
        // SAFETY: a Vec has `capacity` bytes at `as_mut_ptr` (a well-aligned non-null pointer
        // even for none), borrowed mutably for as long as the result. MaybeUninit has the layout
        // of u8 and allows any content. Initialised stays initialised, says our caller, so the
        // first `len` bytes remain what a Vec<u8> wants.
        unsafe { slice::from_raw_parts_mut(start, self.capacity()) }
    }

    unsafe fn set_len(&mut self, len: usize) {
        debug_assert!(len <= self.capacity(), "{len} bytes read into {}", self.capacity());
        // SAFETY: the caller promises that the first `len` bytes exist and are initialised.
        unsafe { Vec::set_len(self, len) }
    }
}

/// Views initialised bytes as perhaps uninitialised ones.
///
/// # Safety
///
/// *Initialised stays initialised*: only initialised bytes may be stored through the result.
unsafe fn as_uninit(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    let (start, len) = (bytes.as_mut_ptr().cast::<MaybeUninit<u8>>(), bytes.len());
    // SAFETY: the same memory, borrowed mutably for the same time; MaybeUninit<u8> has the layout
    // of u8. It would allow to store uninitialised bytes, which our caller promises not to do.
    unsafe { slice::from_raw_parts_mut(start, len) }
}

impl IoBuf for Box<[u8]> {
    fn as_init(&self) -> &[u8] {
        self
    }
}

// SAFETY: One memory. Both views are the whole boxed slice, whose length is fixed.
unsafe impl IoBufMut for Box<[u8]> {
    unsafe fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: Initialised stays initialised, promised by our caller in the same words.
        unsafe { as_uninit(self) }
    }

    unsafe fn set_len(&mut self, len: usize) {
        debug_assert!(len <= self.len(), "{len} bytes read into {}", self.len());
    }
}

impl<const N: usize> IoBuf for [u8; N] {
    fn as_init(&self) -> &[u8] {
        self
    }
}

// SAFETY: One memory. Both views are the whole array, which is inside the value and thus moves
// only with it.
unsafe impl<const N: usize> IoBufMut for [u8; N] {
    unsafe fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: Initialised stays initialised, promised by our caller in the same words.
        unsafe { as_uninit(self) }
    }

    unsafe fn set_len(&mut self, len: usize) {
        debug_assert!(len <= N, "{len} bytes read into {N}");
    }
}

impl IoBuf for &'static [u8] {
    fn as_init(&self) -> &[u8] {
        self
    }
}

/// For literals such as `b"PONG"`.
impl<const N: usize> IoBuf for &'static [u8; N] {
    fn as_init(&self) -> &[u8] {
        *self
    }
}

impl IoBuf for &'static str {
    fn as_init(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl IoBuf for String {
    fn as_init(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl IoBuf for Rc<[u8]> {
    fn as_init(&self) -> &[u8] {
        self
    }
}

impl IoBuf for Arc<[u8]> {
    fn as_init(&self) -> &[u8] {
        self
    }
}

//! What a thread of the kernel waits for, and is interrupted in: asked for again.
//!
//! A program is stopped and goes on, by a shell's job control, by a container engine that pauses
//! it, or by a debugger. A system call that waits then begins again, and no one notices. Over a
//! ring the kernel's threads are interrupted as well, and the completion says so: with `EINTR`, or
//! with a number that no system call returns. Nothing has been done by then. So we ask again,
//! unless it was cancelled, which interrupts in the same way.
//!
//! Reads and writes are not among these requests. They wait for a disk, or until there is something
//! to read, which is never interrupted; and they are too many to be noted down.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::BTreeMap;

use miniss_core::op::OpId;

use super::tag;
use crate::driver::request::FileRequest;

/// The kernel's own numbers, `ERESTARTSYS` to `ERESTART_RESTARTBLOCK`: begin again.
const BEGIN_AGAIN: std::ops::RangeInclusive<i32> = 512..=516;

/// The requests in flight that a thread of the kernel may wait for, by the ids of their operations.
#[derive(Default)]
pub(super) struct Waits(Box<RefCell<BTreeMap<u64, Wait>>>);

struct Wait {
    /// It lies in the operation (*Owned while in flight*).
    request: *const FileRequest,
    is_cancelled: bool,
}

impl Waits {
    /// A request that is about to be handed over. Returns the `user_data` of its entry.
    pub(super) fn begin(&self, id: OpId, request: *const FileRequest) -> u64 {
        self.0.borrow_mut().insert(id.to_bits(), Wait { request, is_cancelled: false });
        tag::WAIT | id.to_bits()
    }

    /// A request that is about to be cancelled, of whichever kind. Returns its `user_data`.
    pub(super) fn cancel(&self, id: OpId) -> u64 {
        match self.0.borrow_mut().get_mut(&id.to_bits()) {
            Some(wait) => {
                wait.is_cancelled = true;
                tag::WAIT | id.to_bits()
            }
            None => tag::OP | id.to_bits(),
        }
    }

    /// All are about to be cancelled.
    pub(super) fn cancel_all(&self) {
        self.0.borrow_mut().values_mut().for_each(|wait| wait.is_cancelled = true);
    }

    /// A completion is here: what it means to the operation, or the request to be made again.
    pub(super) fn end(&self, id: OpId, result: i32) -> Result<i32, *const FileRequest> {
        let mut waits = self.0.borrow_mut();
        let was_interrupted = result == -libc::EINTR || BEGIN_AGAIN.contains(&-result);
        match waits.get(&id.to_bits()) {
            Some(wait) if was_interrupted && !wait.is_cancelled => return Err(wait.request),
            _ => waits.remove(&id.to_bits()),
        };
        Ok(if was_interrupted { -libc::ECANCELED } else { result })
    }
}

/// Whether a thread of the kernel may be interrupted while it waits for this.
pub(super) fn may_be_interrupted(request: &FileRequest) -> bool {
    use FileRequest::*;
    !matches!(
        request,
        Read { .. } | ReadVectored { .. } | Write { .. } | WriteVectored { .. } | Close { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_interrupted_is_asked_again_until_it_ends_or_is_cancelled() {
        let (waits, id) = (Waits::default(), OpId::from_bits(7));
        let request = FileRequest::SetLen { fd: 3, len: 5 };
        let data = waits.begin(id, &raw const request);
        assert_eq!(data, tag::WAIT | 7);
        for result in [-libc::EINTR, -512, -513, -514, -516] {
            assert_eq!(waits.end(id, result), Err(&raw const request));
        }
        assert_eq!(waits.end(id, 0), Ok(0));
        // The next one in its place.
        for (result, told) in [(-libc::EINTR, -libc::ECANCELED), (-512, -libc::ECANCELED), (3, 3)] {
            assert_eq!(waits.begin(id, &raw const request), data);
            assert_eq!(waits.cancel(id), data);
            assert_eq!(waits.end(id, result), Ok(told));
        }
        waits.begin(id, &raw const request);
        waits.cancel_all();
        assert_eq!(waits.end(id, -512), Ok(-libc::ECANCELED));
        // What is no wait, or has ended, is cancelled by the id alone.
        assert_eq!(waits.cancel(id), tag::OP | 7);
    }
}

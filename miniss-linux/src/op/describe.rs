//! What a request of a file asks for, in words: for those who want to know what hangs.
//!
//! Invariant **Owned while in flight** (of `miniss_core::op`): what a request points at is there.

use std::ffi::CStr;
use std::fmt;
use std::fs;
use std::os::fd::RawFd;

use libc::c_char;

use crate::driver::FileRequest;

/// Of what something is asked.
enum Of {
    Open(RawFd),
    Path(*const c_char),
    Other,
}

/// # Safety
/// The request is of an operation in flight, on the file `fd` if it has one.
pub(super) unsafe fn describe(
    request: &FileRequest,
    fd: Option<RawFd>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let (what, of) = parts_of(request, fd);
    match of {
        Of::Open(fd) => {
            write!(f, "{what} of descriptor {fd}")?;
            // The kernel knows the path without a look at the disk.
            let path = fs::read_link(format!("/proc/self/fd/{fd}"));
            path.map_or(Ok(()), |path| write!(f, ", which is {path:?}"))
        }
        // SAFETY: *Owned while in flight*; a path ends with a zero.
        Of::Path(path) => write!(f, "{what} of {:?}", unsafe { CStr::from_ptr(path) }),
        Of::Other => f.write_str(what),
    }
}

fn parts_of(request: &FileRequest, fd: Option<RawFd>) -> (&'static str, Of) {
    use FileRequest::*;
    match *request {
        Read { fd, .. } | ReadVectored { fd, .. } => ("a read", Of::Open(fd)),
        Write { fd, .. } | WriteVectored { fd, .. } => ("a write", Of::Open(fd)),
        Splice { from, .. } => ("a splice", Of::Open(from)),
        Sync { fd, .. } => ("a sync", Of::Open(fd)),
        SetLen { fd, .. } => ("a change of the length", Of::Open(fd)),
        Allocate { fd, .. } => ("an allocation", Of::Open(fd)),
        Advise { fd, .. } => ("an advice", Of::Open(fd)),
        Status { fd, .. } if fd >= 0 => ("a look at the metadata", Of::Open(fd)),
        Status { path, .. } => ("a look at the metadata", Of::Path(path)),
        Open { path, .. } => ("an open", Of::Path(path)),
        Close { fd } => ("a close", Of::Open(fd)),
        Rename { from, .. } => ("a rename", Of::Path(from)),
        Link { original, .. } => ("a link", Of::Path(original)),
        Symlink { link, .. } => ("a symbolic link", Of::Path(link)),
        Remove { path, .. } => ("a removal", Of::Path(path)),
        MakeDir { path, .. } => ("a new folder", Of::Path(path)),
        Call { .. } => ("a call that blocks", fd.map_or(Of::Other, Of::Open)),
    }
}

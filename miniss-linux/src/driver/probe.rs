//! What the ring can do, asked once and under the filters in force.

#![forbid(unsafe_code)]

use io_uring::opcode::{
    Accept, AsyncCancel, Connect, MsgRingData, PollAdd, Recv, RecvMsg, Send, SendMsg, SendZc,
    Shutdown, Socket,
};
use io_uring::{IoUring, Probe};

use crate::error::DriverUnavailable;

/// What the kernel offers beyond the least that we need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Features {
    /// A ring can post to another ring (5.18).
    pub(crate) msg_ring: bool,
    /// Multishot receive and synchronous cancel (6.0; told by `SEND_ZC`, which came with them).
    pub(crate) multishot_recv: bool,
    /// A completion may be left out where all went well (5.17).
    pub(crate) cqe_skip: bool,
    /// Waiting need not count as waiting for a disk (6.15).
    pub(crate) no_iowait: bool,
}

/// Asks the kernel which operations it knows; a ring that cannot do the basic ones is refused.
pub(super) fn probe(ring: &IoUring) -> Result<Features, DriverUnavailable> {
    let mut probe = Probe::new();
    ring.submitter()
        .register_probe(&mut probe)
        .map_err(|error| DriverUnavailable::new("io_uring_register(PROBE)", error))?;
    let needed = [
        (Accept::CODE, "ACCEPT"),
        (AsyncCancel::CODE, "ASYNC_CANCEL"),
        (Connect::CODE, "CONNECT"),
        (PollAdd::CODE, "POLL_ADD"),
        (Recv::CODE, "RECV"),
        (RecvMsg::CODE, "RECVMSG"),
        (Send::CODE, "SEND"),
        (SendMsg::CODE, "SENDMSG"),
        (Shutdown::CODE, "SHUTDOWN"),
        // Not used: it came with multishot accept and provided buffer rings (5.19), which cannot be
        // asked for.
        (Socket::CODE, "SOCKET (before Linux 5.19)"),
    ];
    for (code, name) in needed {
        if !probe.is_supported(code) {
            let error = std::io::Error::from_raw_os_error(libc::EOPNOTSUPP);
            return Err(DriverUnavailable::new(name, error));
        }
    }
    Ok(Features {
        msg_ring: probe.is_supported(MsgRingData::CODE),
        multishot_recv: probe.is_supported(SendZc::CODE),
        cqe_skip: ring.params().is_feature_skip_cqe_on_success(),
        no_iowait: ring.params().is_feature_no_iowait(),
    })
}

//! Sockets of messages that are closed, and two users of one at a time.

use std::io::ErrorKind;
use std::rc::Rc;

use miniss_linux::spawn;

use super::{Kind, pair};
use crate::harness::{errno, poll_once, settle, soon};

for_each_kind![
    two_receives_at_a_time_are_refused,
    a_close_ends_what_is_in_progress_and_refuses_what_follows,
    a_close_drops_what_was_received_ahead,
];

async fn two_receives_at_a_time_are_refused<K: Kind>() {
    let (ours, peer) = pair::<K>();
    let mut first = Box::pin(ours.recv([0; 4]));
    assert!(poll_once(first.as_mut()).is_pending());
    assert_eq!(ours.recv([0; 4]).await.0.unwrap_err().kind(), ErrorKind::ResourceBusy);
    assert_eq!(ours.recv_pooled().await.unwrap_err().kind(), ErrorKind::ResourceBusy);
    peer.send(b"once").unwrap();
    assert_eq!(soon(first).await.1, *b"once");
}

async fn a_close_ends_what_is_in_progress_and_refuses_what_follows<K: Kind>() {
    for pooled in [false, true] {
        let (ours, _peer) = pair::<K>();
        let ours = Rc::new(ours);
        let receiver = spawn({
            let ours = ours.clone();
            async move {
                match pooled {
                    true => ours.recv_pooled().await.map(drop),
                    false => ours.recv([0; 4]).await.0.map(drop),
                }
            }
        });
        settle().await;
        soon(ours.close()).await.unwrap();
        assert_eq!(errno(soon(receiver).await.unwrap()), libc::ECANCELED);
        assert_eq!(errno(ours.recv([0; 4]).await.0), libc::EBADF);
        assert_eq!(errno(ours.recv_pooled().await.map(drop)), libc::EBADF);
        assert_eq!(errno(ours.peek([0; 4]).await.0), libc::EBADF);
        assert_eq!(errno(ours.send("too late").await.0), libc::EBADF);
        assert_eq!(errno(ours.local_addr()), libc::EBADF);
        soon(ours.close()).await.unwrap();
    }
}

async fn a_close_drops_what_was_received_ahead<K: Kind>() {
    let (ours, peer) = pair::<K>();
    for message in [b"1", b"2", b"3"] {
        peer.send(message).unwrap();
    }
    assert_eq!(&soon(ours.recv_pooled()).await.unwrap().1[..], b"1");
    settle().await;
    soon(ours.close()).await.unwrap();
    assert_eq!(errno(ours.recv_pooled().await.map(drop)), libc::EBADF);
}

//! Descriptors that go with messages and with the bytes of a stream: each has one owner, and none
//! is left over. The harness counts them.

use std::fs::{self, File};
use std::io::{ErrorKind, PipeReader, Read, Write, pipe};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net;
use std::rc::Rc;
use std::time::Duration;

use futures::io::AsyncReadExt;
use miniss_linux::net::{PollStream, Seqpacket, Unix, UnixDatagram, UnixStream};
use miniss_linux::time::sleep;
use miniss_tests::census::Census;
use miniss_tests::kernel::{self, try_set_option};
use miniss_tests::random::Random;

use super::Kind;
use crate::harness::{alone_with_each_driver, on_each_driver, poll_once, settle, soon};

type Socket<K> = miniss_linux::net::DatagramSocket<K>;

fn pair<K: Kind>() -> (Socket<K>, Socket<K>) {
    let (a, b) = K::blocking_pair();
    (Socket::from_std(a.into()).unwrap(), Socket::from_std(b.into()).unwrap())
}

/// The writing ends of pipes, and their reading ends.
fn pipes(count: usize) -> (Vec<OwnedFd>, Vec<PipeReader>) {
    (0..count)
        .map(|_| pipe().unwrap())
        .map(|(reader, writer)| (OwnedFd::from(writer), reader))
        .unzip()
}

/// Each of these descriptors is the writing end of one of the pipes, in that order, and the only
/// one.
fn assert_through(fds: Vec<OwnedFd>, readers: &mut [PipeReader]) {
    assert_eq!(fds.len(), readers.len());
    for (fd, reader) in fds.into_iter().zip(readers) {
        assert!(closes_on_exec(&fd));
        File::from(fd).write_all(b"through").unwrap();
        let mut all = String::new();
        reader.read_to_string(&mut all).unwrap();
        assert_eq!(all, "through");
    }
}

fn closes_on_exec(fd: &OwnedFd) -> bool {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
    i32::from_str_radix(flags.trim(), 8).unwrap() & libc::O_CLOEXEC != 0
}

async fn a_message_brings_its_descriptors<K: Kind<Address = std::os::unix::net::SocketAddr>>() {
    let (ours, theirs) = pair::<K>();
    for count in [1, 2, 3, 253] {
        let (writers, mut readers) = pipes(count);
        soon(ours.send_with_fds("here", writers)).await.0.unwrap();
        let (result, buffer) = soon(theirs.recv_with_fds([0; 4], count)).await;
        let received = result.unwrap();
        assert_eq!((received.len, &buffer, received.fds_truncated), (4, b"here", false));
        assert_through(received.fds, &mut readers);
    }
    let (writers, _readers) = pipes(254);
    let error = soon(ours.send_with_fds("too many", writers)).await.0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn messages_bring_their_descriptors() {
    on_each_driver(a_message_brings_its_descriptors::<Unix>);
    on_each_driver(a_message_brings_its_descriptors::<Seqpacket>);
}

#[test]
fn descriptors_that_there_is_no_room_for_are_closed_and_it_is_told() {
    on_each_driver(async || {
        let (ours, theirs) = pair::<Unix>();
        for max in [0, 1, 2] {
            let (writers, mut readers) = pipes(3);
            soon(ours.send_with_fds("three", writers)).await.0.unwrap();
            let received = soon(theirs.recv_with_fds([0; 8], max)).await.0.unwrap();
            assert!(received.fds_truncated && received.len == 5);
            let (first, others) = readers.split_at_mut(max);
            assert_through(received.fds, first);
            for reader in others {
                assert_eq!(reader.read(&mut [0]).unwrap(), 0);
            }
        }
    });
}

#[test]
fn descriptors_that_no_one_asks_for_are_closed() {
    on_each_driver(async || {
        for pooled in [false, true] {
            let (ours, theirs) = pair::<Unix>();
            let (writers, mut readers) = pipes(1);
            soon(ours.send_with_fds("", writers)).await.0.unwrap();
            let received = match pooled {
                true => soon(theirs.recv_pooled()).await.unwrap().0,
                false => soon(theirs.recv_from([0; 4])).await.0.unwrap(),
            };
            assert!(received.fds_truncated && received.fds.is_empty());
            assert_eq!(readers[0].read(&mut [0]).unwrap(), 0);
        }
    });
}

#[test]
fn a_descriptor_of_the_sender_that_someone_asked_the_kernel_for_is_closed() {
    /// Since Linux 6.5.
    const SO_PASSPIDFD: i32 = 76;
    on_each_driver(async || {
        let (ours, theirs) = pair::<Unix>();
        if let Err(error) = try_set_option(theirs.as_fd(), SO_PASSPIDFD, &1) {
            println!("Left out: {error}");
            return;
        }
        soon(ours.send("from a process")).await.0.unwrap();
        let received = soon(theirs.recv_with_fds([0; 64], 8)).await.0.unwrap();
        assert_eq!((received.len, received.fds.len()), (14, 0));
    });
}

#[test]
fn a_stream_brings_descriptors_with_their_bytes() {
    on_each_driver(async || {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let error = ours.write_with_fds("", pipes(1).0).await.0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let error = theirs.read_with_fds(Vec::new(), 1).await.0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let (mut writers, mut readers) = pipes(3);
        soon(ours.write_all("plain")).await.0.unwrap();
        soon(ours.write_with_fds("one", vec![writers.remove(0)])).await.0.unwrap();
        soon(ours.write_with_fds("two", writers)).await.0.unwrap();
        ours.shutdown(std::net::Shutdown::Write).await.unwrap();
        let (mut bytes, mut fds) = (Vec::new(), Vec::new());
        loop {
            let (result, buffer) = soon(theirs.read_with_fds([0; 64], 8)).await;
            let received = result.unwrap();
            if received.len == 0 {
                break;
            }
            bytes.extend_from_slice(&buffer[..received.len]);
            fds.extend(received.fds);
        }
        assert_eq!(bytes, b"plainonetwo");
        assert_through(fds, &mut readers);
    });
}

#[test]
fn a_descriptor_may_be_kept_by_who_sends_it() {
    on_each_driver(async || {
        let (ours, theirs) = pair::<Unix>();
        let (mut writers, mut readers) = pipes(1);
        let kept = Rc::new(writers.remove(0));
        soon(ours.send_with_fds("shared", vec![kept.clone(), kept.clone()])).await.0.unwrap();
        assert_eq!(Rc::strong_count(&kept), 1);
        let received = soon(theirs.recv_with_fds([0; 8], 2)).await.0.unwrap();
        drop(received);
        File::from(Rc::into_inner(kept).unwrap()).write_all(b"mine").unwrap();
        let mut all = String::new();
        readers[0].read_to_string(&mut all).unwrap();
        assert_eq!(all, "mine");
    });
}

#[test]
fn descriptors_of_a_receive_that_was_dropped_are_for_the_next() {
    on_each_driver(async || {
        for moment in 0..3 {
            let (ours, theirs) = pair::<Unix>();
            let (writers, mut readers) = pipes(2);
            let mut dropped = Box::pin(theirs.recv_with_fds([0; 8], 2));
            assert!(poll_once(dropped.as_mut()).is_pending());
            settle().await;
            if moment == 0 {
                drop(dropped);
                soon(ours.send_with_fds("kept", writers)).await.0.unwrap();
            } else {
                soon(ours.send_with_fds("kept", writers)).await.0.unwrap();
                if moment == 2 {
                    settle().await;
                }
                drop(dropped);
            }
            let (result, buffer) = soon(theirs.recv_with_fds([0; 4], 2)).await;
            assert_eq!(buffer, *b"kept");
            assert_through(result.unwrap().fds, &mut readers);
        }
    });
}

#[test]
fn descriptors_kept_with_the_bytes_of_a_stream_come_with_them_or_not_at_all() {
    on_each_driver(async || {
        for by_fds in [false, true] {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let (writers, mut readers) = pipes(1);
            let mut dropped = Box::pin(theirs.read_with_fds([0; 8], 2));
            assert!(poll_once(dropped.as_mut()).is_pending());
            settle().await;
            soon(ours.write_with_fds("kept", writers)).await.0.unwrap();
            settle().await;
            drop(dropped);
            if by_fds {
                let received = soon(theirs.read_with_fds([0; 4], 2)).await.0.unwrap();
                assert_through(received.fds, &mut readers);
            } else {
                assert_eq!(soon(theirs.read([0; 4])).await.1, *b"kept");
            }
            soon(ours.write_all("next")).await.0.unwrap();
            let received = soon(theirs.read_with_fds([0; 4], 2)).await.0.unwrap();
            assert!(received.fds.is_empty());
            assert_eq!(readers[0].read(&mut [0]).unwrap(), 0);
        }
    });
}

/// A read of `theirs` that is dropped, and has taken four bytes and a descriptor by then: the peer
/// of the one that this gives.
async fn give_up_a_read(ours: &UnixStream, theirs: &UnixStream) -> UnixStream {
    let (passed, kept) = net::UnixStream::pair().unwrap();
    let mut dropped = Box::pin(theirs.read_with_fds([0; 8], 1));
    assert!(poll_once(dropped.as_mut()).is_pending());
    settle().await;
    soon(ours.write_with_fds("kept", vec![passed])).await.0.unwrap();
    settle().await;
    UnixStream::from_std(kept).unwrap()
}

#[test]
fn descriptors_of_a_dropped_read_are_closed_when_its_bytes_are_read_in_another_way() {
    on_each_driver(async || {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let passed = give_up_a_read(&ours, &theirs).await;
        assert_eq!(soon(theirs.peek([0; 2])).await.1, *b"ke");
        assert_eq!(soon(theirs.read([0; 2])).await.1, *b"ke");
        soon(passed.peer_closed()).await.unwrap();
        assert_eq!(soon(theirs.recv()).await.unwrap()[..], *b"pt");

        let passed = give_up_a_read(&ours, &theirs).await;
        assert_eq!(soon(theirs.read_vectored([[0; 4]])).await.1, [*b"kept"]);
        soon(passed.peer_closed()).await.unwrap();

        let passed = give_up_a_read(&ours, &theirs).await;
        assert_eq!(soon(theirs.recv()).await.unwrap()[..], *b"kept");
        soon(passed.peer_closed()).await.unwrap();

        let (ours, theirs) = UnixStream::pair().unwrap();
        let passed = give_up_a_read(&ours, &theirs).await;
        let (mut polled, mut bytes) = (PollStream::from(theirs), [0; 2]);
        soon(polled.read_exact(&mut bytes)).await.unwrap();
        assert_eq!(bytes, *b"ke");
        soon(passed.peer_closed()).await.unwrap();
    });
}

#[test]
fn descriptors_that_come_as_a_stream_closes_go_with_it() {
    on_each_driver(async || {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (passed, kept) = net::UnixStream::pair().unwrap();
        let kept = UnixStream::from_std(kept).unwrap();
        let mut dropped = Box::pin(theirs.read_with_fds([0; 8], 1));
        assert!(poll_once(dropped.as_mut()).is_pending());
        settle().await;
        let mut write = Box::pin(ours.write_with_fds("late", vec![passed]));
        let _ = poll_once(write.as_mut());
        drop(dropped);
        soon(theirs.close()).await.unwrap();
        drop(write);
        soon(kept.peer_closed()).await.unwrap();
    });
}

/// Receives that are dropped at random moments, and ends in the middle.
async fn no_descriptor_is_left_over<K: Kind<Address = std::os::unix::net::SocketAddr>>() {
    let mut random = Random::new();
    for _ in 0..40 {
        let (ours, theirs) = pair::<K>();
        let mut all = Vec::new();
        for _ in 0..4 {
            let (writers, readers) = pipes(1 + random.below(3) as usize);
            all.extend(readers);
            let mut send = Box::pin(ours.send_with_fds("a", writers));
            let mut receive = Box::pin(theirs.recv_with_fds([0; 4], random.below(4) as usize));
            // Either may be dropped before it begins, in the air, or done.
            let mut receives = random.below(3) > 0 && poll_once(receive.as_mut()).is_pending();
            if random.below(4) > 0 {
                let _ = poll_once(send.as_mut());
            }
            pause(&mut random).await;
            if receives && random.below(2) == 0 {
                receives = poll_once(receive.as_mut()).is_pending();
            }
            if receives {
                pause(&mut random).await;
            }
        }
        if random.below(2) == 0 {
            theirs.close().await.unwrap();
        }
        drop((ours, theirs));
        settle().await;
        for mut reader in all {
            assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        }
    }
}

async fn pause(random: &mut Random) {
    match random.below(3) {
        0 => {}
        1 => miniss_linux::yield_now().await,
        _ => sleep(Duration::from_micros(random.below(60))).await,
    }
}

#[test]
fn no_descriptor_is_left_over_whenever_a_receive_is_dropped() {
    on_each_driver(no_descriptor_is_left_over::<Unix>);
    on_each_driver(no_descriptor_is_left_over::<Seqpacket>);
}

#[test]
fn a_socket_that_goes_closes_the_descriptors_that_wait_in_it() {
    on_each_driver(async || {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let (writers, mut readers) = pipes(1);
        soon(ours.send_with_fds("a", writers)).await.0.unwrap();
        drop((ours, theirs));
        assert_eq!(readers[0].read(&mut [0]).unwrap(), 0);
    });
}

#[test]
fn descriptors_that_the_process_has_no_number_for_are_closed_and_it_is_told() {
    const TEST: &str = concat!(
        "datagram::fds::",
        "descriptors_that_the_process_has_no_number_for_are_closed_and_it_is_told"
    );
    alone_with_each_driver(TEST, |builder| {
        kernel::limit_descriptors(64);
        builder.shards(1).build().unwrap().block_on(async {
            let (ours, theirs) = pair::<Unix>();
            let (sender, stream) = UnixStream::pair().unwrap();
            for free in [0, 1, 3] {
                let (mut writers, mut readers) = pipes(6);
                soon(ours.send_with_fds("three", writers.split_off(3))).await.0.unwrap();
                soon(sender.write_with_fds("three", writers)).await.0.unwrap();
                let before = Census::take();
                let mut fill: Vec<_> = (0..).map_while(|_| File::open("/dev/null").ok()).collect();
                fill.truncate(fill.len() - free);
                for of_stream in [false, true] {
                    let received = match of_stream {
                        false => soon(theirs.recv_with_fds([0; 8], 3)).await.0.unwrap(),
                        true => soon(stream.read_with_fds([0; 8], 3)).await.0.unwrap(),
                    };
                    assert_eq!((received.len, received.fds.len()), (5, free));
                    assert_eq!(received.fds_truncated, free < 3);
                }
                drop(fill);
                assert_eq!(Census::take(), before);
                // No one has the other ends any more.
                for reader in &mut readers {
                    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
                }
            }
        });
        kernel::limit_descriptors(1024);
    });
}

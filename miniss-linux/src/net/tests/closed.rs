//! A close ends what is in progress on the stream, and nothing else.

use super::*;
use crate::Driver;
use crate::driver::tests::kinds;
use crate::runtime::with_current;
use std::io;
use std::pin::Pin;
use std::rc::Rc;

/// More than fits on the way to a peer that does not read.
const TOO_MUCH: usize = 16 << 20;

type InProgress = fn(Rc<TcpStream>) -> Pin<Box<dyn Future<Output = io::Result<()>>>>;

const READS: [InProgress; 4] = [
    |stream| Box::pin(async move { stream.recv().await.map(drop) }),
    |stream| Box::pin(async move { stream.read(vec![0; 8]).await.0.map(drop) }),
    |stream| Box::pin(async move { stream.read_vectored([vec![0; 8]]).await.0.map(drop) }),
    // The peer has sent five bytes.
    |stream| Box::pin(async move { stream.read_exact(vec![0; 8]).await.0 }),
];

const WRITES: [InProgress; 2] = [
    |stream| Box::pin(async move { stream.write_all(vec![0; TOO_MUCH]).await.0 }),
    |stream| {
        let buffers = [vec![0; TOO_MUCH], vec![0; TOO_MUCH]];
        Box::pin(async move { stream.write_vectored_all(buffers).await.0 })
    },
];

fn errno(result: io::Result<()>) -> Option<i32> {
    result.unwrap_err().raw_os_error()
}

#[test]
fn what_is_in_progress_ends_with_the_same_error_however_far_it_is() {
    builder().build().unwrap().block_on(async {
        for (round, read) in READS.into_iter().enumerate() {
            let (stream, mut peer) = pair();
            let stream = Rc::new(stream);
            if round == 3 {
                peer.write_all(b"early").unwrap();
            }
            // The second write, and all behind it, wait for their turn.
            let writes = [WRITES[round % 2], WRITES[0], WRITES[1]];
            let tasks: Vec<_> = std::iter::once(read)
                .chain(writes)
                .map(|start| spawn_begun(start(stream.clone())))
                .collect();
            sleep(A_WHILE).await;
            patiently(stream.close()).await.unwrap();
            for task in tasks {
                let result = patiently(task).await.unwrap();
                assert_eq!(errno(result), Some(libc::ECANCELED), "round {round}");
            }
            for late in READS.into_iter().chain(WRITES) {
                assert_eq!(errno(patiently(late(stream.clone())).await), Some(libc::EBADF));
            }
            assert_eq!(errno(stream.write_all("").await.0), Some(libc::EBADF));
            assert_eq!(errno(stream.shutdown(Shutdown::Write).await), Some(libc::EBADF));
        }
    });
}

#[test]
fn a_read_that_a_close_finds_halfway_goes_no_further() {
    builder().build().unwrap().block_on(async {
        let (stream, mut peer) = pair();
        let mut read = pin!(stream.read_exact(vec![0; 8]));
        poll_once(read.as_mut());
        peer.write_all(b"five5").unwrap();
        // They are here, and their reader has not been asked yet whether it wants more.
        sleep(A_WHILE).await;
        patiently(stream.close()).await.unwrap();
        assert_eq!(errno(patiently(read).await.0), Some(libc::ECANCELED));
    });
}

#[test]
fn a_close_leaves_those_alone_who_have_the_socket_by_another_descriptor() {
    builder().build().unwrap().block_on(async {
        for by_recv in [false, true] {
            let (ours, mut peer) = blocking_pair();
            let other = TcpStream::from_std(ours.try_clone().unwrap()).unwrap();
            let stream = Rc::new(TcpStream::from_std(ours).unwrap());
            let mut theirs = pin!(async {
                match by_recv {
                    true => other.recv().await.unwrap().to_vec(),
                    false => other.read(vec![0; 5]).await.1,
                }
            });
            poll_once(theirs.as_mut());
            let write = spawn_begun(WRITES[0](stream.clone()));
            sleep(A_WHILE).await;
            patiently(stream.close()).await.unwrap();
            assert_eq!(errno(patiently(write).await.unwrap()), Some(libc::ECANCELED));
            poll_once(theirs.as_mut());
            peer.write_all(b"still").unwrap();
            assert_eq!(patiently(theirs).await, b"still");
        }
    });
}

#[test]
fn a_close_waits_for_no_one_who_was_given_up() {
    builder().build().unwrap().block_on(async {
        let (stream, mut peer) = pair();
        {
            let mut write = pin!(stream.write_all(vec![1; TOO_MUCH]));
            let mut read = pin!(stream.read(vec![0; 8]));
            poll_once(write.as_mut());
            poll_once(read.as_mut());
            sleep(A_WHILE).await;
        }
        patiently(stream.close()).await.unwrap();
        let all = std::thread::spawn(move || peer.read_to_end(&mut Vec::new()).unwrap());
        while !all.is_finished() {
            sleep(Duration::from_millis(1)).await;
        }
        let went_out = stream.cancelled_write_bytes().await;
        assert_eq!(all.join().unwrap(), went_out, "as it was told, and then the end");
    });
}

#[test]
fn a_close_gives_back_what_was_received_and_not_read() {
    // Rings alone receive bytes ahead.
    let Some(driver) = kinds().find(|kind| *kind == Driver::IoUring) else { return };
    let runtime = builder().driver(driver).recv_buffers(4, 8).build().unwrap();
    runtime.block_on(async {
        let driver = with_current(|shard| shard.driver.clone());
        for reading in [false, true] {
            let (stream, mut peer) = pair();
            let mut first = Box::pin(stream.recv());
            poll_once(first.as_mut());
            peer.write_all(&[1; 32]).unwrap();
            sleep(A_WHILE).await;
            assert!(driver.is_short_of_buffers());
            if !reading {
                first = Box::pin(stream.recv());
            }
            patiently(stream.close()).await.unwrap();
            // Who was reading has the bytes that were there before the close.
            let first = patiently(first).await;
            assert_eq!(first.is_ok(), reading);
            drop(first);
            assert!(patiently(stream.recv()).await.is_err());
            assert!(!driver.is_short_of_buffers());
        }
    });
}

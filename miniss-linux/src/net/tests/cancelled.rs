//! Reads that are dropped eat nothing and stop no one.

use socket2::SockRef;

use super::*;

/// How the next read goes about it.
async fn next_read(stream: &TcpStream, by_recv: bool) -> Vec<u8> {
    if by_recv {
        return patiently(stream.recv()).await.unwrap().to_vec();
    }
    let (result, mut buffer) = patiently(stream.read(vec![0; 64])).await;
    buffer.truncate(result.unwrap());
    buffer
}

#[test]
fn a_read_that_ended_but_was_never_polled_again_leaves_its_bytes() {
    for by_recv in [false, true] {
        builder().build().unwrap().block_on(async {
            let (stream, mut peer) = pair();
            {
                let mut read = pin!(stream.read(vec![0; 64]));
                poll_once(read.as_mut());
                peer.write_all(b"kept").unwrap();
                // The completion is here, and no one has looked at it.
                sleep(A_WHILE).await;
            }
            assert_eq!(next_read(&stream, by_recv).await, b"kept");
            peer.write_all(b"more").unwrap();
            assert_eq!(next_read(&stream, by_recv).await, b"more");
        });
    }
}

#[test]
fn the_next_read_learns_of_a_reset_that_a_dropped_one_met() {
    builder().build().unwrap().block_on(async {
        let (stream, peer) = pair();
        {
            let mut read = pin!(stream.read(vec![0; 64]));
            poll_once(read.as_mut());
            SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
            drop(peer);
            // The error is here, and the kernel will not tell it again.
            sleep(A_WHILE).await;
        }
        let error = patiently(stream.read(vec![0; 64])).await.0.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_read_that_is_dropped_in_flight_leaves_the_bytes_that_come() {
    for by_recv in [false, true] {
        builder().build().unwrap().block_on(async {
            let (stream, mut peer) = pair();
            for round in 0..20_u8 {
                {
                    let mut read = pin!(stream.read(vec![0; 64]));
                    poll_once(read.as_mut());
                    sleep(Duration::from_millis(1)).await;
                    peer.write_all(&[round]).unwrap();
                }
                assert_eq!(next_read(&stream, by_recv).await, [round]);
            }
        });
    }
}

#[test]
fn a_vectored_read_that_is_dropped_leaves_its_bytes_in_order() {
    builder().build().unwrap().block_on(async {
        let (stream, mut peer) = pair();
        {
            let mut read = pin!(stream.read_vectored([vec![0; 2], vec![0; 62]]));
            poll_once(read.as_mut());
            peer.write_all(b"in order").unwrap();
            sleep(A_WHILE).await;
        }
        assert_eq!(next_read(&stream, false).await, b"in order");
    });
}

#[test]
fn a_recv_that_is_dropped_leaves_what_was_received_ahead() {
    builder().build().unwrap().block_on(async {
        let (stream, mut peer) = pair();
        poll_once(pin!(stream.recv()));
        peer.write_all(b"ahead").unwrap();
        sleep(A_WHILE).await;
        assert_eq!(&patiently(stream.recv()).await.unwrap()[..], b"ahead");
    });
}

#[test]
fn a_slow_reader_gets_everything_once() {
    // Small buffers, a small ring and one byte a message: it pauses and starts again all the time.
    let runtime = builder().ring_entries(2).recv_buffers(16, 1).build().unwrap();
    runtime.block_on(async {
        let (stream, mut peer) = pair();
        let sender = std::thread::spawn(move || {
            peer.set_nodelay(true).unwrap();
            (0..2000_u32).for_each(|n| peer.write_all(&[n as u8]).unwrap());
        });
        for n in 0..2000_u32 {
            let bytes = patiently(stream.recv()).await.unwrap();
            assert_eq!(bytes[..], [n as u8]);
            if n % 37 == 0 {
                sleep(Duration::from_millis(1)).await;
            }
        }
        assert!(patiently(stream.recv()).await.unwrap().is_empty());
        sender.join().unwrap();
    });
}

#[test]
fn a_close_ends_the_reads_of_other_tasks() {
    builder().build().unwrap().block_on(async {
        let (stream, mut peer) = pair();
        let stream = std::rc::Rc::new(stream);
        let reader = spawn_begun({
            let stream = stream.clone();
            async move { (stream.recv().await, stream.recv().await) }
        });
        sleep(A_WHILE).await;
        stream.close().await.unwrap();
        let (first, second) = patiently(reader).await.unwrap();
        assert_eq!(first.unwrap_err().raw_os_error(), Some(libc::ECANCELED));
        assert_eq!(second.unwrap_err().raw_os_error(), Some(libc::EBADF));
        assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0);
    });
}

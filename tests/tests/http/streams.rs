//! The traits of hyper, called as hyper calls them.

use std::future::poll_fn;
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::pin::Pin;

use hyper::rt::{self, ReadBuf};
use miniss_linux::net::{PollStream, Tcp};
use miniss_linux::spawn_blocking;
use miniss_tests::deadline::deadline;
use miniss_tests::sockets::pair;

use crate::on_each_driver;

async fn read(stream: &mut PollStream<Tcp>, buffer: &mut ReadBuf<'_>) {
    poll_fn(|cx| rt::Read::poll_read(Pin::new(stream), cx, buffer.unfilled())).await.unwrap();
}

#[test]
fn a_read_fills_memory_that_was_never_written_to_behind_what_is_there() {
    let _deadline = deadline("hyper's read");
    on_each_driver(async || {
        let (ours, mut peer) = pair();
        let mut ours = PollStream::from(ours);
        let mut memory = [MaybeUninit::uninit(); 8];
        let mut buffer = ReadBuf::uninit(&mut memory);
        peer.write_all(b"abc").unwrap();
        read(&mut ours, &mut buffer).await;
        assert_eq!(buffer.filled(), b"abc");
        peer.write_all(b"defghijkl").unwrap();
        while buffer.filled().len() < 8 {
            read(&mut ours, &mut buffer).await;
        }
        assert_eq!(buffer.filled(), b"abcdefgh");
        // A buffer without room: nothing is read, and it is no end.
        read(&mut ours, &mut buffer).await;
        let mut zeroed = [0; 8];
        let mut rest = ReadBuf::new(&mut zeroed);
        drop(peer);
        while rest.filled().len() < 4 {
            read(&mut ours, &mut rest).await;
        }
        assert_eq!(rest.filled(), b"ijkl");
        read(&mut ours, &mut rest).await;
        assert_eq!(rest.filled(), b"ijkl");
    });
}

#[test]
fn a_write_takes_all_pieces_at_once() {
    let _deadline = deadline("hyper's write");
    on_each_driver(async || {
        let (ours, mut peer) = pair();
        let mut ours = PollStream::from(ours);
        assert!(rt::Write::is_write_vectored(&ours));
        // More than a system call takes.
        let pieces = vec![IoSlice::new(b"piece"); 2000];
        let write = poll_fn(|cx| rt::Write::poll_write_vectored(Pin::new(&mut ours), cx, &pieces));
        assert_eq!(write.await.unwrap(), 1024 * 5);
        let small = [IoSlice::new(b""), IoSlice::new(b"head "), IoSlice::new(b"body")];
        let write = poll_fn(|cx| rt::Write::poll_write_vectored(Pin::new(&mut ours), cx, &small));
        assert_eq!(write.await.unwrap(), 9);
        poll_fn(|cx| rt::Write::poll_flush(Pin::new(&mut ours), cx)).await.unwrap();
        poll_fn(|cx| rt::Write::poll_shutdown(Pin::new(&mut ours), cx)).await.unwrap();
        let read = move || {
            let mut text = String::new();
            peer.read_to_string(&mut text).map(|_| text)
        };
        let text = spawn_blocking(read).await.unwrap().unwrap();
        assert_eq!(text, "piece".repeat(1024) + "head body");
    });
}

//! Descriptors of kinds that the runtime has no type for.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::pin::pin;
use std::rc::Rc;

use miniss_linux::{AsyncFd, spawn};
use miniss_tests::folder::Folder;

use crate::harness::{beside, on_each_driver, poll_and_drop, poll_once, settle, soon};

/// More than a socket holds.
const MUCH: usize = 4 << 20;

fn pair() -> (AsyncFd<UnixStream>, UnixStream) {
    let (ours, other) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (AsyncFd::new(ours).unwrap(), other)
}

#[test]
fn a_wait_ends_with_something_to_read_and_says_so_as_long_as_it_is_there() {
    on_each_driver(async || {
        let (ours, mut other) = pair();
        let mut wait = pin!(ours.readable());
        assert!(poll_once(wait.as_mut()).is_pending());
        settle().await;
        assert!(poll_once(wait.as_mut()).is_pending());
        other.write_all(b"abc").unwrap();
        soon(wait).await.unwrap();
        for rest in (0..3).rev() {
            soon(ours.readable()).await.unwrap();
            let mut byte = [0];
            assert_eq!(ours.get_ref().read(&mut byte).unwrap(), 1);
            assert_eq!(byte[0], b'c' - rest);
        }
        assert!(poll_and_drop(ours.readable()).is_pending());
        // There is room to write all the while, and at the end there is something to read.
        soon(ours.writable()).await.unwrap();
        drop(other);
        soon(ours.readable()).await.unwrap();
        assert_eq!(ours.get_ref().read(&mut [0]).unwrap(), 0);
    });
}

#[test]
fn much_is_read_and_written_by_calls_that_do_not_wait() {
    on_each_driver(async || {
        let (ours, other) = pair();
        let (ours, bytes) = (Rc::new(ours), Rc::new(vec![b'x'; MUCH]));
        let echo = beside(move || {
            let (mut reader, mut writer) = (&other, &other);
            std::io::copy(&mut reader, &mut writer).unwrap();
        });
        let echo = spawn(echo);
        let writer = spawn({
            let (ours, bytes) = (ours.clone(), bytes.clone());
            async move {
                let mut sent = 0;
                while sent < MUCH {
                    let write = ours.write_with(|mut stream| stream.write(&bytes[sent..]));
                    sent += soon(write).await.unwrap();
                }
                ours.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
            }
        });
        let (mut received, mut buffer) = (0, vec![0; 64 << 10]);
        loop {
            match soon(ours.read_with(|mut stream| stream.read(&mut buffer))).await.unwrap() {
                0 => break,
                len => received += len,
            }
        }
        assert_eq!(received, MUCH);
        soon(writer).await.unwrap();
        soon(echo).await.unwrap();
    });
}

#[test]
fn each_of_many_waits_hears_and_a_dropped_one_takes_nothing() {
    on_each_driver(async || {
        let (ours, other) = UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let ours = Rc::new(AsyncFd::new(ours).unwrap());
        assert!(poll_and_drop(ours.read_with(|socket| socket.recv(&mut [0]))).is_pending());
        let takes = |_| {
            let ours = ours.clone();
            spawn(async move { ours.read_with(|socket| socket.recv(&mut [0; 9])).await })
        };
        let tasks: Vec<_> = (0..8).map(takes).collect();
        settle().await;
        for len in 1..=8 {
            other.send(&[b'x'; 8][..len]).unwrap();
        }
        let mut lens = Vec::new();
        for task in tasks {
            lens.push(soon(task).await.unwrap().unwrap());
        }
        lens.sort();
        assert_eq!(lens, [1, 2, 3, 4, 5, 6, 7, 8]);
        // Who gives it up has it back, with the mode that it had.
        let ours = Rc::try_unwrap(ours).unwrap().into_inner();
        assert_eq!(ours.recv(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn an_error_of_the_call_is_told_and_one_that_was_interrupted_is_made_again() {
    on_each_driver(async || {
        let (ours, other) = pair();
        let mut calls = 0;
        let told = ours.write_with(|_| {
            calls += 1;
            match calls {
                1 => Err(ErrorKind::Interrupted.into()),
                2 => Err(ErrorKind::WouldBlock.into()),
                3 => Ok("done"),
                _ => unreachable!("it was done"),
            }
        });
        assert_eq!(soon(told).await.unwrap(), "done");
        drop(other);
        let told = ours.write_with(|mut stream| stream.write(b"x"));
        assert_eq!(soon(told).await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_copy_is_waited_for_so_the_owner_may_close_its_own() {
    on_each_driver(async || {
        let (mut ours, mut other) = pair();
        other.write_all(b"x").unwrap();
        let (spare, _) = UnixStream::pair().unwrap();
        drop(std::mem::replace(ours.get_mut(), spare));
        soon(ours.readable()).await.unwrap();
    });
}

#[test]
fn what_is_ready_at_any_time_is_refused_with_the_remedy() {
    on_each_driver(async || {
        let folder = Folder::new();
        let path = folder.path().join("file");
        let file = fs::File::create(&path).unwrap();
        for refused in [file, fs::File::open(folder.path()).unwrap()] {
            let error = AsyncFd::new(refused).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains("by `fs`"), "{error}");
        }
        // A device is not.
        AsyncFd::new(fs::File::open("/dev/null").unwrap()).unwrap();
    });
}

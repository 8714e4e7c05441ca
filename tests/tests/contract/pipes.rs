//! Pipes: the bytes keep their order, and nothing is lost, whatever is dropped.

use std::io::{ErrorKind, Read, Write};
use std::pin::pin;

use miniss_linux::combine::when_all;
use miniss_linux::pipe::{PipeReader, PipeWriter, pipe};
use miniss_linux::spawn;
use miniss_tests::kernel;

use crate::harness::{
    alone_with_each_driver, beside, errno, on_each_driver, poll_and_drop, poll_once, settle, soon,
};

/// More than fits into a pipe while no one reads.
const TOO_MUCH: usize = 1 << 20;

fn numbered(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

async fn read_to_end(reader: &PipeReader) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        match soon(reader.recv()).await.unwrap() {
            bytes if bytes.is_empty() => return all,
            bytes => all.extend_from_slice(&bytes),
        }
    }
}

#[test]
fn bytes_come_in_order_in_every_form_and_then_the_end() {
    on_each_driver(async || {
        let (reader, writer) = pipe().unwrap();
        soon(writer.write_all("one")).await.0.unwrap();
        soon(writer.write_vectored_all(["two", "", "three"])).await.0.unwrap();
        assert_eq!(soon(writer.write("four")).await.0.unwrap(), 4);
        assert_eq!(soon(writer.write_vectored(["fi", "ve"])).await.0.unwrap(), 4);
        assert_eq!(soon(writer.write("")).await.0.unwrap(), 0);
        assert_eq!(soon(reader.read_exact([0; 3])).await.1, *b"one");
        let (result, [two, rest]) =
            soon(reader.read_vectored([vec![0; 3], Vec::with_capacity(5)])).await;
        assert_eq!((result.unwrap(), &two[..], &rest[..]), (8, &b"two"[..], &b"three"[..]));
        let (result, four) = soon(reader.read(Vec::with_capacity(4))).await;
        assert_eq!((result.unwrap(), &four[..]), (4, &b"four"[..]));
        assert_eq!(soon(reader.recv()).await.unwrap()[..], *b"five");
        assert!(poll_and_drop(reader.recv()).is_pending());
        soon(writer.write_all("x")).await.0.unwrap();
        drop(writer);
        let short = soon(reader.read_exact([0; 2])).await.0.unwrap_err();
        assert_eq!(short.kind(), ErrorKind::UnexpectedEof);
        assert!(soon(reader.recv()).await.unwrap().is_empty());
        assert_eq!(soon(reader.read([0; 1])).await.0.unwrap(), 0);
    });
}

#[test]
fn a_read_that_waits_is_told_of_bytes_and_of_the_end() {
    on_each_driver(async || {
        for bytes in ["later", ""] {
            let (reader, writer) = pipe().unwrap();
            let mut read = pin!(reader.recv());
            assert!(poll_once(read.as_mut()).is_pending());
            settle().await;
            soon(writer.write_all(bytes)).await.0.unwrap();
            drop(writer);
            assert_eq!(soon(read).await.unwrap()[..], *bytes.as_bytes());
        }
    });
}

#[test]
fn a_read_that_is_dropped_loses_nothing() {
    on_each_driver(async || {
        let (reader, writer) = pipe().unwrap();
        for round in 0..30_u8 {
            {
                let mut read = pin!(reader.read([0; 8]));
                assert!(poll_once(read.as_mut()).is_pending());
                if round % 3 == 0 {
                    settle().await;
                }
                soon(writer.write_all([round; 2])).await.0.unwrap();
                if round % 2 == 0 {
                    settle().await;
                }
            }
            assert_eq!(soon(reader.read_exact([0; 2])).await.1, [round; 2]);
        }
    });
}

#[test]
fn one_task_reads_at_a_time() {
    on_each_driver(async || {
        let (reader, writer) = pipe().unwrap();
        let mut read = pin!(reader.recv());
        assert!(poll_once(read.as_mut()).is_pending());
        let second = soon(reader.recv()).await.unwrap_err();
        assert_eq!(second.kind(), ErrorKind::ResourceBusy);
        soon(writer.write_all("x")).await.0.unwrap();
        assert_eq!(soon(read).await.unwrap()[..], *b"x");
    });
}

#[test]
fn long_writes_wait_for_room_and_do_not_mix() {
    on_each_driver(async || {
        let (reader, writer) = pipe().unwrap();
        let mut first = pin!(writer.write_all(vec![1; TOO_MUCH]));
        assert!(poll_once(first.as_mut()).is_pending());
        let mut second = pin!(writer.write_all(vec![2; TOO_MUCH]));
        assert!(poll_once(second.as_mut()).is_pending());
        let halves = [vec![3; TOO_MUCH / 2], vec![4; TOO_MUCH / 2]];
        let mut third = pin!(writer.write_vectored_all(halves));
        assert!(poll_once(third.as_mut()).is_pending());
        let read = reader.read_exact(vec![0; 3 * TOO_MUCH]);
        let (first, second, third, read) = soon(when_all((first, second, third, read))).await;
        for result in [first.0, second.0, third.0, read.0] {
            result.unwrap();
        }
        let all = read.1;
        let expected: Vec<_> = [(1, 2), (2, 2), (3, 1), (4, 1)]
            .into_iter()
            .flat_map(|(byte, halves)| vec![byte; halves * TOO_MUCH / 2])
            .collect();
        assert!(all == expected, "{} bytes", all.len());
    });
}

#[test]
fn a_write_that_is_dropped_says_how_much_went_out() {
    on_each_driver(async || {
        let (reader, writer) = pipe().unwrap();
        let bytes = numbered(TOO_MUCH);
        assert!(poll_and_drop(writer.write_all(bytes.clone())).is_pending());
        // There is no room: a write that is dropped now has written nothing.
        assert!(poll_and_drop(writer.write("never")).is_pending());
        let went_out = soon(writer.cancelled_write_bytes()).await;
        assert!(went_out > 0 && went_out < TOO_MUCH, "{went_out}");
        assert_eq!(soon(writer.cancelled_write_bytes()).await, 0);
        drop(writer);
        assert!(read_to_end(&reader).await == bytes[..went_out]);
    });
}

async fn assert_breaks(writer: &PipeWriter) {
    assert_eq!(errno(soon(writer.write_all("x")).await.0), libc::EPIPE);
    assert_eq!(errno(soon(writer.write("x")).await.0), libc::EPIPE);
    assert_eq!(errno(soon(writer.write_vectored(["x"])).await.0), libc::EPIPE);
}

#[test]
fn a_pipe_that_no_one_reads_is_an_error_and_never_a_signal() {
    on_each_driver(async || {
        let (reader, writer) = pipe().unwrap();
        let mut write = pin!(writer.write_all(vec![0; TOO_MUCH]));
        assert!(poll_once(write.as_mut()).is_pending());
        settle().await;
        drop(reader);
        assert_eq!(errno(soon(write).await.0), libc::EPIPE);
        assert_breaks(&writer).await;
    });
    const TEST: &str = "pipes::a_pipe_that_no_one_reads_is_an_error_and_never_a_signal";
    alone_with_each_driver(TEST, |builder| {
        kernel::die_of_broken_pipes();
        let runtime = builder.shards(1).build().unwrap();
        runtime.block_on(async {
            let (reader, writer) = pipe().unwrap();
            drop(reader);
            assert_breaks(&writer).await;
        });
    });
}

#[test]
fn an_end_goes_to_code_that_blocks_and_comes_from_there() {
    on_each_driver(async || {
        let (reader, writer) = pipe().unwrap();
        let mut theirs = std::fs::File::from(writer.into_blocking_fd().unwrap());
        let thread = spawn(beside(move || theirs.write_all(&vec![7; TOO_MUCH]).unwrap()));
        assert_eq!(read_to_end(&reader).await, vec![7; TOO_MUCH]);
        soon(thread).await.unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        let writer = PipeWriter::from_fd(writer.into()).unwrap();
        let thread = spawn(beside(move || {
            let mut all = Vec::new();
            let mut reader = reader;
            reader.read_to_end(&mut all).map(|_| all)
        }));
        soon(writer.write_all(numbered(TOO_MUCH))).await.0.unwrap();
        drop(writer);
        assert_eq!(soon(thread).await.unwrap().unwrap(), numbered(TOO_MUCH));
    });
}

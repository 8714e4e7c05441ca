//! Ends of pipes, the streams of children, and what others have open, too.

#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::io::ErrorKind;
use std::pin::pin;

use futures::TryStreamExt;
use futures::future::join;
use miniss_linux::Runtime;
use miniss_linux::pipe::{PipeReader, PipeWriter, PollReader, PollWriter, pipe};
use miniss_linux::process::{Command, Stdio};
use miniss_tests::deadline::deadline;
use miniss_tests::drivers::drivers;
use miniss_tests::folder::Folder;
use miniss_tests::kernel;

use super::poll_once;

const LEN: usize = 1 << 20;

fn numbered(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

fn on_each_driver(case: impl AsyncFn()) {
    for driver in drivers() {
        println!("{driver}");
        let _deadline = deadline("pipes that are polled");
        Runtime::builder().driver(driver).shards(1).build().unwrap().block_on(case());
    }
}

fn ends() -> (PollReader, PollWriter) {
    let (reader, writer) = pipe().unwrap();
    (reader.into(), writer.into())
}

#[test]
fn a_pipe_is_copied_through_by_tokio_and_by_futures() {
    on_each_driver(async || {
        {
            use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, copy_buf};
            let ((mut first, mut in_first), (mut last, mut in_last)) = (ends(), ends());
            let write = async {
                in_first.write_all(&numbered(LEN)).await.unwrap();
                in_first.shutdown().await.unwrap();
                assert_eq!(in_first.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
            };
            let pass = async {
                let start = copy(&mut (&mut first).take(1000), &mut in_last).await.unwrap();
                assert_eq!(start + copy_buf(&mut first, &mut in_last).await.unwrap(), LEN as u64);
                drop(in_last);
            };
            let mut all = Vec::new();
            let ((), (read, ())) = join(write, join(last.read_to_end(&mut all), pass)).await;
            assert!(read.unwrap() == LEN && all == numbered(LEN));
        }
        {
            use futures::io::{AsyncReadExt, AsyncWriteExt, copy_buf};
            let ((first, mut in_first), (mut last, mut in_last)) = (ends(), ends());
            let write = async {
                in_first.write_all(&numbered(LEN)).await.unwrap();
                in_first.close().await.unwrap();
            };
            let pass = async {
                assert_eq!(copy_buf(first, &mut in_last).await.unwrap(), LEN as u64);
                in_last.close().await.unwrap();
            };
            let mut all = Vec::new();
            let ((), (read, ())) = join(write, join(last.read_to_end(&mut all), pass)).await;
            assert!(read.unwrap() == LEN && all == numbered(LEN));
        }
    });
}

#[test]
fn a_child_is_talked_to_line_by_line() {
    on_each_driver(async || {
        use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
        let mut command = Command::new("cat");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().await.unwrap();
        let mut input = PollWriter::from(child.stdin.take().unwrap());
        let mut lines = PollReader::from(child.stdout.take().unwrap()).lines();
        for line in ["one", "two", ""] {
            input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
            assert_eq!(lines.next_line().await.unwrap().unwrap(), line);
        }
        input.shutdown().await.unwrap();
        assert_eq!(lines.next_line().await.unwrap(), None);
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn a_poll_that_is_given_up_takes_nothing_and_writes_nothing() {
    on_each_driver(async || {
        use futures::io::{AsyncReadExt, AsyncWriteExt};
        let (mut reader, mut writer) = ends();
        let mut byte = [0];
        assert!(poll_once(pin!(reader.read(&mut byte))).is_pending());
        writer.write_all(b"ab").await.unwrap();
        reader.read_exact(&mut byte).await.unwrap();
        assert_eq!(byte, *b"a");
        let mut sent = 0;
        while let std::task::Poll::Ready(len) = poll_once(pin!(writer.write(&[b'c'; 1000]))) {
            sent += len.unwrap();
        }
        drop(writer);
        let mut rest = Vec::new();
        assert_eq!(reader.read_to_end(&mut rest).await.unwrap(), 1 + sent);
        assert!(rest[0] == b'b' && rest[1..].iter().all(|byte| *byte == b'c'));
    });
}

#[test]
fn what_is_written_to_a_file_or_a_fifo_is_there_after_a_flush() {
    on_each_driver(async || {
        use futures::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
        let folder = Folder::new();
        let path = folder.path().join("file");
        let file = File::create(&path).unwrap();
        let mut writer = PollWriter::from(PipeWriter::from_shared(file.into()).unwrap());
        writer.write_all(&numbered(LEN)).await.unwrap();
        writer.write_all(b"a line\n").await.unwrap();
        writer.flush().await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), LEN as u64 + 7);
        let file = File::open(&path).unwrap();
        let mut reader = PollReader::from(PipeReader::from_shared(file.into()).unwrap());
        let mut bytes = vec![0; LEN];
        reader.read_exact(&mut bytes).await.unwrap();
        assert!(bytes == numbered(LEN));
        let lines: Vec<_> = reader.lines().try_collect().await.unwrap();
        assert_eq!(lines, ["a line"]);

        kernel::make_fifo(&folder.path().join("fifo"));
        let open = || File::options().read(true).write(true).open(folder.path().join("fifo"));
        let reader = PipeReader::from_shared(open().unwrap().into()).unwrap();
        let writer = PipeWriter::from_shared(open().unwrap().into()).unwrap();
        let (mut reader, mut writer) = (PollReader::from(reader), PollWriter::from(writer));
        let write = async {
            writer.write_all(&numbered(LEN)).await.unwrap();
            writer.close().await.unwrap();
        };
        let ((), read) = join(write, reader.read_exact(&mut bytes)).await;
        read.unwrap();
        assert!(bytes == numbered(LEN));
    });
}

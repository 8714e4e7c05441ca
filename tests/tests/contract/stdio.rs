//! What others have open, too: stdin, stdout and stderr, and the kinds of things behind them.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::pin::pin;
use std::process::{Command, Output, Stdio};
use std::thread;

use miniss_linux::combine::when_all;
use miniss_linux::pipe::{PipeReader, PipeWriter, stdin};
use miniss_linux::spawn;
use miniss_tests::deadline::deadline;
use miniss_tests::drivers::drivers;
use miniss_tests::folder::Folder;
use miniss_tests::kernel::{self, is_nonblocking};

use crate::harness::{
    alone_with_each_driver, errno, on_each_driver, poll_and_drop, poll_once, settle, soon, turn,
    with_each_driver,
};

/// More than is taken at once while no one reads.
const TOO_MUCH: usize = 1 << 19;

fn numbered(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

fn both_ways(path: &Path) -> File {
    File::options().read(true).write(true).open(path).unwrap()
}

/// All kinds of things that are read while they are written to: each with the end that is read and
/// the one that is written to.
fn kinds(folder: &Path) -> Vec<(&'static str, OwnedFd, OwnedFd)> {
    let (pipe, into_pipe) = io::pipe().unwrap();
    let (socket, peer) = UnixStream::pair().unwrap();
    kernel::make_fifo(&folder.join("fifo"));
    let fifo = both_ways(&folder.join("fifo"));
    let into_fifo = both_ways(&folder.join("fifo"));
    let mut kinds = vec![
        ("a pipe", pipe.into(), into_pipe.into()),
        ("a socket", socket.into(), peer.into()),
        ("a FIFO", fifo.into(), into_fifo.into()),
    ];
    kinds.extend(kernel::terminal().map(|(ours, other)| ("a terminal", ours, other)));
    kinds
}

/// Runs `case` with each kind.
#[track_caller]
fn with_each_kind(case: impl AsyncFn(PipeReader, PipeWriter)) {
    on_each_driver(async || {
        let folder = Folder::new();
        for (name, reader, writer) in kinds(folder.path()) {
            println!("{name}");
            let copies = [reader.try_clone().unwrap(), writer.try_clone().unwrap()];
            let reader = PipeReader::from_shared(reader).unwrap();
            case(reader, PipeWriter::from_shared(writer).unwrap()).await;
            assert!(copies.iter().all(|copy| !is_nonblocking(copy)), "{name} was left as it was");
        }
    });
}

/// The next `len` bytes.
async fn next(reader: &PipeReader, len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < len {
        bytes.extend_from_slice(&soon(reader.recv()).await.unwrap());
    }
    bytes
}

#[test]
fn what_others_share_is_read_and_written_in_every_form() {
    with_each_kind(async |reader, writer| {
        soon(writer.write_all("one")).await.0.unwrap();
        assert_eq!(soon(reader.read_exact([0; 3])).await.1, *b"one");
        soon(writer.write_vectored_all(["two", "", "three"])).await.0.unwrap();
        let vectored = reader.read_vectored([vec![0; 3], Vec::with_capacity(5)]);
        let (result, [two, rest]) = soon(vectored).await;
        // A terminal passes on one piece after the other.
        let len = result.unwrap();
        assert_eq!([&two[..], &rest[..]].concat()[..len], b"twothree"[..len]);
        assert_eq!(next(&reader, 8 - len).await, b"twothree"[len..]);
        assert_eq!(soon(writer.write_vectored(["fo", "ur"])).await.0.unwrap(), 4);
        assert_eq!(next(&reader, 4).await, b"four");
        let mut read = pin!(reader.recv());
        assert!(poll_once(read.as_mut()).is_pending());
        settle().await;
        assert_eq!(soon(writer.write("later")).await.0.unwrap(), 5);
        let start = soon(read).await.unwrap();
        assert_eq!(start[..], b"later"[..start.len()]);
        assert_eq!(next(&reader, 5 - start.len()).await, b"later"[start.len()..]);
    });
}

#[test]
fn more_than_there_is_room_for_comes_in_order() {
    with_each_kind(async |reader, writer| {
        let write = writer.write_all(numbered(TOO_MUCH));
        let read = reader.read_exact(vec![0; TOO_MUCH]);
        let (written, (result, bytes)) = soon(when_all((write, read))).await;
        written.0.unwrap();
        result.unwrap();
        assert!(bytes == numbered(TOO_MUCH));
    });
}

#[test]
fn a_read_of_what_others_share_that_is_dropped_loses_nothing() {
    with_each_kind(async |reader, writer| {
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
                if round % 5 == 0 {
                    // By now it may have begun, or be done.
                    if poll_once(read.as_mut()).is_ready() {
                        continue;
                    }
                }
            }
            assert_eq!(soon(reader.read_exact([0; 1])).await.1, [round]);
            assert_eq!(soon(reader.read_exact([0; 1])).await.1, [round]);
        }
    });
}

#[test]
fn a_reader_that_is_dropped_leaves_the_bytes_to_others() {
    on_each_driver(async || {
        let folder = Folder::new();
        for (name, reader, writer) in kinds(folder.path()) {
            println!("{name}");
            let mut other = File::from(reader.try_clone().unwrap());
            let reader = PipeReader::from_shared(reader).unwrap();
            assert!(poll_and_drop(reader.recv()).is_pending());
            settle().await;
            drop(reader);
            settle().await;
            let mut writer = File::from(writer);
            writer.write_all(b"for another").unwrap();
            let mut bytes = [0; 11];
            other.read_exact(&mut bytes).unwrap();
            assert_eq!(bytes, *b"for another");
        }
    });
}

#[test]
fn a_write_to_what_others_share_that_is_dropped_says_how_much_went_out() {
    with_each_kind(async |reader, writer| {
        {
            let mut write = pin!(writer.write_all(numbered(TOO_MUCH)));
            for _ in 0..10 {
                assert!(poll_once(write.as_mut()).is_pending());
                settle().await;
            }
        }
        let went_out = soon(writer.cancelled_write_bytes()).await;
        assert!(went_out > 0 && went_out < TOO_MUCH, "{went_out}");
        // There may be no room yet.
        let write = writer.write_all("the end");
        let read = reader.read_exact(vec![0; went_out + 7]);
        let (written, (result, bytes)) = soon(when_all((write, read))).await;
        written.0.unwrap();
        result.unwrap();
        assert!(bytes[..went_out] == numbered(went_out) && bytes[went_out..] == *b"the end");
    });
}

#[test]
fn a_file_is_read_and_written_at_the_cursor_that_others_share() {
    on_each_driver(async || {
        let folder = Folder::new();
        let path = folder.path().join("file");
        fs::write(&path, numbered(TOO_MUCH)).unwrap();
        let mut theirs = both_ways(&path);
        let reader = PipeReader::from_shared(theirs.try_clone().unwrap().into()).unwrap();
        let writer = PipeWriter::from_shared(theirs.try_clone().unwrap().into()).unwrap();
        assert_eq!(soon(reader.read_exact([0; 3])).await.1, [0, 1, 2]);
        assert_eq!(theirs.stream_position().unwrap(), 3);
        theirs.seek(SeekFrom::Start(100)).unwrap();
        soon(writer.write_all("abc")).await.0.unwrap();
        let rest = soon(reader.read_exact(vec![0; TOO_MUCH - 103])).await;
        assert!(rest.0.is_ok() && rest.1 == numbered(TOO_MUCH)[103..]);
        assert!(soon(reader.recv()).await.unwrap().is_empty());
        assert_eq!(soon(reader.read([0; 1])).await.0.unwrap(), 0);
        // What was begun goes on, and is counted.
        assert!(poll_and_drop(reader.recv()).is_pending());
        let long = vec![7; TOO_MUCH];
        {
            let mut write = pin!(writer.write_all(long));
            for _ in 0..3 {
                if poll_once(write.as_mut()).is_ready() {
                    break;
                }
                settle().await;
            }
        }
        let more = soon(writer.cancelled_write_bytes()).await as u64;
        let len = fs::metadata(&path).unwrap().len();
        assert!(len == (TOO_MUCH as u64) + more || len == 2 * TOO_MUCH as u64, "{len} {more}");
        assert_eq!(&fs::read(&path).unwrap()[99..104], [99, b'a', b'b', b'c', 103]);
    });
}

#[test]
fn errors_are_those_of_the_system() {
    on_each_driver(async || {
        let folder = Folder::new();
        let itself = PipeReader::from_shared(File::open(folder.path()).unwrap().into()).unwrap();
        assert_eq!(errno(soon(itself.recv()).await), libc::EISDIR);
        let null = File::open("/dev/null").unwrap();
        let reader = PipeReader::from_shared(null.try_clone().unwrap().into()).unwrap();
        assert!(soon(reader.recv()).await.unwrap().is_empty());
        let writer = PipeWriter::from_shared(null.into()).unwrap();
        assert_eq!(errno(soon(writer.write_all("x")).await.0), libc::EBADF);
        let full = File::options().write(true).open("/dev/full").unwrap();
        let writer = PipeWriter::from_shared(full.into()).unwrap();
        assert_eq!(errno(soon(writer.write_all("x")).await.0), libc::ENOSPC);
        let (reader, writer) = io::pipe().unwrap();
        let writer = PipeWriter::from_shared(writer.into()).unwrap();
        let mut write = pin!(writer.write_all(vec![0; TOO_MUCH]));
        assert!(poll_once(write.as_mut()).is_pending());
        settle().await;
        drop(reader);
        assert_eq!(errno(soon(write).await.0), libc::EPIPE);
    });
}

#[test]
fn a_runtime_ends_while_what_others_share_is_waited_for() {
    with_each_driver(|builder| {
        let folder = Folder::new();
        let runtime = builder.shards(1).build().unwrap();
        let mut writers = Vec::new();
        runtime.block_on(async {
            for (_, reader, writer) in kinds(folder.path()) {
                let reader = PipeReader::from_shared(reader).unwrap();
                spawn(async move { reader.recv().await }).detach();
                writers.push(writer);
            }
            settle().await;
        });
    });
}

/// Gives a program that copies its stdin to its stdout, once for each driver.
#[track_caller]
fn with_each_copy(case: impl Fn(Command)) {
    let _turn = turn();
    for driver in drivers() {
        println!("{driver}");
        let _deadline = deadline("a program that copies");
        let mut command = Command::new(env!("CARGO_BIN_EXE_copy_stdin"));
        command.env("MINISS_DRIVER", driver.to_string()).stderr(Stdio::piped());
        case(command);
    }
}

fn output_of(command: &mut Command) -> Output {
    command.spawn().unwrap().wait_with_output().unwrap()
}

#[track_caller]
fn assert_copied(output: &Output, bytes: usize) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said, format!("{bytes} bytes\n"));
}

#[test]
fn a_program_copies_pipes_and_leaves_them_as_they_are() {
    with_each_copy(|mut command| {
        let (input, mut into_input) = io::pipe().unwrap();
        let (mut from_output, output) = io::pipe().unwrap();
        let copies =
            [OwnedFd::from(input.try_clone().unwrap()), output.try_clone().unwrap().into()];
        command.stdin(input).stdout(output);
        let ends = thread::spawn(move || output_of(&mut command));
        into_input.write_all(b"ping").unwrap();
        let mut bytes = [0; 4];
        from_output.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes, *b"ping");
        assert!(copies.iter().all(|copy| !is_nonblocking(copy)));
        drop(copies);
        let writes = thread::spawn(move || into_input.write_all(&numbered(TOO_MUCH)).unwrap());
        let mut rest = Vec::new();
        from_output.read_to_end(&mut rest).unwrap();
        assert!(rest == numbered(TOO_MUCH));
        writes.join().unwrap();
        assert_copied(&ends.join().unwrap(), TOO_MUCH + 4);
    });
}

#[test]
fn a_program_copies_files_between_what_others_read_and_write_of_them() {
    with_each_copy(|program| {
        let folder = Folder::new();
        fs::write(folder.path().join("in"), "first\nsecond\nthird\n").unwrap();
        let mut shell = Command::new("sh");
        // It reads a line, and no more.
        shell.args(["-c", "read line; echo $line; \"$0\"; echo end"]).arg(program.get_program());
        for (name, value) in program.get_envs() {
            shell.env(name, value.unwrap());
        }
        let output = File::create(folder.path().join("out")).unwrap();
        shell.stdin(File::open(folder.path().join("in")).unwrap()).stdout(output);
        assert_copied(&output_of(shell.stderr(Stdio::piped())), 13);
        let copied = fs::read_to_string(folder.path().join("out")).unwrap();
        assert_eq!(copied, "first\nsecond\nthird\nend\n");
    });
}

#[test]
fn a_program_copies_nothing_and_to_nowhere() {
    with_each_copy(|mut command| {
        let output = output_of(command.stdin(Stdio::null()).stdout(Stdio::piped()));
        assert_copied(&output, 0);
        assert!(output.stdout.is_empty());
        let folder = Folder::new();
        fs::write(folder.path().join("in"), numbered(TOO_MUCH)).unwrap();
        command.stdin(File::open(folder.path().join("in")).unwrap()).stdout(Stdio::null());
        assert_copied(&output_of(&mut command), TOO_MUCH);
    });
}

#[test]
fn a_program_copies_a_socket() {
    with_each_copy(|mut command| {
        let (theirs, mut ours) = UnixStream::pair().unwrap();
        command.stdin(OwnedFd::from(theirs.try_clone().unwrap())).stdout(OwnedFd::from(theirs));
        let ends = thread::spawn(move || output_of(&mut command));
        ours.write_all(b"ping").unwrap();
        let mut bytes = [0; 4];
        ours.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes, *b"ping");
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        assert_copied(&ends.join().unwrap(), 4);
    });
}

#[test]
fn a_program_copies_a_terminal_and_leaves_it_as_it_is() {
    with_each_copy(|mut command| {
        let Some((theirs, ours)) = kernel::terminal() else { return };
        command.stdin(theirs.try_clone().unwrap()).stdout(theirs.try_clone().unwrap());
        let mut child = command.spawn().unwrap();
        let mut ours = File::from(ours);
        for word in ["ping", "pong"] {
            ours.write_all(word.as_bytes()).unwrap();
            let mut bytes = [0; 4];
            ours.read_exact(&mut bytes).unwrap();
            assert_eq!(bytes, word.as_bytes());
        }
        assert!(!is_nonblocking(&theirs));
        child.kill().unwrap();
        child.wait().unwrap();
    });
}

#[test]
fn a_program_that_was_started_without_a_stdin_reads_nothing() {
    const TEST: &str = "stdio::a_program_that_was_started_without_a_stdin_reads_nothing";
    alone_with_each_driver(TEST, |builder| {
        builder.shards(1).build().unwrap().block_on(async {
            kernel::close_stdin();
            assert_eq!(errno(stdin()), libc::EBADF);
            // It takes the number that is free.
            std::mem::forget(File::open("/dev/null").unwrap());
        });
    });
    with_each_copy(|program| {
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec \"$0\" <&-"]).arg(program.get_program());
        shell.stdout(Stdio::piped()).stderr(Stdio::piped());
        assert_copied(&output_of(&mut shell), 0);
    });
}

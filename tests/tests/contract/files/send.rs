//! From a file into a stream of the network, and back.

use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;

use miniss_linux::combine::when_all;
use miniss_linux::fs::{self, File, OpenOptions, receive_file, send_file};
use miniss_linux::net::{CopyError, CopyFailure, CopySide, Stream, StreamKind, UnixStream};
use miniss_linux::{JoinHandle, spawn};
use miniss_tests::folder::Folder;
use miniss_tests::kernel;
use miniss_tests::sockets::both_ends;

use super::{file_with, in_folder, pattern};
use crate::harness::{alone_with_each_driver, errno, poll_once, settle, soon};

const LEN: usize = 500_000;

#[test]
fn a_part_of_a_file_goes_through_a_stream_into_another_file() {
    in_folder(async |folder| {
        let bytes: Vec<u8> = (0..LEN).map(pattern).collect();
        soon(fs::write(folder.join("from"), bytes.clone())).await.0.unwrap();
        let file = soon(File::open(folder.join("from"))).await.unwrap();
        let (stream, peer) = UnixStream::pair().unwrap();
        let sending = spawn(async move {
            let sent = send_file(&file, 1000, 400_000, &stream).await.unwrap();
            stream.write_all("the rest").await.0.unwrap();
            (sent, file.read([0; 2]).await.1)
        });
        let to = file_with(folder, b"0123456789").await;
        assert_eq!(soon(receive_file(&peer, &to, 5, 400_000)).await.unwrap(), 400_000);
        assert_eq!(soon(peer.recv()).await.unwrap()[..], *b"the rest");
        let (sent, next) = soon(sending).await.unwrap();
        assert_eq!((sent, &next[..]), (400_000, &bytes[..2]), "the cursor stayed");
        let copy = soon(fs::read(folder.join("file"))).await.unwrap();
        assert!(copy[..5] == *b"01234" && copy[5..] == bytes[1000..401_000]);
    });
}

#[test]
fn a_file_or_a_stream_that_ends_before_gives_what_it_has() {
    in_folder(async |folder| {
        let (stream, peer) = UnixStream::pair().unwrap();
        let file = file_with(folder, b"abcdefgh").await;
        assert_eq!(soon(send_file(&file, 5, u64::MAX, &stream)).await.unwrap(), 3);
        assert_eq!(soon(send_file(&file, 8, 1, &stream)).await.unwrap(), 0);
        assert_eq!(soon(send_file(&file, 0, 0, &stream)).await.unwrap(), 0);
        stream.shutdown(Shutdown::Write).await.unwrap();
        assert_eq!(soon(receive_file(&peer, &file, 0, 0)).await.unwrap(), 0);
        assert_eq!(soon(receive_file(&peer, &file, 8, u64::MAX)).await.unwrap(), 3);
        assert_eq!(soon(fs::read(folder.join("file"))).await.unwrap(), b"abcdefghfgh");
    });
}

#[test]
fn an_error_says_which_side_failed_and_how_much_had_gone() {
    in_folder(async |folder| {
        let (stream, peer) = UnixStream::pair().unwrap();
        let itself = soon(File::open(folder)).await.unwrap();
        let error = soon(send_file(&itself, 0, 10, &stream)).await.unwrap_err();
        assert!(matches!(error.failure, CopyFailure::Read(CopySide::First, _)), "{error}");
        assert_eq!(errno::<()>(Err(error.into())), libc::EISDIR);
        let full = soon(OpenOptions::new().write(true).open("/dev/full")).await.unwrap();
        soon(stream.write_all("x")).await.0.unwrap();
        let error = soon(receive_file(&peer, &full, 0, 10)).await.unwrap_err();
        assert!(matches!(error.failure, CopyFailure::Write(CopySide::Second, _)), "{error}");
        assert_eq!(error.copied, (0, 0));
        let file = file_with(folder, b"abcd").await;
        drop(peer);
        let error = soon(send_file(&file, 0, 4, &stream)).await.unwrap_err();
        assert!(matches!(error.failure, CopyFailure::Write(CopySide::Second, _)), "{error}");
        soon(file.close()).await.unwrap();
        let error = soon(send_file(&file, 0, 4, &stream)).await.unwrap_err();
        assert_eq!(errno::<()>(Err(error.into())), libc::EBADF);
    });
}

#[test]
fn an_error_counts_what_was_written_of_the_last_piece() {
    in_folder(async |folder| {
        let Some(root) = kernel::small_file_system(folder, 1 << 20) else {
            return println!("Left out: we may not mount a file system here.");
        };
        let root = PathBuf::from(format!("/proc/self/fd/{}", root.as_raw_fd())).join("");
        let taken = (1 << 20) - (64 << 10);
        soon(fs::write(root.join("large"), vec![1; taken])).await.0.unwrap();
        let (stream, peer) = UnixStream::pair().unwrap();
        let sending = spawn(async move { stream.write_all(vec![7; 1 << 20]).await.0 });
        let file = soon(File::create(root.join("file"))).await.unwrap();
        let error = soon(receive_file(&peer, &file, 0, 1 << 20)).await.unwrap_err();
        let written = soon(file.metadata()).await.unwrap().len();
        assert!(written > 0 && error.copied == (written, 0), "{written}, {error:?}");
        drop(peer);
        soon(sending).await.unwrap().unwrap_err();
    });
}

#[test]
fn a_send_that_is_given_up_sends_no_more() {
    in_folder(async |folder| {
        soon(fs::write(folder.join("from"), vec![7; LEN * 4])).await.0.unwrap();
        let file = soon(File::open(folder.join("from"))).await.unwrap();
        let (stream, peer) = UnixStream::pair().unwrap();
        {
            let mut sending = pin!(send_file(&file, 0, LEN as u64 * 4, &stream));
            for _ in 0..20 {
                assert!(poll_once(sending.as_mut()).is_pending(), "no one reads");
                settle().await;
            }
        }
        soon(stream.cancelled_write_bytes()).await;
        stream.shutdown(Shutdown::Write).await.unwrap();
        let mut received = 0;
        loop {
            let bytes = soon(peer.recv()).await.unwrap();
            if bytes.is_empty() {
                break;
            }
            assert!(bytes.iter().all(|byte| *byte == 7));
            received += bytes.len();
        }
        assert!(received > 0 && received < LEN * 4, "{received}");
        soon(file.close()).await.unwrap();
    });
}

/// Enough that the end of it is not copied, and more than lies between two ends.
const LARGE: usize = 24 << 20;

async fn large_file(folder: &Path) -> (File, Vec<u8>) {
    let bytes: Vec<u8> = (0..LARGE).map(pattern).collect();
    soon(fs::write(folder.join("large"), bytes.clone())).await.0.unwrap();
    (soon(File::open(folder.join("large"))).await.unwrap(), bytes)
}

async fn read_to_end<K: StreamKind>(peer: &Stream<K>) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        match soon(peer.recv()).await.unwrap() {
            bytes if bytes.is_empty() => return all,
            bytes => all.extend_from_slice(&bytes),
        }
    }
}

/// Descriptors of pipes that this process has.
fn pipes() -> usize {
    let all = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    all.filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter(|what| what.as_os_str().as_encoded_bytes().starts_with(b"pipe:"))
        .count()
}

/// Begins to send a large file, and waits until pages of it wait for the peer.
async fn start_sending<K: StreamKind>(
    file: Rc<File>,
    stream: &Rc<Stream<K>>,
    peer: &Stream<K>,
) -> (JoinHandle<Result<u64, CopyError>>, Vec<u8>) {
    let before = pipes();
    let stream = stream.clone();
    let sending = spawn(async move { send_file(&file, 0, u64::MAX, &stream).await });
    let (result, start) = soon(peer.read_exact(vec![0; 2 << 20])).await;
    result.unwrap();
    assert_eq!(pipes(), before + 2, "both ends of one");
    settle().await;
    (sending, start)
}

#[test]
fn a_large_file_comes_whole_through_streams_of_any_kind() {
    in_folder(async |folder| {
        let (file, bytes) = large_file(folder).await;
        let (stream, peer) = UnixStream::pair().unwrap();
        let write = async {
            assert_eq!(
                send_file(&file, 1000, u64::MAX, &stream).await.unwrap(),
                LARGE as u64 - 1000
            );
            stream.shutdown(Shutdown::Write).await.unwrap();
        };
        let ((), received) = soon(when_all((write, read_to_end(&peer)))).await;
        assert!(received == bytes[1000..]);
        let (stream, peer) = both_ends().await.unwrap();
        let write = async {
            assert_eq!(send_file(&file, 1, 20 << 20, &stream).await.unwrap(), 20 << 20);
            stream.write_all("the rest").await.0.unwrap();
            stream.shutdown(Shutdown::Write).await.unwrap();
        };
        let ((), received) = soon(when_all((write, read_to_end(&peer)))).await;
        let (pages, rest) = received.split_at(20 << 20);
        assert!(*pages == bytes[1..][..20 << 20] && rest == b"the rest");
    });
}

#[test]
fn pages_that_are_given_up_are_not_sent_later() {
    in_folder(async |folder| {
        let (file, bytes) = large_file(folder).await;
        let (stream, peer) = both_ends().await.unwrap();
        let stream = Rc::new(stream);
        let (sending, mut received) = start_sending(Rc::new(file), &stream, &peer).await;
        sending.abort();
        assert!(soon(sending).await.unwrap_err().is_cancelled());
        soon(stream.cancelled_write_bytes()).await;
        // There may be no room until the peer reads.
        let write = async {
            stream.write_all("the end").await.0.unwrap();
            stream.shutdown(Shutdown::Write).await.unwrap();
        };
        let ((), rest) = soon(when_all((write, read_to_end(&peer)))).await;
        received.extend(rest);
        let sent = received.len() - 7;
        assert!(sent < LARGE && received[..sent] == bytes[..sent], "{sent}");
        assert_eq!(received[sent..], *b"the end");
    });
}

#[test]
fn a_close_ends_a_send_of_pages() {
    in_folder(async |folder| {
        let (file, _) = large_file(folder).await;
        let (stream, peer) = both_ends().await.unwrap();
        let stream = Rc::new(stream);
        let (sending, _) = start_sending(Rc::new(file), &stream, &peer).await;
        soon(stream.close()).await.unwrap();
        let error = soon(sending).await.unwrap().unwrap_err();
        assert!(error.copied.0 >= 2 << 20);
        assert_eq!(errno::<()>(Err(error.into())), libc::ECANCELED);
    });
}

#[test]
fn a_peer_that_is_gone_ends_a_send_of_pages_without_a_signal() {
    const TEST: &str = "files::send::a_peer_that_is_gone_ends_a_send_of_pages_without_a_signal";
    alone_with_each_driver(TEST, |builder| {
        kernel::die_of_broken_pipes();
        let folder = Folder::new();
        builder.shards(1).build().unwrap().block_on(async {
            let (file, _) = large_file(folder.path()).await;
            let (stream, peer) = UnixStream::pair().unwrap();
            let stream = Rc::new(stream);
            let (sending, _) = start_sending(Rc::new(file), &stream, &peer).await;
            drop(peer);
            let error = soon(sending).await.unwrap().unwrap_err();
            let errno = errno::<()>(Err(error.into()));
            assert!([libc::EPIPE, libc::ECONNRESET].contains(&errno), "{errno}");
        });
    });
}

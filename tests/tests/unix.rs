//! Unix sockets between a runtime and plain blocking peers.

#![forbid(unsafe_code)]

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{self, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use miniss_linux::net::{ListenOptions, UnixListener, UnixStream};
use miniss_linux::time::sleep;
use miniss_linux::{Runtime, spawn};
use miniss_tests::alone::{alone, test_name};
use miniss_tests::census::Census;
use miniss_tests::deadline::deadline;

fn runtime() -> Runtime {
    Runtime::builder().shards(1).build().unwrap()
}

/// A name that no other test has.
fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("miniss-unix-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A folder of our own, removed with what is in it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(unique());
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// The two ends exchange a message each, in both forms of reading, and see each other end.
async fn exchange(a: UnixStream, b: UnixStream) {
    a.write_all("to b").await.0.unwrap();
    b.write_vectored_all(["to", " ", "a"]).await.0.unwrap();
    assert_eq!(a.recv().await.unwrap()[..], *b"to a");
    assert_eq!(b.read_exact([0; 4]).await.1, *b"to b");
    let (reader, writer) = a.into_split();
    writer.shutdown().await.unwrap();
    assert!(b.recv().await.unwrap().is_empty(), "the peer sees half a close");
    b.write_all("and back").await.0.unwrap();
    assert_eq!(reader.recv().await.unwrap()[..], *b"and back");
    reader.reunite(writer).unwrap().close().await.unwrap();
    assert_eq!(b.write_all("gone").await.0.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn connections_by_path_by_abstract_name_and_without_one_carry_bytes_both_ways() {
    let _deadline = deadline("unix addresses");
    let folder = Folder::new();
    let by_path = SocketAddr::from_pathname(folder.socket()).unwrap();
    let by_name = SocketAddr::from_abstract_name(unique()).unwrap();
    runtime().block_on(async {
        for address in [by_path, by_name] {
            let listener = UnixListener::bind_addr(&address).await.unwrap();
            let client = UnixStream::connect_addr(&address).await.unwrap();
            let (server, peer) = listener.accept().await.unwrap();
            assert!(peer.is_unnamed(), "a client has no name: {peer:?}");
            let names = [listener.local_addr(), client.peer_addr(), server.local_addr()];
            for name in names.map(Result::unwrap) {
                assert_eq!(name.as_pathname(), address.as_pathname());
                assert_eq!(name.as_abstract_name(), address.as_abstract_name());
            }
            assert!(format!("{client:?}").starts_with("UnixStream"));
            assert!(format!("{listener:?}").starts_with("UnixListener"));
            exchange(client, server).await;
        }
        let (a, b) = UnixStream::pair().unwrap();
        assert!(a.local_addr().unwrap().is_unnamed() && a.peer_addr().unwrap().is_unnamed());
        exchange(a, b).await;
    });
}

#[test]
fn the_peer_of_a_pair_is_this_process_and_its_user() {
    runtime().block_on(async {
        let (stream, _peer) = UnixStream::pair().unwrap();
        let found = stream.peer_cred().unwrap();
        let ours = fs::metadata("/proc/self").unwrap();
        assert_eq!((found.uid, found.gid), (ours.uid(), ours.gid()));
        assert_eq!(found.pid, Some(process::id()));
        stream.close().await.unwrap();
        assert_eq!(stream.peer_cred().unwrap_err().raw_os_error(), Some(libc::EBADF));
    });
}

#[test]
fn sockets_of_the_standard_library_are_adopted() {
    let _deadline = deadline("unix adopted");
    let folder = Folder::new();
    runtime().block_on(async {
        let (ours, mut peer) = net::UnixStream::pair().unwrap();
        // As another runtime has left it.
        ours.set_nonblocking(true).unwrap();
        let stream = UnixStream::from_std(ours).unwrap();
        let reader = spawn(async move { stream.recv().await.unwrap() });
        sleep(Duration::from_millis(1)).await;
        peer.write_all(b"late").unwrap();
        assert_eq!(reader.await.unwrap()[..], *b"late");
        let listener = net::UnixListener::bind(folder.socket()).unwrap();
        let listener = UnixListener::from_std(listener).unwrap();
        let mut client = net::UnixStream::connect(folder.socket()).unwrap();
        let (server, _) = listener.accept().await.unwrap();
        server.write_all("hello").await.0.unwrap();
        drop((server, listener));
        let mut received = String::new();
        client.read_to_string(&mut received).unwrap();
        assert_eq!(received, "hello");
        assert!(folder.socket().exists(), "the file is not ours");
    });
}

#[test]
fn a_listener_takes_its_file_with_it_and_no_other() {
    let folder = Folder::new();
    let path = folder.socket();
    runtime().block_on(async {
        let listener = UnixListener::bind(&path).await.unwrap();
        assert!(path.exists());
        drop(listener);
        assert!(!path.exists());
        // Someone has put another file in its place.
        let listener = UnixListener::bind(&path).await.unwrap();
        fs::write(folder.0.join("other"), "theirs").unwrap();
        fs::rename(folder.0.join("other"), &path).unwrap();
        drop(listener);
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
        fs::remove_file(&path).unwrap();
        // Given back, the socket goes on, and so does its file.
        let listener = UnixListener::bind(&path).await.unwrap();
        let _waits_ahead = UnixStream::connect(&path).await.unwrap();
        let mut accept = Box::pin(listener.accept());
        assert!(accept.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        sleep(Duration::from_millis(20)).await;
        drop(accept);
        let (listener, mut accepted) = listener.into_std().await.unwrap();
        listener.set_nonblocking(true).unwrap();
        let still_there = listener.accept().map(|(stream, _)| UnixStream::from_std(stream));
        accepted.extend(still_there.into_iter().flatten());
        assert_eq!(accepted.len(), 1);
        drop(listener);
        assert!(path.exists());
    });
}

#[test]
fn a_name_in_use_is_an_error_that_says_what_to_do() {
    let folder = Folder::new();
    let path = folder.socket();
    // As a process leaves it that was killed.
    drop(net::UnixListener::bind(&path).unwrap());
    runtime().block_on(async {
        let error = UnixListener::bind(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let text = error.to_string();
        assert!(text.contains("remove the file") && text.contains("/socket exists"), "{text}");
        assert!(path.exists());
        let error = UnixStream::connect(&path).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
        let name = SocketAddr::from_abstract_name(unique()).unwrap();
        let _first = UnixListener::bind_addr(&name).await.unwrap();
        let error = UnixListener::bind_addr(&name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().contains("another socket"), "{error}");
    });
}

#[test]
fn names_that_lead_nowhere_are_errors() {
    let folder = Folder::new();
    runtime().block_on(async {
        let error = UnixStream::connect(folder.socket()).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        let error = UnixListener::bind(folder.0.join("no/such")).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        let long = folder.0.join("x".repeat(108));
        assert_eq!(UnixStream::connect(&long).await.unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(UnixListener::bind(&long).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

/// Peers of a listener with room for one, of which the second waits for that room.
#[test]
fn a_connect_to_a_full_backlog_waits_for_room() {
    let _deadline = deadline("unix backlog");
    let folder = Folder::new();
    let path = folder.socket();
    runtime().block_on(async {
        let address = SocketAddr::from_pathname(&path).unwrap();
        let listener = ListenOptions::new().backlog(1).bind_unix(&address).await.unwrap();
        let first = UnixStream::connect(&path).await.unwrap();
        let waits = spawn({
            let path = path.clone();
            async move { UnixStream::connect(path).await.unwrap() }
        });
        sleep(Duration::from_millis(20)).await;
        let (server, _) = listener.accept().await.unwrap();
        first.write_all("first").await.0.unwrap();
        assert_eq!(server.recv().await.unwrap()[..], *b"first");
        let (server, _) = listener.accept().await.unwrap();
        waits.await.unwrap().write_all("second").await.0.unwrap();
        assert_eq!(server.recv().await.unwrap()[..], *b"second");
    });
}

#[test]
fn a_connect_that_was_given_up_leaves_no_descriptor_and_no_connection() {
    alone(&test_name(), || {
        let folder = Folder::new();
        let path = folder.socket();
        let runtime = runtime();
        runtime.block_on(async {
            let address = SocketAddr::from_pathname(&path).unwrap();
            let listener = ListenOptions::new().backlog(1).bind_unix(&address).await.unwrap();
            let first = UnixStream::connect(&path).await.unwrap();
            let before = Census::take();
            for _ in 0..20 {
                let mut connect = pin!(UnixStream::connect(&path));
                let waker = Waker::noop();
                assert!(connect.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
                sleep(Duration::from_millis(1)).await;
            }
            while Census::take().descriptors > before.descriptors {
                sleep(Duration::from_millis(1)).await;
            }
            let (server, _) = listener.accept().await.unwrap();
            drop(first);
            assert!(server.recv().await.unwrap().is_empty());
            let last = UnixStream::connect(&path).await.unwrap();
            let (server, _) = listener.accept().await.unwrap();
            last.write_all("last").await.0.unwrap();
            assert_eq!(server.recv().await.unwrap()[..], *b"last", "no dead one was before it");
        });
    });
}

//! How a file ends: closed, dropped, given away, left to the end of its runtime.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io::{Read, Seek, SeekFrom, Write};
use std::iter;
use std::os::fd::{AsFd, AsRawFd};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use miniss_linux::fs::{self, DirectFile, File};
use miniss_linux::{spawn, submit_to};
use miniss_tests::census::Census;
use miniss_tests::folder::Folder;
use miniss_tests::kernel;

use super::{file_with, in_folder};
use crate::harness::{
    alone_with_each_driver, beside, errno, poll_and_drop, poll_once, soon, with_each_driver,
};

#[test]
fn a_closed_file_refuses_what_begins_and_may_be_closed_again() {
    in_folder(async |folder| {
        let file = file_with(folder, b"abcd").await;
        soon(file.close()).await.unwrap();
        soon(file.close()).await.unwrap();
        assert_eq!(errno(soon(file.read_at([0; 1], 0)).await.0), libc::EBADF);
        assert_eq!(errno(soon(file.read_exact_at([0; 1], 0)).await.0), libc::EBADF);
        assert_eq!(errno(soon(file.read_vectored_at([[0; 1]], 0)).await.0), libc::EBADF);
        assert_eq!(errno(soon(file.write_at("x", 0)).await.0), libc::EBADF);
        assert_eq!(errno(soon(file.write_all_at("x", 0)).await.0), libc::EBADF);
        assert_eq!(errno(soon(file.write_vectored_at(["x"], 0)).await.0), libc::EBADF);
        assert_eq!(errno(soon(file.read([0; 1])).await.0), libc::EBADF);
        assert_eq!(errno(soon(file.write("x")).await.0), libc::EBADF);
        assert_eq!(errno(soon(file.read_to_end(Vec::new())).await.0), libc::EBADF);
        assert_eq!(errno(soon(file.sync_all()).await), libc::EBADF);
        assert_eq!(errno(soon(file.set_len(0)).await), libc::EBADF);
        assert_eq!(errno(soon(file.unlock()).await), libc::EBADF);
        assert_eq!(errno(soon(file.detach()).await), libc::EBADF);
    });
}

#[test]
fn a_close_lets_what_is_in_progress_end() {
    in_folder(async |folder| {
        let file = Rc::new(file_with(folder, b"").await);
        let writes: Vec<_> = (0..16_u64)
            .map(|page| {
                let file = file.clone();
                spawn(async move { file.write_all_at(vec![page as u8; 4096], page * 4096).await.0 })
            })
            .collect();
        let mut dropped = pin!(file.write_at(vec![16; 4096], 16 * 4096));
        assert!(poll_once(dropped.as_mut()).is_pending());
        miniss_linux::yield_now().await;
        let (one, two) = (file.clone(), file.clone());
        let closes =
            [spawn(async move { one.close().await }), spawn(async move { two.close().await })];
        for write in writes {
            soon(write).await.unwrap().unwrap();
        }
        assert_eq!(soon(dropped).await.0.unwrap(), 4096);
        for close in closes {
            soon(close).await.unwrap().unwrap();
        }
        assert_eq!(errno(soon(file.metadata()).await), libc::EBADF);
        let bytes = soon(fs::read(folder.join("file"))).await.unwrap();
        assert!(bytes.chunks(4096).enumerate().all(|(at, page)| page == [at as u8; 4096]));
        assert_eq!(bytes.len(), 17 * 4096);
    });
}

/// A future that was polled once, and is kept.
fn begun<F: Future>(future: F) -> Pin<Box<F>> {
    let mut future = Box::pin(future);
    assert!(poll_once(future.as_mut()).is_pending());
    future
}

#[test]
fn a_close_waits_for_no_future_that_no_one_polls() {
    in_folder(async |folder| {
        let file = file_with(folder, b"abcd").await;
        let (read, full) = (begun(file.read_at([0; 4], 0)), begun(file.read_exact_at([0; 4], 0)));
        let vectored = begun(file.read_vectored_at([[0; 4]], 0));
        let (write, all) = (begun(file.write_at("e", 4)), begun(file.write_all_at("f", 5)));
        let gathered = begun(file.write_vectored_at(["g"], 6));
        let (synced, status) = (begun(file.sync_all()), begun(file.metadata()));
        let (allocated, locked) = (begun(file.allocate(0, 7)), begun(file.try_lock()));
        let by_cursor = begun(file.read([0; 4]));
        let not_begun = file.read_at([0; 4], 0);
        soon(file.close()).await.unwrap();

        assert_eq!(soon(read).await.1, *b"abcd");
        assert_eq!(soon(full).await.1, *b"abcd");
        assert_eq!(soon(vectored).await.1, [*b"abcd"]);
        assert_eq!(soon(write).await.0.unwrap(), 1);
        soon(all).await.0.unwrap();
        assert_eq!(soon(gathered).await.0.unwrap(), 1);
        soon(synced).await.unwrap();
        assert!(soon(status).await.unwrap().is_file());
        soon(allocated).await.unwrap();
        soon(locked).await.unwrap();
        // It has its turn no more, and waits for none.
        assert_eq!(errno(soon(file.read([0; 4])).await.0), libc::EBADF);
        assert_eq!(soon(by_cursor).await.1, *b"abcd");
        assert_eq!(errno(soon(not_begun).await.0), libc::EBADF);
        assert_eq!(soon(fs::read(folder.join("file"))).await.unwrap(), b"abcdefg");
    });
}

#[test]
fn a_close_comes_between_the_steps_of_a_read_that_no_one_polls() {
    in_folder(async |folder| {
        let file = file_with(folder, b"abcd").await;
        let steps = begun(file.read_exact_at([0; 8], 0));
        let rest = begun(file.read_to_end(Vec::new()));
        soon(file.close()).await.unwrap();
        assert_eq!(errno(soon(steps).await.0), libc::ECANCELED);
        assert_eq!(errno(soon(rest).await.0), libc::ECANCELED);

        let file = soon(DirectFile::open(folder.join("file"))).await.unwrap();
        let read = begun(file.read_at([0; 3], 1));
        soon(file.as_file().close()).await.unwrap();
        assert_eq!(soon(read).await.1, *b"bcd");
    });
}

#[test]
fn a_close_in_one_task_waits_for_no_future_that_another_has_put_aside() {
    in_folder(async |folder| {
        let file = Rc::new(file_with(folder, b"abcd").await);
        let (told, closed) = miniss_linux::Future::new();
        let reader = spawn({
            let file = file.clone();
            async move {
                let mut read = pin!(file.read_at([0; 4], 0));
                assert!(poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx))).await.is_pending());
                told.await.unwrap();
                read.await.1
            }
        });
        miniss_linux::yield_now().await;
        soon(file.close()).await.unwrap();
        closed.complete(()).unwrap();
        assert_eq!(soon(reader).await.unwrap(), *b"abcd");
    });
}

#[test]
fn a_close_that_is_dropped_closes_all_the_same() {
    in_folder(async |folder| {
        let before = Census::take().descriptors;
        let file = file_with(folder, b"").await;
        assert!(poll_and_drop(file.close()).is_pending());
        assert_eq!(errno(soon(file.write_at("x", 0)).await.0), libc::EBADF);
        while Census::take().descriptors != before {
            crate::harness::settle().await;
        }
    });
}

#[test]
fn a_descriptor_that_was_lent_names_no_other_file_after_a_close() {
    in_folder(async |folder| {
        let file = file_with(folder, b"abcd").await;
        let lent = file.as_fd();
        soon(file.close()).await.unwrap();
        let other = soon(File::create(folder.join("other"))).await.unwrap();
        assert_ne!(other.as_fd().as_raw_fd(), lent.as_raw_fd());
        let mut copy = std::fs::File::from(lent.try_clone_to_owned().unwrap());
        assert_eq!(errno(copy.write(b"x")), libc::EBADF);
    });
}

#[test]
fn a_close_of_a_lent_file_ends_also_if_no_descriptor_is_left() {
    const TEST: &str = "files::ends::a_close_of_a_lent_file_ends_also_if_no_descriptor_is_left";
    alone_with_each_driver(TEST, |builder| {
        let folder = Folder::new();
        let runtime = builder.shards(1).build().unwrap();
        runtime.block_on(async {
            let file = soon(File::create(folder.path().join("file"))).await.unwrap();
            let lent = file.as_fd();
            kernel::limit_descriptors(64);
            let taken: Vec<_> = iter::from_fn(|| std::fs::File::open("/").ok()).collect();
            soon(file.close()).await.unwrap();
            drop(taken);
            kernel::limit_descriptors(1024);
            let mut copy = std::fs::File::from(lent.try_clone_to_owned().unwrap());
            assert_eq!(errno(copy.write(b"x")), libc::EBADF);
        });
    });
}

#[test]
fn files_dropped_with_operations_in_flight_are_closed_when_those_have_ended() {
    in_folder(async |folder| {
        let before = Census::take().descriptors;
        for round in 0..50 {
            let file = soon(File::create(folder.join(format!("{round}")))).await.unwrap();
            assert!(poll_and_drop(file.write_at(vec![1; 4096], 0)).is_pending());
            assert!(poll_and_drop(file.sync_all()).is_pending());
            assert!(poll_and_drop(file.metadata()).is_pending());
        }
        while Census::take().descriptors != before {
            crate::harness::settle().await;
        }
    });
}

#[test]
fn an_open_that_is_dropped_leaves_no_descriptor() {
    in_folder(async |folder| {
        drop(file_with(folder, b"").await);
        let path = folder.join("file");
        for polls in 0..30 {
            let mut open = pin!(File::open(&path));
            if polls % 3 > 0 {
                assert!(poll_once(open.as_mut()).is_pending());
            }
            if polls % 3 > 1 {
                crate::harness::settle().await;
            }
        }
    });
}

#[test]
fn a_file_goes_to_another_shard_with_its_cursor() {
    with_each_driver(|builder| {
        let folder = Folder::new();
        let path = folder.path().join("relay");
        let runtime = builder.shards(2).build().unwrap();
        runtime.block_on(async {
            let file = soon(File::create(&path)).await.unwrap();
            soon(file.write_all("one, ")).await.0.unwrap();
            let baton = soon(file.detach()).await.unwrap();
            let beside = baton.try_clone().unwrap();
            let back = submit_to(1, async move || {
                let file = baton.attach();
                file.write_all("two, ").await.0.unwrap();
                file.detach().await.unwrap()
            });
            let mut std = soon(back).await.unwrap().into_std();
            assert_eq!(std.stream_position().unwrap(), 10);
            std.write_all(b"three, ").unwrap();
            let file = File::from_std(std);
            soon(file.write_all("four")).await.0.unwrap();
            assert_eq!(soon(file.into_std()).await.unwrap().stream_position().unwrap(), 21);
            assert_eq!(soon(fs::read(&path)).await.unwrap(), b"one, two, three, four");
            let beside = beside.attach();
            assert_eq!(soon(beside.seek(SeekFrom::Current(0))).await.unwrap(), 5, "its own");
        });
    });
}

#[test]
fn a_file_is_given_away_when_what_is_in_progress_on_it_has_ended() {
    in_folder(async |folder| {
        let file = file_with(folder, b"").await;
        assert!(poll_and_drop(file.write_all("dropped")).is_pending());
        let mut std = soon(file.into_std()).await.unwrap();
        let (text, cursor) = beside(move || {
            let cursor = std.stream_position().unwrap();
            let mut text = String::new();
            std.rewind().unwrap();
            std.read_to_string(&mut text).unwrap();
            (text, cursor)
        })
        .await;
        assert!(["", "dropped"].contains(&text.as_str()), "{text}");
        assert_eq!(cursor, text.len() as u64);
    });
}

#[test]
fn a_runtime_ends_with_files_open_and_operations_in_flight() {
    with_each_driver(|builder| {
        let folder = Folder::new();
        let kept = RefCell::new(Vec::new());
        let runtime = builder.shards(1).build().unwrap();
        runtime.block_on(async {
            for round in 0..20 {
                let path = folder.path().join(format!("{round}"));
                let file = Rc::new(soon(File::create(path)).await.unwrap());
                let ours = file.clone();
                spawn(async move {
                    ours.write_all_at(vec![7; 64 << 10], 0).await.0.unwrap();
                    ours.sync_all().await.unwrap();
                })
                .detach();
                if round % 2 == 0 {
                    kept.borrow_mut().push(file);
                }
            }
            miniss_linux::yield_now().await;
        });
        drop(runtime);
        // Those that outlive their runtime refuse everything, and close.
        kept.take();
    });
}

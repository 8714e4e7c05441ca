//! Rows of the failure catalogue, and cases of the reference, by name.

use std::cell::Cell;
use std::io::{ErrorKind, SeekFrom};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::rc::Rc;

use miniss_linux::combine::when_all;
use miniss_linux::fs::{self, File, OpenOptions};
use miniss_linux::{driver_stats, spawn};
use miniss_tests::census::Census;
use miniss_tests::kernel;

use super::{file_with, in_folder, pattern};
use crate::harness::{errno, settle, soon};

#[test]
fn f1_a_full_file_system_is_an_error_and_the_file_is_of_use_afterwards() {
    in_folder(async |folder| {
        let Some(root) = kernel::small_file_system(folder, 4 << 20) else {
            return println!("Left out: we may not mount a file system here.");
        };
        let root = PathBuf::from(format!("/proc/self/fd/{}", root.as_raw_fd())).join("");
        let small = root.join("small");
        soon(fs::write(&small, vec![1; 1 << 20])).await.0.unwrap();
        let file = soon(File::create(root.join("large"))).await.unwrap();
        let error = soon(file.write_all(vec![2; 8 << 20])).await.0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        let written = soon(file.seek(SeekFrom::Current(0))).await.unwrap();
        assert_eq!(written, soon(file.metadata()).await.unwrap().len());
        assert!((2 << 20..4 << 20).contains(&written), "{written}");
        assert_eq!(errno(soon(file.write_all_at(vec![2; 8 << 20], written)).await.0), libc::ENOSPC);
        assert_eq!(errno(soon(file.allocate(0, 8 << 20)).await), libc::ENOSPC);
        soon(file.sync_all()).await.unwrap();
        // With room again, it goes on where it stopped.
        soon(fs::remove_file(&small)).await.unwrap();
        soon(file.write_all(vec![3; 64 << 10])).await.0.unwrap();
        assert_eq!(soon(file.metadata()).await.unwrap().len(), written + (64 << 10));
        soon(file.close()).await.unwrap();
    });
}

#[test]
fn f2_a_device_that_is_always_full_says_so_each_time() {
    in_folder(async |_| {
        let full = soon(OpenOptions::new().write(true).open("/dev/full")).await.unwrap();
        assert_eq!(errno(soon(full.write_at("x", 0)).await.0), libc::ENOSPC);
        assert_eq!(errno(soon(full.write_all_at("x", 0)).await.0), libc::ENOSPC);
        assert_eq!(errno(soon(full.write_vectored_at(["x"], 0)).await.0), libc::ENOSPC);
        let (result, buffer) = soon(full.write_all(vec![7; 100])).await;
        assert_eq!((errno(result), buffer.len()), (libc::ENOSPC, 100));
        soon(full.close()).await.unwrap();
    });
}

#[test]
fn f5_offsets_beyond_all_files_are_invalid_and_far_ones_are_not() {
    in_folder(async |folder| {
        let file = file_with(folder, b"abcd").await;
        for offset in [i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX] {
            assert_eq!(errno(soon(file.read_at([0; 1], offset)).await.0), libc::EINVAL);
            assert_eq!(errno(soon(file.read_exact_at([0; 1], offset)).await.0), libc::EINVAL);
            assert_eq!(errno(soon(file.read_vectored_at([[0; 1]], offset)).await.0), libc::EINVAL);
            assert_eq!(errno(soon(file.write_at("x", offset)).await.0), libc::EINVAL);
            assert_eq!(errno(soon(file.write_all_at("x", offset)).await.0), libc::EINVAL);
            assert_eq!(errno(soon(file.write_vectored_at(["x"], offset)).await.0), libc::EINVAL);
            assert_eq!(errno(soon(file.set_len(offset)).await), libc::EINVAL);
            assert_eq!(errno(soon(file.seek(SeekFrom::Start(offset))).await), libc::EINVAL);
        }
        let error = soon(file.read_at([0; 1], u64::MAX)).await.0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(errno(soon(file.read_at([0; 8], i64::MAX as u64 - 1)).await.0), libc::EINVAL);
        // Holes take no room.
        soon(file.write_all_at("far", 5 << 30)).await.0.unwrap();
        assert_eq!(soon(file.read_at([1; 4], 4 << 30)).await.1, [0; 4]);
        assert_eq!(soon(file.read_exact_at([0; 3], 5 << 30)).await.1, *b"far");
        assert_eq!(soon(file.read_at([0; 3], (5 << 30) + 3)).await.0.unwrap(), 0);
    });
}

#[test]
fn f5_more_than_the_kernel_moves_at_once_comes_in_pieces() {
    use miniss_linux::buf::OP_BYTES_MAX;
    in_folder(async |_| {
        let len = OP_BYTES_MAX as usize + 5000;
        let zero = soon(OpenOptions::new().read(true).write(true).open("/dev/zero")).await.unwrap();
        let (result, buffer) = soon(zero.read_at(kernel::HugeBuffer::new(len), 0)).await;
        let read = result.unwrap();
        assert!(read > 0 && read <= OP_BYTES_MAX as usize, "{read}");
        let (result, buffer) = soon(zero.read_exact_at(buffer, 0)).await;
        result.unwrap();
        let null = soon(OpenOptions::new().write(true).open("/dev/null")).await.unwrap();
        let (result, buffer) = soon(null.write_at(buffer, 0)).await;
        assert_eq!(result.unwrap(), OP_BYTES_MAX as usize);
        soon(null.write_all_at(buffer, 0)).await.0.unwrap();
    });
}

#[test]
fn f6_a_file_that_is_cut_off_or_removed_while_it_is_read_gives_what_is_left() {
    in_folder(async |folder| {
        let path = folder.join("file");
        soon(fs::write(&path, vec![1; 100_000])).await.0.unwrap();
        let file = soon(File::open(&path)).await.unwrap();
        soon(file.read_exact(vec![0; 50_000])).await.0.unwrap();
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(60_000).unwrap();
        let (result, rest) = soon(file.read_to_end(Vec::new())).await;
        assert_eq!((result.unwrap(), rest.len()), (10_000, 10_000));
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(10).unwrap();
        assert_eq!(soon(file.read([0; 10])).await.0.unwrap(), 0);
        let error = soon(file.read_exact_at([0; 11], 0)).await.0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        soon(fs::remove_file(&path)).await.unwrap();
        assert_eq!(soon(file.read_exact_at([0; 10], 0)).await.1, [1; 10]);
        assert_eq!(soon(file.metadata()).await.unwrap().nlink(), 0);
    });
}

#[test]
fn a_fio_1_a_new_file_is_empty_and_gives_back_what_is_written() {
    in_folder(async |folder| {
        let file = soon(File::create_new(folder.join("file"))).await.unwrap();
        let (result, buffer) = soon(file.read_at(vec![0; 16 << 10], 0)).await;
        assert_eq!((result.unwrap(), buffer.len()), (0, 0));
        let (result, written) = soon(file.write_at(vec![b'x'; 16 << 10], 0)).await;
        assert_eq!(result.unwrap(), 16 << 10);
        let (result, read) = soon(file.read_at(vec![0; 16 << 10], 0)).await;
        assert_eq!(result.unwrap(), 16 << 10);
        assert!(read == written);
    });
}

/// The reactor of the reference drives files without its runtime. Ours is inside; what can be shown
/// is that files need no task: they are polled by hand here.
#[test]
fn a_fio_2_files_need_no_task_but_only_polls() {
    in_folder(async |folder| {
        let file = polled_by_hand(File::create_new(folder.join("file"))).await.unwrap();
        polled_by_hand(file.write_all_at("x", 0)).await.0.unwrap();
        assert_eq!(polled_by_hand(file.read_at([0; 1], 0)).await.1, *b"x");
        polled_by_hand(file.close()).await.unwrap();
    });
}

async fn polled_by_hand<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    loop {
        if let std::task::Poll::Ready(output) = crate::harness::poll_once(future.as_mut()) {
            return output;
        }
        settle().await;
    }
}

#[test]
fn a_fio_3_a_thousand_at_once_all_complete() {
    in_folder(async |folder| {
        let file = Rc::new(file_with(folder, b"").await);
        let most = Rc::new(Cell::new(0));
        let all: Vec<_> = (0..1000_u64)
            .map(|page| {
                let (file, most) = (file.clone(), most.clone());
                spawn(async move {
                    let (result, buffer) =
                        file.write_all_at(vec![pattern(page as usize); 4096], page * 4096).await;
                    result.unwrap();
                    most.set(most.get().max(driver_stats().in_flight));
                    let (result, read) = file.read_exact_at(vec![0; 4096], page * 4096).await;
                    result.unwrap();
                    assert!(read == buffer);
                })
            })
            .collect();
        for one in all {
            soon(one).await.unwrap();
        }
        // The bound of the reference is that of its ring. Ours is what a program begins: each has a
        // slot, and those that find no room in the ring or the pool's queue wait there.
        assert!(most.get() <= 1000 + 5, "{}", most.get());
    });
}

#[test]
fn a_fm_1_a_file_that_is_not_there_is_not_found() {
    in_folder(async |folder| {
        let error = soon(File::open(folder.join("nothing"))).await.unwrap_err();
        assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::NotFound, Some(libc::ENOENT)));
    });
}

#[test]
fn a_fm_2_a_fm_3_sizes_are_told_of_several_at_once() {
    in_folder(async |folder| {
        soon(fs::write(folder.join("file"), vec![0; 16 << 10])).await.0.unwrap();
        let size = async |name: &str| {
            let file = File::open(folder.join(name)).await?;
            file.metadata().await.map(|metadata| metadata.len())
        };
        let (there, nothing) = soon(when_all((size("file"), size("nothing")))).await;
        assert_eq!(there.unwrap(), 16 << 10);
        assert_eq!(nothing.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_fm_4_a_status_of_a_closed_file_is_an_error() {
    in_folder(async |folder| {
        let file = file_with(folder, b"abcd").await;
        let metadata = soon(file.metadata()).await.unwrap();
        assert_eq!((metadata.len(), metadata.mode() & libc::S_IFMT), (4, libc::S_IFREG));
        soon(file.close()).await.unwrap();
        assert_eq!(errno(soon(file.metadata()).await), libc::EBADF);
    });
}

#[test]
fn a_fm_5_files_are_closed_twice_or_not_at_all_and_leave_nothing() {
    in_folder(async |folder| {
        let file = file_with(folder, b"").await;
        soon(file.close()).await.unwrap();
        soon(file.close()).await.unwrap();
        let before = Census::take().descriptors;
        for _ in 0..10_000 {
            drop(soon(File::open(folder.join("file"))).await.unwrap());
        }
        while Census::take().descriptors != before {
            settle().await;
        }
    });
}

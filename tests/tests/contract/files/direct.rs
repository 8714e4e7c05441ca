//! Files that are read and written past the kernel's memory.

use std::io::ErrorKind;
use std::sync::Mutex;

use miniss_linux::buf::{AlignedBuf, IoBuf};
use miniss_linux::fs::{self, DirectFile, Misaligned};
use miniss_linux::submit_to;
use miniss_tests::folder::Folder;
use miniss_tests::random::Random;

use super::{in_folder, pattern};
use crate::harness::{beside, errno, poll_and_drop, soon, with_each_driver};

#[test]
fn a_fio_1_a_new_direct_file_is_empty_and_gives_back_what_is_written() {
    in_folder(async |folder| {
        let file = soon(DirectFile::create(folder.join("file"))).await.unwrap();
        let buffer = file.buffer(16 << 10);
        let (result, mut buffer) = soon(file.read_at(buffer, 0)).await;
        assert_eq!(result.unwrap(), 0);
        buffer.fill(b'x');
        let (result, written) = soon(file.write_at(buffer, 0)).await;
        assert_eq!(result.unwrap(), 16 << 10);
        let (result, read) = soon(file.read_exact_at(file.buffer(16 << 10), 0)).await;
        result.unwrap();
        assert!(read[..] == written[..]);
        soon(file.as_file().sync_all()).await.unwrap();
        assert_eq!(soon(file.into_file().metadata()).await.unwrap().len(), 16 << 10);
    });
}

#[test]
fn a_fio_4_f3_what_does_not_fit_a_device_is_read_with_a_copy_and_refused_to_be_written() {
    in_folder(async |folder| {
        let path = folder.join("file");
        let file = soon(DirectFile::create(&path)).await.unwrap();
        if !file.is_direct() {
            return println!("Left out: the file system has no direct reads and writes.");
        }
        let step = file.alignment().offset;
        let len = 16 * step + 100;
        let bytes: Vec<u8> = (0..len).map(pattern).collect();
        soon(fs::write(&path, bytes.clone())).await.0.unwrap();
        let file = soon(fs::OpenOptions::new().read(true).write(true).open_direct(&path)).await;
        let file = file.unwrap();
        let refused = async |bytes: usize, offset: u64| {
            let (result, buffer) = soon(file.write_at(file_buffer(bytes), offset)).await;
            assert_eq!(buffer.len(), bytes, "it comes back");
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            *error.get_ref().unwrap().downcast_ref::<Misaligned>().unwrap()
        };
        let misaligned = refused(100, 0).await;
        assert_eq!((misaligned.what, misaligned.found, misaligned.required), ("length", 100, step));
        let misaligned = refused(step, 1).await;
        assert_eq!((misaligned.what, misaligned.found, misaligned.required), ("offset", 1, step));
        assert!(soon(fs::read(&path)).await.unwrap() == bytes, "nothing was written");
        let mut random = Random::new();
        for _ in 0..100 {
            let offset = random.below(len as u64 + 50) as usize;
            let (room, shift) = (random.below(3 * step as u64) as usize, random.below(9) as usize);
            let window = vec![0xEE; shift + room].slice(shift..shift + room);
            let (result, window) = soon(file.read_at(window, offset as u64)).await;
            let expected = bytes.get(offset..(offset + room).min(len)).unwrap_or_default();
            assert_eq!(result.unwrap(), expected.len(), "{room} bytes at {offset}");
            assert!(window[..expected.len()] == *expected);
            assert!(window[expected.len()..].iter().all(|byte| *byte == 0xEE));
        }
        let (result, inline) = soon(file.read_exact_at([0; 700], 3)).await;
        result.unwrap();
        assert!(inline[..] == bytes[3..703]);
        let error = soon(file.read_exact_at([0; 101], len as u64 - 100)).await.0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(errno(soon(file.read_at([0; 1], u64::MAX)).await.0), libc::EINVAL);
    });
}

fn file_buffer(len: usize) -> AlignedBuf {
    AlignedBuf::new(len, 4096)
}

#[test]
fn memory_that_does_not_fit_is_written_with_a_copy() {
    in_folder(async |folder| {
        let file = soon(DirectFile::create(folder.join("file"))).await.unwrap();
        let step = file.alignment().offset;
        let len = (3 << 20) / step * step;
        let bytes: Vec<u8> = (0..len + 1).map(pattern).collect();
        // It begins at an odd address.
        let (result, window) = soon(file.write_all_at(bytes.slice(1..), 0)).await;
        result.unwrap();
        let bytes = window.into_inner();
        assert!(soon(fs::read(folder.join("file"))).await.unwrap() == bytes[1..]);
        let (result, read) = soon(file.read_exact_at(vec![0; len], 0)).await;
        result.unwrap();
        assert!(read == bytes[1..]);
        // It lies in the futures, which are moved: on the heap, for the stack of a test is small.
        Box::pin(soon(file.write_all_at([7; 4096], 0))).await.0.unwrap();
        assert_eq!(Box::pin(soon(file.read_exact_at([0; 4096], 0))).await.1, [7; 4096]);
        assert!(poll_and_drop(file.read_at(file.buffer(4096), 0)).is_pending());
        assert!(poll_and_drop(file.write_at(file.buffer(4096), 0)).is_pending());
    });
}

#[test]
fn f4_a_file_that_cannot_be_direct_is_as_any_other() {
    in_folder(async |_| {
        let file = soon(DirectFile::open("/proc/self/status")).await.unwrap();
        assert!(!file.is_direct());
        assert_eq!((file.alignment().memory, file.alignment().offset), (1, 1));
        let (result, text) = soon(file.read_exact_at([0; 4], 1)).await;
        result.unwrap();
        assert_eq!(&text, b"ame:");
        assert_eq!(errno(soon(file.write_at("x", 1)).await.0), libc::EBADF);
    });
}

#[test]
fn a_buffer_that_is_dropped_comes_back() {
    in_folder(async |folder| {
        let file = soon(DirectFile::create(folder.join("file"))).await.unwrap();
        let place = |buffer: &AlignedBuf| buffer.as_ptr().addr();
        for len in [1, 4096, 100_000, 256 << 10] {
            let buffer = file.buffer(len);
            let before = place(&buffer);
            if len > 4096 {
                // Another thread drops it.
                beside(move || drop(buffer)).await;
            } else {
                drop(buffer);
            }
            assert_eq!(place(&file.buffer(len)), before, "{len} bytes");
        }
    });
}

/// Where a leak checker finds them.
static FORGOTTEN: Mutex<Vec<AlignedBuf>> = Mutex::new(Vec::new());

#[test]
fn no_two_buffers_share_memory_and_each_has_what_was_read_into_it() {
    in_folder(async |folder| {
        let path = folder.join("file");
        let bytes: Vec<u8> = (0..1 << 20).map(pattern).collect();
        soon(fs::write(&path, bytes.clone())).await.0.unwrap();
        let file = soon(DirectFile::open(&path)).await.unwrap();
        let (mut random, mut buffers) = (Random::new(), Vec::new());
        // Small ones, and sometimes more than the pool has or gives at a time.
        for round in 0..400 {
            let len_max = [5_000, 100_000, 400_000][round / 50 % 3];
            let buffer = file.buffer(1 + random.below(len_max) as usize);
            let at = random.below(128) * 4096;
            let (result, buffer) = soon(file.read_exact_at(buffer, at)).await;
            result.unwrap();
            if round % 100 == 7 {
                FORGOTTEN.lock().unwrap().push(buffer);
            } else {
                buffers.push((buffer, at as usize));
            }
            while buffers.len() > [200, 3][round / 100 % 2] {
                let (buffer, at) = buffers.swap_remove(random.below(buffers.len() as u64) as usize);
                assert!(buffer[..] == bytes[at..at + buffer.len()]);
            }
        }
        for (buffer, at) in buffers {
            assert!(buffer[..] == bytes[at..at + buffer.len()]);
        }
    });
}

#[test]
fn a_buffer_may_move_to_another_shard_and_outlive_the_runtime() {
    with_each_driver(|builder| {
        let folder = Folder::new();
        let path = folder.path().join("file");
        let runtime = builder.shards(2).build().unwrap();
        let page = runtime.block_on(async {
            let file = soon(DirectFile::create(&path)).await.unwrap();
            let elsewhere = path.clone();
            let filled = submit_to(1, async move || {
                let file = DirectFile::open(elsewhere).await.unwrap();
                let mut page = file.buffer(4096);
                page.fill(b'x');
                page
            });
            let (result, page) = soon(file.write_all_at(soon(filled).await.unwrap(), 0)).await;
            result.unwrap();
            let (result, page) = soon(file.read_exact_at(page, 0)).await;
            result.unwrap();
            page
        });
        drop(runtime);
        assert!(page.iter().all(|byte| *byte == b'x'));
    });
}

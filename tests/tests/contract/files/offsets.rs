//! Reads and writes at offsets: values and errno.

use std::io::ErrorKind;
use std::rc::Rc;

use miniss_linux::buf::{IOVECS_MAX, IoBuf};
use miniss_linux::fs::{File, OpenOptions};
use miniss_linux::spawn;

use super::{file_with, in_folder, pattern};
use crate::harness::{errno, soon};

#[test]
fn a_read_gives_what_is_there_and_says_how_much() {
    in_folder(async |folder| {
        let file = file_with(folder, b"abcdefgh").await;
        let (result, bytes) = soon(file.read_at([0; 3], 2)).await;
        assert_eq!((result.unwrap(), &bytes), (3, b"cde"));
        let (result, bytes) = soon(file.read_at([9; 4], 6)).await;
        assert_eq!((result.unwrap(), &bytes), (2, b"gh\x09\x09"), "the rest stays as it was");
        for offset in [8, 9, 1 << 40] {
            assert_eq!(soon(file.read_at([0; 4], offset)).await.0.unwrap(), 0, "{offset}");
        }
    });
}

#[test]
fn a_read_fills_a_buffer_as_one_of_a_socket_does() {
    in_folder(async |folder| {
        let file = file_with(folder, b"abcdefgh").await;
        let (result, bytes) = soon(file.read_at(Vec::with_capacity(4), 0)).await;
        assert_eq!((result.unwrap(), &bytes[..]), (4, &b"abcd"[..]));
        let (result, bytes) = soon(file.read_at(bytes, 7)).await;
        assert_eq!((result.unwrap(), &bytes[..]), (1, &b"h"[..]), "it holds what is new alone");
        let window = vec![b'.'; 6].slice(2..4);
        let (result, window) = soon(file.read_at(window, 0)).await;
        assert_eq!((result.unwrap(), &window.into_inner()[..]), (2, &b"..ab.."[..]));
        let (result, nothing) = soon(file.read_at(Vec::new(), 0)).await;
        assert_eq!((result.unwrap(), nothing.len()), (0, 0));
    });
}

#[test]
fn a_write_is_read_back_and_a_hole_reads_as_zeroes() {
    in_folder(async |folder| {
        let file = file_with(folder, b"abcd").await;
        let (result, buffer) = soon(file.write_at(String::from("XY"), 1)).await;
        assert_eq!((result.unwrap(), buffer.as_str()), (2, "XY"));
        assert_eq!(soon(file.write_at("end", 6)).await.0.unwrap(), 3);
        assert_eq!(soon(file.write_at("", 100)).await.0.unwrap(), 0);
        let (result, bytes) = soon(file.read_at(Vec::with_capacity(64), 0)).await;
        assert_eq!((result.unwrap(), &bytes[..]), (9, &b"aXYd\0\0end"[..]));
    });
}

#[test]
fn exact_reads_and_whole_writes_end_in_one_way_or_the_other() {
    in_folder(async |folder| {
        let file = file_with(folder, b"abcd").await;
        let (result, bytes) = soon(file.read_exact_at([0; 4], 0)).await;
        result.unwrap();
        assert_eq!(&bytes, b"abcd");
        let (result, bytes) = soon(file.read_exact_at([0; 4], 2)).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert_eq!(&bytes[..2], b"cd", "what there is comes all the same");
        let large: Vec<u8> = (0..300_000).map(pattern).collect();
        let (result, large) = soon(file.write_all_at(large, 5)).await;
        result.unwrap();
        let (result, read) = soon(file.read_exact_at(vec![0; 300_000], 5)).await;
        result.unwrap();
        assert!(read == large);
        soon(file.read_exact_at([0; 0], 1 << 40)).await.0.unwrap();
        soon(file.write_all_at("", 1 << 40)).await.0.unwrap();
    });
}

#[test]
fn several_buffers_are_one_read_and_one_write() {
    in_folder(async |folder| {
        let file = file_with(folder, b"").await;
        let pieces = ("head", String::new(), vec![b'-'; 3], *b"tail");
        let (result, pieces) = soon(file.write_vectored_at(pieces, 2)).await;
        assert_eq!((result.unwrap(), pieces.0), (11, "head"));
        let buffers = (Vec::with_capacity(5), [0; 0], Vec::with_capacity(64));
        let (result, (first, _, second)) = soon(file.read_vectored_at(buffers, 1)).await;
        assert_eq!(result.unwrap(), 12);
        assert_eq!((&first[..], &second[..]), (&b"\0head"[..], &b"---tail"[..]));
        assert_eq!(soon(file.read_vectored_at([[0; 0]; 2], 0)).await.0.unwrap(), 0);
        assert_eq!(soon(file.write_vectored_at([""; 2], 0)).await.0.unwrap(), 0);
        // More than the kernel takes at once.
        let written = soon(file.write_vectored_at(vec!["x"; IOVECS_MAX + 9], 0)).await.0.unwrap();
        assert_eq!(written, IOVECS_MAX);
    });
}

#[test]
fn reads_and_writes_at_once_do_not_disturb_each_other() {
    in_folder(async |folder| {
        let file = Rc::new(file_with(folder, b"").await);
        let write = |page: usize| {
            let file = file.clone();
            spawn(
                async move { file.write_all_at(vec![pattern(page); 512], page as u64 * 512).await },
            )
        };
        let writes: Vec<_> = (0..64).rev().map(write).collect();
        for write in writes {
            soon(write).await.unwrap().0.unwrap();
        }
        let read = |page: usize| {
            let file = file.clone();
            spawn(async move { file.read_exact_at(vec![0; 512], page as u64 * 512).await.1 })
        };
        let reads: Vec<_> = (0..64).map(read).collect();
        for (page, read) in reads.into_iter().enumerate() {
            assert_eq!(soon(read).await.unwrap(), [pattern(page); 512]);
        }
    });
}

#[test]
fn what_is_opened_to_append_grows_at_its_end_alone() {
    in_folder(async |folder| {
        drop(file_with(folder, b"abcd").await);
        let options = OpenOptions::new().append(true).read(true).clone();
        let file = soon(options.open(folder.join("file"))).await.unwrap();
        assert_eq!(soon(file.write_at("ef", 1)).await.0.unwrap(), 2);
        soon(file.write_all("gh")).await.0.unwrap();
        let (result, bytes) = soon(file.read_to_end(Vec::new())).await;
        assert_eq!((result.unwrap(), &bytes[..]), (8, &b"abcdefgh"[..]), "the cursor stayed");
    });
}

#[test]
fn what_is_not_allowed_answers_with_the_same_errno() {
    in_folder(async |folder| {
        let file = file_with(folder, b"abcd").await;
        let path = folder.join("file");
        let reader = soon(File::open(&path)).await.unwrap();
        assert_eq!(errno(soon(reader.write_at("x", 0)).await.0), libc::EBADF);
        assert_eq!(errno(soon(reader.write_all("x")).await.0), libc::EBADF);
        assert_eq!(errno(soon(reader.write_vectored_at(["x"], 0)).await.0), libc::EBADF);
        assert_eq!(errno(soon(reader.set_len(1)).await), libc::EINVAL);
        assert_eq!(errno(soon(reader.allocate(0, 1)).await), libc::EBADF);
        let writer = soon(OpenOptions::new().write(true).open(&path)).await.unwrap();
        assert_eq!(errno(soon(writer.read_at([0; 1], 0)).await.0), libc::EBADF);
        assert_eq!(errno(soon(writer.read_vectored_at([[0; 1]], 0)).await.0), libc::EBADF);
        let open = soon(File::open(folder)).await.unwrap();
        assert_eq!(errno(soon(open.read_at([0; 1], 0)).await.0), libc::EISDIR);
        assert_eq!(errno(soon(open.read([0; 1])).await.0), libc::EISDIR);
        drop(file);
    });
}

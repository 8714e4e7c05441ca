//! Reads and writes by the cursor.

use std::io::{ErrorKind, SeekFrom};
use std::pin::pin;
use std::rc::Rc;

use miniss_linux::fs::{self, File, OpenOptions};
use miniss_linux::spawn;

use super::{file_with, in_folder};
use crate::harness::{beside, errno, poll_once, soon};

#[test]
fn each_read_and_write_begins_where_the_last_has_ended() {
    in_folder(async |folder| {
        let file = file_with(folder, b"").await;
        soon(file.write_all("abc")).await.0.unwrap();
        assert_eq!(soon(file.write("def")).await.0.unwrap(), 3);
        assert_eq!(soon(file.read([0; 1])).await.0.unwrap(), 0, "the end");
        assert_eq!(soon(file.seek(SeekFrom::Start(1))).await.unwrap(), 1);
        assert_eq!(soon(file.read([0; 2])).await.1, *b"bc");
        assert_eq!(soon(file.read_exact([0; 2])).await.1, *b"de");
        // Those at offsets leave it where it is.
        soon(file.write_all_at("XYZ", 0)).await.0.unwrap();
        assert_eq!(soon(file.read_at([0; 3], 0)).await.1, *b"XYZ");
        let error = soon(file.read_exact([0; 2])).await.0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(soon(file.seek(SeekFrom::Current(0))).await.unwrap(), 6);
        let (result, rest) = soon(file.read_to_end(vec![b'>'])).await;
        assert_eq!((result.unwrap(), &rest[..]), (0, &b">"[..]));
    });
}

#[test]
fn a_cursor_is_moved_to_any_place_but_before_the_beginning() {
    in_folder(async |folder| {
        let file = file_with(folder, b"abcd").await;
        assert_eq!(soon(file.seek(SeekFrom::End(-1))).await.unwrap(), 3);
        assert_eq!(soon(file.seek(SeekFrom::Current(-3))).await.unwrap(), 0);
        for before in [SeekFrom::Current(-1), SeekFrom::End(-5), SeekFrom::Start(u64::MAX)] {
            assert_eq!(errno(soon(file.seek(before)).await), libc::EINVAL);
        }
        assert_eq!(soon(file.seek(SeekFrom::End(2))).await.unwrap(), 6);
        soon(file.write_all("x")).await.0.unwrap();
        assert_eq!(fs::read(folder.join("file")).await.unwrap(), b"abcd\0\0x");
        soon(file.close()).await.unwrap();
        assert_eq!(errno(soon(file.seek(SeekFrom::Start(0))).await), libc::EBADF);
    });
}

#[test]
fn a_read_that_is_dropped_does_not_move_the_cursor() {
    in_folder(async |folder| {
        let file = file_with(folder, b"abcdefgh").await;
        for polls in 0..3 {
            let mut read = pin!(file.read([0; 3]));
            for _ in 0..polls {
                assert!(poll_once(read.as_mut()).is_pending());
            }
        }
        assert_eq!(soon(file.read([0; 3])).await.1, *b"abc");
        {
            // It has ended, and no one has looked.
            let mut read = pin!(file.read([0; 3]));
            assert!(poll_once(read.as_mut()).is_pending());
            soon(file.read_at([0; 1], 0)).await.0.unwrap();
            crate::harness::settle().await;
        }
        assert_eq!(soon(file.read([0; 3])).await.1, *b"def");
    });
}

#[test]
fn a_write_that_is_dropped_is_followed_by_the_next_in_any_case() {
    in_folder(async |folder| {
        for round in 0..20 {
            let path = folder.join(format!("{round}"));
            let file = soon(File::create(&path)).await.unwrap();
            {
                let mut write = pin!(file.write_all("dropped,"));
                if round % 4 > 0 {
                    assert!(poll_once(write.as_mut()).is_pending());
                }
                if round % 4 > 1 {
                    crate::harness::settle().await;
                }
            }
            soon(file.write_all("awaited")).await.0.unwrap();
            let text = soon(fs::read_to_string(&path)).await.unwrap();
            assert!(["awaited", "dropped,awaited"].contains(&text.as_str()), "{text}");
            assert!(round % 4 > 0 || text == "awaited", "it was never polled");
        }
    });
}

#[test]
fn writes_by_the_cursor_have_their_turns_in_order() {
    in_folder(async |folder| {
        let file = Rc::new(file_with(folder, b"").await);
        let write = |number: u8| {
            let file = file.clone();
            spawn(async move { file.write_all(vec![number; 100]).await.0 })
        };
        let writes: Vec<_> = (0..50).map(write).collect();
        for write in writes {
            soon(write).await.unwrap().unwrap();
        }
        let bytes = soon(fs::read(folder.join("file"))).await.unwrap();
        let expected: Vec<u8> = (0..50).flat_map(|number| [number; 100]).collect();
        // A shuffled run starts the tasks in another order.
        let mut found: Vec<u8> = bytes.chunks(100).flat_map(<[u8]>::to_vec).collect();
        assert!(bytes.chunks(100).all(|chunk| chunk.iter().all(|byte| *byte == chunk[0])));
        found.sort_unstable();
        assert!(found == expected, "each is there once");
    });
}

#[test]
fn a_file_without_positions_is_read_and_written_as_a_stream() {
    in_folder(async |folder| {
        let path = folder.join("pipe");
        miniss_tests::kernel::make_fifo(&path);
        // With both ends open, no open waits for the other.
        let pipe = soon(OpenOptions::new().read(true).write(true).open(&path)).await.unwrap();
        soon(pipe.write_all("by the cursor, ")).await.0.unwrap();
        assert_eq!(soon(pipe.write_at("or not", 5)).await.0.unwrap(), 6);
        assert_eq!(soon(pipe.read([0; 3])).await.1, *b"by ");
        assert_eq!(soon(pipe.read_at([0; 3], 77)).await.1, *b"the");
        let (result, [one, two]) = soon(pipe.read_vectored_at([vec![0; 2], vec![0; 64]], 9)).await;
        assert_eq!(result.unwrap(), 15);
        assert_eq!([one, two].concat(), b" cursor, or not");
        // A reader that waits is no burden to the shard.
        let reader = soon(File::open(&path)).await.unwrap();
        let waiting = spawn(async move { reader.read([0; 4]).await });
        crate::harness::settle().await;
        beside(move || std::fs::write(&path, "late").unwrap()).await;
        assert_eq!(soon(waiting).await.unwrap().1, *b"late");
    });
}

#[test]
fn a_file_of_the_kernel_without_a_length_is_read_to_its_end() {
    in_folder(async |_| {
        let text = soon(fs::read_to_string("/proc/self/status")).await.unwrap();
        assert!(text.contains("VmRSS") && text.ends_with('\n'));
    });
}

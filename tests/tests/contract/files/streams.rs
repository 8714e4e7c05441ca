//! Files as streams: what is read ahead and written behind, and what an error leaves.

use std::io::{ErrorKind, SeekFrom};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::pin::pin;

use miniss_linux::fs::{self, DirectFile, File, FileReader, FileWriter, OpenOptions};
use miniss_linux::{Driver, driver_stats};
use miniss_tests::folder::Folder;
use miniss_tests::kernel;
use miniss_tests::random::Random;

use super::{in_folder, pattern};
use crate::harness::{errno, poll_and_drop, poll_once, settle, soon, with_each_driver};

/// The bytes of the pattern, in a file.
async fn patterned(folder: &Path, len: usize) -> Vec<u8> {
    let bytes: Vec<u8> = (0..len).map(pattern).collect();
    soon(fs::write(folder.join("file"), bytes.clone())).await.0.unwrap();
    bytes
}

async fn read_all(reader: &mut FileReader) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let mut memory = [0; 1000];
        match soon(reader.read(&mut memory)).await.unwrap() {
            0 => return bytes,
            len => bytes.extend_from_slice(&memory[..len]),
        }
    }
}

/// Runs `case` on each driver, with a folder and what counts the requests since. Those that
/// the pool performs are not counted, which are all on epoll.
#[track_caller]
fn counted(case: impl AsyncFn(&Path, &dyn Fn(u64, u64))) {
    with_each_driver(|builder| {
        let runtime = builder.shards(1).build().unwrap();
        let is_counted = runtime.driver().kind() != Driver::Epoll;
        runtime.block_on(async {
            let folder = Folder::new();
            let assert_asked = |before, requests| {
                let asked = driver_stats().submitted - before;
                assert!(!is_counted || asked == requests, "{asked}, not {requests}");
            };
            case(folder.path(), &assert_asked).await;
        });
    });
}

#[test]
fn a_reader_asks_once_for_each_piece_and_once_for_the_end() {
    counted(async |folder, assert_asked| {
        let bytes: Vec<u8> = (0..4 * 4096 + 100).map(pattern).collect();
        std::fs::write(folder.join("file"), &bytes).unwrap();
        let file = soon(File::open(folder.join("file"))).await.unwrap();
        let mut reader = FileReader::with_capacity(4096, file);
        let before = driver_stats().submitted;
        assert!(read_all(&mut reader).await == bytes);
        assert_asked(before, 5 + 1);
        assert_eq!(soon(reader.read(&mut [])).await.unwrap(), 0);
        assert_eq!(reader.position(), bytes.len() as u64);
    });
}

#[test]
fn a_reader_reads_the_next_piece_while_the_program_has_this_one() {
    in_folder(async |folder| {
        // Not by the shard: the close of the file would be in flight, too.
        let bytes: Vec<u8> = (0..3 * 4096).map(pattern).collect();
        std::fs::write(folder.join("file"), &bytes).unwrap();
        let file = File::from_std(std::fs::File::open(folder.join("file")).unwrap());
        let mut reader = FileReader::with_capacity(4096, file);
        let before = driver_stats().in_flight;
        assert!(*soon(reader.fill_buf()).await.unwrap() == bytes[..4096]);
        assert_eq!(driver_stats().in_flight, before + 1);
        // It is no more than that, however long the program takes.
        settle().await;
        let submitted = driver_stats().submitted;
        settle().await;
        assert_eq!(driver_stats().submitted, submitted);
        reader.consume(4096);
        assert!(*soon(reader.fill_buf()).await.unwrap() == bytes[4096..8192]);
    });
}

#[test]
fn a_reader_goes_on_behind_the_end_of_a_file_that_has_grown() {
    in_folder(async |folder| {
        let path = folder.join("file");
        soon(fs::write(&path, "one")).await.0.unwrap();
        let mut reader = FileReader::new(soon(File::open(&path)).await.unwrap());
        assert_eq!(read_all(&mut reader).await, b"one");
        let file = soon(OpenOptions::new().append(true).open(&path)).await.unwrap();
        soon(file.write_all("two")).await.0.unwrap();
        assert_eq!(read_all(&mut reader).await, b"two");
    });
}

#[test]
fn a_reader_begins_at_the_cursor_and_gives_the_file_back_with_it() {
    in_folder(async |folder| {
        let bytes = patterned(folder, 20_000).await;
        let file = soon(File::open(folder.join("file"))).await.unwrap();
        soon(file.seek(SeekFrom::Start(5000))).await.unwrap();
        let mut reader = FileReader::with_capacity(4096, file);
        for _ in 0..5 {
            assert_eq!(soon(reader.read(&mut [0; 1000])).await.unwrap().min(96), 96);
        }
        let position = reader.position();
        let file = reader.into_file();
        assert_eq!(soon(file.seek(SeekFrom::Current(0))).await.unwrap(), position);
        assert_eq!(soon(file.read([0; 1])).await.1, [bytes[position as usize]]);
        soon(file.close()).await.unwrap();
    });
}

#[test]
fn lines_come_whole_however_they_lie_in_the_pieces() {
    in_folder(async |folder| {
        let path = folder.join("file");
        let lines: Vec<String> = (0..100).map(|len| format!("{}\n", "ä".repeat(len))).collect();
        soon(fs::write(&path, lines.concat() + "the rest")).await.0.unwrap();
        let mut reader = FileReader::with_capacity(61, soon(File::open(&path)).await.unwrap());
        for line in &lines {
            let mut read = String::from(">");
            assert_eq!(soon(reader.read_line(&mut read)).await.unwrap(), line.len());
            assert_eq!(read[1..], *line);
        }
        let mut rest = Vec::new();
        assert_eq!(soon(reader.read_until(b'\n', &mut rest)).await.unwrap(), 8);
        assert_eq!(soon(reader.read_until(b'\n', &mut rest)).await.unwrap(), 0);
        assert_eq!(rest, b"the rest");
        soon(fs::write(&path, [0xFF, b'\n', b'x'])).await.0.unwrap();
        let mut reader = FileReader::new(soon(File::open(&path)).await.unwrap());
        let mut line = String::new();
        let error = soon(reader.read_line(&mut line)).await.unwrap_err();
        assert_eq!((error.kind(), line.len()), (ErrorKind::InvalidData, 0));
        assert!(!format!("{error:?}").contains("255"), "it has the line: {error:?}");
        assert_eq!(soon(reader.read_line(&mut line)).await.unwrap(), 1);
    });
}

#[test]
fn reads_that_are_dropped_lose_nothing() {
    in_folder(async |folder| {
        let bytes = patterned(folder, 50_000).await;
        let file = soon(File::open(folder.join("file"))).await.unwrap();
        let (mut reader, mut random) = (FileReader::with_capacity(700, file), Random::new());
        let mut read = Vec::new();
        while read.len() < bytes.len() {
            if random.below(2) == 0 {
                drop(poll_once(pin!(reader.fill_buf())));
            }
            let mut memory = [0; 500];
            let len = soon(reader.read(&mut memory)).await.unwrap();
            read.extend_from_slice(&memory[..len]);
        }
        assert!(read == bytes);
        assert_eq!(soon(reader.read(&mut [0; 1])).await.unwrap(), 0);
    });
}

#[test]
fn a_reader_tells_an_error_each_time_that_it_tries() {
    in_folder(async |folder| {
        let folder_itself = soon(File::open(folder)).await.unwrap();
        let mut reader = FileReader::new(folder_itself);
        assert_eq!(errno(soon(reader.read(&mut [0; 1])).await), libc::EISDIR);
        assert_eq!(errno(soon(reader.fill_buf()).await), libc::EISDIR);
    });
}

#[test]
fn a_writer_asks_once_for_each_piece_and_once_for_the_tail() {
    counted(async |folder, assert_asked| {
        let path = folder.join("file");
        let bytes: Vec<u8> = (0..4 * 4096 + 100).map(pattern).collect();
        let file = soon(File::create(&path)).await.unwrap();
        let mut writer = FileWriter::with_capacity(4096, file);
        let before = driver_stats().submitted;
        for some in bytes.chunks(999) {
            soon(writer.write_all(some)).await.unwrap();
        }
        soon(writer.flush()).await.unwrap();
        assert_asked(before, 4 + 1);
        soon(writer.flush()).await.unwrap();
        assert_asked(before, 4 + 1); // there was nothing to write
        assert!(std::fs::read(&path).unwrap() == bytes);
        soon(writer.close()).await.unwrap();
        soon(writer.close()).await.unwrap();
        assert!(std::fs::read(&path).unwrap() == bytes);
    });
}

#[test]
fn a_writer_holds_two_pieces_and_no_more() {
    in_folder(async |folder| {
        let path = folder.join("file");
        let file = File::from_std(std::fs::File::create(&path).unwrap());
        let mut writer = FileWriter::with_capacity(4096, file);
        let before = driver_stats().in_flight;
        for _ in 0..2 {
            // They are taken at once, though nothing is written yet.
            assert!(poll_and_drop(writer.write_all(&[7; 4096])).is_ready());
        }
        assert_eq!(driver_stats().in_flight, before + 1);
        assert!(poll_and_drop(writer.write(&[8; 4096])).is_pending());
        soon(writer.write_all(&[9; 10])).await.unwrap();
        soon(writer.close()).await.unwrap();
        let bytes = soon(fs::read(&path)).await.unwrap();
        assert_eq!(bytes.len(), 2 * 4096 + 10, "the write that was dropped took nothing");
        assert!(bytes[..8192] == [7; 8192] && bytes[8192..] == [9; 10]);
    });
}

#[test]
fn a_writer_goes_on_after_an_error_and_loses_no_byte() {
    in_folder(async |folder| {
        let Some(root) = kernel::small_file_system(folder, 4 << 20) else {
            return println!("Left out: we may not mount a file system here.");
        };
        let root = PathBuf::from(format!("/proc/self/fd/{}", root.as_raw_fd())).join("");
        let small = root.join("small");
        soon(fs::write(&small, vec![1; 2 << 20])).await.0.unwrap();
        let mut writer = FileWriter::new(soon(File::create(root.join("large"))).await.unwrap());
        let (bytes, mut taken) = ((0..3 << 20).map(pattern).collect::<Vec<_>>(), 0);
        let error = loop {
            match soon(writer.write(&bytes[taken..])).await {
                Ok(len) => taken += len,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert_eq!(errno(soon(writer.flush()).await), libc::ENOSPC);
        assert_eq!(errno(soon(writer.close()).await), libc::ENOSPC, "not all is written");
        // With room again, it goes on where it stopped.
        soon(fs::remove_file(&small)).await.unwrap();
        soon(writer.write_all(&bytes[taken..])).await.unwrap();
        soon(writer.close()).await.unwrap();
        assert!(soon(fs::read(root.join("large"))).await.unwrap() == bytes);
    });
}

#[test]
fn a_writer_tells_what_it_could_not_write_at_the_latest_by_its_close() {
    in_folder(async |_| {
        let full = soon(OpenOptions::new().write(true).open("/dev/full")).await.unwrap();
        let mut writer = FileWriter::new(full);
        soon(writer.write_all(b"x")).await.unwrap();
        assert_eq!(errno(soon(writer.close()).await), libc::ENOSPC);
        assert_eq!(errno(soon(writer.close()).await), libc::ENOSPC);
        let mut writer = FileWriter::new(soon(File::create("/dev/null")).await.unwrap());
        soon(writer.sync_data()).await.unwrap_err();
        soon(writer.close()).await.unwrap();
        assert_eq!(errno(soon(writer.write_all(b"x")).await), libc::EBADF);
        soon(writer.close()).await.unwrap();
    });
}

#[test]
fn a_writer_that_is_dropped_writes_pieces_whole_or_not_at_all() {
    in_folder(async |folder| {
        for round in 0..20 {
            let path = folder.join(format!("{round}"));
            let file = soon(File::create(&path)).await.unwrap();
            let mut writer = FileWriter::with_capacity(1000, file);
            for _ in 0..round {
                soon(writer.write_all(&[5; 150])).await.unwrap();
            }
            drop(writer);
            settle().await;
            let bytes = soon(fs::read(&path)).await.unwrap();
            assert!(bytes.len() % 1000 == 0 && bytes.len() <= round * 150, "{}", bytes.len());
        }
    });
}

#[test]
fn a_writer_appends_to_a_file_that_was_opened_to_append() {
    in_folder(async |folder| {
        let path = folder.join("file");
        soon(fs::write(&path, "head,")).await.0.unwrap();
        let file = soon(OpenOptions::new().append(true).open(&path)).await.unwrap();
        let mut writer = FileWriter::with_capacity(3, file);
        soon(writer.write_all(b"body,tail")).await.unwrap();
        soon(writer.close()).await.unwrap();
        assert_eq!(soon(fs::read(&path)).await.unwrap(), b"head,body,tail");
    });
}

#[test]
fn code_for_tokio_and_futures_reads_and_writes_files() {
    in_folder(async |folder| {
        let bytes = patterned(folder, 30_000).await;
        let (from, to) = (folder.join("file"), folder.join("copy"));
        let open = async || soon(File::open(&from)).await.unwrap();
        let create = async || soon(File::create(&to)).await.unwrap();
        #[cfg(feature = "ecosystem")]
        {
            use tokio::io::{AsyncWriteExt, copy, copy_buf};
            let mut reader = FileReader::with_capacity(4096, open().await);
            let mut writer = FileWriter::with_capacity(777, create().await);
            assert_eq!(soon(copy(&mut reader, &mut writer)).await.unwrap(), 30_000);
            soon(writer.shutdown()).await.unwrap();
            assert!(soon(fs::read(&to)).await.unwrap() == bytes);
            let mut reader = FileReader::with_capacity(777, open().await);
            let mut writer = FileWriter::with_capacity(4096, create().await);
            assert_eq!(soon(copy_buf(&mut reader, &mut writer)).await.unwrap(), 30_000);
            soon(AsyncWriteExt::flush(&mut writer)).await.unwrap();
            assert!(soon(fs::read(&to)).await.unwrap() == bytes);
        }
        use futures::io::{AsyncReadExt, AsyncWriteExt, copy_buf};
        let mut reader = FileReader::with_capacity(4096, open().await);
        let mut writer = FileWriter::with_capacity(777, create().await);
        let mut head = [0; 10];
        soon(reader.read_exact(&mut head)).await.unwrap();
        soon(AsyncWriteExt::write_all(&mut writer, &head)).await.unwrap();
        assert_eq!(soon(copy_buf(&mut reader, &mut writer)).await.unwrap(), 29_990);
        soon(AsyncWriteExt::close(&mut writer)).await.unwrap();
        assert!(soon(fs::read(&to)).await.unwrap() == bytes);
    });
}

#[test]
fn a_direct_file_is_read_from_any_place_to_an_end_that_fits_no_device() {
    in_folder(async |folder| {
        let bytes = patterned(folder, 300_001).await;
        for (start, piece) in [(0, 4096), (1, 1), (511, 10_000), (299_500, 128 << 10), (300_001, 5)]
        {
            let file = soon(DirectFile::open(folder.join("file"))).await.unwrap();
            soon(file.as_file().seek(SeekFrom::Start(start))).await.unwrap();
            let mut reader = FileReader::with_capacity(piece, file);
            assert!(read_all(&mut reader).await == bytes[start as usize..], "from {start}");
            assert_eq!(reader.position(), bytes.len() as u64);
            assert_eq!(soon(reader.read(&mut [0; 9])).await.unwrap(), 0, "still at the end");
            // It has grown by bytes of the same block, and by others.
            let more =
                soon(OpenOptions::new().append(true).open(folder.join("file"))).await.unwrap();
            soon(more.write_all(vec![7; 5000])).await.0.unwrap();
            assert!(read_all(&mut reader).await == [7; 5000]);
            soon(more.set_len(bytes.len() as u64)).await.unwrap();
        }
    });
}

#[test]
fn a_writer_over_a_direct_file_writes_what_it_was_given_and_nothing_else() {
    in_folder(async |folder| {
        let (path, mut random) = (folder.join("file"), Random::new());
        for start in [0, 700, 4096, 49_999] {
            let mut expected = patterned(folder, 50_000).await;
            let options = OpenOptions::new().read(true).write(true).clone();
            let file = soon(options.open_direct(&path)).await.unwrap();
            let (was_direct, fd) = (file.is_direct(), file.as_file().as_fd().as_raw_fd());
            soon(file.as_file().seek(SeekFrom::Start(start as u64))).await.unwrap();
            let mut writer = FileWriter::with_capacity(8192, file);
            let mut end = start;
            for _ in 0..40 {
                let piece = vec![random.below(256) as u8; random.below(3000) as usize];
                expected.resize(expected.len().max(end + piece.len()), 0);
                expected[end..end + piece.len()].copy_from_slice(&piece);
                end += piece.len();
                soon(writer.write_all(&piece)).await.unwrap();
                if random.below(4) == 0 {
                    soon(writer.flush()).await.unwrap();
                    // What is behind it stays, and no more is there than was before or was given.
                    let there = soon(fs::read(&path)).await.unwrap();
                    assert!(there[..end] == expected[..end] && there[end..] == expected[end..]);
                    assert_eq!(kernel::is_direct(fd), was_direct);
                }
            }
            soon(writer.close()).await.unwrap();
            assert!(soon(fs::read(&path)).await.unwrap() == expected, "from {start}");
        }
    });
}

#[test]
fn a_writer_over_a_direct_file_appends_to_an_end_that_fits_no_device() {
    in_folder(async |folder| {
        let path = folder.join("file");
        soon(fs::write(&path, "begun")).await.0.unwrap();
        let file = soon(OpenOptions::new().append(true).open_direct(&path)).await.unwrap();
        let mut writer = FileWriter::with_capacity(4096, file);
        soon(writer.write_all(&[b'x'; 10_000])).await.unwrap();
        soon(writer.flush()).await.unwrap();
        soon(writer.write_all(b"end")).await.unwrap();
        soon(writer.close()).await.unwrap();
        let expected = [&b"begun"[..], &[b'x'; 10_000], b"end"].concat();
        assert!(soon(fs::read(&path)).await.unwrap() == expected);
    });
}

/// A file that a write was dropped in the middle of, by the cursor.
async fn with_dropped_write(path: &Path) -> File {
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(true).clone();
    let file = soon(options.open(path)).await.unwrap();
    assert!(poll_and_drop(file.write_all("dropped,")).is_pending());
    file
}

#[test]
fn a_writer_begins_behind_a_write_that_was_dropped() {
    in_folder(async |folder| {
        for round in 0..20 {
            let path = folder.join(format!("{round}"));
            let mut writer = FileWriter::new(with_dropped_write(&path).await);
            if round % 2 > 0 {
                settle().await;
            }
            soon(writer.write_all(b"awaited")).await.unwrap();
            soon(writer.close()).await.unwrap();
            let text = soon(fs::read_to_string(&path)).await.unwrap();
            assert!(["awaited", "dropped,awaited"].contains(&text.as_str()), "{text}");
        }
    });
}

#[test]
fn a_reader_begins_behind_a_write_that_was_dropped() {
    in_folder(async |folder| {
        for round in 0..20 {
            let path = folder.join(format!("{round}"));
            let mut reader = FileReader::new(with_dropped_write(&path).await);
            if round % 2 > 0 {
                settle().await;
            }
            if round % 4 > 1 {
                assert_eq!(read_all(&mut reader).await, b"");
            }
            let file = reader.into_file();
            soon(file.write_all("awaited")).await.0.unwrap();
            let text = soon(fs::read_to_string(&path)).await.unwrap();
            assert!(["awaited", "dropped,awaited"].contains(&text.as_str()), "{text}");
        }
    });
}

#[test]
fn a_writer_takes_nothing_once_it_closes() {
    in_folder(async |folder| {
        let mut writer = FileWriter::new(soon(File::create(folder.join("file"))).await.unwrap());
        soon(writer.write_all(b"taken")).await.unwrap();
        soon(writer.flush()).await.unwrap();
        assert!(poll_and_drop(writer.close()).is_pending());
        assert_eq!(errno(soon(writer.write(b", lost")).await), libc::EBADF);
        soon(writer.close()).await.unwrap();
        assert_eq!(errno(soon(writer.write(b", lost")).await), libc::EBADF);
        assert_eq!(soon(fs::read(folder.join("file"))).await.unwrap(), b"taken");
    });
}

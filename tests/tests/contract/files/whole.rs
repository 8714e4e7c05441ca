//! What is done with a file as a whole: its length, its room, its status, its locks.

use std::fs::{FileTimes, Permissions, TryLockError};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, SystemTime};

use miniss_linux::fs::{self, Advice, File, OpenOptions};
use miniss_linux::spawn;

use super::{file_with, in_folder};
use crate::harness::{errno, poll_and_drop, settle, soon};

#[test]
fn a_status_says_what_the_standard_library_says() {
    in_folder(async |folder| {
        let file = file_with(folder, b"abcd").await;
        let path = folder.join("file");
        let ours = soon(file.metadata()).await.unwrap();
        let theirs = std::fs::metadata(&path).unwrap();
        assert_eq!(ours.len(), theirs.len());
        assert_eq!(ours.mode(), theirs.mode());
        assert_eq!((ours.uid(), ours.gid()), (theirs.uid(), theirs.gid()));
        assert_eq!((ours.ino(), ours.dev()), (theirs.ino(), theirs.dev()));
        assert_eq!((ours.nlink(), ours.blocks()), (theirs.nlink(), theirs.blocks()));
        assert_eq!(ours.permissions(), theirs.permissions());
        assert_eq!(ours.modified(), theirs.modified().unwrap());
        assert_eq!(ours.accessed(), theirs.accessed().unwrap());
        assert_eq!(ours.created().ok(), theirs.created().ok());
        assert!(ours.is_file() && !ours.is_dir() && !ours.is_symlink());
        assert!(soon(fs::metadata(folder)).await.unwrap().is_dir());
        assert!(soon(fs::metadata("/dev/null")).await.unwrap().file_type().is_char_device());
        soon(fs::symlink("file", folder.join("link"))).await.unwrap();
        let link = soon(fs::symlink_metadata(folder.join("link"))).await.unwrap();
        assert!(link.is_symlink());
        assert!(soon(fs::metadata(folder.join("link"))).await.unwrap().is_file());
    });
}

#[test]
fn times_before_the_epoch_and_behind_it_come_back() {
    in_folder(async |folder| {
        let file = file_with(folder, b"").await;
        for time in [
            SystemTime::UNIX_EPOCH + Duration::new(5, 7),
            SystemTime::UNIX_EPOCH,
            SystemTime::UNIX_EPOCH - Duration::new(5, 7),
        ] {
            let times = FileTimes::new().set_modified(time).set_accessed(time);
            soon(file.set_times(times)).await.unwrap();
            let metadata = soon(file.metadata()).await.unwrap();
            assert_eq!((metadata.modified(), metadata.accessed()), (time, time));
        }
        let later = SystemTime::UNIX_EPOCH + Duration::from_secs(9);
        soon(file.set_modified(later)).await.unwrap();
        let metadata = soon(file.metadata()).await.unwrap();
        assert_eq!(metadata.modified(), later);
        assert!(metadata.accessed() < later);
    });
}

#[test]
fn a_length_is_set_and_room_is_taken_and_given_back() {
    in_folder(async |folder| {
        let file = file_with(folder, b"abcdefgh").await;
        soon(file.set_len(3)).await.unwrap();
        soon(file.set_len(5)).await.unwrap();
        assert_eq!(soon(file.read_at([9; 8], 0)).await.1, *b"abc\0\0\x09\x09\x09");
        soon(file.allocate(0, 1 << 20)).await.unwrap();
        let metadata = soon(file.metadata()).await.unwrap();
        assert_eq!(metadata.len(), 1 << 20);
        assert!(metadata.blocks() * 512 >= 1 << 20);
        soon(file.punch_hole(4096, (1 << 20) - 4096)).await.unwrap();
        let punched = soon(file.metadata()).await.unwrap();
        assert_eq!(punched.len(), 1 << 20);
        assert!(punched.blocks() < metadata.blocks());
        soon(file.punch_hole(1, 1)).await.unwrap();
        assert_eq!(soon(file.read_at([9; 4], 0)).await.1, *b"a\0c\0");
        assert_eq!(errno(soon(file.allocate(0, 0)).await), libc::EINVAL);
        assert_eq!(errno(soon(file.allocate(u64::MAX, 1)).await), libc::EINVAL);
        assert_eq!(errno(soon(file.punch_hole(0, u64::MAX)).await), libc::EINVAL);
    });
}

#[test]
fn a_file_is_synced_and_advice_changes_nothing() {
    in_folder(async |folder| {
        let file = file_with(folder, b"abcd").await;
        soon(file.sync_data()).await.unwrap();
        soon(file.sync_all()).await.unwrap();
        soon(File::open(folder).await.unwrap().sync_all()).await.unwrap();
        for advice in [
            Advice::Normal,
            Advice::Sequential,
            Advice::Random,
            Advice::WillNeed,
            Advice::DontNeed,
            Advice::NoReuse,
        ] {
            soon(file.advise(0, 0, advice)).await.unwrap();
            soon(file.advise(1, 2, advice)).await.unwrap();
        }
        assert_eq!(errno(soon(file.advise(u64::MAX, 0, Advice::Normal)).await), libc::EINVAL);
        assert_eq!(soon(file.read_at([0; 4], 0)).await.1, *b"abcd");
        let null = soon(File::open("/dev/null")).await.unwrap();
        assert_eq!(errno(soon(null.sync_all()).await), libc::EINVAL);
    });
}

#[test]
fn permissions_and_the_mode_of_a_new_file_are_as_asked() {
    in_folder(async |folder| {
        let path = folder.join("private");
        let options = OpenOptions::new().write(true).create(true).mode(0o600).clone();
        let file = soon(options.open(&path)).await.unwrap();
        let mode = async || soon(fs::metadata(&path)).await.unwrap().mode() & 0o777;
        assert_eq!(mode().await, 0o600);
        soon(file.set_permissions(Permissions::from_mode(0o400))).await.unwrap();
        assert_eq!(mode().await, 0o400);
        soon(fs::set_permissions(&path, Permissions::from_mode(0o640))).await.unwrap();
        assert_eq!(mode().await, 0o640);
    });
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    in_folder(async |folder| {
        let path = folder.join("file");
        let mut options = OpenOptions::new();
        for options in [
            &mut options,
            OpenOptions::new().read(true).create(true),
            OpenOptions::new().read(true).truncate(true),
            OpenOptions::new().append(true).truncate(true),
        ] {
            let error = soon(options.open(&path)).await.unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{options:?}");
        }
        let create = OpenOptions::new().write(true).create_new(true).clone();
        drop(soon(create.open(&path)).await.unwrap());
        assert_eq!(errno(soon(create.open(&path)).await), libc::EEXIST);
        let link = folder.join("link");
        soon(fs::symlink("file", &link)).await.unwrap();
        let options = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).clone();
        assert_eq!(errno(soon(options.open(&link)).await), libc::ELOOP);
        assert_eq!(errno(soon(File::open(folder.join("file/x"))).await), libc::ENOTDIR);
        assert_eq!(errno(soon(File::create(folder)).await), libc::EISDIR);
        let error = soon(File::open("zero\0byte")).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    });
}

#[test]
fn one_has_the_lock_or_many_share_it() {
    in_folder(async |folder| {
        let one = file_with(folder, b"").await;
        let other = soon(File::open(folder.join("file"))).await.unwrap();
        soon(one.lock()).await.unwrap();
        assert!(matches!(soon(other.try_lock()).await, Err(TryLockError::WouldBlock)));
        assert!(matches!(soon(other.try_lock_shared()).await, Err(TryLockError::WouldBlock)));
        // One that waits is given up, and has no lock afterwards.
        drop(poll_and_drop(other.lock()));
        settle().await;
        let waiting = spawn(async move {
            other.lock().await.unwrap();
            other
        });
        settle().await;
        soon(one.unlock()).await.unwrap();
        let other = soon(waiting).await.unwrap();
        assert!(matches!(soon(one.try_lock()).await, Err(TryLockError::WouldBlock)));
        soon(other.unlock()).await.unwrap();
        soon(other.lock_shared()).await.unwrap();
        soon(one.try_lock_shared()).await.unwrap();
        soon(one.close()).await.unwrap();
        // The lock went with the file.
        soon(other.lock()).await.unwrap();
    });
}

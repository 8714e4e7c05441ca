//! What is done with what is at a path.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::pin::pin;

use miniss_linux::fs::{self, File};

use super::in_folder;
use crate::harness::{errno, poll_once, soon};

async fn write(path: impl AsRef<Path>, bytes: &'static str) {
    soon(fs::write(path, bytes)).await.0.unwrap();
}

#[test]
fn files_are_written_read_and_copied_whole() {
    in_folder(async |folder| {
        let [a, b] = ["a", "b"].map(|name| folder.join(name));
        let large: Vec<u8> = (0..200_000).map(super::pattern).collect();
        let (result, large) = soon(fs::write(&a, large)).await;
        result.unwrap();
        assert!(soon(fs::read(&a)).await.unwrap() == large);
        write(&b, "longer than nothing").await;
        std::fs::set_permissions(&a, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(soon(fs::copy(&a, &b)).await.unwrap(), 200_000);
        assert!(soon(fs::read(&b)).await.unwrap() == large);
        assert_eq!(soon(fs::metadata(&b)).await.unwrap().mode() & 0o777, 0o640);
        write(&a, "").await;
        assert_eq!(soon(fs::read(&a)).await.unwrap(), b"", "it was made empty");
        let error = soon(fs::read_to_string(&b)).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
        assert!(format!("{error:?}").len() < 200, "it has what is in the file");
        assert_eq!(errno(soon(fs::read(folder.join("c"))).await), libc::ENOENT);
        assert_eq!(errno(soon(fs::read(folder)).await), libc::EISDIR);
        let (result, contents) = soon(fs::write(folder, "x")).await;
        assert_eq!((errno(result), contents), (libc::EISDIR, "x"));
        assert_eq!(errno(soon(fs::copy(folder.join("c"), &b)).await), libc::ENOENT);
    });
}

#[test]
fn a_file_that_was_written_whole_is_open_no_more() {
    in_folder(async |folder| {
        let path = folder.join("program");
        for _ in 0..50 {
            write(&path, "#!/bin/sh\nexit 7\n").await;
            let open = std::fs::read_dir("/proc/self/fd").unwrap();
            let is_it = |entry: std::fs::DirEntry| {
                std::fs::read_link(entry.path()).is_ok_and(|of| of == path)
            };
            assert!(!open.flatten().any(is_it), "it could not be started as a program");
        }
    });
}

#[test]
fn a_rename_replaces_and_one_without_replacing_does_not() {
    in_folder(async |folder| {
        let [a, b, none] = ["a", "b", "none"].map(|name| folder.join(name));
        write(&a, "a").await;
        write(&b, "b").await;
        assert_eq!(errno(soon(fs::rename_noreplace(&a, &b)).await), libc::EEXIST);
        assert_eq!(soon(fs::read(&b)).await.unwrap(), b"b");
        soon(fs::rename(&a, &b)).await.unwrap();
        assert_eq!(soon(fs::read(&b)).await.unwrap(), b"a");
        soon(fs::rename_noreplace(&b, &a)).await.unwrap();
        assert_eq!(errno(soon(fs::rename(&b, &a)).await), libc::ENOENT);
        assert_eq!(errno(soon(fs::rename(&a, none.join("a"))).await), libc::ENOENT);
        soon(fs::create_dir(&none)).await.unwrap();
        assert_eq!(errno(soon(fs::rename(&a, &none)).await), libc::EISDIR);
    });
}

#[test]
fn names_and_links_are_given_followed_and_taken_away() {
    in_folder(async |folder| {
        let [file, name, link] = ["file", "name", "link"].map(|name| folder.join(name));
        write(&file, "x").await;
        soon(fs::hard_link(&file, &name)).await.unwrap();
        assert_eq!(soon(fs::metadata(&file)).await.unwrap().nlink(), 2);
        assert_eq!(errno(soon(fs::hard_link(&file, &name)).await), libc::EEXIST);
        soon(fs::remove_file(&file)).await.unwrap();
        assert_eq!(soon(fs::read(&name)).await.unwrap(), b"x");
        assert_eq!(errno(soon(fs::remove_file(&file)).await), libc::ENOENT);
        assert_eq!(errno(soon(fs::remove_file(folder)).await), libc::EISDIR);
        soon(fs::symlink("name", &link)).await.unwrap();
        assert_eq!(errno(soon(fs::symlink("name", &link)).await), libc::EEXIST);
        assert_eq!(soon(fs::read_link(&link)).await.unwrap(), Path::new("name"));
        assert_eq!(errno(soon(fs::read_link(&name)).await), libc::EINVAL);
        let real = std::fs::canonicalize(&name).unwrap();
        assert_eq!(soon(fs::canonicalize(&link)).await.unwrap(), real);
        assert_eq!(errno(soon(fs::canonicalize(&file)).await), libc::ENOENT);
        assert!(soon(fs::try_exists(&link)).await.unwrap());
        soon(fs::remove_file(&name)).await.unwrap();
        assert!(!soon(fs::try_exists(&link)).await.unwrap(), "it leads nowhere");
        assert!(!soon(fs::exists(&link)).await);
        assert_eq!(errno(soon(fs::try_exists("/dev/null/x")).await), libc::ENOTDIR);
        assert!(!soon(fs::exists("/dev/null/x")).await);
        soon(fs::remove_file(&link)).await.unwrap();
    });
}

#[test]
fn folders_are_made_and_removed() {
    in_folder(async |folder| {
        let deep = folder.join("a/b/c");
        assert_eq!(errno(soon(fs::create_dir(&deep)).await), libc::ENOENT);
        soon(fs::create_dir_all(&deep)).await.unwrap();
        soon(fs::create_dir_all(&deep)).await.unwrap();
        assert_eq!(errno(soon(fs::create_dir(&deep)).await), libc::EEXIST);
        assert_eq!(errno(soon(fs::remove_dir(folder.join("a"))).await), libc::ENOTEMPTY);
        soon(fs::remove_dir(&deep)).await.unwrap();
        write(folder.join("a/b/file"), "x").await;
        assert_eq!(errno(soon(fs::remove_dir(folder.join("a/b/file"))).await), libc::ENOTDIR);
        soon(fs::symlink("/", folder.join("a/root"))).await.unwrap();
        soon(fs::remove_dir_all(folder.join("a"))).await.unwrap();
        assert!(!soon(fs::exists(folder.join("a"))).await);
        assert_eq!(errno(soon(fs::remove_dir_all(folder.join("a"))).await), libc::ENOENT);
    });
}

#[test]
fn a_folder_is_listed_whole_also_if_a_wait_is_dropped() {
    in_folder(async |folder| {
        for number in 0..150 {
            std::fs::write(folder.join(format!("{number}")), "").unwrap();
        }
        std::fs::create_dir(folder.join("folder")).unwrap();
        let mut entries = soon(fs::read_dir(folder)).await.unwrap();
        let (mut names, mut folders) = (BTreeSet::new(), 0);
        loop {
            // At the end of a batch this drops a wait that has begun.
            let first = poll_once(pin!(entries.next_entry()));
            let entry = match first {
                std::task::Poll::Ready(entry) => entry,
                std::task::Poll::Pending => soon(entries.next_entry()).await,
            };
            let Some(entry) = entry.unwrap() else { break };
            assert_eq!(entry.path(), folder.join(entry.file_name()));
            folders += usize::from(entry.file_type().unwrap().is_dir());
            assert!(names.insert(entry.file_name()), "{entry:?} comes twice");
        }
        assert_eq!((names.len(), folders), (151, 1));
        assert!(soon(entries.next_entry()).await.unwrap().is_none());
        assert_eq!(errno(soon(fs::read_dir(folder.join("0"))).await), libc::ENOTDIR);
        assert_eq!(errno(soon(fs::read_dir(folder.join("x"))).await), libc::ENOENT);
        // A listing that is not read to its end.
        let mut entries = soon(fs::read_dir(folder)).await.unwrap();
        let entry = soon(entries.next_entry()).await.unwrap().unwrap();
        assert_eq!(entry.ino(), soon(entry.metadata()).await.unwrap().ino());
        drop(soon(File::open(entry.path())).await.unwrap());
    });
}

#[test]
fn a_path_with_a_zero_byte_is_no_path() {
    in_folder(async |folder| {
        let bad = folder.join("a\0b");
        let kinds = [
            soon(fs::remove_file(&bad)).await.unwrap_err().kind(),
            soon(fs::rename(&bad, folder)).await.unwrap_err().kind(),
            soon(fs::rename(folder, &bad)).await.unwrap_err().kind(),
            soon(fs::metadata(&bad)).await.unwrap_err().kind(),
            soon(fs::canonicalize(&bad)).await.unwrap_err().kind(),
        ];
        assert_eq!(kinds, [std::io::ErrorKind::InvalidInput; 5]);
    });
}

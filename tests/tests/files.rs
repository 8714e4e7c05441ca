//! The example `files` as a user starts it: what it copies and hashes is right, what is wrong is
//! named, and however it ends, no half file has a name.

#![forbid(unsafe_code)]

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use miniss_tests::alone::finish;
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::drivers::available;
use miniss_tests::folder::Folder;
use miniss_tests::kernel;
use miniss_tests::program::{example, installed, run, with_descriptors, without_override};

fn files(arguments: &[&str]) -> Command {
    let mut command = example("files");
    command.args(["--shards", "2"]).args(arguments);
    command
}

fn copy(from: &Path, to: &Path, options: &[&str]) -> Command {
    let mut command = files(&["copy"]);
    command.args(options).args([from, to]);
    command
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("our programs speak UTF-8")
}

#[track_caller]
fn assert_succeeds(command: &mut Command) -> Output {
    let output = run(command);
    assert!(output.status.success(), "{}: {}", output.status, text(&output.stderr));
    output
}

/// It ends with status 1, and says all of `words` in one line.
#[track_caller]
fn assert_fails(command: &mut Command, words: &[&str]) -> Output {
    let output = run(command);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let is_it = |line: &str| words.iter().all(|word| line.contains(word));
    assert!(said.lines().any(is_it), "{said:?} does not say {words:?}");
    output
}

fn sorted(lines: &[u8]) -> Vec<&str> {
    let mut lines: Vec<_> = text(lines).lines().collect();
    lines.sort_unstable();
    lines
}

/// A tree with what is easily forgotten.
fn make_tree(root: &Path) {
    let secret = root.join("inner/secret");
    fs::create_dir_all(&secret).expect("a folder");
    fs::write(root.join("empty"), "").expect("a file");
    fs::write(root.join("small"), "hello").expect("a file");
    let pattern: Vec<u8> = (0..3_000_001_u32).map(|number| (number / 7) as u8).collect();
    fs::write(root.join("inner/large"), pattern).expect("a file");
    fs::write(secret.join("new\nline and \\"), "odd").expect("a file");
    make_sparse(&root.join("inner/sparse"));
    symlink("nowhere", root.join("dangling")).expect("a link");
    symlink("inner", root.join("to a folder")).expect("a link");
    fs::set_permissions(root.join("small"), Permissions::from_mode(0o640)).expect("its mode");
    fs::set_permissions(&secret, Permissions::from_mode(0o500)).expect("its mode");
    let file = File::options().write(true).open(root.join("empty")).expect("it is there");
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1)).expect("its time");
}

/// Some bytes far behind the beginning, and a hole at the end.
fn make_sparse(path: &Path) {
    let file = File::create(path).expect("a file");
    file.write_all_at(b"far away", 5 << 20).expect("there is room for a page");
    file.set_len((8 << 20) + 1).expect("a hole takes no room");
}

/// All that is below `root`, in order.
fn all_below(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).expect("a folder can be listed");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let mut all: Vec<_> = paths.flat_map(|path| with_what_is_in(&path)).collect();
    all.sort();
    all
}

fn with_what_is_in(path: &Path) -> Vec<PathBuf> {
    let is_folder = fs::symlink_metadata(path).expect("it is there").is_dir();
    let inside = if is_folder { all_below(path) } else { Vec::new() };
    [vec![path.to_owned()], inside].concat()
}

fn relative(root: &Path) -> Vec<PathBuf> {
    let below = |path: &PathBuf| path.strip_prefix(root).expect("below it").to_owned();
    all_below(root).iter().map(below).collect()
}

#[track_caller]
fn assert_same(one: &Path, other: &Path) {
    assert_eq!(relative(one), relative(other));
    for path in relative(one) {
        let (one, other) = (one.join(&path), other.join(&path));
        let [before, after] =
            [&one, &other].map(|path| fs::symlink_metadata(path).expect("it is there"));
        assert_eq!(before.mode(), after.mode(), "{}", path.display());
        if before.is_symlink() {
            assert_eq!(fs::read_link(one).ok(), fs::read_link(other).ok(), "{}", path.display());
            continue;
        }
        assert_eq!(before.modified().ok(), after.modified().ok(), "{}", path.display());
        if before.is_file() {
            assert!(fs::read(one).ok() == fs::read(other).ok(), "{}", path.display());
        }
    }
}

#[test]
fn a_tree_is_copied_as_it_is() {
    let _deadline = deadline("a_tree_is_copied_as_it_is");
    let folder = Folder::new();
    let from = folder.path().join("from");
    make_tree(&from);
    let ways =
        available().into_iter().flat_map(|driver| [(driver, "--sync"), (driver, "--direct")]);
    for (driver, way) in ways {
        let driver = driver.to_string();
        let to = folder.path().join(format!("{driver}{way}"));
        let output = assert_succeeds(&mut copy(&from, &to, &["--driver", &driver, way]));
        assert_same(&from, &to);
        let said = text(&output.stderr);
        assert!(said.starts_with("files: 7 files, 10.86 MiB in "), "{said}");
        let sparse = fs::metadata(to.join("inner/sparse")).expect("it was copied");
        assert!(sparse.blocks() * 512 < 1 << 20, "the holes were filled");
    }
}

#[test]
fn one_file_is_copied_and_a_link_that_was_named_is_followed() {
    let _deadline = deadline("one_file_is_copied_and_a_link_that_was_named_is_followed");
    let folder = Folder::new();
    let [file, link, to] = ["file", "link", "to"].map(|name| folder.path().join(name));
    fs::write(&file, "hello").expect("a file");
    symlink("file", &link).expect("a link");
    let output = assert_succeeds(
        copy(Path::new("link"), Path::new("to"), &["--quiet"]).current_dir(folder.path()),
    );
    assert_eq!(text(&output.stderr), "");
    assert!(fs::symlink_metadata(&to).expect("it was copied").is_file());
    assert_eq!(fs::read(to).ok(), Some(b"hello".to_vec()));
}

#[test]
fn hashes_are_those_of_sha256sum() {
    let _deadline = deadline("hashes_are_those_of_sha256sum");
    let folder = Folder::new();
    make_tree(&folder.path().join("tree"));
    fs::write(folder.path().join("beside"), "it").expect("a file");
    for driver in available() {
        let driver = driver.to_string();
        let words = ["--driver", &driver, "hash", "tree", "beside"];
        let output = assert_succeeds(files(&words).current_dir(folder.path()));
        let direct = assert_succeeds(files(&words).arg("--direct").current_dir(folder.path()));
        assert_eq!(sorted(&direct.stdout), sorted(&output.stdout));
        // Links are left out.
        assert_eq!(text(&output.stdout).lines().count(), 6);
        let mut check = installed("sha256sum", "coreutils");
        check.args(["--check", "--strict", "--quiet"]).current_dir(folder.path());
        let mut child = check.stdin(Stdio::piped()).spawn().expect("sha256sum starts");
        child.stdin.take().expect("piped").write_all(&output.stdout).expect("it reads");
        assert!(finish(child, SOON).expect("it ends").success());
    }
}

#[test]
fn what_cannot_be_read_is_named_and_the_others_go_on() {
    let _deadline = deadline("what_cannot_be_read_is_named_and_the_others_go_on");
    let folder = Folder::new();
    let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
    fs::create_dir_all(from.join("closed")).expect("a folder");
    for name in ["closed/lost", "forbidden", "free"] {
        fs::write(from.join(name), name).expect("a file");
    }
    kernel::make_fifo(&from.join("pipe"));
    for name in ["closed", "forbidden"] {
        fs::set_permissions(from.join(name), Permissions::from_mode(0o000)).expect("its mode");
    }
    let denied = "Permission denied";
    let forbidden = from.join("forbidden: cannot open").display().to_string();
    let output = assert_fails(without_override(&mut copy(&from, &to, &[])), &[&forbidden, denied]);
    let said = text(&output.stderr);
    let closed = from.join("closed: cannot list").display().to_string();
    assert!(said.contains(&closed) && said.contains("from/pipe: cannot "), "{said}");
    assert!(said.contains("files: 1 file, 4 B in ") && said.ends_with("; 3 failures\n"), "{said}");
    assert_eq!(relative(&to), [PathBuf::from("closed"), "free".into()]);

    let hash = || files(&["hash", &from.display().to_string()]);
    let output = assert_fails(without_override(&mut hash()), &[&forbidden, denied]);
    assert_eq!(text(&output.stdout).lines().count(), 1);
    for name in ["closed", "forbidden"] {
        let open = Permissions::from_mode(0o700);
        fs::set_permissions(from.join(name), open).expect("it is ours");
    }
}

#[test]
fn what_is_there_is_not_touched_unless_that_is_asked_for() {
    let _deadline = deadline("what_is_there_is_not_touched_unless_that_is_asked_for");
    let folder = Folder::new();
    let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
    for (path, contents) in [(from.join("a"), "new"), (to.join("a"), "old"), (to.join("b"), "old")]
    {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, contents).expect("a file");
    }
    assert_fails(&mut copy(&from, &to, &[]), &["to: cannot make the copy", "--overwrite"]);
    assert_fails(&mut copy(&from.join("a"), &to.join("a"), &[]), &["a: cannot make the copy"]);
    assert_eq!(fs::read(to.join("a")).ok(), Some(b"old".to_vec()));
    assert_succeeds(&mut copy(&from, &to, &["--overwrite"]));
    assert_eq!(fs::read(to.join("a")).ok(), Some(b"new".to_vec()));
    assert_eq!(fs::read(to.join("b")).ok(), Some(b"old".to_vec()));
    // A link is not followed to where no one has asked to write.
    fs::remove_dir_all(&to).expect("it is ours");
    fs::create_dir(folder.path().join("elsewhere")).expect("a folder");
    symlink("elsewhere", &to).expect("a link");
    assert_fails(&mut copy(&from, &to, &["--overwrite"]), &["to: cannot make the folder"]);
    assert_eq!(all_below(&folder.path().join("elsewhere")), Vec::<PathBuf>::new());
}

#[test]
fn a_folder_is_not_copied_into_itself() {
    let _deadline = deadline("a_folder_is_not_copied_into_itself");
    let folder = Folder::new();
    fs::write(folder.path().join("file"), "hello").expect("a file");
    let inside = folder.path().join("copy");
    let why = "it would be in what is copied";
    assert_fails(&mut copy(folder.path(), &inside, &[]), &["copy: cannot make the copy", why]);
    let file = folder.path().join("file");
    assert_fails(&mut copy(&file, &file, &["--overwrite"]), &[why]);
    assert_fails(&mut copy(&folder.path().join("nothing"), &inside, &[]), &["nothing: cannot "]);
    assert_eq!(relative(folder.path()), [PathBuf::from("file")]);
}

#[test]
fn where_there_is_no_room_it_ends_and_leaves_whole_files_alone() {
    let _deadline = deadline("where_there_is_no_room_it_ends_and_leaves_whole_files_alone");
    let folder = Folder::new();
    let [from, small] = ["from", "small"].map(|name| folder.path().join(name));
    [&from, &small].into_iter().for_each(|path| fs::create_dir(path).expect("a folder"));
    let Some(root) = kernel::small_file_system(&small, 4 << 20) else {
        println!("Left out: we may not mount a file system here.");
        return;
    };
    let root = format!("/proc/{}/fd/{}", std::process::id(), root.as_raw_fd());
    for number in 0..64 {
        let contents = vec![number; 600_000];
        fs::write(from.join(number.to_string()), contents).expect("a file");
    }
    let to = Path::new(&root).join("to");
    let output = assert_fails(&mut copy(&from, &to, &[]), &["cannot write", "No space left"]);
    let said = text(&output.stderr);
    assert!(said.lines().count() < 50, "it goes on where nothing can be written: {said}");
    for path in all_below(&to) {
        let whole = fs::read(from.join(path.file_name().expect("a name")));
        assert!(whole.expect("no other names are there") == fs::read(&path).expect("it is there"));
    }
}

/// Waits until the program has `path` open.
fn wait_until_open(path: &Path, child: &mut Child) {
    let end = Instant::now() + SOON;
    let descriptors = format!("/proc/{}/fd", child.id());
    let is_it = |entry: io::Result<fs::DirEntry>| {
        entry.and_then(|entry| fs::read_link(entry.path())).is_ok_and(|open| open == path)
    };
    while !fs::read_dir(&descriptors).is_ok_and(|mut entries| entries.any(is_it)) {
        assert_eq!(child.try_wait().expect("it is ours"), None, "it ended by itself");
        assert!(Instant::now() < end, "it does not open {}", path.display());
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn ctrl_c_ends_it_in_order_and_leaves_no_half_file() {
    let _deadline = deadline("ctrl_c_ends_it_in_order_and_leaves_no_half_file");
    let folder = Folder::new();
    let [endless, to] = ["endless", "to"].map(|name| folder.path().join(name));
    // It takes no room, and minutes to read.
    let file = File::create(&endless).expect("a file");
    file.set_len(4 << 40).expect("a hole takes no room");
    fs::create_dir(&to).expect("a folder");
    for driver in available() {
        let driver = ["--driver", &driver.to_string()];
        let mut hash = files(&driver);
        hash.arg("hash").arg(&endless);
        for mut command in [copy(&endless, &to.join("copy"), &driver), hash] {
            let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
            wait_until_open(&endless, &mut child);
            kernel::signal_child(&child, libc::SIGINT);
            let output = child.wait_with_output().expect("our own child can be waited for");
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(130), "{said}");
            assert!(said.starts_with("files: 0 files, "), "{said}");
            assert!(said.ends_with("; interrupted\n"), "{said}");
            assert_eq!(all_below(&to), Vec::<PathBuf>::new());
        }
    }
}

#[test]
fn a_program_that_is_killed_leaves_whole_files_and_none_that_looks_whole() {
    let _deadline = deadline("a_program_that_is_killed_leaves_whole_files_and_none_that_looks");
    let folder = Folder::new();
    let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
    fs::create_dir(&from).expect("a folder");
    fs::write(from.join("small"), "hello").expect("a file");
    let endless = from.join("endless");
    // It takes no room, and minutes to read.
    let file = File::create(&endless).expect("a file");
    file.set_len(4 << 40).expect("a hole takes no room");
    let mut child = copy(&from, &to, &["--quiet"]).spawn().expect("it starts");
    wait_until_open(&endless, &mut child);
    let end = Instant::now() + SOON;
    while !to.join("small").exists() {
        assert!(Instant::now() < end, "the small file is not copied");
        sleep(Duration::from_millis(5));
    }
    kernel::signal_child(&child, libc::SIGKILL);
    child.wait().expect("our own child can be waited for");
    assert_eq!(fs::read(to.join("small")).ok(), Some(b"hello".to_vec()));
    assert!(!to.join("endless").exists());
    let is_temporary = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "tmp");
    assert_eq!(all_below(&to).iter().filter(|path| !is_temporary(path)).count(), 1);
}

/// In a container, each run may have the id of the one before.
#[test]
fn what_a_killed_copy_left_behind_is_in_no_ones_way() {
    let _deadline = deadline("what_a_killed_copy_left_behind_is_in_no_ones_way");
    let folder = Folder::new();
    let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
    for folder in [&from, &to] {
        fs::create_dir(folder).expect("a folder");
    }
    fs::write(from.join("small"), "hello").expect("a file");
    symlink("small", from.join("link")).expect("a link");
    let copy = copy(&from, &to, &["--overwrite"]);
    let mut shell = Command::new("sh");
    let leave = "for n in 0 1 2; do echo left >\"$0/.files-$$-$n.tmp\"; done; exec \"$@\"";
    shell.args(["-c", leave]).arg(&to).arg(copy.get_program()).args(copy.get_args());
    assert_succeeds(&mut shell);
    assert_eq!(fs::read(to.join("small")).ok(), Some(b"hello".to_vec()));
    assert_eq!(fs::read_link(to.join("link")).ok(), Some("small".into()));
    assert_eq!(all_below(&to).len(), 5, "what it did not make is left alone");
}

#[test]
fn more_files_than_descriptors_are_copied() {
    let _deadline = deadline("more_files_than_descriptors_are_copied");
    let folder = Folder::new();
    let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
    for number in 0..400 {
        let inner = from.join((number % 7).to_string()).join("deep/er");
        fs::create_dir_all(&inner).expect("a folder");
        fs::write(inner.join(number.to_string()), number.to_string()).expect("a file");
    }
    assert_succeeds(with_descriptors(&mut copy(&from, &to, &[]), 100));
    assert_same(&from, &to);
}

#[test]
fn a_reader_that_goes_ends_it() {
    let _deadline = deadline("a_reader_that_goes_ends_it");
    let folder = Folder::new();
    for number in 0..200 {
        fs::write(folder.path().join(number.to_string()), "hello").expect("a file");
    }
    let (_, writer) = io::pipe().expect("a pipe");
    let mut command = files(&["hash"]);
    let output = command.arg(folder.path()).stdout(writer).output().expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("Broken pipe") && !said.contains("panicked"), "{said}");
}

#[test]
fn wrong_options_are_named_and_help_explains_the_right_ones() {
    let _deadline = deadline("wrong_options_are_named_and_help_explains_the_right_ones");
    let cases: [(&[&str], &str); 9] = [
        (&[], "files hash [OPTIONS] <PATH>"),
        (&["move", "a", "b"], "'move'"),
        (&["copy", "a"], "<TO>"),
        (&["copy", "a", "b", "c"], "'c'"),
        (&["hash"], "<PATH>"),
        (&["hash", "--colour", "a"], "'--colour'"),
        (&["hash", "--overwrite", "a"], "'--overwrite'"),
        (&["hash", "a", "--shards", "0"], "'0' for '--shards"),
        (&["hash", "a", "--driver"], "'--driver"),
    ];
    for (arguments, what) in cases {
        let output = run(example("files").args(arguments));
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(what), "{output:?}");
    }
    let output = assert_succeeds(example("files").arg("--help"));
    assert!(text(&output.stdout).starts_with("files: "));
}

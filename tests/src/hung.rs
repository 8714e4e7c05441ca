//! Files that hang, on demand: a file system of FUSE, served by a process of its own.
//!
//! It is one folder, in which every name is a file. What leads to a file is answered: to look a
//! name up, to ask for its status, to open and to close it. A read, a write and a sync are not, as
//! on a disk that hangs. Once its process is [stopped](HungFiles::stop), nothing is.
//!
//! It goes when it is dropped, or with this process, however that ends: it is mounted nowhere but
//! below `/proc/self/fd`, and the kernel kills what serves it.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

/// A file system that hangs. Dropping it ends all that hangs there with `ECONNABORTED`.
#[derive(Debug)]
pub struct HungFiles {
    root: File,
    /// A byte for each request that is never answered.
    held: ChildStdout,
    process: i32,
    /// Dropping it ends the thread.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HungFiles {
    /// Mounts one over `folder`, served by `program`, and takes it away from there at once. `None`,
    /// and says why, where that is refused.
    ///
    /// # Panics
    ///
    /// If the program does not serve it.
    pub fn mount(folder: &Path, program: &str) -> Option<Self> {
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse");
        let device = device.inspect_err(|error| println!("Left out: /dev/fuse: {error}.")).ok()?;
        let place = CString::new(folder.as_os_str().as_bytes()).expect("no zero byte");
        let how = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        let how = CString::new(how).expect("no zero byte");
        let kind = c"fuse".as_ptr();
        // SAFETY: four texts that end with a zero.
        if unsafe { libc::mount(kind, place.as_ptr(), kind, 0, how.as_ptr().cast()) } != 0 {
            println!("Left out: we may not mount a file system here.");
            return None;
        }
        let mut command = Command::new(program);
        command.stdin(device).stdout(Stdio::piped());
        let (end, ended) = mpsc::channel();
        let (tell_started, started) = mpsc::channel();
        // The program is killed when this thread ends, which never hangs.
        let thread = thread::spawn(move || {
            let mut child: Child = command.spawn().expect("the program starts");
            // The device is the program's alone.
            drop(command);
            let held = child.stdout.take().expect("it is piped");
            tell_started.send((child.id() as i32, held)).expect("it is waited for");
            let _ = ended.recv();
            child.kill().and_then(|()| child.wait()).expect("our own child can be killed");
        });
        let (process, held) = started.recv().expect("the program starts");
        let root = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(folder);
        // SAFETY: a path that ends with a zero.
        unsafe { libc::umount2(place.as_ptr(), libc::MNT_DETACH) };
        let root = root.expect("the root of a file system that answers");
        Some(Self { root, held, process, end: Some(end), thread: Some(thread) })
    }

    /// The path of the file `name`.
    pub fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.root.as_raw_fd()))
    }

    /// How many requests have come that are never answered.
    pub fn held(&self) -> usize {
        let mut bytes = 0;
        // SAFETY: a pipe, and a place for the answer.
        unsafe { libc::ioctl(self.held.as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
        bytes as usize
    }

    /// From now on no request is answered, nor even taken.
    pub fn stop(&self) {
        // SAFETY: no pointers. It is our own child, which was not waited for.
        unsafe { libc::kill(self.process, libc::SIGSTOP) };
    }

    /// The opposite of [`stop`](Self::stop).
    pub fn go_on(&self) {
        // SAFETY: as in `stop`.
        unsafe { libc::kill(self.process, libc::SIGCONT) };
    }
}

/// With the last descriptor of the device, the kernel ends all that hangs.
impl Drop for HungFiles {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it serves to the end");
        }
    }
}

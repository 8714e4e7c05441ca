//! The examples as programs of their own: built, started, looked at from outside, and killed.
//!
//! An example is built by the cargo that runs the test, with the test's own profile and beside it,
//! so that a test needs no one to have built it before.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{env, thread};

use crate::alone;
use crate::census::resident_bytes_of;
use crate::deadline::{LIFE, SOON};
use crate::kernel;

/// How long a program may run that ends by itself: half of what a test has.
pub const RUN: Duration = Duration::from_secs(LIFE.as_secs() / 2);

/// The example `name`, ready to be given arguments.
///
/// # Panics
///
/// If it does not build.
pub fn example(name: &str) -> Command {
    static CARGO: Mutex<Vec<(String, PathBuf)>> = Mutex::new(Vec::new());
    // A build that failed left nothing half done here.
    let mut built = CARGO.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, path)) = built.iter().find(|(known, _)| known == name) {
        return Command::new(path);
    }
    let path = build(name);
    built.push((name.into(), path.clone()));
    Command::new(path)
}

fn build(name: &str) -> PathBuf {
    let path = profile_folder().join("examples").join(name);
    // cargo-nextest has a process for each test: one of a run builds it, and tells the others.
    let (run, note) = (env::var("NEXTEST_RUN_ID").ok(), path.with_extension("run"));
    if run.is_none() || fs::read_to_string(&note).ok() != run {
        cargo(&["build", "--package", "examples", "--example", name], &[]);
        fs::write(note, run.unwrap_or_default()).expect("a file beside the example");
    }
    path
}

/// The program `name` of this package, built so that the first panic ends it: its own code, while
/// the libraries, which are there already, could unwind.
///
/// # Panics
///
/// If it does not build.
pub fn aborting(name: &str) -> PathBuf {
    let package = ["--package", env!("CARGO_PKG_NAME"), "--no-default-features"];
    let program = [&["rustc"][..], &package, &["--bin", name]].concat();
    cargo(&program, &["--", "-C", "panic=abort"]).join(name)
}

/// Where the test lies: in `deps` below the folder of the profile.
fn profile_folder() -> PathBuf {
    let test = env::current_exe().expect("a test knows its own program");
    ancestor(&test, 2).to_owned()
}

/// Runs cargo to build something; gives the folder of the profile.
fn cargo(command: &[&str], last: &[&str]) -> PathBuf {
    // It is target/PROFILE; with `--target`, one folder deeper, which is as good.
    let folder = profile_folder();
    let target = ancestor(&folder, 1);
    let profile = folder.file_name().and_then(|name| name.to_str()).expect("a profile's name");
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(command)
        .args(["--quiet", "--profile", if profile == "debug" { "dev" } else { profile }])
        .arg("--target-dir")
        .arg(target)
        .args(last)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo, which runs this test, can be run again");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}

fn ancestor(path: &Path, generation: usize) -> &Path {
    path.ancestors().nth(generation).expect("a test lies deep in the target folder")
}

/// The program `name` of the Debian package `package`.
///
/// # Panics
///
/// If it is not installed.
pub fn installed(name: &str, package: &str) -> Command {
    assert!(
        is_installed(name),
        "this test needs {name}: install it with `apt-get install {package}`, or run .ci/test"
    );
    Command::new(name)
}

/// Whether there is a program called `name`.
pub fn is_installed(name: &str) -> bool {
    let paths = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&paths).any(|folder| folder.join(name).is_file())
}

/// Runs `command` to its end.
///
/// # Panics
///
/// If it cannot be started, or takes longer than [`RUN`].
pub fn run(command: &mut Command) -> Output {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    // Both at once: a program whose pipe is full waits.
    let stdout = thread::spawn(|| read_all(stdout));
    let stderr = thread::spawn(|| read_all(stderr));
    let status = alone::finish(child, RUN);
    let [stdout, stderr] = [stdout, stderr].map(|pipe| pipe.join().expect("reading does not fail"));
    let Some(status) = status else {
        let said = [&stdout, &stderr].map(|bytes| String::from_utf8_lossy(bytes));
        panic!("{command:?} is not done after {RUN:?}; it said: {said:?}");
    };
    Output { status, stdout, stderr }
}

fn read_all(pipe: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    pipe.expect("it is piped").read_to_end(&mut bytes).expect("a pipe can be read");
    bytes
}

/// Lets the kernel kill the program when the thread that started it ends, however that comes: a
/// test that is aborted leaves no server behind.
pub fn dies_with_us(command: &mut Command) {
    let prepare = || {
        // SAFETY: no pointers.
        match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: one system call, which may be made between fork and exec.
    unsafe { command.pre_exec(prepare) };
}

/// Denies the program port numbers below 1024, which it might have if we are root.
pub fn without_privileged_ports(command: &mut Command) -> &mut Command {
    /// From `linux/capability.h`.
    const CAP_NET_BIND_SERVICE: libc::c_ulong = 10;
    let prepare = || {
        // Who is not root may not drop it, and does not have it.
        // SAFETY: no pointers.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, CAP_NET_BIND_SERVICE, 0, 0, 0) };
        Ok(())
    };
    // SAFETY: one system call, which may be made between fork and exec.
    unsafe { command.pre_exec(prepare) }
}

/// Has permissions hold for the program, also if we are root.
pub fn without_override(command: &mut Command) -> &mut Command {
    /// From `linux/capability.h`.
    const CAP_DAC_OVERRIDE: libc::c_ulong = 1;
    const CAP_DAC_READ_SEARCH: libc::c_ulong = 2;
    let prepare = || {
        for capability in [CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH] {
            // Who is not root may not drop it, and does not have it.
            // SAFETY: no pointers.
            unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
        }
        Ok(())
    };
    // SAFETY: two system calls, which may be made between fork and exec.
    unsafe { command.pre_exec(prepare) }
}

/// Lets the program have descriptors with numbers below `limit` only.
pub fn with_descriptors(command: &mut Command, limit: u64) -> &mut Command {
    let prepare = move || {
        let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
        // SAFETY: a valid limit, which the kernel copies.
        match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: one system call, which may be made between fork and exec.
    unsafe { command.pre_exec(prepare) }
}

/// Lets the program have what a user has who was given little: 64 descriptors, no memory to lock,
/// and no privilege to have more.
pub fn with_little(command: &mut Command) -> &mut Command {
    /// From `linux/capability.h`.
    const CAP_IPC_LOCK: libc::c_ulong = 14;
    let prepare = || {
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: no pointers, and a valid limit, which the kernel copies.
        let result = unsafe {
            // Who is not root may not drop it, and does not have it.
            libc::prctl(libc::PR_CAPBSET_DROP, CAP_IPC_LOCK, 0, 0, 0);
            libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const none)
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: two system calls, which may be made between fork and exec.
    with_descriptors(unsafe { command.pre_exec(prepare) }, 64)
}

/// Has system call `number` fail with `errno` in the program.
pub fn without_call(command: &mut Command, number: libc::c_long, errno: i32) -> &mut Command {
    let prepare = move || {
        kernel::refuse(number, errno);
        Ok(())
    };
    // SAFETY: two system calls, which may be made between fork and exec.
    unsafe { command.pre_exec(prepare) }
}

/// Has the kernel refuse the program's rings as soon as one hands over `entries` at once, or more.
pub fn with_fragile_rings(command: &mut Command, entries: u32) -> &mut Command {
    // SAFETY: two system calls, which may be made between fork and exec.
    unsafe { command.pre_exec(move || kernel::refuse_large_submits(entries)) }
}

/// A server among the examples, running in a process of its own until this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    said: String,
    /// Held open: a server that says more must not fail over it.
    _stdout: Option<BufReader<ChildStdout>>,
    /// Its end is waited for, and no fault.
    may_end: bool,
}

impl Server {
    /// Starts the example `name` with `shards` shards on a free port number.
    ///
    /// # Panics
    ///
    /// If it does not say where it listens.
    pub fn start(name: &str, shards: usize) -> Self {
        Self::launch(&mut example(name), shards)
    }

    /// Starts the example that `command` is, with `shards` shards on a free port number.
    ///
    /// # Panics
    ///
    /// If it does not say where it listens.
    pub fn launch(command: &mut Command, shards: usize) -> Self {
        command.args(["--addr", "127.0.0.1:0", "--shards", &shards.to_string()]);
        dies_with_us(command);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the example starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut said = String::new();
        // Where it listens, and what to try.
        for _ in 0..2 {
            stdout.read_line(&mut said).expect("a pipe can be read");
        }
        let address = said.split(['\n', ' ', ',']).find_map(|word| word.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {said:?}"));
        Self { child, address, said, _stdout: Some(stdout), may_end: false }
    }

    /// Starts the example that `command` is, with `shards` shards, when its words go elsewhere: on
    /// a port that was free a moment ago. Waits until every shard listens.
    ///
    /// # Panics
    ///
    /// If it does not [`SOON`].
    pub fn launch_unheard(command: &mut Command, shards: usize) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.expect("a port on the loopback");
        command.args(["--addr", &address.to_string(), "--shards", &shards.to_string()]);
        dies_with_us(command);
        let child = command.spawn().expect("the example starts");
        let server = Self { child, address, said: String::new(), _stdout: None, may_end: false };
        let end = Instant::now() + SOON;
        while listeners(address.port()) < shards {
            assert!(Instant::now() < end, "not all shards listen on {address}");
            thread::sleep(Duration::from_millis(5));
        }
        server
    }

    /// What it said when it had started.
    pub fn said(&self) -> &str {
        &self.said
    }

    /// The number of its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its port number, as an argument.
    pub fn port(&self) -> String {
        self.address.port().to_string()
    }

    /// A connection to it, whose reads and writes fail after [`SOON`].
    ///
    /// # Panics
    ///
    /// If it does not take connections.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server takes connections");
        stream.set_nodelay(true).expect("an option of every TCP socket");
        stream.set_read_timeout(Some(SOON)).expect("the time is not zero");
        stream.set_write_timeout(Some(SOON)).expect("the time is not zero");
        stream
    }

    /// Sends it a signal.
    ///
    /// # Panics
    ///
    /// If it has been waited for.
    pub fn signal(&self, signal: i32) {
        // SAFETY: no pointers; our own child, which has not been waited for, has this number.
        let result = unsafe { libc::kill(self.child.id() as i32, signal) };
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
    }

    /// Waits until it has ended, and says how.
    ///
    /// # Panics
    ///
    /// If it has not [`SOON`].
    pub fn wait(mut self) -> ExitStatus {
        self.may_end = true;
        let end = Instant::now() + SOON;
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child can be waited for") {
                return status;
            }
            assert!(Instant::now() < end, "the server does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The memory it has in use, in bytes.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn resident_bytes(&self) -> u64 {
        resident_bytes_of(&self.child.id().to_string())
    }

    /// How many descriptors it has open.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn descriptors(&self) -> usize {
        let path = format!("/proc/{}/fd", self.child.id());
        fs::read_dir(path).expect("the server runs").count()
    }

    /// Waits until it has the descriptor `number`, and thus all below it.
    ///
    /// # Panics
    ///
    /// If it does not come to that [`SOON`].
    #[track_caller]
    pub fn assert_comes_to_descriptor(&self, number: u64) {
        let path = format!("/proc/{}/fd/{number}", self.child.id());
        let end = Instant::now() + SOON;
        while fs::symlink_metadata(&path).is_err() {
            assert!(Instant::now() < end, "the server never had descriptor {number}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until it has `count` descriptors open.
    ///
    /// # Panics
    ///
    /// If it does not come to that [`SOON`].
    #[track_caller]
    pub fn assert_descriptors(&self, count: usize) {
        let end = Instant::now() + SOON;
        while self.descriptors() != count && Instant::now() < end {
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(self.descriptors(), count, "descriptors of the server");
    }
}

/// How many sockets listen on this port number.
fn listeners(port: u16) -> usize {
    let table = fs::read_to_string("/proc/net/tcp").expect("this is Linux");
    let ours = format!(":{port:04X}");
    let is_ours = |line: &&str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        fields.len() > 3 && fields[1].ends_with(&ours) && fields[3] == "0A"
    };
    table.lines().filter(is_ours).count()
}

impl Drop for Server {
    fn drop(&mut self) {
        let ended = self.child.try_wait();
        // If it ended already there is no one to kill; the test is told below.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !thread::panicking() && !self.may_end {
            assert!(matches!(ended, Ok(None)), "the server ended by itself: {ended:?}");
        }
    }
}

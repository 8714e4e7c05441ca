//! The kernel on a bad day: refusals, limits and signals, on demand.
//!
//! All but those that work on one socket change the whole process or thread for good, so use them
//! in a process of its own, see [`alone`](crate::alone).

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use miniss_linux::buf::{IoBuf, IoBufMut};

/// From now on, system call `number` fails with `errno` on this thread and those it starts.
///
/// # Panics
///
/// If the filter is refused.
pub fn refuse(number: libc::c_long, errno: i32) {
    let mut program = [
        load(0),
        jump(libc::BPF_JEQ, 0, 1, number as u32),
        answer(libc::SECCOMP_RET_ERRNO | errno as u32),
        answer(libc::SECCOMP_RET_ALLOW),
    ];
    filter(&mut program).expect("the filter is taken");
}

/// From now on, an `io_uring_enter` that does not wait fails with `errno`, on this thread and those
/// it starts.
///
/// # Panics
///
/// If the filter is refused.
pub fn refuse_enters_that_do_not_wait(errno: i32) {
    /// The low half of the third argument, in `seccomp_data`.
    const MIN_COMPLETE: u32 = 32;
    let mut program = [
        load(0),
        jump(libc::BPF_JEQ, 0, 3, libc::SYS_io_uring_enter as u32),
        load(MIN_COMPLETE),
        jump(libc::BPF_JEQ, 0, 1, 0),
        answer(libc::SECCOMP_RET_ERRNO | errno as u32),
        answer(libc::SECCOMP_RET_ALLOW),
    ];
    filter(&mut program).expect("the filter is taken");
}

/// Loads a word of `seccomp_data`: the first is the number of the call. The architecture is ours.
fn load(offset: u32) -> libc::sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset)
}

fn jump(test: u32, if_true: u8, if_false: u8, value: u32) -> libc::sock_filter {
    instruction(libc::BPF_JMP | test | libc::BPF_K, if_true, if_false, value)
}

fn answer(action: u32) -> libc::sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, 0, 0, action)
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}

/// Has system calls go through `program` from now on. Allocates nothing.
fn filter(program: &mut [libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: no pointers.
    let allowed = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    let mode = libc::SECCOMP_MODE_FILTER;
    // SAFETY: a valid program, which the kernel copies.
    if allowed == 0 && unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) } == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// Whether we are root.
pub fn is_privileged() -> bool {
    // SAFETY: no pointers.
    unsafe { libc::geteuid() == 0 }
}

/// Becomes a user of its own without privileges, who may lock `bytes` of memory.
///
/// # Panics
///
/// If that is refused, as it is where we have no privileges to give up and more is locked already.
pub fn become_user_who_locks(bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: a valid limit, which the kernel copies.
    check(unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) });
    if !is_privileged() {
        return;
    }
    // The kernel counts for each user, so no two processes are to be one.
    let user = 100_000 + std::process::id();
    // SAFETY: no pointers.
    check(unsafe { libc::setgid(user) });
    // SAFETY: no pointers.
    check(unsafe { libc::setuid(user) });
    // Another user's process is shown to no one but root, unless it says that it may be.
    // SAFETY: no pointers.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1) });
}

/// Whether an open file is read and written past the kernel's memory.
pub fn is_direct(fd: RawFd) -> bool {
    // SAFETY: no pointers.
    unsafe { libc::fcntl(fd, libc::F_GETFL) & libc::O_DIRECT != 0 }
}

/// Allows the user of this process so many threads, if it has no privileges; `None`: as many as
/// before.
///
/// # Panics
///
/// If that is refused.
pub fn limit_threads(count: Option<u64>) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a valid place for the answer.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NPROC, &raw mut limit) });
    limit.rlim_cur = count.unwrap_or(limit.rlim_max);
    // SAFETY: a valid limit, which the kernel copies.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NPROC, &raw const limit) });
}

/// From now on, an `io_uring_enter` that hands over `entries` or more fails with `EPERM`, on this
/// thread and those it starts. Allocates nothing.
///
/// # Errors
///
/// What the system says.
pub fn refuse_large_submits(entries: u32) -> io::Result<()> {
    /// The low half of the second argument, in `seccomp_data`.
    const TO_SUBMIT: u32 = 24;
    let mut program = [
        load(0),
        jump(libc::BPF_JEQ, 0, 3, libc::SYS_io_uring_enter as u32),
        load(TO_SUBMIT),
        jump(libc::BPF_JGE, 0, 1, entries),
        answer(libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        answer(libc::SECCOMP_RET_ALLOW),
    ];
    filter(&mut program)
}

/// Allows descriptors with numbers below `limit` only.
///
/// # Panics
///
/// If that is refused.
pub fn limit_descriptors(limit: u64) {
    let limit = libc::rlimit { rlim_cur: limit, rlim_max: 20_000.max(limit) };
    // SAFETY: a valid limit, which the kernel copies.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) });
}

/// Allows this thread, and those it starts, to run on these CPUs only.
///
/// # Errors
///
/// What the system says.
pub fn allow_cpus(cpus: &[usize]) -> io::Result<()> {
    // SAFETY: a bit set; all zero is the empty one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &cpu in cpus {
        assert!(cpu < libc::CPU_SETSIZE as usize);
        // SAFETY: the CPU is within the set.
        unsafe { libc::CPU_SET(cpu, &mut set) };
    }
    // SAFETY: a valid set of the size told.
    match unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Interrupts whatever the process waits in, every `period`, with a signal whose handler does
/// nothing.
///
/// # Panics
///
/// If that is refused.
pub fn interrupt_every(period: Duration) {
    extern "C" fn ignore(_: libc::c_int) {}
    // SAFETY: plain data; all zero is no flags and an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = ignore as extern "C" fn(libc::c_int) as usize;
    // SAFETY: a valid action whose handler does nothing, so it is safe at any moment.
    check(unsafe { libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut()) });
    let every = libc::timeval { tv_sec: 0, tv_usec: period.as_micros() as i64 };
    let timer = libc::itimerval { it_interval: every, it_value: every };
    // SAFETY: a valid timer, which the kernel copies.
    check(unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) });
}

/// Interrupts one thread of this process, once, with a signal whose handler does nothing. First of
/// all call [`interrupt_every`], which sets the handler.
///
/// # Panics
///
/// If that is refused.
pub fn interrupt(thread: i32) {
    // SAFETY: no pointers.
    let result = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, libc::SIGALRM) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Sends a signal to a thread of this process.
///
/// # Panics
///
/// If there is no such thread.
pub fn signal_thread(thread: i32, signal: i32) {
    // SAFETY: no pointers.
    let result = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, signal) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Sends a signal to this process: the kernel chooses a thread.
///
/// # Panics
///
/// If there is no such signal.
pub fn signal_process(signal: i32) {
    // SAFETY: no pointers.
    check(unsafe { libc::kill(libc::getpid(), signal) });
}

/// The address of the handler of a signal, or `SIG_DFL` or `SIG_IGN`.
///
/// # Panics
///
/// If there is no such signal.
pub fn handler_of(signal: i32) -> usize {
    action_of(signal).sa_sigaction
}

/// Has a signal do what it does by default (`SIG_DFL`), or nothing (`SIG_IGN`).
///
/// # Panics
///
/// If that is refused.
pub fn set_default(signal: i32, action: usize) {
    // SAFETY: one of the two, and no function.
    assert_ne!(unsafe { libc::signal(signal, action) }, libc::SIG_ERR);
}

/// Blocks a signal on this thread, and on those that it starts.
///
/// # Panics
///
/// If there is no such signal.
pub fn block(signal: i32) {
    // SAFETY: a bit set; all zero is the empty one.
    let mut mask: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: a valid mask.
    check(unsafe { libc::sigaddset(&raw mut mask, signal) });
    // SAFETY: a valid mask, which the kernel copies.
    check(unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const mask, std::ptr::null_mut()) });
}

/// Sends a signal to the process with this number, if there is one.
pub fn signal_number(process: u32, signal: i32) {
    // SAFETY: no pointers.
    unsafe { libc::kill(process as i32, signal) };
}

/// Whether this process has a child. A zombie is one, too.
pub fn has_children() -> bool {
    let flags = libc::WNOWAIT | libc::WEXITED | libc::WNOHANG;
    // SAFETY: no place for the answer, which the system call allows.
    let result = unsafe { libc::syscall(libc::SYS_waitid, libc::P_ALL, 0, 0, flags, 0) };
    result == 0
}

/// Sends a signal to a child that has not been waited for.
///
/// # Panics
///
/// If there is no such signal.
pub fn signal_child(child: &std::process::Child, signal: i32) {
    // SAFETY: no pointers; our own child, which has not been waited for, has this number.
    check(unsafe { libc::kill(child.id() as i32, signal) });
}

/// Waits until a child has taken the signals that were sent to it.
///
/// # Panics
///
/// If it has ended.
pub fn wait_until_signals_are_taken(child: &std::process::Child) {
    let path = format!("/proc/{}/status", child.id());
    let is_pending = || {
        let status = std::fs::read_to_string(&path).expect("the child lives");
        let pending = status.lines().filter(|line| {
            let name = line.split(':').next();
            name == Some("SigPnd") || name == Some("ShdPnd")
        });
        let masks = pending.filter_map(|line| line.split_whitespace().nth(1));
        masks.into_iter().any(|mask| mask.chars().any(|digit| digit != '0'))
    };
    while is_pending() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn action_of(signal: i32) -> libc::sigaction {
    // SAFETY: plain data.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: a valid place for the answer.
    check(unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) });
    action
}

/// A handler of another part of the program. It counts the signals, and calls the handler that it
/// has found. Dropping it puts that one back. One at a time.
pub struct OtherHandler {
    signal: i32,
    former: libc::sigaction,
}

static COUNTED: AtomicUsize = AtomicUsize::new(0);
/// The handler that was found.
static FOUND: AtomicUsize = AtomicUsize::new(0);

impl OtherHandler {
    /// Installs it.
    ///
    /// # Panics
    ///
    /// If that is refused.
    pub fn install(signal: i32) -> Self {
        extern "C" fn count(
            signal: libc::c_int,
            info: *mut libc::siginfo_t,
            context: *mut libc::c_void,
        ) {
            type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
            COUNTED.fetch_add(1, Ordering::SeqCst);
            let found = FOUND.load(Ordering::SeqCst);
            if found != libc::SIG_DFL && found != libc::SIG_IGN {
                // SAFETY: it was the handler of this signal, installed with `SA_SIGINFO`.
                let found = unsafe { std::mem::transmute::<usize, Handler>(found) };
                found(signal, info, context);
            }
        }
        let former = action_of(signal);
        FOUND.store(former.sa_sigaction, Ordering::SeqCst);
        COUNTED.store(0, Ordering::SeqCst);
        let mut ours = former;
        ours.sa_sigaction = count as *const () as usize;
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        // SAFETY: a valid action.
        check(unsafe { libc::sigaction(signal, &raw const ours, std::ptr::null_mut()) });
        Self { signal, former }
    }

    /// How many signals have come to it.
    pub fn count(&self) -> usize {
        COUNTED.load(Ordering::SeqCst)
    }
}

impl Drop for OtherHandler {
    fn drop(&mut self) {
        // SAFETY: an action that was there before.
        unsafe { libc::sigaction(self.signal, &raw const self.former, std::ptr::null_mut()) };
    }
}

/// The exit status of a child that is a copy of this process, with the calling thread alone, and
/// lives for a moment. It does nothing that may wait for another thread.
///
/// # Panics
///
/// If there can be no child.
pub fn fork_for(moment: Duration) -> i32 {
    let rest = libc::timespec { tv_sec: 0, tv_nsec: i64::from(moment.subsec_nanos()) };
    // SAFETY: the child makes two system calls, which may be made after a fork.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: a valid time to rest; the status is a number.
        unsafe {
            libc::nanosleep(&raw const rest, std::ptr::null_mut());
            libc::_exit(7);
        }
    }
    assert!(child > 0, "{}", io::Error::last_os_error());
    let mut status = 0;
    // SAFETY: our own child, and a valid place for its status.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(waited, child, "{}", io::Error::last_os_error());
    libc::WEXITSTATUS(status)
}

/// No more interrupts.
///
/// # Panics
///
/// If that is refused.
pub fn stop_interrupts() {
    // SAFETY: plain data; all zero is no time, which stops the timer.
    let timer: libc::itimerval = unsafe { std::mem::zeroed() };
    // SAFETY: a valid timer, which the kernel copies.
    check(unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) });
}

/// Lets a write to a broken pipe kill the process, as is usual outside of Rust.
pub fn die_of_broken_pipes() {
    // SAFETY: the default action.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

/// Shuts down every listening socket of another process, as an administrator's tool can.
///
/// # Panics
///
/// If that is refused, or there is none.
pub fn shut_down_listeners_of(process: u32) {
    // SAFETY: no pointers.
    let pidfd = owned(unsafe { libc::syscall(libc::SYS_pidfd_open, process, 0) });
    let entries = std::fs::read_dir(format!("/proc/{process}/fd")).expect("the process runs");
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let listeners: Vec<_> =
        numbers.filter_map(|number| descriptor_of(&pidfd, number)).filter(is_listener).collect();
    assert!(!listeners.is_empty(), "process {process} listens nowhere");
    // Only now: the process may end as soon as the first is shut down.
    for listener in &listeners {
        shut_down(listener);
    }
}

/// A copy of another process' descriptor, unless it has been closed meanwhile.
fn descriptor_of(pidfd: &OwnedFd, number: i32) -> Option<OwnedFd> {
    // SAFETY: no pointers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), number, 0) };
    if fd < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EBADF) {
        return None;
    }
    Some(owned(fd))
}

fn is_listener(descriptor: &OwnedFd) -> bool {
    let (mut listens, mut size) = (0_i32, size_of::<i32>() as libc::socklen_t);
    let (level, name) = (libc::SOL_SOCKET, libc::SO_ACCEPTCONN);
    let value = (&raw mut listens).cast();
    // SAFETY: both pointers are to locals of these sizes.
    unsafe { libc::getsockopt(descriptor.as_raw_fd(), level, name, value, &raw mut size) };
    listens != 0
}

/// # Panics
///
/// If a system call did not give a descriptor.
fn owned(fd: libc::c_long) -> OwnedFd {
    assert!(fd >= 0, "{}", io::Error::last_os_error());
    // SAFETY: the kernel has just made it for us.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}

/// Shuts a socket down in both directions, as someone might who has a descriptor of it.
///
/// # Panics
///
/// If that is refused.
pub fn shut_down(socket: &impl AsRawFd) {
    // SAFETY: no pointers.
    check(unsafe { libc::shutdown(socket.as_raw_fd(), libc::SHUT_RDWR) });
}

/// Lets `backlog` connections wait for a listener.
///
/// # Panics
///
/// If that is refused.
pub fn listen(socket: BorrowedFd<'_>, backlog: i32) {
    // SAFETY: no pointers.
    check(unsafe { libc::listen(socket.as_raw_fd(), backlog) });
}

/// Binds a Unix socket to a path of as many bytes as the kernel has room for: 108, one more than
/// the standard library takes.
///
/// # Panics
///
/// If that is refused, or `path` is longer.
pub fn bind_to_path(socket: BorrowedFd<'_>, path: &[u8]) {
    // SAFETY: a plain C struct of numbers.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (place, byte) in address.sun_path[..path.len()].iter_mut().zip(path) {
        *place = *byte as libc::c_char;
    }
    let len = (size_of::<libc::sa_family_t>() + path.len()) as libc::socklen_t;
    let address = (&raw const address).cast();
    // SAFETY: an address of so many bytes.
    check(unsafe { libc::bind(socket.as_raw_fd(), address, len) });
}

/// Sets a socket option of the level `SOL_SOCKET`.
///
/// # Panics
///
/// If it is refused.
pub fn set_option<T: Copy>(socket: BorrowedFd<'_>, name: i32, value: &T) {
    try_set_option(socket, name, value).expect("the kernel knows the option");
}

/// Sets a socket option of the level `SOL_SOCKET`, if the kernel knows it.
///
/// # Errors
///
/// What the system says.
pub fn try_set_option<T: Copy>(socket: BorrowedFd<'_>, name: i32, value: &T) -> io::Result<()> {
    let size = size_of::<T>() as libc::socklen_t;
    let value = std::ptr::from_ref(value).cast();
    // SAFETY: a readable value of the size told.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, name, value, size) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[track_caller]
fn check(result: i32) {
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Makes a named pipe.
///
/// # Panics
///
/// If the system refuses.
pub fn make_fifo(path: &Path) {
    let path = CString::new(path.as_os_str().as_bytes()).expect("no zero byte");
    // SAFETY: a path that ends with a zero.
    check(unsafe { libc::mkfifo(path.as_ptr(), 0o600) });
}

/// A terminal that passes bytes on as they are: the side of the program, and the other. `None` if
/// there are none to be had.
///
/// # Panics
///
/// If it cannot be set.
pub fn terminal() -> Option<(OwnedFd, OwnedFd)> {
    let (mut ours, mut other) = (-1, -1);
    let null = std::ptr::null_mut();
    // SAFETY: room for two descriptors, and nothing else.
    let opened =
        unsafe { libc::openpty(&raw mut other, &raw mut ours, null, null.cast(), null.cast()) };
    if opened != 0 {
        println!("Left out: no terminal, {}.", io::Error::last_os_error());
        return None;
    }
    // SAFETY: fresh, and no one else's.
    let [ours, other] = [ours, other].map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    let mut settings = MaybeUninit::uninit();
    // SAFETY: room for the settings, which are then there.
    unsafe {
        check(libc::tcgetattr(ours.as_raw_fd(), settings.as_mut_ptr()));
        libc::cfmakeraw(settings.as_mut_ptr());
        check(libc::tcsetattr(ours.as_raw_fd(), libc::TCSANOW, settings.as_ptr()));
    }
    Some((ours, other))
}

/// Closes the stdin of this program.
pub fn close_stdin() {
    // SAFETY: no pointers. std looks for it each time, and takes it for empty.
    unsafe { libc::close(0) };
}

/// Whether calls on what is behind a descriptor do not wait.
pub fn is_nonblocking(fd: &impl AsRawFd) -> bool {
    // SAFETY: no pointers.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) & libc::O_NONBLOCK != 0 }
}

/// A file system in memory with room for `bytes`, mounted nowhere: it is found below
/// `/proc/self/fd` as long as the descriptor is open. `None` if we may not mount.
pub fn small_file_system(folder: &Path, bytes: usize) -> Option<OwnedFd> {
    let place = CString::new(folder.as_os_str().as_bytes()).expect("no zero byte");
    let size = CString::new(format!("size={bytes}")).expect("no zero byte");
    let kind = c"tmpfs".as_ptr();
    // SAFETY: four texts that end with a zero.
    let mounted = unsafe { libc::mount(kind, place.as_ptr(), kind, 0, size.as_ptr().cast()) } == 0;
    if !mounted {
        return None;
    }
    let root = std::fs::File::open(folder);
    // SAFETY: a path that ends with a zero.
    check(unsafe { libc::umount2(place.as_ptr(), libc::MNT_DETACH) });
    root.ok().map(OwnedFd::from)
}

/// A buffer that is as long as it says and takes little memory: all of its pages are the same few.
#[derive(Debug)]
pub struct HugeBuffer {
    start: *mut u8,
    len: usize,
}

impl HugeBuffer {
    /// The bytes of memory that repeat.
    const PIECE: usize = 2 << 20;

    /// With so many bytes.
    ///
    /// # Panics
    ///
    /// If the system refuses.
    pub fn new(len: usize) -> Self {
        // SAFETY: a text that ends with a zero.
        let memory = unsafe { libc::memfd_create(c"huge".as_ptr(), libc::MFD_CLOEXEC) };
        assert!(memory >= 0, "{}", io::Error::last_os_error());
        // SAFETY: it was just made for us.
        let memory = unsafe { OwnedFd::from_raw_fd(memory) };
        // SAFETY: no pointers.
        check(unsafe { libc::ftruncate(memory.as_raw_fd(), Self::PIECE as i64) });
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        let whole = len.next_multiple_of(Self::PIECE);
        let place = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a place that the system chooses.
        let start =
            unsafe { libc::mmap(std::ptr::null_mut(), whole, libc::PROT_NONE, place, -1, 0) };
        assert_ne!(start, libc::MAP_FAILED, "{}", io::Error::last_os_error());
        for piece in (0..whole).step_by(Self::PIECE) {
            let (at, fd) = (start.wrapping_byte_add(piece), memory.as_raw_fd());
            // SAFETY: it lies in the place that is ours.
            let mapped =
                unsafe { libc::mmap(at, Self::PIECE, access, kind | libc::MAP_FIXED, fd, 0) };
            assert_eq!(mapped, at, "{}", io::Error::last_os_error());
        }
        Self { start: start.cast(), len }
    }
}

impl IoBuf for HugeBuffer {
    fn as_init(&self) -> &[u8] {
        // SAFETY: so many bytes are mapped, and the kernel has made them zero.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

// SAFETY: both views are the whole of it, whose length is fixed.
unsafe impl IoBufMut for HugeBuffer {
    unsafe fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: so many bytes are mapped, and borrowed mutably as long as the result.
        unsafe { std::slice::from_raw_parts_mut(self.start.cast(), self.len) }
    }

    unsafe fn set_len(&mut self, _: usize) {}
}

impl Drop for HugeBuffer {
    fn drop(&mut self) {
        // SAFETY: it is ours, and no one uses it any more.
        unsafe { libc::munmap(self.start.cast(), self.len.next_multiple_of(Self::PIECE)) };
    }
}

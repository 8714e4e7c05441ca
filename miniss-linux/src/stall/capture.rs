//! Where a thread is: a signal has it write down the addresses of its frames, and another thread
//! finds the names of the functions.
//!
//! The signal is `SIGURG`, which no one gets who has not asked for it. If the program has a handler
//! for it, it keeps it, and frames are not to be had. The handler allocates nothing and takes no
//! lock of ours. To walk the frames it reads the tables that a panic reads.
//!
//! Invariant **One at a time**: one thread is asked while the lock `CAPTURING` is held, and the
//! frames are that thread's from its answer until the lock is given back.

use std::ffi::c_int;
use std::mem::zeroed;
use std::ptr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicI32, AtomicUsize};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const SIGNAL: c_int = libc::SIGURG;
const FRAMES_MAX: usize = 64;
/// A thread that a call of the kernel holds, and that no signal ends, does not answer.
const PATIENCE: Duration = Duration::from_millis(100);

static CAPTURING: Mutex<()> = Mutex::new(());
static FRAMES: [AtomicUsize; FRAMES_MAX] = [const { AtomicUsize::new(0) }; FRAMES_MAX];
/// The thread that is asked; negative while it answers; 0 if no one is, or has answered.
static ASKED: AtomicI32 = AtomicI32::new(0);

/// Installs the handler, if no one else has one.
pub(super) fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if handler() == libc::SIG_DFL {
            // SAFETY: zeroes are a valid `sigaction`.
            let mut action: libc::sigaction = unsafe { zeroed() };
            action.sa_sigaction = ours();
            action.sa_flags = libc::SA_RESTART;
            // SAFETY: the handler does nothing that a handler must not do.
            unsafe { libc::sigaction(SIGNAL, &action, ptr::null_mut()) };
        }
    });
}

fn ours() -> usize {
    on_signal as extern "C" fn(c_int) as usize
}

/// The handler that there is.
fn handler() -> usize {
    // SAFETY: zeroes are a valid `sigaction`, and it is ours to write to.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        libc::sigaction(SIGNAL, ptr::null(), &mut action);
        action.sa_sigaction
    }
}

extern "C" fn on_signal(_: c_int) {
    // SAFETY: a thread's own `errno`; and no pointers.
    let (errno, thread) = unsafe { (libc::__errno_location(), libc::gettid()) };
    // SAFETY: as above.
    let before = unsafe { *errno };
    if ASKED.compare_exchange(thread, -thread, Relaxed, Relaxed).is_ok() {
        write_frames();
        ASKED.store(0, Release);
    }
    // SAFETY: as above.
    unsafe { *errno = before };
}

fn write_frames() {
    let mut free = FRAMES.iter();
    // SAFETY: what it shares with other threads that walk frames are caches of names, which are
    // for those who look for names; this does not.
    unsafe {
        backtrace::trace_unsynchronized(|frame| match free.next() {
            Some(place) => {
                place.store(frame.ip() as usize, Relaxed);
                true
            }
            None => false,
        });
    }
    free.for_each(|rest| rest.store(0, Relaxed));
}

/// The frames of the thread, a line each, from the one it is in to the one of its task.
pub(super) fn capture(thread: i32) -> String {
    let _one = CAPTURING.lock().unwrap_or_else(PoisonError::into_inner);
    if handler() != ours() {
        return "; the program has a handler of its own for SIGURG, so where it is cannot be seen"
            .into();
    }
    if !ask(thread) {
        return "; the kernel holds it, so where it is cannot be seen".into();
    }
    names(FRAMES.iter().map(|frame| frame.load(Relaxed)).take_while(|&frame| frame != 0))
}

/// Has the thread write its frames down; `false` if it does not.
fn ask(thread: i32) -> bool {
    ASKED.store(thread, Relaxed);
    // SAFETY: no pointers. If the thread has ended meanwhile, and another has its number, that one
    // answers, which does no harm.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, SIGNAL) };
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Acquire: the frames were written before.
        match ASKED.load(Acquire) {
            0 => return true,
            asked if asked == thread && Instant::now() >= deadline => {
                if ASKED.compare_exchange(thread, 0, Relaxed, Relaxed).is_ok() {
                    return false;
                }
            }
            _ => thread::sleep(Duration::from_micros(100)),
        }
    }
}

/// What calls the code of a task: the program's own frames end there.
const CALLERS: [&str; 3] =
    ["miniss_linux::guard::Guarded", "miniss_linux::guard::Named", "poll_task"];

/// A line for each function, without those of the handler, which end with a frame that has no name
/// or is of the function through which it returns.
fn names(frames: impl Iterator<Item = usize>) -> String {
    let mut lines = Vec::new();
    let mut is_handler = true;
    for frame in frames {
        let handler = lines.len();
        backtrace::resolve(ptr::without_provenance_mut(frame), |symbol| lines.push(line(symbol)));
        if is_handler {
            is_handler = lines[handler..].iter().any(|line| !line.contains("restore_rt"));
            lines.truncate(handler);
        }
    }
    let is_caller = |line: &String| CALLERS.iter().any(|caller| line.contains(caller));
    lines.into_iter().take_while(|line| !is_caller(line)).collect()
}

fn line(symbol: &backtrace::Symbol) -> String {
    let name = symbol.name().map(|name| format!("{name:#}")).unwrap_or_default();
    match (symbol.filename(), symbol.lineno()) {
        (Some(file), Some(line)) => format!("\n    {name} at {}:{line}", file.display()),
        _ => format!("\n    {name}"),
    }
}

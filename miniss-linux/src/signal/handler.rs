//! The handler, what it reads, and how it is installed and taken away.
//!
//! A signal interrupts any thread anywhere, also one that holds a lock. So the handler only writes
//! to the eventfd of each listener; their shards do the rest.
//!
//! # Invariants
//!
//! - **Safe in a handler.** What runs in signal context takes no lock and allocates nothing. It
//!   reads and writes atomics of this file, and places that are never freed. It calls `getpid`,
//!   `write`, `sigaction`, `raise` and `_exit`, which POSIX allows there (`signal-safety(7)`), and
//!   leaves `errno` as it was.
//! - **Left, then closed.** A handler counts itself in [`RUNNING`] while it uses descriptors. A
//!   listener that goes takes its descriptor out of its places, waits until no handler runs, and
//!   only then closes it. Each step is sequentially consistent: a handler that begins later finds
//!   the places empty.
//!
//! # Beside handlers of others
//!
//! The handler calls the one that was there before it. When the last listener of a signal goes,
//! that one is put back, unless someone has installed another over ours: then ours stays beneath
//! it, for that one to call, as is the custom. Once it finds itself on top again and without a
//! listener, it puts back what was there before, and the signal does what it did then.
//!
//! A child between `fork` and `exec` still has the handler, and the eventfds are those of its
//! parent. There the handler finds no listeners.

use std::io;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use libc::{c_int, c_void, siginfo_t};

/// Signals are numbered from 1 to 64.
const SIGNALS: usize = 65;
/// No file has this number.
const NONE: RawFd = -1;
/// The time in which a handler that was interrupted goes on.
const HANDLER_WAIT: Duration = Duration::from_micros(20);

/// Handlers that use descriptors now.
static RUNNING: AtomicUsize = AtomicUsize::new(0);
/// The process whose listeners these are.
static PROCESS: AtomicI32 = AtomicI32::new(0);
/// A signal has come that begins the end, and another one is to end the process at once.
static END_HAS_BEGUN: AtomicBool = AtomicBool::new(false);
static LISTENED: [Listened; SIGNALS] = [const { Listened::new() }; SIGNALS];

/// What the handler knows of one signal.
struct Listened {
    places: AtomicPtr<Place>,
    /// What was there before our handler; null: ours is not installed.
    former: AtomicPtr<libc::sigaction>,
}

impl Listened {
    const fn new() -> Self {
        Self { places: AtomicPtr::new(ptr::null_mut()), former: AtomicPtr::new(ptr::null_mut()) }
    }

    fn places(&self) -> impl Iterator<Item = &'static Place> {
        // SAFETY: null or a place, which is never freed.
        let first = unsafe { self.places.load(SeqCst).as_ref() };
        std::iter::successors(first, |place| place.next)
    }

    fn former(&self) -> Option<&'static libc::sigaction> {
        // SAFETY: null or one of the formers, which are never freed.
        unsafe { self.former.load(SeqCst).as_ref() }
    }
}

/// A place for a listener of one signal. It is never freed, and later listeners use it again; there
/// are as many as there were ever listeners at one time.
#[derive(Debug)]
pub(super) struct Place {
    /// [`NONE`]: no listener is here.
    eventfd: AtomicI32,
    /// Whether the second signal ends the process.
    ends_process: AtomicBool,
    next: Option<&'static Place>,
}

/// Comes to every signal that has listeners.
extern "C" fn on_signal(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the place of this thread's `errno`.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { *errno };
    RUNNING.fetch_add(1, SeqCst);
    let former = deliver(signal);
    RUNNING.fetch_sub(1, SeqCst);
    if let Some(former) = former {
        // SAFETY: it was installed as the handler of this signal, and these are its arguments.
        unsafe { call(former, signal, info, context) };
    }
    // SAFETY: as above.
    unsafe { *errno = before };
}

/// Tells the listeners, and gives what was there before. *Safe in a handler.*
fn deliver(signal: c_int) -> Option<&'static libc::sigaction> {
    let listened = &LISTENED[signal as usize];
    // SAFETY: no arguments.
    let is_ours = unsafe { libc::getpid() } == PROCESS.load(SeqCst);
    let (mut told, mut ends_process) = (false, false);
    for place in listened.places().filter(|_| is_ours) {
        let eventfd = place.eventfd.load(SeqCst);
        if eventfd != NONE {
            told = true;
            ends_process |= place.ends_process.load(SeqCst);
            tell(eventfd);
        }
    }
    if ends_process && END_HAS_BEGUN.swap(true, SeqCst) {
        // As a shell reports a program that a signal has ended.
        // SAFETY: it does not return.
        unsafe { libc::_exit(128 + signal) };
    }
    let former = listened.former();
    if let (false, Some(former)) = (told, former) {
        step_aside(signal, former);
    }
    former
}

fn tell(eventfd: RawFd) {
    let one = 1_u64.to_ne_bytes();
    // SAFETY: eight readable bytes, and a descriptor that stays open (*Left, then closed*). It does
    // not wait: a counter that is full tells as well.
    unsafe { libc::write(eventfd, one.as_ptr().cast(), one.len()) };
}

/// No one listens. If no other handler has called ours, what was there before takes its place.
fn step_aside(signal: c_int, former: &libc::sigaction) {
    let is_on_top = current(signal).is_ok_and(|action| is_our_handler(&action));
    if is_on_top && set(signal, former).is_ok() && former.sa_sigaction == libc::SIG_DFL {
        // It comes when this handler has returned.
        // SAFETY: no pointers.
        unsafe { libc::raise(signal) };
    }
}

/// Calls the handler that was there before, if it is a function.
///
/// # Safety
/// The arguments are those of a handler.
unsafe fn call(
    former: &libc::sigaction,
    signal: c_int,
    info: *mut siginfo_t,
    context: *mut c_void,
) {
    if !is_function(former) {
        return;
    }
    let address = former.sa_sigaction;
    if former.sa_flags & libc::SA_SIGINFO != 0 {
        type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);
        // SAFETY: with this flag, it was installed as such a function.
        let handler = unsafe { std::mem::transmute::<usize, Handler>(address) };
        handler(signal, info, context);
    } else {
        // SAFETY: without the flag, it was installed as such a function.
        let handler = unsafe { std::mem::transmute::<usize, extern "C" fn(c_int)>(address) };
        handler(signal);
    }
}

/// Who listens; changed by one thread at a time, and not known to the handler.
struct Registry {
    listeners: [u32; SIGNALS],
    /// Those among them of which the second signal ends the process.
    ending: u32,
    /// What was found installed, each once: it is never freed, for a handler may be about to read.
    formers: Vec<&'static libc::sigaction>,
}

static REGISTRY: Mutex<Registry> =
    Mutex::new(Registry { listeners: [0; SIGNALS], ending: 0, formers: Vec::new() });

fn registry() -> MutexGuard<'static, Registry> {
    // A thread that panicked under the lock left nothing half done.
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on `signal` is told to `eventfd`, which stays open until [`remove`] has returned.
///
/// # Errors
/// What `sigaction(2)` says.
pub(super) fn add(signal: c_int, eventfd: RawFd, ends: bool) -> io::Result<&'static Place> {
    let mut registry = registry();
    // SAFETY: no arguments.
    PROCESS.store(unsafe { libc::getpid() }, SeqCst);
    let place = take_place(&LISTENED[signal as usize], eventfd, ends);
    // A handler that has found no listener may be about to step aside.
    wait_for_handlers();
    if registry.listeners[signal as usize] == 0
        && let Err(error) = registry.install(signal)
    {
        leave(place);
        return Err(error);
    }
    registry.listeners[signal as usize] += 1;
    registry.ending += u32::from(ends);
    Ok(place)
}

/// `signal` is no longer told to the listener at `place`, whose descriptor may be closed then.
pub(super) fn remove(signal: c_int, place: &'static Place) {
    let mut registry = registry();
    let ends = place.ends_process.load(SeqCst);
    registry.ending -= u32::from(ends);
    if ends && registry.ending == 0 {
        END_HAS_BEGUN.store(false, SeqCst);
    }
    leave(place);
    registry.listeners[signal as usize] -= 1;
    if registry.listeners[signal as usize] == 0 {
        put_back_former(signal);
    }
}

fn take_place(listened: &Listened, eventfd: RawFd, ends: bool) -> &'static Place {
    let free = listened.places().find(|place| place.eventfd.load(SeqCst) == NONE);
    let place = free.unwrap_or_else(|| add_place(listened));
    place.ends_process.store(ends, SeqCst);
    place.eventfd.store(eventfd, SeqCst);
    place
}

fn add_place(listened: &Listened) -> &'static Place {
    let next = listened.places().next();
    let (eventfd, ends_process) = (AtomicI32::new(NONE), AtomicBool::new(false));
    let place: &Place = Box::leak(Box::new(Place { eventfd, ends_process, next }));
    listened.places.store(ptr::from_ref(place).cast_mut(), SeqCst);
    place
}

fn leave(place: &Place) {
    place.eventfd.store(NONE, SeqCst);
    wait_for_handlers();
}

/// Waits until each handler that runs now has ended. It sleeps, so that a thread of a lower
/// priority can run.
fn wait_for_handlers() {
    while RUNNING.load(SeqCst) != 0 {
        thread::sleep(HANDLER_WAIT);
    }
}

impl Registry {
    /// Installs our handler, unless it is there: on top, or beneath one that calls it.
    fn install(&mut self, signal: c_int) -> io::Result<()> {
        let listened = &LISTENED[signal as usize];
        let found = current(signal)?;
        // The handler of someone else stands over ours, and calls it.
        let is_covered = listened.former().is_some_and(|former| !is_same(former, &found));
        if is_our_handler(&found) || is_covered && is_function(&found) {
            return Ok(());
        }
        let former = self.intern(found);
        listened.former.store(ptr::from_ref(former).cast_mut(), SeqCst);
        let mut ours = *former;
        // What it calls afterwards has the mask and the stack that it asked for.
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | former.sa_flags & libc::SA_ONSTACK;
        ours.sa_sigaction = address_of_handler();
        set(signal, &ours).inspect_err(|_| listened.former.store(ptr::null_mut(), SeqCst))
    }

    fn intern(&mut self, action: libc::sigaction) -> &'static libc::sigaction {
        if let Some(known) = self.formers.iter().find(|known| is_same(known, &action)) {
            return known;
        }
        let action = Box::leak(Box::new(action));
        self.formers.push(action);
        action
    }
}

/// Puts back what was there before our handler, unless someone has installed another over it.
fn put_back_former(signal: c_int) {
    let listened = &LISTENED[signal as usize];
    let is_on_top = current(signal).is_ok_and(|action| is_our_handler(&action));
    if let (true, Some(former)) = (is_on_top, listened.former()) {
        // It was installed once, so it can be again.
        let _ = set(signal, former);
        listened.former.store(ptr::null_mut(), SeqCst);
    }
}

fn address_of_handler() -> usize {
    on_signal as *const () as usize
}

fn is_our_handler(action: &libc::sigaction) -> bool {
    action.sa_sigaction == address_of_handler()
}

fn is_function(action: &libc::sigaction) -> bool {
    ![libc::SIG_DFL, libc::SIG_IGN].contains(&action.sa_sigaction)
}

fn is_same(one: &libc::sigaction, other: &libc::sigaction) -> bool {
    // SAFETY: both masks are valid ones.
    let blocks = |mask, signal| unsafe { libc::sigismember(mask, signal) };
    let is_blocked_by_both =
        |signal: c_int| blocks(&one.sa_mask, signal) == blocks(&other.sa_mask, signal);
    (one.sa_sigaction, one.sa_flags) == (other.sa_sigaction, other.sa_flags)
        && (1..SIGNALS as c_int).all(is_blocked_by_both)
}

fn current(signal: c_int) -> io::Result<libc::sigaction> {
    // SAFETY: a plain C struct of numbers and a nullable function.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: a valid place for the answer, and nothing to set.
    check(unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) })?;
    Ok(action)
}

fn set(signal: c_int, action: &libc::sigaction) -> io::Result<()> {
    // SAFETY: a valid action: it was installed before, or its handler is *Safe in a handler*.
    check(unsafe { libc::sigaction(signal, action, ptr::null_mut()) })
}

fn check(result: c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

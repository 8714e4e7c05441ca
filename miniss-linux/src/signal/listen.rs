//! Listeners: the kinds of signals, and who waits for them.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;

use miniss_core::coop::cooperative;

use super::handler::{self, Place};
use crate::driver::make_eventfd;
use crate::op::fd::Fd;
use crate::op::poll::PollFd;
use crate::runtime::with_current;

/// A kind of signal, by its number.
///
/// ```
/// use miniss_linux::signal::SignalKind;
/// assert_eq!(SignalKind::terminate().as_raw_value(), 15);
/// assert_eq!(SignalKind::from_raw(15), SignalKind::terminate());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SignalKind(i32);

/// The kinds by their names.
macro_rules! kinds {
    ($($name:ident, $number:ident, $when:literal;)*) => {
        impl SignalKind {
            $(#[doc = concat!("`", stringify!($number), "`: ", $when)]
            pub const fn $name() -> Self {
                Self(libc::$number)
            }

            )*
        }
    };
}

kinds! {
    alarm, SIGALRM, "a timer of the program has run out.";
    child, SIGCHLD, "a child process has ended or stopped.";
    hangup, SIGHUP, "the terminal is gone; servers read their settings again.";
    interrupt, SIGINT, "someone pressed Ctrl-C.";
    io, SIGIO, "a descriptor that was told to signal is ready.";
    pipe, SIGPIPE, "a pipe or socket was written to that no one reads.";
    quit, SIGQUIT, "someone pressed Ctrl-\\.";
    terminate, SIGTERM, "the program is asked to end.";
    user_defined1, SIGUSR1, "for the program to give a meaning to.";
    user_defined2, SIGUSR2, "for the program to give a meaning to.";
    window_change, SIGWINCH, "the terminal has another size.";
}

impl SignalKind {
    /// The signal with this number, for instance a real-time one.
    pub const fn from_raw(number: i32) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn as_raw_value(self) -> i32 {
        self.0
    }

    /// Whether a handler may take it: after one of those that the processor raises the program
    /// would run into the same instruction again.
    fn check(self) -> io::Result<()> {
        const REFUSED: [i32; 6] =
            [libc::SIGKILL, libc::SIGSTOP, libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];
        let is_signal = (1..=64).contains(&self.0);
        match is_signal && !REFUSED.contains(&self.0) {
            true => Ok(()),
            false => Err(io::Error::from_raw_os_error(libc::EINVAL)),
        }
    }
}

/// Someone who listens to some signals.
pub(super) struct Listener {
    places: Vec<(SignalKind, &'static Place)>,
    /// What the handler writes to.
    eventfd: Rc<Fd>,
}

impl Listener {
    /// Listens to `kinds` from now on. If it `ends_process`, the second signal does, whatever the
    /// shards are doing.
    pub(super) fn new(kinds: &[SignalKind], ends_process: bool) -> io::Result<Self> {
        kinds.iter().try_for_each(|kind| kind.check())?;
        let (driver, eventfd) = (with_current(|shard| shard.driver.clone()), make_eventfd()?);
        let raw = eventfd.as_raw_fd();
        let mut this = Self { places: Vec::new(), eventfd: Rc::new(Fd::new(eventfd, driver)) };
        for &kind in kinds {
            let place = handler::add(kind.0, raw, ends_process)?;
            this.places.push((kind, place));
        }
        Ok(this)
    }

    /// Waits for the next signal since the last was told.
    pub(super) async fn recv(&self) -> io::Result<()> {
        cooperative(async {
            while !take(self.eventfd.number())? {
                PollFd::start(&self.eventfd, libc::POLLIN).await?;
            }
            Ok(())
        })
        .await
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.places.iter().map(|(kind, _)| kind)).finish()
    }
}

/// Before the eventfd is closed, no handler writes to it any more.
impl Drop for Listener {
    fn drop(&mut self) {
        self.places.drain(..).for_each(|(kind, place)| handler::remove(kind.0, place));
    }
}

/// Whether there has been a signal since this was last asked.
fn take(eventfd: RawFd) -> io::Result<bool> {
    let mut count = [0_u8; 8];
    // SAFETY: eight writable bytes. It does not wait.
    if unsafe { libc::read(eventfd, count.as_mut_ptr().cast(), count.len()) } > 0 {
        return Ok(true);
    }
    match io::Error::last_os_error() {
        error if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        error => Err(error),
    }
}

/// Listens to signals of one kind. While it is there, the signal does not do what it did before: it
/// is told to every listener, on every shard and in every runtime of the process.
///
/// Dropping the last listener of a kind puts back what was there before. It belongs to its shard.
///
/// ```
/// use miniss_linux::Runtime;
/// use miniss_linux::signal::{SignalKind, signal};
///
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// runtime.block_on(async {
///     let hangups = signal(SignalKind::hangup())?;
///     # let process = std::process::id().to_string();
///     # std::process::Command::new("kill").args(["-HUP", &process]).status()?;
///     hangups.recv().await?;
///     println!("reading the settings again");
///     # Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping it ends the listening"]
pub struct Signal {
    listener: Listener,
}

/// Listens to signals of this kind from now on.
///
/// # Errors
///
/// `EINVAL` for a kind that cannot be listened to: `SIGKILL`, `SIGSTOP`, those that the processor
/// raises (`SIGSEGV`, `SIGBUS`, `SIGILL`, `SIGFPE`), those that the C library keeps, and numbers of
/// none. Otherwise what the system says: a listener takes a descriptor.
///
/// # Panics
///
/// Outside of a runtime.
///
/// ```
/// # use miniss_linux::{Runtime, signal::{SignalKind, signal}};
/// # let runtime = Runtime::builder().shards(1).build().unwrap();
/// let error = runtime.block_on(async { signal(SignalKind::from_raw(9)).unwrap_err() });
/// assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
/// ```
pub fn signal(kind: SignalKind) -> io::Result<Signal> {
    Ok(Signal { listener: Listener::new(&[kind], false)? })
}

impl Signal {
    /// Waits for a signal. Those that have come since the last one was told, or since the listening
    /// began, are told as one.
    ///
    /// # Errors
    ///
    /// What the system says; at the end of the runtime `ECANCELED`.
    ///
    /// # Panics
    ///
    /// If it would wait in another runtime than its own.
    ///
    /// # Cancellation
    ///
    /// Cancel safe: a signal that was not told is told next time.
    pub async fn recv(&self) -> io::Result<()> {
        self.listener.recv().await
    }
}

/// Waits until someone presses Ctrl-C (`SIGINT`).
///
/// It listens while it is awaited: from the first poll until it has ended or is dropped. After it
/// another Ctrl-C ends the program, as does one before. To listen all the time, use [`signal`] with
/// [`SignalKind::interrupt`]; to end a server in order,
/// [`GracefulShutdown`](super::GracefulShutdown).
///
/// # Errors
///
/// As for [`signal`] and [`Signal::recv`].
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Cancellation
///
/// A signal that has come and was not told is lost.
///
/// ```no_run
/// use miniss_linux::{Runtime, signal};
///
/// Runtime::new().block_on(async {
///     println!("press Ctrl-C");
///     signal::ctrl_c().await
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn ctrl_c() -> io::Result<()> {
    signal(SignalKind::interrupt())?.recv().await
}

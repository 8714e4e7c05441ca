//! How a child is to be started, and how it is.
//!
//! To start one blocks: the kernel copies what the parent has, and std waits until the new program
//! runs or has failed. So a thread of the blocking pool does it. That one is pinned to no CPU, and
//! neither is the child.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::child::{Child, Started};
use crate::error::JoinError;
use crate::runtime::spawn_blocking;

/// Starts child processes: what [`std::process::Command`] sets, under the same names. It may start
/// any number, one after the other.
///
/// A child has the descriptors that it was given and no others of the runtime, may run on every CPU
/// that the program may use, and blocks no signals, whatever the thread that asks for it has.
///
/// ```
/// # use miniss_linux::{Runtime, process::Command};
/// # Runtime::builder().shards(1).build().unwrap().block_on(async {
/// let mut list = Command::new("ls");
/// let status = list.arg("/").current_dir("/").env("LC_ALL", "C").status().await?;
/// assert!(status.success());
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
pub struct Command {
    /// Shared with the thread that starts a child, so that it stays whole if no one waits for that.
    settings: Arc<Mutex<Settings>>,
}

struct Settings {
    command: std::process::Command,
    /// Whether the program has said what stdin, stdout and stderr are.
    stdio_is_set: [bool; 3],
    /// A child was started whose output was asked for.
    has_captured: bool,
    kill_on_drop: bool,
    /// The child is told to block no signals.
    unblocks_signals: bool,
}

/// Passes on what std's command sets.
macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident ($($argument:ident: $what:ty),*);)*) => {$(
        $(#[$doc])*
        pub fn $name(&mut self $(, $argument: $what)*) -> &mut Self {
            self.settings().command.$name($($argument),*);
            self
        }
    )*};
}

impl Command {
    /// Runs `program`, which is looked for as std does, without arguments.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        std::process::Command::new(program).into()
    }

    settings! {
        /// Another argument.
        arg(argument: impl AsRef<OsStr>);
        /// More arguments.
        args(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>);
        /// A variable of its environment.
        env(name: impl AsRef<OsStr>, value: impl AsRef<OsStr>);
        /// Without a variable that it would inherit.
        env_remove(name: impl AsRef<OsStr>);
        /// Without any variable that it would inherit.
        env_clear();
        /// The folder that it starts in.
        current_dir(folder: impl AsRef<Path>);
        /// Into another group of processes; 0 is one of its own, which Ctrl-C does not reach.
        process_group(group: i32);
    }

    /// Variables of its environment.
    pub fn envs(
        &mut self,
        variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> &mut Self {
        self.settings().command.envs(variables);
        self
    }

    /// What it reads: as the program itself, unless it is told otherwise here.
    pub fn stdin(&mut self, stdio: impl Into<Stdio>) -> &mut Self {
        self.set_stdio(0, |command| command.stdin(stdio))
    }

    /// Where it writes: as the program itself, unless it is told otherwise here, or asked for its
    /// [`output`](Self::output).
    pub fn stdout(&mut self, stdio: impl Into<Stdio>) -> &mut Self {
        self.set_stdio(1, |command| command.stdout(stdio))
    }

    /// Where it complains: as for [`stdout`](Self::stdout).
    pub fn stderr(&mut self, stdio: impl Into<Stdio>) -> &mut Self {
        self.set_stdio(2, |command| command.stderr(stdio))
    }

    fn set_stdio(
        &mut self,
        number: usize,
        set: impl FnOnce(&mut std::process::Command) -> &mut std::process::Command,
    ) -> &mut Self {
        let mut settings = self.settings();
        set(&mut settings.command);
        settings.stdio_is_set[number] = true;
        drop(settings);
        self
    }

    /// Kills a child when it is dropped before its end. Otherwise it goes on by itself.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, process::Command};
    /// # Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// let child = Command::new("sleep").arg("1000").kill_on_drop(true).spawn().await?;
    /// drop(child);
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Self {
        self.settings().kill_on_drop = kill;
        self
    }

    /// For what has no method here, such as `uid` and `pre_exec`: calls `set` with std's command.
    ///
    /// ```
    /// use std::os::unix::process::CommandExt;
    /// # use miniss_linux::{Runtime, process::Command};
    /// # Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// let mut command = Command::new("sh");
    /// command.args(["-c", "echo $0"]).with_std(|std| _ = std.arg0("another name"));
    /// assert_eq!(command.output().await?.stdout, b"another name\n");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn with_std<T>(&mut self, set: impl FnOnce(&mut std::process::Command) -> T) -> T {
        set(&mut self.settings().command)
    }

    /// Starts a child, on a thread of the blocking pool.
    ///
    /// # Errors
    ///
    /// As for [`std::process::Command::spawn`]: `NotFound` if there is no such program. `ECANCELED`
    /// at the end of the runtime.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// The child may be started all the same, and is dropped then.
    pub async fn spawn(&mut self) -> io::Result<Child> {
        self.spawn_with(false).await
    }

    /// Runs a child to its end, and says how it ended.
    ///
    /// # Errors
    ///
    /// As for [`spawn`](Self::spawn) and [`Child::wait`].
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// Dropping it drops the child.
    pub async fn status(&mut self) -> io::Result<ExitStatus> {
        self.spawn().await?.wait().await
    }

    /// Runs a child to its end, and gives all that it has written. It reads nothing, unless it was
    /// told what.
    ///
    /// # Errors
    ///
    /// As for [`spawn`](Self::spawn) and [`Child::wait_with_output`].
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// Dropping it drops the child.
    pub async fn output(&mut self) -> io::Result<Output> {
        self.spawn_with(true).await?.wait_with_output().await
    }

    async fn spawn_with(&mut self, captures: bool) -> io::Result<Child> {
        let settings = self.settings.clone();
        let started = spawn_blocking(move || lock(&settings).start(captures)).await;
        Child::new(started.unwrap_or_else(|error| Err(refused(error)))?)
    }

    fn settings(&mut self) -> MutexGuard<'_, Settings> {
        lock(&self.settings)
    }
}

fn lock(settings: &Mutex<Settings>) -> MutexGuard<'_, Settings> {
    // A thread that panicked under the lock left nothing half done.
    settings.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(error: JoinError) -> io::Error {
    match error {
        JoinError::NoThread(error) => error,
        JoinError::Cancelled => io::Error::from_raw_os_error(libc::ECANCELED),
        error => io::Error::other(error.to_string()),
    }
}

impl Settings {
    /// Blocks until the program runs or has failed.
    fn start(&mut self, captures: bool) -> io::Result<Started> {
        if captures || self.has_captured {
            self.set_defaults(captures);
        }
        if !self.unblocks_signals && blocks_signals() {
            self.unblock_signals();
        }
        let child = self.command.spawn()?;
        Ok(Started::new(child, self.kill_on_drop))
    }

    /// Says what the program has not: std would remember what was said for the child before.
    fn set_defaults(&mut self, captures: bool) {
        self.has_captured = true;
        let [stdin, output]: [fn() -> Stdio; 2] = match captures {
            true => [Stdio::null, Stdio::piped],
            false => [Stdio::inherit, Stdio::inherit],
        };
        if !self.stdio_is_set[0] {
            self.command.stdin(stdin());
        }
        if !self.stdio_is_set[1] {
            self.command.stdout(output());
        }
        if !self.stdio_is_set[2] {
            self.command.stderr(output());
        }
    }

    /// A child inherits the mask of the thread that starts it. That of a thread of ours is not
    /// changed for it, not even for a moment: the program may have blocked a signal that would end
    /// it. std takes `fork` then, where it would take something faster.
    fn unblock_signals(&mut self) {
        self.unblocks_signals = true;
        let unblock = || {
            let none = no_signals();
            // SAFETY: a valid mask. It may be called between `fork` and `exec`.
            match unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut()) }
            {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        };
        // SAFETY: it makes one system call, and allocates nothing.
        unsafe { self.command.pre_exec(unblock) };
    }
}

fn no_signals() -> libc::sigset_t {
    // SAFETY: a bit set; all zero is the empty one.
    unsafe { std::mem::zeroed() }
}

/// Whether the calling thread blocks any signal.
fn blocks_signals() -> bool {
    let mut blocked = no_signals();
    // SAFETY: a valid place for the answer, and nothing to set.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &raw mut blocked) };
    // SAFETY: a valid mask, and valid signals.
    (1..=64).any(|signal| unsafe { libc::sigismember(&raw const blocked, signal) } == 1)
}

/// A command that was made for std. What it says of stdin, stdout and stderr counts for
/// [`spawn`](Command::spawn) and [`status`](Command::status).
impl From<std::process::Command> for Command {
    fn from(command: std::process::Command) -> Self {
        let settings = Settings {
            command,
            stdio_is_set: [false; 3],
            has_captured: false,
            kill_on_drop: false,
            unblocks_signals: false,
        };
        Self { settings: Arc::new(Mutex::new(settings)) }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        lock(&self.settings).command.fmt(f)
    }
}

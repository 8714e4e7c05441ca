//! A child: its streams, its end, its status.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Output};
use std::rc::Rc;
use std::time::Duration;

use miniss_core::combine::when_all;
use miniss_core::coop::consume_budget;

use super::reaper;
use crate::op::fd::Fd;
use crate::op::poll::PollFd;
use crate::pipe::{PipeReader, PipeWriter};
use crate::runtime::with_current;
use crate::signal::SignalKind;
use crate::time::sleep;

/// Where the kernel does not tell of an end, how long a wait sleeps before it looks: it doubles.
const LOOK_AFTER_MIN: Duration = Duration::from_millis(1);
const LOOK_AFTER_MAX: Duration = Duration::from_millis(50);

/// A child that was started: it is reaped in any case.
pub(super) struct Started {
    /// `None` once it was handed over.
    child: Option<std::process::Child>,
    status: Option<ExitStatus>,
    kill_on_drop: bool,
    pub(super) pidfd: Option<OwnedFd>,
}

impl Started {
    pub(super) fn new(child: std::process::Child, kill_on_drop: bool) -> Self {
        // Refused: by a filter, for want of a descriptor, or by a kernel before 5.3.
        let pidfd = reaper::open_pidfd(child.id()).ok();
        Self { child: Some(child), status: None, kill_on_drop, pidfd }
    }

    fn child(&mut self) -> &mut std::process::Child {
        self.child.as_mut().expect("there until dropped")
    }

    fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self.child().try_wait()?;
        }
        Ok(self.status)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // No one holds the other ends, so it is not to wait for them.
        let child = self.child();
        drop((child.stdin.take(), child.stdout.take(), child.stderr.take()));
        // Where the program ignores `SIGCHLD`, its number may be that of another process by now.
        if self.kill_on_drop && matches!(self.try_wait(), Ok(None)) {
            // It may have become another user's.
            let _ = self.child().kill();
        }
        if let (Ok(None), Some(child)) = (self.try_wait(), self.child.take()) {
            reaper::adopt(child);
        }
    }
}

/// A child process. It belongs to the shard that started it.
///
/// Dropping it lets the child go on, unless the command was told to
/// [kill it](super::Command::kill_on_drop). Its end is seen to in any case, so it does not stay as
/// a zombie. Its streams are closed.
///
/// ```
/// use miniss_linux::Runtime;
/// use miniss_linux::process::{Command, Stdio};
///
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// runtime.block_on(async {
///     let mut sort = Command::new("sort");
///     let mut sort = sort.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().await?;
///     let input = sort.stdin.take().expect("it is piped");
///     input.write_all("b\na\n").await.0?;
///     drop(input); // the end of its input
///     assert_eq!(sort.wait_with_output().await?.stdout, b"a\nb\n");
///     # Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Child {
    /// What the child reads, if it is piped.
    pub stdin: Option<PipeWriter>,
    /// What the child writes, if it is piped.
    pub stdout: Option<PipeReader>,
    /// What the child complains of, if it is piped.
    pub stderr: Option<PipeReader>,
    id: u32,
    started: Started,
    /// Tells of its end; `None` where that was refused.
    pidfd: Option<Rc<Fd>>,
}

impl Child {
    /// Takes over, on this shard, what was started elsewhere.
    pub(super) fn new(mut started: Started) -> io::Result<Self> {
        let child = started.child();
        let (id, stdin) = (child.id(), child.stdin.take());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let driver = with_current(|shard| shard.driver.clone());
        let pidfd = started.pidfd.take().map(|fd| Rc::new(Fd::new(fd, driver)));
        Ok(Self {
            stdin: stdin.map(|pipe| PipeWriter::from_fd(pipe.into())).transpose()?,
            stdout: stdout.map(|pipe| PipeReader::from_fd(pipe.into())).transpose()?,
            stderr: stderr.map(|pipe| PipeReader::from_fd(pipe.into())).transpose()?,
            id,
            started,
            pidfd,
        })
    }

    /// The number of the process; `None` once its end is known, for it may be that of another one
    /// then.
    pub fn id(&self) -> Option<u32> {
        self.started.status.is_none().then_some(self.id)
    }

    /// Waits for the end of the child, and says how it ended, as often as it is asked. What it
    /// reads is closed first, so that it does not wait for more.
    ///
    /// The kernel tells of the end by a pidfd. Where that is refused, for instance by a filter, a
    /// timer looks for it, from 1 ms on and at most every 50 ms.
    ///
    /// # Errors
    ///
    /// What the system says: `ECHILD` if the program ignores `SIGCHLD`, for then the kernel keeps
    /// no status.
    ///
    /// # Cancellation
    ///
    /// Cancel safe, but for the stream that was closed.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, process::Command};
    /// # Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// let mut child = Command::new("sh").args(["-c", "exit 3"]).spawn().await?;
    /// assert_eq!(child.wait().await?.code(), Some(3));
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.stdin = None;
        self.ended().await
    }

    async fn ended(&mut self) -> io::Result<ExitStatus> {
        consume_budget().await;
        let (mut is_told, mut look_after) = (false, LOOK_AFTER_MIN);
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            match &self.pidfd {
                Some(pidfd) if !is_told => {
                    PollFd::start(pidfd, libc::POLLIN).await?;
                    is_told = true;
                }
                // Or a debugger has been told first, and keeps the status for now.
                _ => {
                    sleep(look_after).await;
                    look_after = LOOK_AFTER_MAX.min(look_after * 2);
                }
            }
        }
    }

    /// How the child ended, if it has.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Self::wait).
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = self.started.try_wait()?;
        if status.is_some() {
            self.pidfd = None;
        }
        Ok(status)
    }

    /// Reads all that the child writes to piped streams, and waits for its end. What it reads is
    /// closed first.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Self::wait) and [`PipeReader::read`].
    ///
    /// # Cancellation
    ///
    /// Dropping it drops the child, and what was read is lost.
    pub async fn wait_with_output(mut self) -> io::Result<Output> {
        self.stdin = None;
        let (stdout, stderr) = (self.stdout.take(), self.stderr.take());
        let (status, stdout, stderr) =
            when_all((self.ended(), read_all(stdout), read_all(stderr))).await;
        Ok(Output { status: status?, stdout: stdout?, stderr: stderr? })
    }

    /// Kills the child (`SIGKILL`), and waits for its end.
    ///
    /// # Errors
    ///
    /// As for [`start_kill`](Self::start_kill) and [`wait`](Self::wait).
    ///
    /// # Cancellation
    ///
    /// The child is killed all the same.
    pub async fn kill(&mut self) -> io::Result<()> {
        self.start_kill()?;
        self.wait().await.map(drop)
    }

    /// Kills the child (`SIGKILL`), and does not wait. A child that has ended has no need of it.
    ///
    /// # Errors
    ///
    /// `EPERM` if the child has become another user's.
    pub fn start_kill(&mut self) -> io::Result<()> {
        self.send_signal(SignalKind::from_raw(libc::SIGKILL))
    }

    /// Sends a signal to the child, for instance [`SignalKind::terminate`] to ask it to end. A
    /// child that has ended gets none.
    ///
    /// # Errors
    ///
    /// `EPERM` if the child has become another user's, `EINVAL` if there is no such signal.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, process::Command, signal::SignalKind};
    /// # Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// use std::os::unix::process::ExitStatusExt;
    ///
    /// let mut child = Command::new("sleep").arg("1000").spawn().await?;
    /// child.send_signal(SignalKind::terminate())?;
    /// assert_eq!(child.wait().await?.signal(), Some(15));
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn send_signal(&mut self, kind: SignalKind) -> io::Result<()> {
        if self.try_wait()?.is_some() {
            return Ok(());
        }
        // SAFETY: no pointers. No one has waited for the child, so the number is still its own.
        match unsafe { libc::kill(self.id as libc::pid_t, kind.as_raw_value()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

async fn read_all(pipe: Option<PipeReader>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let Some(pipe) = pipe else { return Ok(bytes) };
    loop {
        match pipe.recv().await? {
            more if more.is_empty() => return Ok(bytes),
            more => bytes.extend_from_slice(&more),
        }
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("id", &self.id)
            .field("status", &self.started.status)
            .finish_non_exhaustive()
    }
}

//! The errors of the runtime. Each names the operation, the cause and the remedy.

#![forbid(unsafe_code)]

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};

use miniss_core::unobserved::{self, Source};

use crate::ShardId;

/// A [driver](crate::Driver) cannot be used here.
///
/// ```
/// let error = miniss_linux::DriverUnavailable::new(
///     "io_uring_setup",
///     std::io::Error::from_raw_os_error(1),
/// );
/// assert!(error.to_string().contains("seccomp"));
/// ```
#[derive(Debug)]
pub struct DriverUnavailable {
    driver: &'static str,
    operation: &'static str,
    error: io::Error,
}

impl DriverUnavailable {
    /// The error of an `operation` of io_uring.
    pub fn new(operation: &'static str, error: io::Error) -> Self {
        Self { driver: "io_uring", operation, error }
    }

    /// The error of an `operation` of epoll.
    pub(crate) fn of_epoll(operation: &'static str, error: io::Error) -> Self {
        Self { driver: "epoll", operation, error }
    }

    /// Whether another driver may work all the same: no descriptor is left for any.
    pub(crate) fn may_fall_back(&self) -> bool {
        !matches!(self.errno(), Some(libc::EMFILE | libc::ENFILE))
    }

    /// The number of the system error, as in `errno(3)`.
    ///
    /// ```
    /// # use miniss_linux::DriverUnavailable;
    /// let error = std::io::Error::from_raw_os_error(38);
    /// assert_eq!(DriverUnavailable::new("io_uring_setup", error).errno(), Some(38));
    /// ```
    pub fn errno(&self) -> Option<i32> {
        self.error.raw_os_error()
    }

    fn remedy(&self) -> &'static str {
        match self.errno() {
            Some(libc::EPERM | libc::EACCES) => {
                "a seccomp filter or the sysctl kernel.io_uring_disabled forbids it; allow \
                 io_uring_setup, io_uring_enter and io_uring_register in the container's seccomp \
                 profile, or set kernel.io_uring_disabled=0"
            }
            Some(libc::ENOSYS | libc::EOPNOTSUPP | libc::EINVAL) => {
                "the kernel is too old or built without it, or a seccomp filter says so; use Linux \
                 5.19 or later, better 6.1"
            }
            Some(libc::ENOMEM) => "not enough locked memory; raise RLIMIT_MEMLOCK (ulimit -l)",
            Some(libc::EMFILE | libc::ENFILE) => {
                "no file descriptor left; raise RLIMIT_NOFILE (ulimit -n)"
            }
            _ => "see the system error",
        }
    }
}

impl fmt::Display for DriverUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { driver, operation, error } = self;
        write!(f, "{driver} is unavailable: {operation}: {error}: {}", self.remedy())
    }
}

impl std::error::Error for DriverUnavailable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Why a runtime could not be made.
///
/// ```
/// use miniss_linux::{BuildError, Runtime};
///
/// let error = Runtime::builder().shards(0).build().unwrap_err();
/// assert!(matches!(error, BuildError::InvalidConfig(_)));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// A setting makes no sense; the text names it and says what does.
    InvalidConfig(String),
    /// A shard has no driver.
    Driver {
        /// Which shard.
        shard: ShardId,
        /// Why.
        error: DriverUnavailable,
    },
    /// A shard could not be started for another reason.
    Start {
        /// Which shard.
        shard: ShardId,
        /// What was tried.
        operation: &'static str,
        /// The system's answer.
        error: io::Error,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidConfig(what) => write!(f, "invalid configuration: {what}"),
            Self::Driver { shard, error } => write!(f, "cannot start {shard}: {error}"),
            Self::Start { shard, operation, error } => {
                write!(f, "cannot start {shard}: {operation}: {error}")?;
                match error.raw_os_error() {
                    Some(libc::EMFILE | libc::ENFILE) => {
                        f.write_str("; no file descriptor left: raise RLIMIT_NOFILE (ulimit -n)")
                    }
                    Some(libc::EAGAIN) => {
                        f.write_str("; no thread left: raise RLIMIT_NPROC or pids.max")
                    }
                    _ => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::InvalidConfig(_) => None,
            Self::Driver { error, .. } => Some(error),
            Self::Start { error, .. } => Some(error),
        }
    }
}

/// What a panic carried, or a [refusal](Self::refusal), until someone asks for the outcome. If no
/// one does, a panic is reported as a failure that was not [observed](miniss_core::unobserved).
pub(crate) struct Payload(Option<Box<dyn Any + Send + 'static>>);

impl Payload {
    pub(crate) fn new(payload: Box<dyn Any + Send + 'static>) -> Self {
        Self(Some(payload))
    }

    /// Work on another shard tells why the call fails. It goes the way of a panic, which every call
    /// has, so that calls without refusals take no more room.
    pub(crate) fn refusal(error: CallError) -> Self {
        Self::new(Box::new(Refusal(error)))
    }

    /// Why the call failed that came back with this.
    pub(crate) fn into_call_error(self) -> CallError {
        match self.into_inner().downcast::<Refusal>() {
            Ok(refusal) => refusal.0,
            Err(payload) => CallError::Panicked(Panic::new(Self::new(payload))),
        }
    }

    fn into_inner(mut self) -> Box<dyn Any + Send + 'static> {
        self.0.take().expect("it is taken once")
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        if let Some(payload) = self.0.take() {
            drop_unobserved(payload);
        }
    }
}

#[cold]
fn drop_unobserved(payload: Box<dyn Any + Send + 'static>) {
    if !payload.is::<Refusal>() {
        unobserved::report(Source::Task, "panic");
    }
    drop(payload);
}

/// The payload of a panic in a task that has a name.
pub(crate) struct NamedPanic {
    pub(crate) name: &'static str,
    pub(crate) payload: Box<dyn Any + Send + 'static>,
}

/// What the payload of a refusal holds. No one else can make one.
struct Refusal(CallError);

/// A panic that was caught. It can be shown from any thread, and its owner can take the payload.
///
/// ```
/// # use miniss_linux::{JoinError, Runtime, spawn};
/// # let runtime = Runtime::builder().shards(1).build().unwrap();
/// let error = runtime.block_on(async { spawn(async { panic!("oh") }).await }).unwrap_err();
/// let JoinError::Panicked(panic) = error else { unreachable!() };
/// assert_eq!(panic.to_string(), "oh");
/// std::panic::catch_unwind(|| std::panic::resume_unwind(panic.into_payload())).unwrap_err();
/// ```
pub struct Panic {
    message: String,
    /// Behind a lock only because it is not `Sync`, which an error should be.
    payload: Mutex<Box<dyn Any + Send + 'static>>,
}

impl Panic {
    pub(crate) fn new(payload: Payload) -> Self {
        let (message, payload) = match payload.into_inner().downcast::<NamedPanic>() {
            Ok(named) => {
                let NamedPanic { name, payload } = *named;
                (format!("{} (task `{name}`)", text_of(&*payload)), payload)
            }
            Err(payload) => (text_of(&*payload).to_owned(), payload),
        };
        Self { message, payload: Mutex::new(payload) }
    }

    /// What the panic carried, to be resumed with [`std::panic::resume_unwind`].
    pub fn into_payload(self) -> Box<dyn Any + Send + 'static> {
        self.payload.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Panic").field(&self.message).finish()
    }
}

/// What a panic said.
pub(crate) fn text_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("(a payload that is no text)")
}

/// Why a task, or [work that blocks](crate::spawn_blocking), has no output.
///
/// ```
/// # use miniss_linux::{JoinError, Runtime};
/// # let runtime = Runtime::builder().shards(1).build().unwrap();
/// let task = runtime.spawn(std::future::pending::<()>());
/// task.abort();
/// assert!(matches!(runtime.block_on(task), Err(JoinError::Cancelled)));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum JoinError {
    /// It was aborted, or its runtime ended, or there was no memory to begin it.
    Cancelled,
    /// It panicked.
    Panicked(Panic),
    /// It blocks, there was no thread for it, and the system refused to start one.
    NoThread(io::Error),
}

impl JoinError {
    /// Whether the task panicked.
    ///
    /// ```
    /// assert!(!miniss_linux::JoinError::Cancelled.is_panic());
    /// ```
    pub fn is_panic(&self) -> bool {
        matches!(self, Self::Panicked(_))
    }

    /// Whether the task was aborted or its runtime ended.
    ///
    /// ```
    /// assert!(miniss_linux::JoinError::Cancelled.is_cancelled());
    /// ```
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }

    /// What the panic carried, to be resumed with [`std::panic::resume_unwind`].
    ///
    /// # Errors
    ///
    /// The error itself, if it was no panic.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, spawn};
    /// # let runtime = Runtime::builder().shards(1).build().unwrap();
    /// let error = runtime.block_on(async { spawn(async { panic!("oh") }).await }).unwrap_err();
    /// let payload = error.try_into_panic().unwrap();
    /// assert_eq!(*payload.downcast_ref::<&str>().unwrap(), "oh");
    /// ```
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send + 'static>, Self> {
        match self {
            Self::Panicked(panic) => Ok(panic.into_payload()),
            other => Err(other),
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the task was cancelled before it finished"),
            Self::Panicked(panic) => write!(f, "the task panicked: {panic}"),
            Self::NoThread(error) => {
                write!(f, "no thread could be started: {error}: raise RLIMIT_NPROC or pids.max")
            }
        }
    }
}

impl std::error::Error for JoinError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoThread(error) => Some(error),
            Self::Cancelled | Self::Panicked(_) => None,
        }
    }
}

impl From<JoinError> for io::Error {
    /// The system's error, if it is one.
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::NoThread(error) => error,
            other => io::Error::other(other),
        }
    }
}

/// Why a call to another shard has no output.
///
/// ```
/// # use miniss_linux::{CallError, Runtime, submit_to};
/// # let runtime = Runtime::builder().shards(2).build().unwrap();
/// let error = runtime.block_on(submit_to_and_panic()).unwrap_err();
/// assert!(matches!(error, CallError::Panicked(_)));
///
/// async fn submit_to_and_panic() -> Result<(), CallError> {
///     submit_to(1, async || panic!("over there")).await
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError {
    /// The shard ended before the work did, or had no memory to begin it.
    ShardGone(ShardId),
    /// The work panicked.
    Panicked(Panic),
    /// What was called is not running on that shard: it is not there yet, is stopped already, or
    /// its owner was dropped.
    NotRunning(ShardId),
    /// It was not made: too many calls to that shard were in flight, for longer than its
    /// [group](crate::sharded::ServiceGroup) lets a call wait.
    QueueTimedOut(ShardId),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShardGone(shard) => write!(f, "{shard} ended before the call did"),
            Self::Panicked(panic) => write!(f, "the call panicked: {panic}"),
            Self::NotRunning(shard) => {
                let why = "it has not started, is stopped, or its owner was dropped";
                write!(f, "what was called is not running on {shard}: {why}")
            }
            Self::QueueTimedOut(shard) => {
                write!(f, "the call to {shard} was not made: too many were in flight for too long")
            }
        }
    }
}

impl std::error::Error for CallError {}

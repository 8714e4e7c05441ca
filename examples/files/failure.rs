//! Something that could not be done with a path.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What could not be done, with what, and why.
#[derive(Debug)]
pub struct Failure {
    what: &'static str,
    path: PathBuf,
    cause: io::Error,
}

impl Failure {
    /// `what` completes the sentence "cannot …".
    pub fn new(what: &'static str, path: &Path, cause: io::Error) -> Self {
        Self { what, path: path.into(), cause }
    }

    /// Whether all other files would meet it, too.
    pub fn is_everywhere(&self) -> bool {
        use io::ErrorKind::{BrokenPipe, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        [BrokenPipe, QuotaExceeded, ReadOnlyFilesystem, StorageFull].contains(&self.cause.kind())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: cannot {}: {}", self.path.display(), self.what, self.cause)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}

/// Says of an error with which path it came up.
pub trait OrFailure<T> {
    /// See [`Failure::new`].
    fn or_failure(self, what: &'static str, path: &Path) -> Result<T, Failure>;
}

impl<T> OrFailure<T> for io::Result<T> {
    fn or_failure(self, what: &'static str, path: &Path) -> Result<T, Failure> {
        self.map_err(|cause| Failure::new(what, path, cause))
    }
}

/// Why something did not come to its end.
#[derive(Debug)]
pub enum Cut {
    /// The program was asked to end.
    Asked,
    /// It could not be done.
    Failed(Failure),
}

impl From<Failure> for Cut {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

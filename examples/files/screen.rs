//! What the user sees: progress, failures and results. A terminal may be slow and a pipe may be
//! full, so threads write, and a shard that has something to say waits without blocking.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use indicatif::{BinaryBytes, ProgressBar, ProgressStyle};
use miniss_linux::{spawn_blocking, time::Instant};

use crate::crew::Counts;

/// Where progress is shown: in one line of a terminal that changes, or line by line.
#[derive(Clone)]
pub struct Screen {
    /// `None`: standard error is no terminal.
    bar: Option<ProgressBar>,
    is_quiet: bool,
}

impl Screen {
    /// That of this program.
    pub fn new(is_quiet: bool) -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg}, {binary_bytes_per_sec}");
        let shows = !is_quiet && io::stderr().is_terminal();
        let bar = shows.then(|| {
            ProgressBar::new_spinner().with_style(style.expect("the template has no mistake"))
        });
        Self { bar, is_quiet }
    }

    /// How often progress is to be shown.
    pub fn interval(&self) -> Duration {
        if self.bar.is_some() { Duration::from_millis(100) } else { Duration::from_secs(5) }
    }

    /// Shows how far the work has come.
    pub async fn show(&self, counts: Counts) {
        match self.bar.clone() {
            Some(bar) => {
                let show = move || {
                    bar.set_position(counts.bytes);
                    bar.set_message(counts.to_string());
                    bar.tick();
                };
                let _ = spawn_blocking(show).await;
            }
            None if self.is_quiet => {}
            None => self.complain(counts).await,
        }
    }

    /// Says something on standard error. If that fails, there is no one to tell.
    pub async fn complain(&self, what: impl Display) {
        let line = format!("files: {what}\n");
        let _ = self.beside_the_bar(move || io::stderr().write_all(line.as_bytes())).await;
    }

    /// Writes a result to standard output, as `sha256sum` does: a name with strange characters has
    /// them replaced, and a sign before the line says so.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn print(&self, hash: &str, path: &Path) -> io::Result<()> {
        let mut line = hash.as_bytes().to_vec();
        line.extend_from_slice(b"  ");
        for &byte in path.as_os_str().as_bytes() {
            match byte {
                b'\\' => line.extend_from_slice(b"\\\\"),
                b'\n' => line.extend_from_slice(b"\\n"),
                b'\r' => line.extend_from_slice(b"\\r"),
                byte => line.push(byte),
            }
        }
        if line.contains(&b'\\') {
            line.insert(0, b'\\');
        }
        line.push(b'\n');
        self.beside_the_bar(move || io::stdout().write_all(&line)).await
    }

    /// The last that is said.
    pub async fn end(&self, counts: Counts, began: Instant, how: &str) {
        if let Some(bar) = self.bar.clone() {
            let _ = spawn_blocking(move || bar.finish_and_clear()).await;
        }
        if !self.is_quiet {
            let seconds = began.elapsed().as_secs_f64();
            self.complain(format_args!("{counts} in {seconds:.2} s{how}")).await;
        }
    }

    /// Writes while the bar is not there.
    async fn beside_the_bar(
        &self,
        write: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let bar = self.bar.clone();
        let work = move || match bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        };
        spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

impl Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = if self.files == 1 { "" } else { "s" };
        write!(f, "{} file{plural}, {}", self.files, BinaryBytes(self.bytes))
    }
}

//! A server that runs in a process of its own, on cores of its own, for as long as this is held.

#![forbid(unsafe_code)]

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use super::process;

/// The server's process; it ends when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    tracer: Option<Tracer>,
}

impl Running {
    /// Starts it on these CPUs. It ends with this process, however that ends.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn start(mut command: Command, cpus: &'static [usize]) -> io::Result<Self> {
        process::place(&mut command, cpus);
        Ok(Self { child: command.spawn()?, tracer: None })
    }

    /// The line that the server prints when it is ready; its output must be piped.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn first_line(&mut self) -> io::Result<String> {
        let output = self.child.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        Ok(line.trim().into())
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// CPU time that the process has used, all threads together.
    pub fn cpu(&self) -> Duration {
        process::cpu_of(self.child.id())
    }

    /// The highest resident memory so far, in KiB.
    pub fn peak_rss_kib(&self) -> u64 {
        process::peak_rss_kib_of(self.child.id())
    }

    /// Memory that is the process' own, in KiB.
    pub fn private_kib(&self) -> u64 {
        process::private_kib_of(self.child.id())
    }

    /// From now on strace counts its system calls, if there is a `file` to write them to.
    ///
    /// # Errors
    ///
    /// If strace cannot trace it.
    pub fn trace(&mut self, file: Option<&Path>) -> io::Result<()> {
        let Some(file) = file else { return Ok(()) };
        self.tracer = Some(Tracer::attach(self.child.id(), file)?);
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tracer = None;
        // It may have ended by itself, which is as good.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// strace, attached to all threads of a process; it writes its summary when this is dropped.
#[derive(Debug)]
struct Tracer {
    strace: Child,
    /// Held, for strace goes on to write to it.
    _stderr: BufReader<ChildStderr>,
}

impl Tracer {
    fn attach(pid: u32, file: &Path) -> io::Result<Self> {
        let mut command = Command::new("strace");
        command.args(["-f", "-c", "-p", &pid.to_string(), "-o"]).arg(file);
        let mut strace = command.stderr(Stdio::piped()).spawn()?;
        let mut stderr = BufReader::new(strace.stderr.take().expect("it is piped"));
        let mut line = String::new();
        stderr.read_line(&mut line)?;
        let this = Self { strace, _stderr: stderr };
        if line.contains("attached") {
            return Ok(this);
        }
        drop(this);
        _ = fs::remove_file(file);
        Err(io::Error::other(line.trim().to_owned()))
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        process::end(self.strace.id());
        // No one else waits for it.
        _ = self.strace.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Running {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(Stdio::piped());
        Running::start(command, &[0]).expect("there is a shell")
    }

    #[test]
    fn a_server_says_that_it_is_ready_and_ends_with_its_handle() {
        let mut running = shell("echo ready; exec sleep 60");
        assert_eq!(running.first_line().expect("it prints"), "ready");
        assert!(running.is_alive() && running.peak_rss_kib() > 0 && running.private_kib() > 0);
        let proc = format!("/proc/{}", running.child.id());
        assert!(Path::new(&proc).exists());
        drop(running);
        assert!(!Path::new(&proc).exists());
    }

    #[test]
    fn cpu_time_is_that_of_the_server() {
        let mut running = shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo; sleep 60");
        running.first_line().expect("it prints");
        assert!(running.cpu() > Duration::from_millis(1));
    }

    #[test]
    fn who_ends_by_itself_is_seen() {
        let mut running = shell("exit 1");
        assert_eq!(running.first_line().expect("it is read"), "");
        _ = running.child.wait();
        assert!(!running.is_alive());
    }
}

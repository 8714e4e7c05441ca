//! Child processes and signals: runs programs, starts those again that fail, and ends all of them
//! in order.
//!
//! `cargo run --release --example supervise -- --run 'date; sleep 5; exit 1' --run 'sleep 20'`
//!
//! All of it is this file; all it needs is `miniss-linux`.

#![forbid(unsafe_code)]

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::pin::pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use miniss_linux::combine::when_any;
use miniss_linux::pipe::PipeReader;
use miniss_linux::process::{Child, Command, ExitStatus, Stdio};
use miniss_linux::signal::{GracefulShutdown, ShardShutdown, Signal, SignalKind, signal};
use miniss_linux::time::{sleep, timeout};
use miniss_linux::{Builder, Runtime, spawn};

const HELP: &str = "\
supervise: runs programs and starts those again that fail

  --run COMMAND        a command for sh; give one for each program
  --restarts N         so many failures in a row are too many   [5]
  --backoff-ms N       the pause before the first restart; it doubles with each  [100]
  --grace-ms N         how long a program that is told to end may take  [5000]
  --driver DRIVER      auto, io-uring or epoll      [auto, or what MINISS_DRIVER says]
  --help               this text

Each line that a program writes is passed on, behind the number of the program. A program that ends
with status 0 is done. When one has failed too often, the others are ended, and the status is 1.

SIGHUP goes to every program. At SIGINT or SIGTERM each is told to end (SIGTERM), and killed if it
has not after the grace. A second one ends supervise at once, and leaves the programs alone.";

/// A program that ran for so long was in order: its failures are counted from the beginning.
const STABLE: Duration = Duration::from_secs(10);
/// How long the last lines of a program that has ended are waited for.
const LAST_LINES: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);

#[derive(Clone)]
struct Settings {
    commands: Vec<String>,
    restarts: u32,
    backoff: Duration,
    grace: Duration,
}

fn main() -> ExitCode {
    let (result, failure) = match parse() {
        Ok(Some((settings, builder))) => (run(settings, builder), 1),
        Ok(None) => {
            say(HELP);
            (Ok(()), 0)
        }
        Err(error) => (Err(format!("{error}; see --help").into()), 2),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(error);
            ExitCode::from(failure)
        }
    }
}

/// What to do, and on what. `None`: the help is asked for.
fn parse() -> Result<Option<(Settings, Builder)>, String> {
    let arguments = std::env::args_os().skip(1).map(OsString::into_string);
    let arguments: Result<Vec<_>, _> = arguments.collect();
    let wrong = |argument: OsString| format!("{}: it is not UTF-8", argument.display());
    let mut arguments = arguments.map_err(wrong)?.into_iter();
    let mut builder = Runtime::builder().shards(1);
    let (backoff, grace) = (Duration::from_millis(100), Duration::from_secs(5));
    let mut settings = Settings { commands: Vec::new(), restarts: 5, backoff, grace };
    while let Some(name) = arguments.next() {
        if ["--help", "-h"].contains(&&*name) {
            return Ok(None);
        }
        let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value"));
        let number = |text: String| {
            let wrong = |_| format!("{name} {text}: a whole number is wanted");
            text.parse::<u32>().map_err(wrong)
        };
        let millis = |text| number(text).map(|number| Duration::from_millis(number.into()));
        match &*name {
            "--run" => settings.commands.push(value()?),
            "--restarts" => settings.restarts = number(value()?)?,
            "--backoff-ms" => settings.backoff = millis(value()?)?,
            "--grace-ms" => settings.grace = millis(value()?)?,
            "--driver" => {
                let text = value()?;
                let driver = text.parse().map_err(|error| format!("--driver {text}: {error}"))?;
                builder = builder.driver(driver);
            }
            _ => return Err(format!("{name}: unknown option")),
        }
    }
    if settings.commands.is_empty() {
        return Err("nothing to run: give a command with --run".into());
    }
    Ok(Some((settings, builder)))
}

fn run(settings: Settings, builder: Builder) -> Result<(), Box<dyn Error>> {
    builder.build()?.block_on(supervise(settings))
}

/// Runs all programs until they are done, one has failed too often, or a signal asks for the end.
async fn supervise(settings: Settings) -> Result<(), Box<dyn Error>> {
    let shutdown = Rc::new(GracefulShutdown::new().on_shard()?);
    let commands = settings.commands.iter().cloned().enumerate();
    let programs: Vec<_> = commands
        .map(|(index, command)| {
            let (settings, shutdown) = (settings.clone(), shutdown.clone());
            spawn(Program { number: index + 1, command, settings, shutdown }.keep_running())
        })
        .collect();
    let mut failed = None;
    for program in programs {
        if let Err(failure) = program.await? {
            failed = failed.or(Some(failure));
        }
    }
    failed.map_or(Ok(()), |failure| Err(failure.into()))
}

/// A program that is to run.
struct Program {
    number: usize,
    command: String,
    settings: Settings,
    shutdown: Rc<ShardShutdown>,
}

/// How one run of a program ended.
enum Ended {
    Well,
    Failed(String),
    /// We were asked to stop.
    Stopped,
}

impl Program {
    /// Runs the program until it is done, has failed too often, or we are asked to stop.
    async fn keep_running(self) -> Result<(), String> {
        let mut failures = 0;
        loop {
            let start = Instant::now();
            let how = match self.run_once().await {
                Ok(Ended::Well | Ended::Stopped) => return Ok(()),
                Ok(Ended::Failed(how)) => how,
                Err(error) => error.to_string(),
            };
            failures = if start.elapsed() < STABLE { failures + 1 } else { 1 };
            if failures > self.settings.restarts {
                self.shutdown.request();
                return Err(format!("program {} {how}, {failures} times in a row", self.number));
            }
            let pause = self.pause_after(failures);
            complain(format_args!("program {} {how}; it starts again in {pause:?}", self.number));
            if self.shutdown.until_requested(sleep(pause)).await.is_none() {
                return Ok(());
            }
        }
    }

    fn pause_after(&self, failures: u32) -> Duration {
        let doubled = 1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX);
        self.settings.backoff.saturating_mul(doubled).min(BACKOFF_MAX)
    }

    async fn run_once(&self) -> io::Result<Ended> {
        let hangups = signal(SignalKind::hangup())?;
        let mut command = Command::new("sh");
        command.arg("-c").arg(&self.command).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().await?;
        let pipes = [child.stdout.take(), child.stderr.take()].into_iter().flatten();
        let lines: Vec<_> = pipes.map(|pipe| spawn(pass_on(self.number, pipe))).collect();
        let ended = self.until_ended(child, &hangups).await;
        for line in lines {
            // Another process may have the other end, and keep it.
            let _ = timeout(LAST_LINES, line).await;
        }
        ended
    }

    async fn until_ended(&self, mut child: Child, hangups: &Signal) -> io::Result<Ended> {
        loop {
            let event = async {
                let (wait, hangup) = (pin!(child.wait()), pin!(hangups.recv()));
                let (ended, hangup) = when_any((wait, hangup)).await;
                match ended.output() {
                    Some(status) => status.map(Some),
                    None => hangup.output().transpose().map(|_| None),
                }
            };
            let Some(event) = self.shutdown.until_requested(event).await else {
                return self.stop(child).await;
            };
            match event? {
                Some(status) => return Ok(judge(status)),
                None => child.send_signal(SignalKind::hangup())?,
            }
        }
    }

    /// Asks a child to end, and kills it when the grace is over.
    async fn stop(&self, mut child: Child) -> io::Result<Ended> {
        child.send_signal(SignalKind::terminate())?;
        if timeout(self.settings.grace, child.wait()).await.is_err() {
            complain(format_args!("program {} does not end, and is killed", self.number));
            child.kill().await?;
        }
        Ok(Ended::Stopped)
    }
}

fn judge(status: ExitStatus) -> Ended {
    if status.success() { Ended::Well } else { Ended::Failed(format!("failed: {status}")) }
}

/// Passes on what a program writes, line by line.
async fn pass_on(number: usize, pipe: PipeReader) {
    let mut line = Vec::new();
    while let Ok(bytes) = pipe.recv().await {
        if bytes.is_empty() {
            break;
        }
        let mut pieces = bytes.split(|&byte| byte == b'\n');
        line.extend_from_slice(pieces.next().unwrap_or_default());
        for next in pieces {
            say_line(number, &line);
            line = next.to_vec();
        }
    }
    if !line.is_empty() {
        say_line(number, &line);
    }
}

fn say_line(number: usize, line: &[u8]) {
    say(&format!("{number}: {}", String::from_utf8_lossy(line)));
}

/// Unlike `println!`, it does not panic when no one reads it.
fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// As [`say`], on standard error.
fn complain(error: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "supervise: {error}");
}

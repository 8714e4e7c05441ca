//! The command line of `echo_load`: what the words mean, and what to say if they mean nothing.

#![forbid(unsafe_code)]

use std::fmt::Display;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use super::load::{Load, Until};
use super::servers::{Placement, SERVERS, Server, Settings, named};
use super::trial::Task;

/// The text for `--help`.
pub const HELP: &str = "\
echo_load: a client for TCP echo servers, servers to try it on, and a comparison of these

  echo_load ADDRESS [OPTION…]        loads the server at IP:PORT and reports rate and latency
  echo_load serve KIND [OPTION…]     runs a server until it is stopped; prints its address
  echo_load compare [OPTION…]        every kind of server in turn, on core 0, the client on core 1

Client:
  --connections N        connections at a time                         [64]
  --size BYTES           of a request, up to 1048576                   [64]
  --depth N              requests under way on each connection         [1]
  --churn N              close and reconnect after N requests          [never]
  --time-ms N            how long to count                             [1000]
  --requests N           count so many requests instead
  --warm-up-ms N         what is done before is not counted            [100]
  --spin-us N            look so long for replies before sleeping      [0]
  --cpu N                the CPU to run on                             [any]

Server:
  --addr IP:PORT         where to listen                               [127.0.0.1:0]
  --idle-spin-us N       look so long for work before sleeping         [0]
  --work N               steps of work for each message, under 1 ns each
                                                                       [0]
  --cpu N                the CPU to run on                             [any]

Comparison: the options of the client but --cpu, --idle-spin-us and --work of the server, and
  --rounds N             how often everyone has a turn                [7]
  --only A,B,…           these kinds; the first is what others are compared with

Kinds: uring and epoll (by hand), miniss, tokio, monoio, compio, glommio, smol. If asked for, also
miniss-epoll, ours without io_uring, and tokio-readable, which holds no buffer while it waits; and
hot-… on two cores, where one has nine of ten connections: hot, -least, -submit, -shares, -tokio.";

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Print [`HELP`].
    Help,
    /// Load a server.
    Load(Load),
    /// Be a server.
    Serve(Server, Settings, Placement),
    /// Compare servers.
    Compare(Comparison),
}

/// What is compared, and how.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// What everyone does in a turn.
    pub task: Task,
    /// How often everyone has a turn.
    pub rounds: usize,
    /// Who; the first is what the others are compared with.
    pub servers: Vec<Server>,
}

/// All that options can set; each command takes what is its own.
struct Words {
    load: Load,
    settings: Settings,
    work_steps: u32,
    rounds: usize,
    servers: Vec<Server>,
}

/// Reads the arguments, without the program's name.
///
/// # Errors
///
/// A sentence for the user.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let arguments: Vec<String> = arguments.into_iter().collect();
    if arguments.iter().any(|word| word == "--help" || word == "-h") {
        return Ok(Command::Help);
    }
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => Err("Say what to load: an address as IP:PORT, or `serve` or `compare`.".into()),
        ["serve", kind, options @ ..] => {
            let server = server(kind)?;
            let allowed = ["--addr", "--idle-spin-us", "--work", "--cpu"];
            let words = Words::read(options, |option| allowed.contains(&option))?;
            let Words { settings, work_steps, load, .. } = words;
            Ok(Command::Serve(server, settings, Placement { cpu: load.cpu, work_steps }))
        }
        ["serve"] => Err("Say which kind of server: echo_load serve KIND.".into()),
        ["compare", options @ ..] => {
            let words = Words::read(options, |option| !["--addr", "--cpu"].contains(&option))?;
            Ok(Command::Compare(words.into_comparison()))
        }
        [option, ..] if option.starts_with('-') => Err(format!(
            "`{option}` stands first, where an address as IP:PORT, `serve` or `compare` should."
        )),
        [address, options @ ..] => {
            let others = ["--addr", "--idle-spin-us", "--work", "--rounds", "--only"];
            let mut words = Words::read(options, |option| !others.contains(&option))?;
            words.load.address = value("ADDRESS", address)?;
            Ok(Command::Load(words.load))
        }
    }
}

impl Words {
    fn read(options: &[&str], is_allowed: impl Fn(&str) -> bool) -> Result<Self, String> {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut words = Self {
            load: Load::new(address),
            settings: Settings { address, idle_spin: Duration::ZERO },
            work_steps: 0,
            rounds: 7,
            servers: SERVERS.to_vec(),
        };
        let mut options = options.iter();
        while let Some(&option) = options.next() {
            if !OPTIONS.contains(&option) {
                return Err(format!("There is no option `{option}`; --help names them."));
            }
            if !is_allowed(option) {
                return Err(format!("`{option}` means nothing here; --help says where it does."));
            }
            let text = options.next().ok_or(format!("`{option}` wants a value."))?;
            words.set(option, text)?;
        }
        Ok(words)
    }

    fn set(&mut self, option: &str, text: &str) -> Result<(), String> {
        let load = &mut self.load;
        match option {
            "--connections" => load.connections = value(option, text)?,
            "--size" => load.message_bytes = value(option, text)?,
            "--depth" => load.depth = value(option, text)?,
            "--churn" => load.churn = Some(value(option, text)?),
            "--time-ms" => load.until = Until::Time(millis(option, text)?),
            "--requests" => load.until = Until::Requests(value(option, text)?),
            "--warm-up-ms" => load.warm_up = millis(option, text)?,
            "--spin-us" => load.spin = Duration::from_micros(value(option, text)?),
            "--cpu" => load.cpu = Some(value(option, text)?),
            "--addr" => self.settings.address = value(option, text)?,
            "--idle-spin-us" => {
                self.settings.idle_spin = Duration::from_micros(value(option, text)?);
            }
            "--work" => self.work_steps = value(option, text)?,
            "--rounds" => self.rounds = value::<usize>(option, text)?.max(1),
            _ => self.servers = text.split(',').map(server).collect::<Result<_, _>>()?,
        }
        Ok(())
    }

    fn into_comparison(self) -> Comparison {
        let Self { load, settings, work_steps, rounds, servers } = self;
        let task = Task { load, idle_spin: settings.idle_spin, work_steps };
        Comparison { task, rounds, servers }
    }
}

const OPTIONS: [&str; 14] = [
    "--connections",
    "--size",
    "--depth",
    "--churn",
    "--time-ms",
    "--requests",
    "--warm-up-ms",
    "--spin-us",
    "--cpu",
    "--addr",
    "--idle-spin-us",
    "--work",
    "--rounds",
    "--only",
];

fn server(name: &str) -> Result<Server, String> {
    named(name).ok_or_else(|| {
        let names: Vec<&str> = SERVERS.iter().map(|server| server.name).collect();
        format!("There is no kind of server `{name}`; there are {}.", names.join(", "))
    })
}

fn value<T: FromStr<Err: Display>>(option: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("`{option}` does not take `{text}`: {error}."))
}

fn millis(option: &str, text: &str) -> Result<Duration, String> {
    Ok(Duration::from_millis(value(option, text)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::echo::servers::{MINISS_EPOLL, TOKIO_READABLE};

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn a_load_is_read() {
        let line = "127.0.0.1:7 --connections 3 --size 10 --depth 2 --churn 9 --requests 100";
        let Ok(Command::Load(load)) = parsed(line) else { panic!("no load") };
        assert_eq!(load.address.port(), 7);
        assert_eq!((load.connections, load.message_bytes, load.depth), (3, 10, 2));
        assert_eq!((load.churn, load.until), (Some(9), Until::Requests(100)));
    }

    #[test]
    fn servers_and_comparisons_are_read() {
        let Ok(Command::Serve(server, settings, placement)) =
            parsed("serve miniss --idle-spin-us 50 --cpu 1 --work 9")
        else {
            panic!("no server")
        };
        assert_eq!((server.name, placement.cpu, placement.work_steps), ("miniss", Some(1), 9));
        assert_eq!(settings.idle_spin, Duration::from_micros(50));
        let Ok(Command::Compare(comparison)) = parsed("compare --only epoll,tokio --rounds 3")
        else {
            panic!("no comparison")
        };
        let names: Vec<_> = comparison.servers.iter().map(|server| server.name).collect();
        assert_eq!((names.as_slice(), comparison.rounds), (["epoll", "tokio"].as_slice(), 3));
    }

    #[test]
    fn help_comes_first() {
        assert!(matches!(parsed("serve nonsense --help"), Ok(Command::Help)));
    }

    #[test]
    fn every_option_is_in_the_help() {
        OPTIONS.iter().for_each(|option| assert!(HELP.contains(option), "{option}"));
        let servers = SERVERS.iter().chain([&MINISS_EPOLL, &TOKIO_READABLE]);
        servers.for_each(|server| assert!(HELP.contains(server.name), "{}", server.name));
    }

    #[test]
    fn mistakes_are_named() {
        for (line, named) in [
            ("", "IP:PORT"),
            ("localhost", "`localhost`"),
            ("--connections 3", "`--connections` stands first"),
            ("serve", "KIND"),
            ("serve nginx", "`nginx`; there are uring, epoll, miniss"),
            ("127.0.0.1:7 --sise 3", "no option `--sise`"),
            ("127.0.0.1:7 --size", "`--size` wants a value"),
            ("127.0.0.1:7 --size x", "`--size` does not take `x`"),
            ("127.0.0.1:7 --rounds 3", "`--rounds` means nothing here"),
            ("compare --only tokio,x", "`x`"),
        ] {
            let text = parsed(line).unwrap_err();
            assert!(text.contains(named), "{line}: {text}");
        }
    }
}

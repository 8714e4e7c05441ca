//! The examples as a user starts them: their options, their words when something is wrong, and that
//! `hello`, `sharded`, `echo`, `supervise` and `doctor` do what they are for.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;
use std::{fs, thread};

use miniss_linux::Runtime;
use miniss_tests::alone::finish;
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::drivers::{available, io_uring_is_refused};
use miniss_tests::kernel;
use miniss_tests::program::{
    Server, example, run, with_descriptors, with_little, without_call, without_privileged_ports,
};
use miniss_tests::random::Random;

const SERVERS: [&str; 4] = ["echo", "kv", "http", "web"];

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("our programs speak UTF-8")
}

/// One line that names the program and `what` is wrong, nothing else, and a status that says so.
/// Where io_uring is refused, a server may also say that it does without.
#[track_caller]
fn assert_refused(output: &Output, program: &str, what: &str) {
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.code().is_some_and(|code| code != 0), "{}: {stderr}", output.status);
    assert_eq!(stdout, "");
    let says = |line: &&str| line.starts_with(&format!("{program}: ")) && line.contains(what);
    let (said, others): (Vec<&str>, Vec<&str>) = stderr.lines().partition(says);
    assert_eq!(said.len(), 1, "{stderr:?} does not say {what:?} once");
    let does_without = |line: &&str| line.contains("io_uring is unavailable: ");
    let others_max = usize::from(io_uring_is_refused());
    assert!(others.len() <= others_max && others.iter().all(does_without), "{stderr}");
}

/// What is wrong with the command line, and where to look; a status that says so, and nothing else.
#[track_caller]
fn assert_misused(output: &Output, words: &[&str]) {
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!((output.status.code(), stdout), (Some(2), ""), "{stderr}");
    let mut words = words.iter().chain(&["--help"]);
    assert!(words.all(|word| stderr.contains(word)), "{stderr}");
}

/// Each example, and the arguments with which it ends by itself and has something to say.
const SPOKEN: [(&str, &[&str]); 14] = [
    ("hello", &[]),
    ("sharded", &[]),
    ("own-reactor", &[]),
    ("doctor", &[]),
    ("files", &["hash", "Cargo.toml"]),
    ("supervise", &["--run", "echo here"]),
    // These would serve until a signal comes, and so they are to fail.
    ("echo", &["--addr", "nowhere"]),
    ("kv", &["--addr", "nowhere"]),
    ("http", &["--addr", "nowhere"]),
    ("web", &["--addr", "nowhere"]),
    ("proxy", &["--addr", "nowhere", "--to", "nowhere"]),
    ("chat", &["--addr", "nowhere"]),
    // They fail at once.
    ("https", &["--cert", "nowhere", "--key", "nowhere"]),
    ("fetch", &["--ca", "nowhere", "https://localhost/"]),
];

#[test]
fn every_example_explains_itself_and_refuses_what_it_does_not_know() {
    let _deadline = deadline("every_example_explains_itself_and_refuses_what_it_does_not_know");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/Cargo.toml");
    let manifest = fs::read_to_string(manifest).expect("it is text");
    // The programs of the tutorial have no options.
    let count = manifest.matches("[[example]]").count() - manifest.matches("/tutorial/").count();
    assert!(SPOKEN.len() == count && SPOKEN.iter().all(|(name, _)| manifest.contains(name)));
    for (program, _) in SPOKEN {
        for option in ["--help", "-h"] {
            let output = run(example(program).arg(option));
            assert!(output.status.success(), "{program} {option}: {}", output.status);
            assert!(text(&output.stdout).starts_with(&format!("{program}: ")), "{program}");
            assert_eq!(text(&output.stderr), "");
        }
        let no_text = OsStr::from_bytes(b"--colo\xffr");
        for (option, words) in [("--colour".as_ref(), ["--colour"]), (no_text, ["--colo"])] {
            assert_misused(&run(example(program).arg(option)), &words);
        }
    }
}

#[test]
fn no_example_panics_when_no_one_reads_what_it_says() {
    let _deadline = deadline("no_example_panics_when_no_one_reads_what_it_says");
    for (program, arguments) in SPOKEN {
        for arguments in [arguments, &["--help"], &["--colour"]] {
            let mut command = example(program);
            command.args(arguments).stdout(without_reader());
            let output = command.stderr(Stdio::piped()).output().expect("it starts");
            assert!(!text(&output.stderr).contains("panicked"), "{program}: {output:?}");
            let status = output.status.code();
            // Neither a panic nor a signal.
            assert!(matches!(status, Some(0..=2)), "{program} {arguments:?}: {status:?}");
            let unheard = command.stderr(without_reader()).status().expect("it starts");
            assert_eq!(unheard.code(), status, "{program} {arguments:?}");
        }
    }
}

#[test]
fn wrong_options_are_named() {
    let _deadline = deadline("wrong_options_are_named");
    let cases: [(&[&str], &[&str]); 7] = [
        (&["--colour"], &["--colour"]),
        (&["blue"], &["blue"]),
        (&["--shards"], &["--shards", "value"]),
        (&["--shards", "two"], &["--shards", "two"]),
        (&["--shards", "0"], &["--shards", "0"]),
        (&["--driver"], &["--driver", "value"]),
        (&["--driver", "kqueue"], &["--driver", "\"kqueue\" is no driver; auto, io-uring and"]),
    ];
    for program in SERVERS {
        for (arguments, words) in cases {
            assert_misused(&run(example(program).args(arguments)), words);
        }
    }
    assert_misused(&run(example("kv").arg("--idle-spin-us=-1")), &["--idle-spin-us", "-1"]);
    // What is close is said.
    assert_misused(&run(example("kv").args(["--shard", "2"])), &["--shard'", "'--shards'"]);
}

#[test]
fn what_cannot_be_had_is_refused_in_one_line() {
    let _deadline = deadline("what_cannot_be_had_is_refused_in_one_line");
    let cases: [(&[&str], &str); 3] = [
        (&["--shards", "100000000"], "shards"),
        (&["--addr", "nowhere"], "cannot listen on nowhere: "),
        (&["--addr", "192.0.2.1:7000"], "cannot listen on 192.0.2.1:7000: "),
    ];
    for program in SERVERS {
        for (arguments, what) in cases {
            assert_refused(&run(example(program).args(arguments)), program, what);
        }
    }
}

#[test]
fn a_server_says_where_it_listens_and_what_to_try() {
    let _deadline = deadline("a_server_says_where_it_listens_and_what_to_try");
    for (program, client) in [("echo", "nc 127.0.0.1"), ("kv", "redis-cli -h 127.0.0.1 -p")] {
        let server = Server::start(program, 1);
        let (address, port) = (server.address(), server.port());
        let driver = Runtime::builder().shards(1).build().expect("a runtime").driver().kind();
        let words =
            format!("{program}: listening on {address}, 1 shard, {driver}\nTry: {client} {port}\n");
        assert_eq!(server.said(), words);
    }
}

#[test]
fn a_server_runs_on_the_driver_that_it_is_told_or_says_why_not() {
    let _deadline = deadline("a_server_runs_on_the_driver_that_it_is_told_or_says_why_not");
    let without_rings = |program: &str, driver: &str| {
        let mut command = example(program);
        without_call(&mut command, libc::SYS_io_uring_setup, libc::EPERM);
        command.args(["--driver", driver]).stderr(Stdio::piped());
        command
    };
    for program in SERVERS {
        for driver in available() {
            let told = driver.to_string();
            let server = Server::launch(example(program).args(["--driver", &told]), 1);
            assert!(server.said().contains(&format!(", 1 shard, {driver}\n")), "{}", server.said());
            assert_answers(&server);
        }
        let server = Server::launch(&mut without_rings(program, "auto"), 2);
        assert!(server.said().contains(", 2 shards, epoll\n"), "{}", server.said());
        assert_answers(&server);
        let refused = run(&mut without_rings(program, "io-uring"));
        assert_refused(&refused, program, "io_uring is unavailable: io_uring_setup: ");
    }
}

/// A client is served, by whichever server it is.
fn assert_answers(server: &Server) {
    let mut client = server.connect();
    client.write_all(b"PING\r\n").expect("the server takes bytes");
    let mut answer = [0; 4];
    client.read_exact(&mut answer).expect("the server answers");
    // To those that speak HTTP it is no request, and they say so.
    assert!([*b"PING", *b"+PON", *b"HTTP"].contains(&answer), "{answer:?}");
}

#[test]
fn what_is_one_file_needs_nothing_that_is_private_to_the_examples() {
    const PUBLIC: [&str; 2] = ["std::", "miniss_linux::"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for program in ["hello", "echo", "supervise"] {
        let path = root.join("examples").join(program).join("main.rs");
        let text = fs::read_to_string(path).expect("an example can be read");
        let is_stranger = |line: &&str| {
            let path = line.strip_prefix("use ").or(line.starts_with("mod ").then_some(""));
            path.is_some_and(|path| !PUBLIC.iter().any(|package| path.starts_with(package)))
        };
        assert_eq!(text.lines().find(is_stranger), None, "{program}");
    }
}

#[test]
fn a_port_that_is_taken_is_refused_in_one_line() {
    let _deadline = deadline("a_port_that_is_taken_is_refused_in_one_line");
    for program in SERVERS {
        let stranger = TcpListener::bind("127.0.0.1:0").expect("a port on the loopback");
        let address = stranger.local_addr().expect("it is bound").to_string();
        let output = run(example(program).args(["--addr", &address]));
        assert_refused(&output, program, "in use");
        // Another of the same kind shares ports between its shards, but not with others.
        let server = Server::start(program, 2);
        let output = run(example(program).args(["--addr", &server.address().to_string()]));
        assert_refused(&output, program, "in use");
    }
}

#[test]
fn a_privileged_port_is_refused_in_one_line() {
    let _deadline = deadline("a_privileged_port_is_refused_in_one_line");
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    if first.is_ok_and(|port| port.trim().parse().is_ok_and(|port: u16| port <= 81)) {
        println!("Left out: no port is privileged here.");
        return;
    }
    for program in SERVERS {
        let mut command = example(program);
        let command = without_privileged_ports(command.args(["--addr", "127.0.0.1:81"]));
        assert_refused(&run(command), program, "Permission denied");
    }
}

#[test]
fn with_few_descriptors_a_server_listens_everywhere_or_says_why_not() {
    let _deadline = deadline("with_few_descriptors_a_server_listens_everywhere_or_says_why_not");
    for program in SERVERS {
        // From too few to start a shard to enough for all listeners.
        for limit in 6..16 {
            let (line, output) = first_line(with_descriptors(&mut example(program), limit));
            let errors = text(&output.stderr);
            match output.status.code() {
                None => assert!(line.contains("2 shards, "), "{limit}: {line:?}"),
                Some(0) => panic!("{limit}: it cannot have ended well"),
                Some(_) => assert!(says_why(errors), "{limit}: {errors:?}"),
            }
        }
    }
}

#[test]
fn a_user_who_was_given_little_is_served_or_told_what_to_ask_for() {
    let _deadline = deadline("a_user_who_was_given_little_is_served_or_told_what_to_ask_for");
    for program in SERVERS {
        let mut command = example(program);
        let server = Server::launch(with_little(&mut command).stderr(Stdio::null()), 2);
        assert_answers(&server);
        for driver in available() {
            let mut command = example(program);
            command.args(["--driver", &driver.to_string()]);
            let (line, output) = first_line(with_little(&mut command));
            let served = line.contains(&format!(", 2 shards, {driver}\n"));
            assert!(served || text(&output.stderr).contains("(ulimit -l)"), "{output:?}");
        }
        let mut command = example(program);
        let output = run(with_little(&mut command).args(["--shards", "64"]));
        let last = text(&output.stderr).lines().last().expect("64 descriptors are too few");
        assert!(last.contains("cannot start shard") && last.contains("(ulimit -n)"), "{last}");
    }
    let output = run(with_little(&mut example("doctor")));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("  mend: ulimit -n 65536"), "{output:?}");
}

/// Whether it says that descriptors ran out, in the server's own words or the system's.
fn says_why(errors: &str) -> bool {
    ["RLIMIT_NOFILE", "Too many open files"].iter().any(|words| errors.contains(words))
}

/// A pipe that no one will ever read from.
fn without_reader() -> Stdio {
    let (_, writer) = std::io::pipe().expect("a pipe");
    writer.into()
}

#[test]
fn a_server_to_which_no_one_listens_survives_a_flood() {
    let _deadline = deadline("a_server_to_which_no_one_listens_survives_a_flood");
    for program in SERVERS {
        let mut command = example(program);
        let command = with_descriptors(&mut command, 30);
        command.stdout(without_reader()).stderr(without_reader());
        let server = Server::launch_unheard(command, 2);
        // More than it has descriptors for; the rest waits.
        let flood: Vec<_> = (0..60).map(|_| server.connect()).collect();
        server.assert_comes_to_descriptor(29);
        // It finds that out, says so to no one, and rests.
        thread::sleep(Duration::from_millis(200));
        drop(flood);
        assert_answers(&server);
    }
}

/// Starts two shards, and ends them when they have said something.
fn first_line(command: &mut Command) -> (String, Output) {
    command.args(["--addr", "127.0.0.1:0", "--shards", "2"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the example starts");
    let stdout = child.stdout.take().expect("it is piped");
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).expect("a pipe can be read");
    // It runs forever, or has ended already.
    let _ = child.kill();
    (line, child.wait_with_output().expect("our own child can be waited for"))
}

#[test]
fn echo_ends_in_order_when_it_is_told_to() {
    let _deadline = deadline("echo_ends_in_order_when_it_is_told_to");
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let server = Server::start("echo", 2);
        let mut client = server.connect();
        client.write_all(b"ping").expect("the server takes bytes");
        client.read_exact(&mut [0; 4]).expect("the server answers");
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0));
        assert_eq!(client.read(&mut [0]).expect("an end in order"), 0);
    }
}

#[test]
fn a_server_whose_listener_fails_ends_and_says_so() {
    let _deadline = deadline("a_server_whose_listener_fails_ends_and_says_so");
    for name in SERVERS {
        let server = Server::start(name, 2);
        kernel::shut_down_listeners_of(server.process());
        assert_eq!(server.wait().code(), Some(1), "{name}");
    }
}

#[test]
fn hello_greets() {
    let _deadline = deadline("hello_greets");
    let output = run(&mut example("hello"));
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines: Vec<_> = text(&output.stdout).lines().collect();
    assert_eq!(lines[0], "Hello from rust-miniss!");
    assert!(lines.len() > 1 && lines[1..].iter().all(|line| line.contains("shard")), "{lines:?}");
}

#[test]
fn sharded_shows_each_tool_and_says_the_same_each_time() {
    let _deadline = deadline("sharded_shows_each_tool_and_says_the_same_each_time");
    let output = run(&mut example("sharded"));
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    let lines = [
        r#"calls: each shard says its name: ["shard 0", "shard 1", "shard 2"]"#,
        "calls: the others have the numbers [1, 2]",
        "calls: the sum of all numbers is 3",
        "state: so many words are on each shard: [1, 0, 3]",
        "state: shard 2 has counted the word \"be\" 2 times",
        "foreign: a counter stays on shard 1; it was 40",
        "channels: the sum of what the other shards sent is 3",
        "bounds: a request on shard 1 got a record from storage on shard 2",
        "bounds: two calls went out together, to 1 and 2",
        "shares: a sweep called shard 1, and what it called ran in sweeps",
        "shares: this task was in sweeps for a while, and is in main",
        "shares: 50 to 1000 where both have work",
    ];
    lines.iter().for_each(|line| assert!(said.contains(&format!("{line}\n")), "{line}: {said}"));
    // The dice, too, for they are thrown with a seed.
    assert_eq!(text(&run(&mut example("sharded")).stdout), said);
}

#[test]
fn doctor_tells_what_this_machine_is_and_its_status_says_whether_that_is_all_well() {
    let _deadline = deadline("doctor_tells_what_this_machine_is_and_its_status_says");
    let output = run(&mut example("doctor"));
    let said = text(&output.stdout);
    let status = i32::from(!said.ends_with("\nAll is as good as it can be.\n"));
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(said.lines().any(|line| line.starts_with("driver ")), "{said}");
    let json = run(example("doctor").arg("--json"));
    assert_eq!(json.status.code(), Some(status));
    assert!(text(&json.stdout).ends_with(&format!("\"status\":{status}}}\n")));
}

#[test]
fn doctor_names_what_stands_in_the_way_and_the_remedy() {
    let _deadline = deadline("doctor_names_what_stands_in_the_way_and_the_remedy");
    let assert_found = |command: &mut Command, what: [&str; 2]| {
        let output = run(command);
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{said}");
        what.iter().for_each(|what| assert!(said.contains(what), "{said}"));
    };
    let (setup, eperm) = (libc::SYS_io_uring_setup, libc::EPERM);
    assert_found(
        without_call(&mut example("doctor"), setup, eperm),
        ["filter, as containers have, refuses io_uring_setup", "--security-opt seccomp="],
    );
    // Too few to start a shard, and enough for one or two, but not for many connections.
    for descriptors in [4, 64] {
        let number = format!("{descriptors} open files are allowed");
        assert_found(
            with_descriptors(&mut example("doctor"), descriptors),
            [&number, "LimitNOFILE="],
        );
    }
}

#[test]
fn echo_sends_back_what_it_receives() {
    let _deadline = deadline("echo_sends_back_what_it_receives");
    let bytes = Random::new().bytes(1 << 20);
    for shards in [1, 2] {
        let server = Server::start("echo", shards);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert!(echoed(&server, &bytes) == bytes, "it changed"));
            }
        });
    }
}

/// Sends `bytes` while reading what comes back, to the end.
fn echoed(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut stream = server.connect();
    let mut sender = stream.try_clone().expect("a socket can be shared");
    let mut back = Vec::new();
    thread::scope(|scope| {
        scope.spawn(move || {
            sender.write_all(bytes).expect("the server takes bytes");
            sender.shutdown(Shutdown::Write).expect("the server is there");
        });
        stream.read_to_end(&mut back).expect("the server ends in order");
    });
    back
}

/// `supervise` with short pauses.
fn supervise(commands: &[&str]) -> Command {
    let mut program = example("supervise");
    program.args(["--backoff-ms", "1"]);
    commands.iter().for_each(|command| _ = program.args(["--run", command]));
    program
}

/// Starts it and waits until its program has said `up`.
fn supervise_until_up(program: &mut Command) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child =
        program.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    assert_eq!(lines.next().expect("a line").expect("text"), "1: up");
    (child, lines)
}

#[test]
fn supervise_refuses_what_it_does_not_know() {
    let _deadline = deadline("supervise_refuses_what_it_does_not_know");
    let cases: [(&[&str], &str); 5] = [
        (&[], "nothing to run"),
        (&["--run"], "--run needs a value"),
        (&["--run", "true", "--restarts", "-1"], "--restarts -1: a whole number is wanted"),
        (&["--run", "true", "--grace-ms", "soon"], "--grace-ms soon: a whole number is wanted"),
        (&["--run", "true", "--driver", "kqueue"], "--driver kqueue: "),
    ];
    for (arguments, what) in cases {
        assert_refused(&run(example("supervise").args(arguments)), "supervise", what);
    }
}

#[test]
fn supervise_ends_with_its_programs_and_passes_on_what_they_write() {
    let _deadline = deadline("supervise_ends_with_its_programs_and_passes_on_what_they_write");
    for driver in available() {
        let mut program = supervise(&["echo one; printf last", "echo two >&2"]);
        let output = run(program.args(["--driver", &driver.to_string()]));
        assert!(output.status.success(), "{}", text(&output.stderr));
        let mut lines: Vec<_> = text(&output.stdout).lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["1: last", "1: one", "2: two"]);
    }
}

#[test]
fn supervise_starts_again_what_fails_and_gives_up_after_so_many_times() {
    let _deadline = deadline("supervise_starts_again_what_fails");
    // The other program would run for long, and is ended.
    let mut program = supervise(&["echo try; exit 3", "exec sleep 1000"]);
    let output = run(program.args(["--restarts", "2"]));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "1: try\n1: try\n1: try\n");
    let complaints = text(&output.stderr);
    assert_eq!(complaints.matches("program 1 failed: exit status: 3; it starts again").count(), 2);
    assert!(complaints.contains("program 1 failed: exit status: 3, 3 times in a row"));
}

#[test]
fn supervise_ends_in_order_by_a_signal_and_at_once_by_a_second() {
    let _deadline = deadline("supervise_ends_in_order_by_a_signal_and_at_once_by_a_second");
    let ended = |child| finish(child, SOON).expect("it ends").code();
    let (child, _lines) = supervise_until_up(&mut supervise(&["echo up; exec sleep 1000"]));
    kernel::signal_child(&child, libc::SIGTERM);
    assert_eq!(ended(child), Some(0));
    // A program that does not want to end.
    let stubborn = "trap 'echo no' TERM; echo up; while :; do sleep 0.02; done";
    let mut program = supervise(&[stubborn]);
    let (child, mut lines) = supervise_until_up(program.args(["--grace-ms", "50"]));
    kernel::signal_child(&child, libc::SIGINT);
    assert_eq!(ended(child), Some(0));
    assert_eq!(lines.next().expect("a line").expect("text"), "1: no");
    // It tells its number, for no one else ends it.
    let told = format!("trap 'echo $$' TERM; {}", &stubborn["trap 'echo no' TERM; ".len()..]);
    let (child, mut lines) = supervise_until_up(&mut supervise(&[&told]));
    kernel::signal_child(&child, libc::SIGTERM);
    let number = lines.next().expect("a line").expect("text");
    kernel::signal_child(&child, libc::SIGTERM);
    assert_eq!(ended(child), Some(143));
    let number = number.strip_prefix("1: ").and_then(|number| number.parse().ok());
    kernel::signal_number(number.expect("a number"), libc::SIGKILL);
}

#[test]
fn supervise_passes_a_hangup_on() {
    let _deadline = deadline("supervise_passes_a_hangup_on");
    let reads_again = "trap 'echo again; exit 0' HUP; echo up; while :; do sleep 0.02; done";
    let (child, mut lines) = supervise_until_up(&mut supervise(&[reads_again]));
    kernel::signal_child(&child, libc::SIGHUP);
    assert_eq!(lines.next().expect("a line").expect("text"), "1: again");
    assert_eq!(finish(child, SOON).expect("it ends").code(), Some(0));
}

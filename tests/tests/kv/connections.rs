//! Clients that come, go, are killed, or are too many.

use std::io::Write;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use miniss_tests::deadline::deadline;
use miniss_tests::program::{Server, example, installed, with_descriptors};
use miniss_tests::resp::{Client, Reply, words};
use miniss_tests::sockets::reset_on_close;

use crate::{client, kv};

fn pong() -> Reply {
    Reply::Status("PONG".into())
}

/// A server, and how many descriptors it has open without clients.
fn warmed_up(server: Server) -> (Server, usize) {
    // Whatever the server opens once, it has opened when it has answered; several clients find
    // every shard. They stay until they are counted, for a server closes in its own time.
    let mut clients: Vec<Client> = (0..16).map(|_| client(&server)).collect();
    for client in &mut clients {
        assert_eq!(client.ask("MSET a 1 b 2 c 3 d 4"), Reply::ok());
    }
    let descriptors = server.descriptors() - clients.len();
    (server, descriptors)
}

#[test]
fn connections_leave_no_descriptors_behind() {
    let _deadline = deadline("connections_leave_no_descriptors_behind");
    let (server, before) = warmed_up(kv(2));
    for _ in 0..10 {
        let mut clients: Vec<Client> = (0..200).map(|_| client(&server)).collect();
        clients.iter_mut().for_each(|client| assert_eq!(client.ask("PING"), pong()));
        server.assert_descriptors(before + 200);
        drop(clients);
        server.assert_descriptors(before);
    }
}

#[test]
fn clients_that_vanish_in_the_middle_leave_nothing_behind() {
    let _deadline = deadline("clients_that_vanish_in_the_middle_leave_nothing_behind");
    let (server, before) = warmed_up(kv(2));
    let big = format!("SET a {}", "x".repeat(100_000));
    assert_eq!(client(&server).ask(&big), Reply::ok());
    let requests = [words("GET a"), words("GET b"), words("MGET a b c d")].concat().repeat(200);
    for round in 0..60 {
        let mut stream = server.connect();
        stream.write_all(&requests).expect("the server takes bytes");
        stream.write_all(&words(&big)[..50_000]).expect("the server takes bytes");
        if round % 2 == 0 {
            reset_on_close(&stream);
        }
        thread::sleep(Duration::from_millis(round % 5));
    }
    server.assert_descriptors(before);
    assert_eq!(client(&server).ask("PING"), pong());
}

#[test]
fn clients_that_are_killed_leave_nothing_behind() {
    let _deadline = deadline("clients_that_are_killed_leave_nothing_behind");
    let (server, before) = warmed_up(kv(2));
    for round in 0..6 {
        let mut command = installed("redis-benchmark", "redis-tools");
        command.args(["-p", &server.port(), "-P", "64", "-n", "100000000", "-t", "set", "-q"]);
        command.args(["-r", "1000"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut clients = command.spawn().expect("the program starts");
        thread::sleep(Duration::from_millis(100 + 30 * round));
        clients.kill().expect("our own child can be killed");
        clients.wait().expect("our own child can be waited for");
        assert_eq!(client(&server).ask("PING"), pong());
    }
    server.assert_descriptors(before);
}

#[test]
fn when_descriptors_run_out_clients_are_served_and_others_wait() {
    let _deadline = deadline("when_descriptors_run_out_clients_are_served_and_others_wait");
    for shards in [1, 2] {
        let server = Server::launch(with_descriptors(&mut example("kv"), 40), shards);
        let (server, before) = warmed_up(server);
        // Those that do not fit are connected by the kernel, and wait to be accepted.
        let mut clients: Vec<Client> = (0..60).map(|_| client(&server)).collect();
        clients.iter_mut().for_each(|client| client.send(words("PING")));
        let mut served = Vec::new();
        while served.len() < 10 {
            served.extend(clients.extract_if(.., is_answered));
            thread::sleep(Duration::from_millis(1));
        }
        assert!(served.len() < 40, "more than there are descriptors");
        for round in 0..10 {
            let request = format!("SET round {round}");
            served.iter_mut().for_each(|client| assert_eq!(client.ask(&request), Reply::ok()));
        }
        drop(served);
        // The others come in as those before them go, in whatever order.
        while !clients.is_empty() {
            clients.retain_mut(|client| !is_answered(client));
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(client(&server).ask("PING"), pong());
        server.assert_descriptors(before);
    }
}

/// Whether the reply to a `PING` is here.
fn is_answered(client: &mut Client) -> bool {
    let stream = client.stream();
    stream.set_nonblocking(true).expect("an option of every socket");
    let here = stream.peek(&mut [0]).is_ok();
    stream.set_nonblocking(false).expect("an option of every socket");
    here && client.reply() == pong()
}

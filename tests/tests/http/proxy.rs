//! The example `proxy`: plain TCP, and TLS by name with `https` behind it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use futures_rustls::rustls::ClientConnection;
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::drivers::available;
use miniss_tests::program::{Server, example, run};
use miniss_tests::random::Random;

use super::https::{Identity, POST_HALF, read_until, said};

/// A proxy that takes clients of TLS to where their names are at home.
fn by_name(homes: &[(&Identity, &Server)], arguments: &[&str]) -> Server {
    let mut command = example("proxy");
    for (identity, server) in homes {
        command.args(["--sni", &format!("{}={}", identity.name, server.address())]);
    }
    Server::launch(command.args(arguments), 1)
}

/// A listener that stands for what is behind the proxy, and the proxy.
fn with_backend(arguments: &[&str]) -> (TcpListener, Server) {
    let backend = TcpListener::bind("127.0.0.1:0").expect("a port on the loopback");
    let address = backend.local_addr().expect("it is bound").to_string();
    let proxy = Server::launch(example("proxy").args(["--to", &address]).args(arguments), 1);
    (backend, proxy)
}

/// Both ends of a connection through the proxy.
fn through(proxy: &Server, backend: &TcpListener) -> (TcpStream, TcpStream) {
    let client = proxy.connect();
    let (server, _) = backend.accept().expect("the proxy connects");
    server.set_read_timeout(Some(SOON)).expect("the time is not zero");
    (client, server)
}

fn all(mut stream: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an end in order");
    bytes
}

#[test]
fn each_name_is_at_its_own_home_and_curl_sees_its_certificate() {
    let _deadline = deadline("each_name_is_at_its_own_home");
    let (one, two) = (Identity::new("one.example"), Identity::new("two.example"));
    let homes = [(&one, &one.serve(&[])), (&two, &two.serve(&[]))];
    for driver in available() {
        let proxy = by_name(&homes, &["--driver", &driver.to_string()]);
        for (identity, _) in homes {
            for version in ["--http2", "--http1.1"] {
                let text = said(run(&mut identity.curl(proxy.address(), &[version], "/")));
                assert!(text.starts_with("Hello from shard 0"), "{text}");
            }
        }
    }
}

#[test]
fn who_asks_for_no_known_name_is_refused_or_goes_to_where_all_others_go() {
    let _deadline = deadline("who_asks_for_no_known_name_is_refused");
    let (one, other) = (Identity::new("one.example"), Identity::new("other.example"));
    let (home, others) = (one.serve(&[]), other.serve(&[]));
    let proxy = by_name(&[(&one, &home)], &[]);
    let refused = run(&mut other.curl(proxy.address(), &[], "/"));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("unrecognized name"), "{refused:?}");
    let mut plain = proxy.connect();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("the proxy takes bytes");
    let mut alert = [0; 7];
    plain.read_exact(&mut alert).expect("an alert");
    assert_eq!(alert, [21, 3, 3, 0, 2, 2, 112]);
    said(run(&mut one.curl(proxy.address(), &[], "/")));
    let proxy = by_name(&[(&one, &home)], &["--to", &others.address().to_string()]);
    for identity in [&one, &other] {
        said(run(&mut identity.curl(proxy.address(), &[], "/")));
    }
}

#[test]
fn a_first_message_is_read_however_it_comes() {
    let _deadline = deadline("a_first_message_is_read_however_it_comes");
    let one = Identity::new("one.example");
    let home = one.serve(&[]);
    let proxy = by_name(&[(&one, &home)], &[]);
    let mut tls = one.connect(proxy.connect());
    tls.sock.set_nodelay(true).expect("an option of every TCP socket");
    for byte in hello(&mut tls.conn) {
        tls.sock.write_all(&[byte]).expect("the proxy takes bytes");
    }
    tls.write_all(b"GET /nothing HTTP/1.1\r\nhost: here\r\n\r\n").expect("the proxy takes bytes");
    read_until(&mut tls, b"HTTP/1.1 404");
}

fn hello(connection: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).expect("a vector takes all");
    bytes
}

#[test]
fn who_does_not_come_to_the_point_is_cut_off_and_harms_no_one() {
    let _deadline = deadline("who_does_not_come_to_the_point_is_cut_off");
    let one = Identity::new("one.example");
    let home = one.serve(&[]);
    let proxy = by_name(&[(&one, &home)], &["--patience-ms", "500"]);
    // Nothing; the beginning of a message that would be long; one that is longer than any may be.
    let endless = [&[22, 3, 1, 64, 0, 1, 0, 255, 255][..], &[0; 30_000]].concat();
    for begin in [&[][..], &[22, 3, 1, 1, 0, 1], &endless] {
        let mut client = proxy.connect();
        // It may be cut off meanwhile, by a reset.
        let _ = client.write_all(begin);
        let mut told = Vec::new();
        let _ = client.read_to_end(&mut told);
        assert!(told.is_empty() || told[0] == 21, "{told:?}");
    }
    let client = proxy.connect();
    client.shutdown(Shutdown::Write).expect("the proxy is there");
    assert_eq!(all(&client), []);
    said(run(&mut one.curl(proxy.address(), &[], "/")));
}

#[test]
fn the_end_of_one_direction_is_passed_on_and_the_other_goes_on() {
    let _deadline = deadline("the_end_of_one_direction_is_passed_on");
    let bytes = Random::new().bytes(4 << 20);
    for driver in available() {
        let (backend, proxy) = with_backend(&["--driver", &driver.to_string()]);
        for client_is_first in [true, false] {
            let (client, server) = through(&proxy, &backend);
            let (first, second) = if client_is_first { (client, server) } else { (server, client) };
            for (mut from, to) in [(&first, &second), (&second, &first)] {
                let received = thread::scope(|scope| {
                    let receiving = scope.spawn(|| all(to));
                    from.write_all(&bytes).expect("the proxy takes bytes");
                    from.shutdown(Shutdown::Write).expect("the proxy is there");
                    receiving.join().expect("it reads all")
                });
                assert!(received == bytes, "{driver}");
            }
        }
    }
}

#[test]
fn a_connection_on_which_nothing_moves_ends() {
    let _deadline = deadline("a_connection_on_which_nothing_moves_ends");
    let (backend, proxy) = with_backend(&["--idle-ms", "100"]);
    let (client, server) = through(&proxy, &backend);
    assert_eq!((all(&client), all(&server)), (vec![], vec![]));
}

#[test]
fn a_stop_lets_connections_end_and_a_home_that_is_gone_is_named() {
    let _deadline = deadline("a_stop_lets_connections_end");
    let one = Identity::new("one.example");
    let home = one.serve(&[]);
    let proxy = by_name(&[(&one, &home)], &[]);
    let mut client = one.connect(proxy.connect());
    client.write_all(POST_HALF).expect("the proxy takes bytes");
    read_until(&mut client, b"half\r\n");
    proxy.signal(libc::SIGTERM);
    client.write_all(b"0\r\n\r\n").expect("the proxy takes bytes");
    read_until(&mut client, b"0\r\n\r\n");
    client.conn.send_close_notify();
    let _ = client.conn.write_tls(&mut client.sock);
    drop(client);
    assert_eq!(proxy.wait().code(), Some(0));

    let (backend, proxy) = with_backend(&[]);
    drop(backend);
    assert_eq!(all(&proxy.connect()), []);
}

#[test]
fn a_route_that_is_none_is_refused() {
    let _deadline = deadline("a_route_that_is_none_is_refused");
    let misuse = |command: &mut Command, words: &[&str]| {
        let output = run(command);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    };
    misuse(example("proxy").args(["--sni", "here"]), &["here", "NAME=ADDRESS is wanted"]);
    misuse(&mut example("proxy"), &["--to <ADDRESS>"]);
}

//! The example `chat`, with a client of ours and with `websockets` of Python.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use async_tungstenite::tungstenite::Message;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::{WebSocketStream, client_async};
use futures::StreamExt;
use miniss_linux::Runtime;
use miniss_linux::net::{PollStream, Tcp, TcpStream};
use miniss_tests::deadline::deadline;
use miniss_tests::drivers::available;
use miniss_tests::program::{Server, example, installed, run};

const WEBSOCKETS: &str = "websockets==15.0.1";

/// Python, with its `websockets` in a folder of its own that stays. `None` where PyPI cannot be
/// reached.
fn python() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(WEBSOCKETS);
    let python = folder.join("bin/python");
    let imports = || run(Command::new(&python).args(["-c", "import websockets"])).status.success();
    if python.exists() && imports() {
        return Some(python);
    }
    let made = run(installed("python3", "python3-venv").args(["-m", "venv"]).arg(&folder));
    let remedy = "install it with `apt-get install python3-venv`";
    assert!(made.status.success(), "this test needs venv of Python: {remedy}\n{made:?}");
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", WEBSOCKETS]);
    let output = run(&mut pip);
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("connection broken") || said.contains("Could not fetch URL") {
        println!("Left out: PyPI, where {WEBSOCKETS} is from, cannot be reached: {said}");
        return None;
    }
    assert!(output.status.success() && imports(), "pip cannot install {WEBSOCKETS}: {said}");
    Some(python)
}

#[test]
fn members_by_python_hear_each_other_on_all_shards_and_are_held_to_the_limits() {
    let _deadline = deadline("members_by_python_hear_each_other_on_all_shards");
    let Some(python) = python() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http/chat.py");
    for driver in available() {
        let mut command = example("chat");
        let server = Server::launch(command.args(["--driver", &driver.to_string()]), 3);
        let output = run(Command::new(&python).arg(&script).arg(server.address().to_string()));
        assert!(output.status.success(), "{driver}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

type Client = WebSocketStream<PollStream<Tcp>>;

async fn enter(server: &Server, name: &str) -> Client {
    let stream = TcpStream::connect(server.address()).await.expect("it listens");
    let url = format!("ws://{}/lobby/{name}", server.address());
    client_async(url, PollStream::from(stream)).await.expect("it shakes hands").0
}

async fn next(client: &mut Client) -> Message {
    loop {
        match client.next().await.expect("there is more").expect("no error") {
            Message::Ping(_) | Message::Pong(_) => {}
            message => return message,
        }
    }
}

#[test]
fn members_of_ours_hear_each_other_until_the_server_stops_and_says_so() {
    let _deadline = deadline("members_of_ours_hear_each_other_until_the_server_stops");
    for driver in available() {
        let server = Server::launch(&mut example("chat"), 2);
        let runtime = Runtime::builder().shards(1).driver(driver).build().expect("a runtime");
        let status = runtime.block_on(async move {
            let mut ann = enter(&server, "ann").await;
            assert_eq!(next(&mut ann).await, Message::text("ann has come"));
            let mut bob = enter(&server, "bob").await;
            bob.send(Message::text("good day")).await.expect("it is open");
            for said in ["bob has come", "bob: good day"] {
                assert_eq!(next(&mut ann).await, Message::text(said));
                assert_eq!(next(&mut bob).await, Message::text(said));
            }
            server.signal(libc::SIGTERM);
            for mut client in [ann, bob] {
                let mut last = next(&mut client).await;
                while last.is_text() {
                    last = next(&mut client).await;
                }
                let Message::Close(Some(frame)) = last else { panic!("{last:?}") };
                assert_eq!(
                    (frame.code, frame.reason.as_str()),
                    (CloseCode::Away, "the server stops")
                );
                assert!(client.next().await.is_none_or(|ended| ended.is_err()));
            }
            server.wait().code()
        });
        assert_eq!(status, Some(0));
    }
}

#[test]
fn who_shakes_no_hands_or_answers_no_ping_is_put_out() {
    let _deadline = deadline("who_shakes_no_hands_or_answers_no_ping_is_put_out");
    let server = Server::launch(example("chat").args(["--patience-ms", "200"]), 1);
    let upgrade = "GET /lobby/ann HTTP/1.1\r\nhost: here\r\nconnection: upgrade\r\n\
        upgrade: websocket\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for (begin, last) in [("", ""), ("GET / HT", ""), (upgrade, "no answer to a ping")] {
        let mut client = server.connect();
        client.write_all(begin.as_bytes()).expect("the server takes bytes");
        let mut told = Vec::new();
        client.read_to_end(&mut told).expect("an end in order");
        let told = String::from_utf8_lossy(&told);
        assert!(told.ends_with(last) && told.is_empty() == last.is_empty(), "{begin}: {told}");
    }
}

//! The examples `https` and `fetch`, with each other, with curl and with h2load.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::thread;

use futures_rustls::pki_types::pem::PemObject;
use futures_rustls::pki_types::{CertificateDer, ServerName};
use futures_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::drivers::available;
use miniss_tests::folder::Folder;
use miniss_tests::program::{Server, example, installed, run};
use miniss_tests::random::Random;

/// A certificate for one name, its key, and both as files.
pub struct Identity {
    pub name: &'static str,
    folder: Folder,
}

impl Identity {
    pub fn new(name: &'static str) -> Self {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("it is a name");
        let folder = Folder::new();
        let write = |file, text| fs::write(folder.path().join(file), text).expect("there is room");
        write("cert.pem", made.cert.pem());
        write("key.pem", made.signing_key.serialize_pem());
        Self { name, folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The example `https`, as the server of this name.
    pub fn serve(&self, arguments: &[&str]) -> Server {
        let mut command = example("https");
        command.arg("--cert").arg(self.file("cert.pem")).arg("--key").arg(self.file("key.pem"));
        Server::launch(command.args(arguments), 1)
    }

    /// curl, which trusts this certificate and finds its name at `address`.
    pub fn curl(&self, address: SocketAddr, arguments: &[&str], path: &str) -> Command {
        let (name, port) = (self.name, address.port());
        let mut command = installed("curl", "curl");
        command.args(["--silent", "--show-error", "--no-progress-meter"]);
        command.args(["--max-time", &SOON.as_secs().to_string()]);
        command.arg("--cacert").arg(self.file("cert.pem")).args(arguments);
        command.args(["--resolve", &format!("{name}:{port}:{}", address.ip())]);
        command.arg(format!("https://{name}:{port}{path}"));
        command
    }

    /// A connection by TLS, with no ALPN, which trusts this certificate and asks for its name.
    pub fn connect(&self, stream: TcpStream) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(self.file("cert.pem"));
        roots.add(certificate.expect("it is one")).expect("it can be trusted");
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from(self.name).expect("it is one");
        let connection = ClientConnection::new(Arc::new(config), name);
        StreamOwned::new(connection.expect("the name is one"), stream)
    }
}

fn fetch(identity: &Identity, url: &str) -> Command {
    let mut command = example("fetch");
    command.arg("--ca").arg(identity.file("cert.pem")).arg(url);
    command
}

#[track_caller]
pub fn said(output: Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8(output.stdout).expect("our examples speak UTF-8")
}

/// What it complains about, and nothing else.
#[track_caller]
pub fn complaint(command: &mut Command) -> String {
    let output = run(command);
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).expect("it is text")
}

#[test]
fn each_client_is_served_in_the_version_that_alpn_chose() {
    let _deadline = deadline("each_client_is_served_in_the_version_that_alpn_chose");
    let identity = Identity::new("localhost");
    for driver in available() {
        let server = identity.serve(&["--driver", &driver.to_string()]);
        let url = format!("https://localhost:{}/", server.port());
        for (option, number) in [("--http2", "2"), ("--http1.1", "1.1"), ("--no-alpn", "1.1")] {
            let facts = ["--write-out", "%{http_version} %{http_code}", option];
            let text = said(run(&mut identity.curl(server.address(), &facts, "/")));
            assert!(text.starts_with("Hello from shard 0"), "{text}");
            assert!(text.ends_with(&format!("\n{number} 200")), "{option}: {text}");
        }
        for (arguments, status) in
            [(&[][..], "HTTP/2.0 200 OK\n"), (&["--http1"], "HTTP/1.1 200 OK\n")]
        {
            let text = said(run(fetch(&identity, &url).args(arguments)));
            assert!(text.starts_with(&format!("{status}Hello from shard 0")), "{text}");
        }
        let mut command = installed("h2load", "nghttp2-client");
        let text = said(run(command.args(["-n500", "-c10", "-m10", &url])));
        assert!(text.contains("500 done, 500 succeeded, 0 failed"), "{text}");
    }
}

#[test]
fn a_large_upload_comes_back_by_tls() {
    let _deadline = deadline("a_large_upload_comes_back_by_tls");
    let identity = Identity::new("localhost");
    let server = identity.serve(&[]);
    let bytes = Random::new().bytes(4 << 20);
    for version in ["--http2", "--http1.1"] {
        let arguments = ["--data-binary", "@-", version];
        let mut command = identity.curl(server.address(), &arguments, "/echo");
        let mut client =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut stdin = client.stdin.take().expect("it is piped");
        let output = thread::scope(|scope| {
            scope.spawn(|| {
                stdin.write_all(&bytes).expect("curl reads all");
                drop(stdin);
            });
            client.wait_with_output().expect("it ends")
        });
        assert!(output.status.success() && output.stdout == bytes, "{version}: {}", output.status);
    }
}

#[test]
fn who_does_not_shake_hands_is_cut_off_and_harms_no_one() {
    let _deadline = deadline("who_does_not_shake_hands_is_cut_off_and_harms_no_one");
    let identity = Identity::new("localhost");
    let server = identity.serve(&["--patience-ms", "500"]);
    for begin in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", &[22, 3, 1, 1, 0]] {
        let mut client = server.connect();
        client.write_all(begin).expect("the server takes bytes");
        let mut told = Vec::new();
        // A reset, if it had more to say than the server wanted to hear.
        let _ = client.read_to_end(&mut told);
        // No more than an alert.
        assert!(told.is_empty() || told[0] == 21, "{begin:?}: {told:?}");
    }
    said(run(&mut identity.curl(server.address(), &[], "/")));
}

#[test]
fn a_stop_lets_a_request_by_tls_end() {
    let _deadline = deadline("a_stop_lets_a_request_by_tls_end");
    let identity = Identity::new("localhost");
    let server = identity.serve(&[]);
    let mut silent = server.connect();
    let mut client = identity.connect(server.connect());
    client.write_all(POST_HALF).expect("the server takes bytes");
    read_until(&mut client, b"half\r\n");
    server.signal(libc::SIGTERM);
    assert_eq!(silent.read(&mut [0]).expect("an end in order"), 0);
    client.write_all(b"5\r\n more\r\n0\r\n\r\n").expect("the server takes bytes");
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).expect("the end is said");
    assert!(rest.windows(5).any(|bytes| bytes == b" more"), "{rest:?}");
    assert_eq!(server.wait().code(), Some(0));
}

/// A request of which the end is to come.
pub const POST_HALF: &[u8] =
    b"POST /echo HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n";

pub fn read_until(stream: &mut impl Read, end: &[u8]) {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end) {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("there is more");
        bytes.push(byte[0]);
    }
}

#[test]
fn a_client_says_what_is_wrong_with_a_certificate() {
    let _deadline = deadline("a_client_says_what_is_wrong_with_a_certificate");
    let (identity, stranger) = (Identity::new("localhost"), Identity::new("localhost"));
    let server = identity.serve(&[]);
    let port = server.port();
    let asks = |identity, host| fetch(identity, &format!("https://{host}:{port}/"));
    let wrong_name = complaint(&mut asks(&identity, "127.0.0.1"));
    let words = ["not valid for name \"127.0.0.1\"", "only valid for DnsName(\"localhost\")"];
    assert!(words.iter().all(|word| wrong_name.contains(word)), "{wrong_name}");
    let unknown = complaint(&mut asks(&stranger, "localhost"));
    assert!(unknown.contains("invalid peer certificate"), "{unknown}");
    let no_file = complaint(example("fetch").args(["--ca", "nowhere.pem", "https://localhost"]));
    assert!(no_file.contains("--ca nowhere.pem: "), "{no_file}");
}

#[test]
fn a_server_says_what_is_wrong_with_its_files() {
    let _deadline = deadline("a_server_says_what_is_wrong_with_its_files");
    let (one, other) = (Identity::new("localhost"), Identity::new("localhost"));
    let (cert, key) = (one.file("cert.pem"), one.file("key.pem"));
    let cases = [
        (one.file("nowhere"), key.clone(), "nowhere: "),
        (key.clone(), key.clone(), "key.pem: there is no certificate in it"),
        (cert.clone(), cert.clone(), "--key "),
        (cert, other.file("key.pem"), "keys may not be consistent"),
    ];
    for (cert, key, what) in cases {
        let mut command = example("https");
        command.arg("--cert").arg(cert).arg("--key").arg(key).args(["--addr", "127.0.0.1:0"]);
        let complaint = complaint(&mut command);
        assert!(complaint.starts_with("https: ") && complaint.contains(what), "{complaint}");
    }
}

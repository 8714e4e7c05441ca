//! The client against servers that do right and wrong.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::*;
use crate::echo::servers::{SERVERS, Settings};

/// Serves each connection by a thread; `spoil` may change what was received.
fn serve(spoil: fn(&mut Vec<u8>)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut buffer = vec![0; 1 << 16];
                while let Ok(len @ 1..) = stream.read(&mut buffer) {
                    let mut bytes = buffer[..len].to_vec();
                    spoil(&mut bytes);
                    if bytes.is_empty() || stream.write_all(&bytes).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn small(address: SocketAddr) -> Load {
    let (warm_up, until) = (Duration::ZERO, Until::Requests(200));
    Load { connections: 3, warm_up, until, ..Load::new(address) }
}

#[test]
fn requests_are_counted_and_timed() {
    let report = small(serve(|_| ())).run().unwrap();
    assert!(report.latency.len() >= 200 && report.per_second() > 0.0);
    assert!(report.latency_us(0.5) > 0.0);
    assert_eq!(report.connects, 3);
}

#[test]
fn messages_of_all_sizes_come_back_whole_at_any_depth() {
    let address = serve(|_| ());
    for message_bytes in [1, 64, 4096, 5000, 1 << 20] {
        for depth in [1, 3] {
            let until = Until::Requests(20);
            Load { message_bytes, depth, until, ..small(address) }.run().unwrap();
        }
    }
}

#[test]
fn churn_makes_connections_again() {
    let load = Load { churn: Some(10), ..small(serve(|_| ())) };
    let report = load.run().unwrap();
    assert!(report.connects >= 3 + 17, "{} connections", report.connects);
}

#[test]
fn each_connection_makes_so_many_requests() {
    let load = Load { until: Until::Each(7), ..small(serve(|_| ())) };
    let report = load.run().unwrap();
    assert_eq!((report.latency.len(), report.connects), (21, 3));
}

#[test]
fn one_wrong_byte_is_an_error() {
    let result = small(serve(|bytes| *bytes.last_mut().unwrap() ^= 1)).run();
    assert!(matches!(result, Err(LoadError::Mismatch { after_bytes: 0, .. })), "{result:?}");
}

#[test]
fn bytes_that_were_never_sent_are_an_error() {
    let result = small(serve(|bytes| bytes.push(7))).run();
    assert!(matches!(result, Err(LoadError::Mismatch { .. })), "{result:?}");
}

#[test]
fn a_server_that_hangs_up_is_an_error() {
    let result = small(serve(Vec::clear)).run();
    assert!(matches!(result, Err(LoadError::Closed(_))), "{result:?}");
}

#[test]
fn no_one_there_is_an_error_that_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let text = small(address).run().unwrap_err().to_string();
    assert!(text.contains("cannot connect to 127.0.0.1") && text.contains("listen"), "{text}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let load = small(SocketAddr::from(([127, 0, 0, 1], 1)));
    for wrong in [
        Load { connections: 0, ..load },
        Load { connections: CONNECTIONS_MAX + 1, ..load },
        Load { message_bytes: 0, ..load },
        Load { message_bytes: PIECE_BYTES_MAX + 1, ..load },
        Load { depth: 0, ..load },
        Load { churn: Some(0), ..load },
        Load { until: Until::Requests(0), ..load },
        Load { until: Until::Each(0), ..load },
    ] {
        assert!(matches!(wrong.run(), Err(LoadError::Invalid(_))), "{wrong:?}");
    }
}

/// A server of each kind, on a thread that ends with the process.
fn start(server: super::super::servers::Server, idle_spin: Duration) -> SocketAddr {
    let (tell, told) = channel();
    thread::spawn(move || {
        let settings = Settings { address: ([127, 0, 0, 1], 0).into(), idle_spin };
        let result = (server.serve)(&settings, &mut |address| tell.send(address).unwrap());
        panic!("{}: {}", server.name, result.unwrap_err());
    });
    told.recv().expect("it listens")
}

#[test]
fn every_server_echoes_every_byte() {
    for server in SERVERS {
        for idle_spin in [Duration::ZERO, Duration::from_micros(50)] {
            let load = small(start(server, idle_spin));
            for wanted in [
                load,
                Load { depth: 8, ..load },
                Load { churn: Some(5), ..load },
                Load { message_bytes: 1 << 18, depth: 2, until: Until::Requests(30), ..load },
            ] {
                if let Err(error) = wanted.run() {
                    panic!("{}: {error}, asked for {wanted:?}", server.name);
                }
            }
        }
    }
}

#[test]
fn a_latency_is_what_it_was_from_nanoseconds_to_an_hour() {
    for nanos in [1, 900, 62_500, 4_010_000, 1_000_000_000, 3_600_000_000_000] {
        let mut latency = latencies();
        latency.saturating_record(nanos);
        let told = latency.value_at_quantile(0.5);
        assert!(told.abs_diff(nanos) <= nanos / 1_000, "{nanos} ns are told as {told}");
    }
}

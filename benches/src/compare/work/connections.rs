//! What an idle TCP connection takes of a server's own memory.
//!
//! Each connection has a task that waits for bytes, and has echoed once: a buffer that it keeps is
//! in use, and one that it gives back is free. They do so one after the other.

#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::compare::process::{open_files_max, use_small_pages};
use crate::compare::rows::Job;
use crate::compare::running::Running;
use crate::compare::sample::Sample;
use crate::echo::load::Load;
use crate::echo::servers::Server;
use crate::echo::trial::{Task, start};

/// Connections before those that count: what the first ones bring into being is not theirs.
const FIRST: usize = 16;
/// Echoes of each of these: together more than any server has buffers in a pool for all, so that
/// all of them have been used. They are part of the highest memory, which is told, too.
const FIRST_ECHOES: usize = 128;
/// A server that does not answer for so long has failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Files that are open beside connections.
const OTHER_FILES: u64 = 64;

/// A sample whose value is the bytes by which the server grows for each of `job.size` connections.
///
/// # Errors
///
/// A sentence about the server, or about too few files.
pub fn idle(server: Server, job: &Job) -> Result<Sample, String> {
    let wanted = (FIRST + job.size) as u64 + OTHER_FILES;
    let files = open_files_max();
    if files < wanted {
        return Err(format!("{wanted} open files are wanted, and {files} allowed (ulimit -n)"));
    }
    use_small_pages();
    let load = Load::new(([127, 0, 0, 1], 0).into());
    let task = Task { load, idle_spin: Duration::ZERO, work_steps: 0 };
    let (running, address) = start(server, &task)?;
    let first = connect_all(address, FIRST, FIRST_ECHOES)?;
    let (before_kib, cpu) = (running.private_kib(), running.cpu());
    let connections = connect_all(address, job.size, 1)?;
    let sample = sample(&running, before_kib, running.cpu() - cpu, job.size as f64);
    drop((first, connections));
    Ok(sample)
}

fn sample(running: &Running, before_kib: u64, cpu: Duration, count: f64) -> Sample {
    let grown_bytes = running.private_kib().saturating_sub(before_kib) as f64 * 1024.0;
    Sample {
        value: grown_bytes / count,
        operations: count,
        cpu_ns: cpu.as_nanos() as f64,
        rss_kib: running.peak_rss_kib() as f64,
        ..Sample::default()
    }
}

fn connect_all(address: SocketAddr, count: usize, echoes: usize) -> Result<Vec<TcpStream>, String> {
    let connected = (0..count).map(|_| connect(address, echoes)).collect::<Result<_, _>>();
    connected.map_err(|error| format!("a connection failed: {error}"))
}

fn connect(address: SocketAddr, echoes: usize) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut bytes = [7; 64];
    for _ in 0..echoes {
        stream.write_all(&bytes)?;
        stream.read_exact(&mut bytes)?;
    }
    Ok(stream)
}

//! The first process of a machine that `tests/kernels/run` boots. It makes what a test expects of a
//! system, runs each program in `/tests` with its own arguments, says how that went in its last
//! line, and switches the machine off.

use std::error::Error;
use std::ffi::CString;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs, io};

/// What is mounted where.
const MOUNTS: [(&str, &str); 4] =
    [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev"), ("tmpfs", "/tmp")];
/// Descriptors that a process may have open.
const DESCRIPTORS: u64 = 65_536;

fn main() {
    let outcome = prepare().and_then(|()| run_all());
    match outcome {
        Ok(failed) if failed.is_empty() => println!("init: all programs passed"),
        Ok(failed) => println!("init: failed: {}", failed.join(", ")),
        Err(error) => println!("init: {error}"),
    }
    switch_off();
}

/// Makes a system of the bare kernel.
fn prepare() -> Result<(), Box<dyn Error>> {
    for (kind, folder) in MOUNTS {
        fs::create_dir_all(folder)?;
        mount(kind, folder).map_err(|error| format!("mount {folder}: {error}"))?;
    }
    fs::create_dir_all("/etc")?;
    fs::write("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")?;
    // A small machine forgets connections that were closed a moment ago.
    fs::write("/proc/sys/net/ipv4/tcp_max_tw_buckets", "262144")?;
    raise_limit().map_err(|error| format!("descriptors: {error}"))?;
    start_loopback().map_err(|error| format!("loopback: {error}"))?;
    Ok(())
}

fn mount(kind: &str, folder: &str) -> io::Result<()> {
    let [kind, folder] = [CString::new(kind)?, CString::new(folder)?];
    // SAFETY: both strings end with a zero; these file systems take no data.
    check(unsafe {
        libc::mount(kind.as_ptr(), folder.as_ptr(), kind.as_ptr(), 0, std::ptr::null())
    })
}

fn raise_limit() -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: DESCRIPTORS, rlim_max: DESCRIPTORS };
    // SAFETY: a valid limit, which the kernel copies.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })
}

/// The kernel gives the loopback its addresses when it starts.
fn start_loopback() -> io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    // SAFETY: plain data; all zero is a device without a name.
    let mut device: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in device.ifr_name.iter_mut().zip(*b"lo") {
        *to = from as libc::c_char;
    }
    device.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: a request of the size that this call reads.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const device) })
}

/// Runs the programs one after another; returns those that failed.
fn run_all() -> Result<Vec<String>, Box<dyn Error>> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    println!("init: Linux {}", release.trim());
    let entries = fs::read_dir("/tests")?;
    let mut programs =
        entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    programs.sort();
    let mut failed = Vec::new();
    for program in programs {
        println!("init: {}", program.display());
        let status = Command::new(&program).args(env::args().skip(1)).status()?;
        println!("init: {}: {status}", program.display());
        if !status.success() {
            failed.push(program.display().to_string());
        }
    }
    Ok(failed)
}

/// Ends the machine. The kernel panics if its first process ends by itself.
fn switch_off() {
    // SAFETY: no pointers; nothing is kept on a disk.
    unsafe { libc::reboot(libc::RB_POWER_OFF) };
}

fn check(result: i32) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

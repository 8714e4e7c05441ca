//! What the comparison asks of the kernel about its own and other processes: the one gate to libc
//! here.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

/// Ends this process by a signal, should it still run after `seconds`: a subject that hangs must
/// not hang the comparison.
pub fn end_after(seconds: u32) {
    // SAFETY: no pointers.
    unsafe { libc::alarm(seconds) };
}

/// Makes `command` run on these CPUs, end when the thread that starts it ends, and let strace trace
/// it even where the kernel lets only parents do so. On several CPUs, which it then shares, it is
/// no more urgent than other programs: those of real-time priority do not take turns. What is
/// refused is left as it is.
pub fn place(command: &mut Command, cpus: &'static [usize]) {
    let prepare = move || {
        run_on(cpus);
        let anybody = -1_isize;
        // SAFETY: no pointers.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            libc::prctl(libc::PR_SET_PTRACER, anybody);
        }
        if cpus.len() > 1 {
            take_turns();
        }
        Ok(())
    };
    // SAFETY: between fork and exec it makes a few system calls and takes no memory or lock.
    unsafe { command.pre_exec(prepare) };
}

/// Makes this thread no more urgent than those of other programs.
pub fn take_turns() {
    let ordinary = libc::sched_param { sched_priority: 0 };
    // SAFETY: readable parameters.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_OTHER, &ordinary) };
}

fn run_on(cpus: &[usize]) {
    // SAFETY: a CPU set is plain bits.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is ours; a number that is too large is ignored.
    cpus.iter().for_each(|&cpu| unsafe { libc::CPU_SET(cpu, &mut set) });
    // SAFETY: a valid set of the size given.
    unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) };
}

/// Asks another process to end.
pub fn end(pid: u32) {
    // SAFETY: no pointers.
    unsafe { libc::kill(pid as libc::pid_t, libc::SIGTERM) };
}

/// Small pages only, here and in what this process starts, so that resident memory grows by what is
/// used and not by 2 MiB at once.
pub fn use_small_pages() {
    // SAFETY: no pointers; the last three arguments must be zero.
    unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
}

/// As many open files as this process may have; says how many.
pub fn open_files_max() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a writable limit.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: a readable limit.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
    limit.rlim_max
}

/// The real-time priority of this thread; zero if it has none.
pub fn realtime_priority() -> i32 {
    let mut parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: writable parameters.
    unsafe { libc::sched_getparam(0, &mut parameters) };
    parameters.sched_priority
}

/// CPU time that all threads of a process have used.
///
/// # Panics
///
/// If there is no such process.
pub fn cpu_of(pid: u32) -> Duration {
    let mut clock = 0;
    // SAFETY: a writable clock id.
    let error = unsafe { libc::clock_getcpuclockid(pid as libc::pid_t, &mut clock) };
    assert_eq!(error, 0, "a child that was not waited for has a clock");
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a writable timespec.
    unsafe { libc::clock_gettime(clock, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The highest resident memory so far, in KiB. Unlike that of `getrusage` it begins again with each
/// program. Zero where `/proc` is missing.
pub fn peak_rss_kib() -> u64 {
    field("/proc/self/status", "VmHWM:")
}

/// That of another process.
pub fn peak_rss_kib_of(pid: u32) -> u64 {
    field(&format!("/proc/{pid}/status"), "VmHWM:")
}

/// That of the children that this process has waited for, the largest of them.
pub fn peak_rss_kib_of_children() -> u64 {
    // SAFETY: a plain C struct of numbers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: a writable struct.
    unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage) };
    usage.ru_maxrss as u64
}

/// Memory that is this process' own and no file's, in KiB, counted and not estimated.
pub fn private_kib() -> u64 {
    field("/proc/self/smaps_rollup", "Anonymous:")
}

/// That of another process, which may be a server's buffers that it shares with the kernel.
pub fn private_kib_of(pid: u32) -> u64 {
    field(&format!("/proc/{pid}/smaps_rollup"), "Private_Dirty:")
}

fn field(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|value| value.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_written_is_seen() {
        let before = private_kib();
        let bytes = std::hint::black_box(vec![1_u8; 16 << 20]);
        assert!(private_kib() >= before + (8 << 10) && bytes[0] == 1);
        assert!(peak_rss_kib() >= 8 << 10);
        assert!(private_kib_of(std::process::id()) >= 8 << 10);
    }

    #[test]
    fn this_process_has_a_clock_and_files() {
        assert!(cpu_of(std::process::id()) > Duration::ZERO);
        assert!(open_files_max() > 3);
    }
}

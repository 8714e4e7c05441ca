//! Machines that we do not have: their facts, and what doctor says of them.

use miniss_linux::{Driver, IoUringFeature, IoUringProbe};

use crate::facts::{Cpus, Facts, IoUring, Limit, Limits, Process, Running, UNLIMITED};
use crate::report::Report;

/// The kernel's release, and the versions up to which its io_uring has come.
fn kernel(release: &str, version: (u32, u32)) -> Facts {
    let mut facts = good();
    facts.kernel = Some(release.into());
    for feature in &mut facts.io_uring.probe.features {
        feature.present = feature.since <= version;
    }
    if version < (6, 6) {
        (facts.io_uring.disabled, facts.io_uring.group) = (None, None);
    }
    facts
}

/// A machine of eight CPUs with all that we want.
fn good() -> Facts {
    let feature = |name, since, required| IoUringFeature { name, since, required, present: true };
    let list = |text: &str| Some(text.parse().expect("a list of CPUs"));
    Facts {
        kernel: Some("6.18.4".into()),
        io_uring: IoUring {
            disabled: Some(0),
            group: Some(-1),
            probe: IoUringProbe {
                calls: answers(Ok(())),
                features: vec![
                    feature("EXT_ARG", (5, 11), true),
                    feature("SOCKET", (5, 19), true),
                    feature("DEFER_TASKRUN", (6, 1), false),
                    feature("NO_SQARRAY", (6, 6), false),
                ],
            },
            locked_bytes: 48 << 10,
        },
        process: Process { seccomp: Some(0), groups: Some(vec![1000, 27]), capabilities: Some(0) },
        limits: Limits {
            memlock: Some(Limit { soft: 8 << 20, hard: 8 << 20 }),
            nofile: Some(Limit { soft: 65_536, hard: 524_288 }),
            somaxconn: Some(4096),
        },
        cpus: Cpus { online: list("0-7"), cpuset: list("0-7"), allowed: list("0-7"), quota: None },
        runtime: Ok(Running {
            driver: Driver::IoUring,
            refusal: None,
            shards: (0..8).map(|cpu| list(&cpu.to_string())).collect(),
        }),
    }
}

fn answers(setup: Result<(), i32>) -> [(&'static str, Option<Result<(), i32>>); 3] {
    let then = setup.is_ok().then_some(Ok(()));
    [("io_uring_setup", Some(setup)), ("io_uring_register", then), ("io_uring_enter", then)]
}

/// Another machine: io_uring is refused, and epoll runs.
fn refused(mut facts: Facts, errno: i32) -> Facts {
    facts.io_uring.probe.calls = answers(Err(errno));
    facts.io_uring.probe.features.clear();
    on_epoll(facts)
}

fn on_epoll(mut facts: Facts) -> Facts {
    if let Ok(running) = &mut facts.runtime {
        let refusal = "io_uring is unavailable".to_owned();
        (running.driver, running.refusal) = (Driver::Epoll, Some(refusal));
    }
    facts
}

/// What could be better, line by line, and that the status says so.
#[track_caller]
fn assert_findings(facts: &Facts, expected: &[&str]) {
    let report = Report::of(facts);
    let text = report.to_string();
    let (_, findings) = text.split_once("\nThis could be better:\n").unwrap_or_default();
    assert_eq!(findings.lines().collect::<Vec<_>>(), expected, "{text}");
    assert_eq!(report.status(), u8::from(!expected.is_empty()));
}

#[test]
fn a_good_machine_is_told_in_full() {
    let report = Report::of(&good());
    let text = "\
kernel     6.18.4
io_uring   kernel.io_uring_disabled is 0: for all
filters    no seccomp filter
calls      io_uring_setup works, io_uring_register works, io_uring_enter works
has        EXT_ARG, SOCKET, DEFER_TASKRUN, NO_SQARRAY
has not    nothing
memlock    8192 KiB, can be raised to 8192 KiB; the rings of all shards want 384 KiB
nofile     65536, can be raised to 524288
somaxconn  4096
cpus       online 0-7, cpuset 0-7, affinity mask 0-7, quota none
shards     8, on CPUs 0-7
driver     io-uring

All is as good as it can be.";
    assert_eq!(report.to_string(), text);
    assert_eq!(report.status(), 0);
}

#[test]
fn docker_s_default_profile() {
    let mut facts = refused(good(), libc::EPERM);
    facts.process.seccomp = Some(2);
    assert_findings(
        &facts,
        &[
            "- a seccomp filter, as containers have, refuses io_uring_setup: Operation not \
             permitted (os error 1)",
            "  mend: allow io_uring_setup, io_uring_enter and io_uring_register in a profile, as \
             miniss_linux::manual::containers shows: docker run --security-opt \
             seccomp=PROFILE.json; Kubernetes: seccompProfile, type Localhost; systemd: \
             SystemCallFilter= with @aio added",
        ],
    );
    let text = Report::of(&facts).to_string();
    let lines = [
        "\nfilters    a seccomp filter is in force\n",
        "\ncalls      io_uring_setup: Operation not permitted (os error 1), io_uring_register not \
         tried, io_uring_enter not tried\n",
        "\nhas        unknown\nhas not    unknown\n",
        "\ndriver     epoll: io_uring is unavailable\n",
    ];
    lines.iter().for_each(|line| assert!(text.contains(line), "{text}"));
    // Podman's answers ENOSYS.
    let mut facts = refused(good(), libc::ENOSYS);
    facts.process.seccomp = Some(2);
    assert!(Report::of(&facts).to_string().contains("seccomp filter, as containers have, refuses"));
}

#[test]
fn a_filter_that_denies_enter_alone() {
    let mut facts = on_epoll(good());
    facts.process.seccomp = Some(2);
    facts.io_uring.probe.calls[2].1 = Some(Err(libc::EPERM));
    let text = Report::of(&facts).to_string();
    assert!(text.contains("filter, as containers have, refuses io_uring_enter: "), "{text}");
}

#[test]
fn the_sysctl_that_forbids_io_uring_to_all() {
    let mut facts = refused(good(), libc::EPERM);
    // A filter may be there, too; the sysctl is what must be mended in any case.
    for seccomp in [0, 2] {
        (facts.io_uring.disabled, facts.process.seccomp) = (Some(2), Some(seccomp));
        assert_findings(
            &facts,
            &[
                "- io_uring is switched off for all processes: kernel.io_uring_disabled is 2",
                "  mend: sysctl -w kernel.io_uring_disabled=0 (as root, on the host)",
            ],
        );
    }
}

#[test]
fn the_sysctl_that_allows_a_group_of_which_we_are_none() {
    let mut facts = refused(good(), libc::EPERM);
    (facts.io_uring.disabled, facts.io_uring.group) = (Some(1), Some(990));
    let what = "- io_uring is for one group only, and this process is not in it: \
                kernel.io_uring_disabled is 1, kernel.io_uring_group is";
    assert_findings(
        &facts,
        &[
            &format!("{what} 990"),
            "  mend: join it: systemd: SupplementaryGroups=990; docker run --group-add 990; or \
             sysctl -w kernel.io_uring_disabled=0 (as root, on the host)",
        ],
    );
    facts.io_uring.group = Some(-1);
    assert_findings(
        &facts,
        &[
            &format!("{what} -1"),
            "  mend: sysctl -w kernel.io_uring_group=1000, or sysctl -w \
             kernel.io_uring_disabled=0 (as root, on the host)",
        ],
    );
    // Members, and who may administer the system, are not refused for that.
    facts.io_uring.group = Some(27);
    assert!(Report::of(&facts).to_string().contains("a security module can do that"));
    (facts.io_uring.group, facts.process.capabilities) = (Some(990), Some(1 << 21));
    assert!(Report::of(&facts).to_string().contains("a security module can do that"));
}

#[test]
fn kernels_that_are_too_old_for_the_driver() {
    let lacks = "- the io_uring of this kernel lacks what the driver needs: SOCKET (5.19)";
    let mend = "  mend: a kernel from Linux 5.19 on, better 6.1";
    assert_findings(&on_epoll(kernel("5.15.0-130-generic", (5, 15))), &[lacks, mend]);
    let lacks = "- the io_uring of this kernel lacks what the driver needs: EXT_ARG (5.11), SOCKET \
                 (5.19)";
    let facts = on_epoll(kernel("5.10.0-33-amd64", (5, 10)));
    assert_findings(&facts, &[lacks, mend]);
    let text = Report::of(&facts).to_string();
    assert!(text.contains("kernel.io_uring_disabled is not there"), "{text}");
    assert!(text.contains("\nhas not    EXT_ARG, SOCKET, DEFER_TASKRUN, NO_SQARRAY\n"), "{text}");
}

#[test]
fn a_kernel_on_which_the_driver_does_without_something() {
    assert_findings(
        &kernel("6.1.0-28-amd64", (6, 1)),
        &[
            "- the io_uring driver does without NO_SQARRAY (6.6)",
            "  mend: a kernel from Linux 6.6 on",
        ],
    );
}

#[test]
fn a_kernel_without_io_uring() {
    let text = Report::of(&refused(good(), libc::ENOSYS)).to_string();
    assert!(text.contains("has no io_uring (io_uring_setup)\n  mend: a kernel from"), "{text}");
}

#[test]
fn epoll_because_we_were_told_so() {
    let mut facts = on_epoll(good());
    facts.runtime.as_mut().expect("it runs").refusal = None;
    assert_findings(
        &facts,
        &["- io_uring can be had, but is not asked for", "  mend: unset MINISS_DRIVER"],
    );
    assert!(Report::of(&facts).to_string().contains("\ndriver     epoll: MINISS_DRIVER says so\n"));
}

#[test]
fn io_uring_for_one_ring_but_not_for_all() {
    let text = Report::of(&on_epoll(good())).to_string();
    assert!(text.contains("\n- io_uring is unavailable\n  mend: what it names"), "{text}");
}

#[test]
fn little_locked_memory() {
    let mut facts = good();
    facts.limits.memlock = Some(Limit { soft: 64 << 10, hard: 64 << 10 });
    let what = "- the processes of this user may lock 64 KiB of memory, the rings of all shards \
                want 384 KiB: they are made smaller";
    let others = "systemd: LimitMEMLOCK=1048576; docker run --ulimit memlock=1048576";
    assert_findings(&facts, &[what, &format!("  mend: ulimit -l 1024 (as root); {others}")]);
    facts.limits.memlock = Some(Limit { soft: 64 << 10, hard: UNLIMITED });
    assert_findings(&facts, &[what, &format!("  mend: ulimit -l 1024; {others}")]);
    // To who may lock any amount the limit does not apply; epoll locks nothing.
    let mut root = facts.clone();
    root.process.capabilities = Some(1 << 14);
    assert_findings(&root, &[]);
    assert!(!Report::of(&refused(facts, libc::EPERM)).to_string().contains("ulimit -l"));
}

#[test]
fn few_open_files() {
    let mut facts = good();
    facts.limits.nofile = Some(Limit { soft: 64, hard: 64 });
    facts.runtime = Err("cannot start shard 5: no file descriptor left".into());
    assert_findings(
        &facts,
        &[
            "- no runtime starts: cannot start shard 5: no file descriptor left",
            "  mend: what it names, then run doctor again",
            "- 64 open files are allowed, and each connection is one",
            "  mend: ulimit -n 65536 (as root); systemd: LimitNOFILE=65536; docker run --ulimit \
             nofile=65536",
        ],
    );
    // What most shells have.
    let mut facts = good();
    facts.limits.nofile = Some(Limit { soft: 1024, hard: 524_288 });
    assert_findings(
        &facts,
        &[
            "- 1024 open files are allowed, and each connection is one",
            "  mend: ulimit -n 65536; systemd: LimitNOFILE=65536",
        ],
    );
}

#[test]
fn fewer_cpus_than_there_are() {
    let mut facts = good();
    facts.cpus.quota = Some(1);
    facts.runtime.as_mut().expect("it runs").shards = vec![facts.cpus.allowed.clone()];
    assert_findings(
        &facts,
        &[
            "- a quota grants the time of 1 CPU, of 8",
            "  mend: docker run --cpus=8; Kubernetes: resources.limits.cpu; systemd: CPUQuota=800%",
        ],
    );
    let text = Report::of(&facts).to_string();
    assert!(text.contains("\nshards     1, 1 of them unpinned\n"), "{text}");

    let mut facts = good();
    let two = "2-3".parse().ok();
    (facts.cpus.cpuset, facts.cpus.allowed) = (two.clone(), two.clone());
    let shards = ["2", "3"].map(|cpu| cpu.parse().ok());
    facts.runtime.as_mut().expect("it runs").shards = shards.to_vec();
    assert_findings(
        &facts,
        &[
            "- the cpuset has 2 of the 8 CPUs that run",
            "  mend: docker run --cpuset-cpus=0-7; systemd: AllowedCPUs=0-7",
        ],
    );

    let mut facts = good();
    facts.cpus.allowed = two;
    assert_findings(
        &facts,
        &[
            "- the affinity mask has 2 of 8 CPUs",
            "  mend: taskset -c 0-7 PROGRAM; systemd: CPUAffinity=0-7",
        ],
    );
}

#[test]
fn a_short_queue_of_connections_and_shards_that_may_not_be_pinned() {
    let mut facts = good();
    facts.limits.somaxconn = Some(128);
    facts.runtime.as_mut().expect("it runs").shards = vec![None; 8];
    assert_findings(
        &facts,
        &[
            "- 8 of 8 shards run unpinned",
            "  mend: allow sched_setaffinity in the seccomp profile",
            "- net.core.somaxconn lets 128 connections wait, whatever a listener asks",
            "  mend: sysctl -w net.core.somaxconn=4096 (as root); docker run --sysctl \
             net.core.somaxconn=4096",
        ],
    );
}

#[test]
fn what_is_not_to_be_seen_is_unknown_and_no_reason_to_fail() {
    let mut facts = good();
    facts.kernel = None;
    facts.process = Process::of("");
    facts.limits = Limits::of("", None);
    facts.cpus = Cpus { online: None, cpuset: None, allowed: None, quota: None };
    assert_findings(&facts, &[]);
    let text = Report::of(&facts).to_string();
    for name in ["kernel", "filters    seccomp mode", "memlock", "nofile", "somaxconn"] {
        let line = text.lines().find(|line| line.starts_with(name)).expect("it has a line");
        assert!(line.contains("unknown"), "{line}");
    }
    assert!(text.contains("online unknown, cpuset unknown, affinity mask unknown, quota none"));
}

#[test]
fn the_files_of_proc_are_read_as_they_are() {
    let status = "Gid:\t1000\t1001\t1000\t1000\nGroups:\t4 27 \nCapEff:\t0000000000004000\n\
                  Seccomp:\t2\nSeccomp_filters:\t1\n";
    let process = Process::of(status);
    assert_eq!(process.groups, Some(vec![1001, 4, 27]));
    assert_eq!((process.capabilities, process.seccomp), (Some(1 << 14), Some(2)));
    let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                  Max open files            1024                 524288               files     \n\
                  Max locked memory         8388608              unlimited            bytes     \n";
    let limits = Limits::of(limits, Some(4096));
    assert_eq!(limits.nofile, Some(Limit { soft: 1024, hard: 524_288 }));
    assert_eq!(limits.memlock, Some(Limit { soft: 8 << 20, hard: UNLIMITED }));
}

#[test]
fn json_has_the_same() {
    let mut facts = good();
    facts.kernel = Some("6.1 \"a\\b\"\n".into());
    facts.limits.somaxconn = Some(128);
    let json = Report::of(&facts).to_json();
    assert!(json.starts_with(r#"{"facts":{"kernel":"6.1 \"a\\b\"\n","io_uring":""#), "{json}");
    let end = r#""findings":[{"what":"net.core.somaxconn lets 128 connections wait, whatever a "#;
    assert!(json.contains(end) && json.ends_with(r#"}],"status":1}"#), "{json}");
}

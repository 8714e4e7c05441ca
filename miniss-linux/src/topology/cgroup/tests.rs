//! Control groups as they look on hosts and in containers, without any of these at hand.

use super::*;

/// What [`smallest_quota`] finds where `files` are all there is.
fn quota(cgroup: &str, mountinfo: &str, files: &[(&str, &str)]) -> Option<usize> {
    let read = |path: &Path| {
        let file = files.iter().find(|(name, _)| Path::new(name) == path)?;
        Some(file.1.to_owned())
    };
    smallest_quota(cgroup.as_bytes(), mountinfo.as_bytes(), read).map(NonZeroUsize::get)
}

const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const V1: &str = "\
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 master:1 - cgroup cgroup rw,cpu,cpuacct
";

#[test]
fn s9_a_quota_is_rounded_up_to_whole_cpus() {
    for (max, expected) in [
        ("50000 100000\n", Some(1)),
        ("100000 100000\n", Some(1)),
        ("100001 100000\n", Some(2)),
        ("150000 100000\n", Some(2)),
        ("1000 1000000\n", Some(1)),
        ("max 100000\n", None),
        ("", None),
        ("50000", None),
        ("50000 0", None),
        ("0 100000", None),
        ("-1 100000", None),
        ("a b", None),
    ] {
        let files = [("/sys/fs/cgroup/cpu.max", max)];
        assert_eq!(quota("0::/\n", V2, &files), expected, "{max:?}");
    }
}

#[test]
fn the_smallest_quota_on_the_way_up_counts() {
    let group = "0::/user.slice/a.slice/job\n";
    let files = [
        ("/sys/fs/cgroup/user.slice/a.slice/job/cpu.max", "800000 100000\n"),
        ("/sys/fs/cgroup/user.slice/a.slice/cpu.max", "300000 100000\n"),
        ("/sys/fs/cgroup/user.slice/cpu.max", "max 100000\n"),
        ("/sys/fs/cgroup/other/cpu.max", "1000 100000\n"),
    ];
    assert_eq!(quota(group, V2, &files), Some(3));
    assert_eq!(quota(group, V2, &files[..1]), Some(8));
    assert_eq!(quota(group, V2, &files[2..]), None);
}

#[test]
fn version_1_has_two_files() {
    let group = "4:memory:/m\n3:cpuset:/s\n2:cpu,cpuacct:/box\n1:name=systemd:/box\n";
    let files = [
        ("/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "250000\n"),
        ("/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n"),
        ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n"),
        ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
    ];
    assert_eq!(quota(group, V1, &files), Some(3));
    assert_eq!(quota(group, V1, &files[2..]), None);
    assert_eq!(quota(group, V1, &files[..1]), None);
}

#[test]
fn of_two_hierarchies_the_smaller_quota_counts() {
    let group = "2:cpu,cpuacct:/box\n0::/box\n";
    let mounts = format!("{V1}41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    let files = [
        ("/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "400000\n"),
        ("/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n"),
        ("/sys/fs/cgroup/unified/box/cpu.max", "200000 100000\n"),
    ];
    assert_eq!(quota(group, &mounts, &files), Some(2));
    assert_eq!(quota(group, &mounts, &files[..2]), Some(4));
}

#[test]
fn a_mount_of_a_part_is_counted_from_there() {
    let mount = "32 31 0:29 /docker/3f2a /cg rw - cgroup2 cgroup2 rw\n";
    let files = [("/cg/job/cpu.max", "200000 100000"), ("/cg/cpu.max", "300000 100000")];
    assert_eq!(quota("0::/docker/3f2a/job\n", mount, &files), Some(2));
    assert_eq!(quota("0::/docker/3f2a\n", mount, &files), Some(3));
    // Only whole names are a prefix, and a path we are not below leads to the mount itself.
    assert_eq!(quota("0::/docker/3f2abc/job\n", mount, &files), Some(3));
}

#[test]
fn the_mount_that_has_our_group_is_preferred() {
    let mounts = "\
32 31 0:29 /someone /first rw - cgroup2 cgroup2 rw
33 31 0:29 / /second rw - cgroup2 cgroup2 rw
";
    let files = [("/first/cpu.max", "100000 100000"), ("/second/us/cpu.max", "600000 100000")];
    assert_eq!(quota("0::/us\n", mounts, &files), Some(6));
}

#[test]
fn a_limit_that_shows_in_one_mount_of_several_counts() {
    let group = "0::/pod/box/job\n";
    let mounts = "\
32 31 0:29 /pod/box /first rw - cgroup2 cgroup2 rw
33 31 0:29 / /second rw - cgroup2 cgroup2 rw
34 31 0:29 /other /third rw - cgroup2 cgroup2 rw
";
    let files = [
        ("/first/job/cpu.max", "400000 100000"),
        ("/second/pod/cpu.max", "300000 100000"),
        ("/second/cpu.max", "200000 100000"),
        ("/third/cpu.max", "100000 100000"),
    ];
    // Those above the first mount's own group show in the second alone.
    assert_eq!(quota(group, mounts, &files), Some(2));
    assert_eq!(quota(group, mounts, &files[..2]), Some(3));
    assert_eq!(quota(group, mounts, &files[..1]), Some(4));
    assert_eq!(quota(group, mounts, &files[3..]), None);
}

#[test]
fn version_1_may_be_mounted_twice_as_well() {
    let mounts = "\
32 31 0:29 /box /inner rw - cgroup cgroup rw,cpu,cpuacct
33 31 0:29 / /outer rw - cgroup cgroup rw,cpu,cpuacct
";
    let files = [
        ("/inner/cpu.cfs_quota_us", "-1\n"),
        ("/inner/cpu.cfs_period_us", "100000\n"),
        ("/outer/cpu.cfs_quota_us", "250000\n"),
        ("/outer/cpu.cfs_period_us", "100000\n"),
    ];
    assert_eq!(quota("2:cpu,cpuacct:/box\n", mounts, &files), Some(3));
}

#[test]
fn a_mount_from_above_the_namespace_shows_the_limits_above_it() {
    let files = [("/host/cpu.max", "300000 100000"), ("/host/other/cpu.max", "100000 100000")];
    for (group, root) in [("/", "/.."), ("/", "/../.."), ("/job", "/.."), ("/../us", "/../..")] {
        let mounts = format!("32 31 0:29 {root} /host rw - cgroup2 cgroup2 rw\n");
        assert_eq!(quota(&format!("0::{group}\n"), &mounts, &files), Some(3), "{group} {root}");
    }
    // Groups beside ours are no business of ours.
    let mounts = "\
32 31 0:29 /../other /host rw - cgroup2 cgroup2 rw
33 31 0:29 / /ours rw - cgroup2 cgroup2 rw
";
    assert_eq!(quota("0::/\n", mounts, &files), None);
}

#[test]
fn of_several_guesses_the_smallest_counts() {
    let mounts = "\
32 31 0:29 /a /first rw - cgroup2 cgroup2 rw
33 31 0:29 /b /second rw - cgroup2 cgroup2 rw
";
    let files = [("/first/cpu.max", "300000 100000"), ("/second/cpu.max", "200000 100000")];
    assert_eq!(quota("0::/somewhere/else\n", mounts, &files), Some(2));
}

#[test]
fn a_path_outside_the_namespace_never_leaves_the_mount() {
    let files = [
        ("/sys/fs/cgroup/cpu.max", "200000 100000"),
        ("/sys/fs/cgroup/../other/cpu.max", "100000 100000"),
    ];
    assert_eq!(quota("0::/../other\n", V2, &files), Some(2));
}

#[test]
fn names_may_hold_blanks_and_colons() {
    let mount = "32 31 0:29 / /my\\040mnt\\134x rw - cgroup2 cgroup2 rw\n";
    let files = [("/my mnt\\x/a:b c/cpu.max", "200000 100000")];
    assert_eq!(quota("0::/a:b c\n", mount, &files), Some(2));
}

#[test]
fn escapes_are_three_octal_digits() {
    for (text, plain) in [
        ("", ""),
        ("plain", "plain"),
        ("a\\040b", "a b"),
        ("\\134\\012", "\\\n"),
        ("end\\04", "end\\04"),
        ("\\999", "\\999"),
        ("\\777", "\\777"),
    ] {
        assert_eq!(unescape(text.as_bytes()), Path::new(plain), "{text:?}");
    }
}

#[test]
fn what_makes_no_sense_is_no_quota() {
    let files = [("/sys/fs/cgroup/cpu.max", "200000 100000")];
    for (cgroup, mounts) in [
        ("", ""),
        ("0::/\n", ""),
        ("", V2),
        ("0:\n", V2),
        ("nonsense\n", V2),
        ("0::/\n", "30 23\n"),
        ("0::/\n", "30 23 0:26 / /sys/fs/cgroup rw shared:4 cgroup2 cgroup2 rw\n"),
        ("0::/\n", "30 23 0:26 / /sys/fs/cgroup rw -\n"),
        ("5:cpuset:/\n", V2),
        ("0::/\n", V1),
    ] {
        assert_eq!(quota(cgroup, mounts, &files), None, "{cgroup:?} {mounts:?}");
    }
}

#[test]
fn this_machine_can_be_asked() {
    if let Some(cpus) = cpu_quota() {
        assert!(cpus.get() <= 1 << 20, "{cpus} CPUs");
    }
}

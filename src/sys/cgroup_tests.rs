//! Made-up systems: what the files say, and how many processors that leaves.

use super::quota;
use std::path::{Path, PathBuf};

/// A tree of files that is removed again.
struct System(PathBuf);

impl System {
    fn new(name: &str, files: &[(&str, &str)]) -> System {
        let root = std::env::temp_dir().join(format!("workerpool-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        for (path, text) in files {
            let file = root.join(Path::new(path).strip_prefix("/").unwrap());
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        System(root)
    }

    fn quota(&self) -> Option<u64> {
        quota(self.0.to_str().unwrap().as_bytes())
    }
}

impl Drop for System {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const MOUNT_V2: &str = "25 30 0:22 / /proc rw - proc proc rw
42 32 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate
";
const MOUNT_V1: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
33 31 0:30 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

fn v2(name: &str, path: &str, files: &[(&str, &str)]) -> Option<u64> {
    let group = format!("0::{path}\n");
    let mut all = vec![("/proc/self/cgroup", group.as_str()), ("/proc/self/mountinfo", MOUNT_V2)];
    all.extend_from_slice(files);
    System::new(name, &all).quota()
}

fn v1(name: &str, path: &str, files: &[(&str, &str)]) -> Option<u64> {
    let group = format!("9:name=systemd:/\n4:cpuset:/other\n1:cpu,cpuacct:{path}\n0::/\n");
    let mut all = vec![("/proc/self/cgroup", group.as_str()), ("/proc/self/mountinfo", MOUNT_V1)];
    all.extend_from_slice(files);
    System::new(name, &all).quota()
}

#[test]
fn version_2_is_rounded_down() {
    for (index, (text, whole)) in [
        ("50000 100000\n", Some(0)),
        ("100000 100000\n", Some(1)),
        ("150000 100000\n", Some(1)),
        ("250000 100000", Some(2)),
        ("1 1000000\n", Some(0)),
        ("max 100000\n", None),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("v2-{index}");
        assert_eq!(whole, v2(&name, "/app", &[("/sys/fs/cgroup/app/cpu.max", text)]), "{text}");
    }
}

#[test]
fn version_1_is_rounded_down() {
    for (index, (quota, whole)) in
        [("50000\n", Some(0)), ("100000\n", Some(1)), ("150000\n", Some(1)), ("-1\n", None)]
            .into_iter()
            .enumerate()
    {
        let files = [
            ("/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us", quota),
            ("/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us", "100000\n"),
        ];
        assert_eq!(whole, v1(&format!("v1-{index}"), "/app", &files), "{quota}");
    }
}

/// oneTBB's #1760 and #190: the limit stands further up.
#[test]
fn every_group_above_counts() {
    let files = [
        ("/sys/fs/cgroup/a/b/c/cpu.max", "400000 100000\n"),
        ("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n"),
        ("/sys/fs/cgroup/a/cpu.max", "150000 50000\n"),
    ];
    assert_eq!(Some(3), v2("above", "/a/b/c", &files));
    assert_eq!(Some(3), v2("above-slash", "/a/b/c/", &files));
    assert_eq!(Some(3), v2("at", "/a", &files));
    assert_eq!(None, v2("beside", "/b", &files));
    assert_eq!(Some(7), v2("top", "/", &[("/sys/fs/cgroup/cpu.max", "700000 100000\n")]));
}

/// What is mounted is the container's own group, and the kernel tells its path as the host sees it.
#[test]
fn a_container_without_a_namespace_of_its_own() {
    let files = [
        ("/proc/self/cgroup", "5:cpuset:/docker/4711\n3:cpuacct,cpu:/docker/4711/inner\n"),
        (
            "/proc/self/mountinfo",
            "9 8 0:29 /docker/4711 /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpuacct,cpu\n",
        ),
        ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n"),
        ("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
        ("/sys/fs/cgroup/cpu/inner/cpu.cfs_quota_us", "-1\n"),
        ("/sys/fs/cgroup/cpu/inner/cpu.cfs_period_us", "100000\n"),
    ];
    assert_eq!(Some(3), System::new("docker", &files).quota());
}

/// Both versions are mounted, and the stricter one holds.
#[test]
fn both_versions_at_once() {
    let files = [
        ("/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us", "300000\n"),
        ("/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us", "100000\n"),
        ("/sys/fs/cgroup/unified/cpu.max", "200000 100000\n"),
    ];
    assert_eq!(Some(2), v1("both", "/app", &files));
}

#[test]
fn what_makes_no_sense_is_no_limit() {
    for (index, text) in
        ["", "\n", "100000\n", "-5 100000\n", "100000 0\n", "a b\n", "1e5 100000\n"].iter().enumerate()
    {
        assert_eq!(
            None,
            v2(&format!("senseless-{index}"), "/app", &[("/sys/fs/cgroup/app/cpu.max", text)]),
            "{text}"
        );
    }
    assert_eq!(None, System::new("nothing", &[]).quota());
    assert_eq!(None, System::new("no-mounts", &[("/proc/self/cgroup", "0::/app\n")]).quota());
    let odd =
        [("/proc/self/cgroup", "::\n0\n:\n0::\n"), ("/proc/self/mountinfo", " \n- -\n1 2 3 4 5 - cgroup2\n")];
    assert_eq!(None, System::new("odd", &odd).quota());
}

#[test]
fn long_lines_are_passed_over() {
    let long = "x".repeat(5000);
    let mounts =
        format!("1 2 3 / /{long} rw - overlay overlay rw,lowerdir={long}\n{MOUNT_V2}1 2 3 / /{long}");
    let exact = format!("{}\n", "y".repeat(super::LINE - 1));
    let groups = format!("7:cpu:/{long}\n{exact}{exact}0::/app");
    let files = [
        ("/proc/self/cgroup", groups.as_str()),
        ("/proc/self/mountinfo", mounts.as_str()),
        ("/sys/fs/cgroup/app/cpu.max", "200000 100000\n"),
    ];
    assert_eq!(Some(2), System::new("long", &files).quota());
}

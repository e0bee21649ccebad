#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""treehash against sha256sum: odd names, unreadable files, links, deep trees, many files, broken outputs.

TREEHASH_FILES: how many tiny files the big tree has (100,000).
"""
import os
import pathlib
import re
import shutil
import stat
import subprocess
import tempfile

from programs import RUNNER, binaries, check, find_manifest, run, setting, sha256sum_accepts, start, summary

treehash = binaries() / "c" / "treehash"
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
ODD_NAMES = [b"plain", b"two words", b" ", b"-", b"-rf", b"--", b"new\nline", b"back\\slash", b"c\rr", b"\\n", b"\n",
             b"all\\of\nthem\r", b"\xff\xfe not utf-8", b"\xc3\xa9t\xc3\xa9", b"*?[a]", b"'\"`$x", b"\x1b[31m", b"\x7f",
             b"x" * 255, b"...", b".hidden", b"#", b"tab\t"]


def write(directory, name, content=b""):
    with open(os.path.join(os.fsencode(directory), name), "wb") as file:
        file.write(content)


def compare(what, tree, *options, roots=(".",)):
    """The manifest is accepted by sha256sum -c, and is the same, sorted, as that of find and sha256sum."""
    done = run([treehash, *options, *roots], cwd=tree)
    check(f"{what}: exit status 0", done.returncode == 0, f"{done.returncode}, {done.stderr[-500:]!r}")
    ok, detail = sha256sum_accepts(tree, done.stdout)
    check(f"{what}: sha256sum -c", ok, detail)
    wanted = sorted(line for root in roots for line in find_manifest(tree, root))
    check(f"{what}: same as find and sha256sum", sorted(done.stdout.splitlines()) == wanted)
    return done


def odd_names(base):
    tree = base / "odd"
    tree.mkdir()
    for i, name in enumerate(ODD_NAMES):
        write(tree, name, b"%d\n" % i)
        below = os.path.join(os.fsencode(tree), name + b".d" if len(name) < 250 else b"y" * 255)
        os.mkdir(below)
        write(below, name, name)
    compare("odd names", tree)
    compare("one worker, room for one", tree, "-j", "1", "-q", "1")
    compare("many workers", tree, "-j", "16", "-q", "3")
    compare("roots with odd names", tree, roots=("./-rf.d/", "./-rf.d//", "new\nline.d", "./\\n.d"))
    done = run([treehash, "--", "-rf.d"], cwd=tree)
    check("a root like an option", done.returncode == 0 and done.stdout.endswith(b"  -rf.d/-rf\n"), done.stdout)
    check("a root like an option: sha256sum -c", *sha256sum_accepts(tree, done.stdout))
    terminal = run([treehash, tree / "not there\x1b[31m"])
    check("a root that is not there: exit status 1", terminal.returncode == 1, terminal.returncode)
    check("no control characters in messages", b"\x1b" not in terminal.stderr, terminal.stderr)


def contents(base):
    """Sizes about the block sizes of SHA-256, of pages and of the buffer."""
    tree = base / "contents"
    tree.mkdir()
    for size in (0, 1, 55, 56, 63, 64, 65, 4095, 4096, 4097, 131071, 131072, 131073, 3000000):
        write(tree, b"%d" % size, os.urandom(size))
    compare("sizes", tree)


def links(base):
    tree = base / "links"
    (tree / "real").mkdir(parents=True)
    write(tree / "real", b"file", b"content")
    os.symlink("nowhere", tree / "broken")
    os.symlink("real/file", tree / "to-file")
    os.symlink("real", tree / "to-directory")
    os.symlink("..", tree / "real" / "up")
    os.mkfifo(tree / "fifo")
    done = compare("links and a pipe", tree)
    check("only the real file", len(done.stdout.splitlines()) == 1, done.stdout)
    named = run([treehash, "to-directory"], cwd=tree)
    check("a link that is named is followed", named.stdout.endswith(b"  to-directory/file\n"), named.stdout)


def empty(base):
    tree = base / "empty"
    (tree / "a" / "b").mkdir(parents=True)
    done = compare("empty tree", tree)
    check("empty tree: empty manifest", done.stdout == b"", done.stdout)


def unreadable(base):
    tree = base / "unreadable"
    tree.mkdir()
    for name in (b"one", b"two", b"secret"):
        write(tree, name, name)
    (tree / "closed").mkdir()
    write(tree / "closed", b"inside", b"x")
    os.chmod(tree / "secret", 0)
    os.chmod(tree / "closed", 0)
    prefix = NOBODY if os.geteuid() == 0 else []
    done = subprocess.run([*prefix, *RUNNER, treehash, "."], cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.chmod(tree / "closed", stat.S_IRWXU)
    (tree / "many").mkdir()
    for i in range(0, 1000, 2):
        write(tree / "many", b"%d" % i)
        write(tree / "many", b"%d" % (i + 1))
        os.chmod(tree / "many" / f"{i}", 0)
    for options in ((), ("-j", "1", "-q", "1"), ("-j", "8", "-q", "2")):
        many = subprocess.run([*prefix, *RUNNER, treehash, *options, "many"], cwd=tree, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        told = sorted(line for line in many.stderr.splitlines() if line.startswith(b"treehash: "))
        check(f"many unreadable {options}: each is told once, on a line of its own",
              told == sorted(b"treehash: many/%d: Permission denied" % i for i in range(0, 1000, 2)), many.stderr[:500])
        counted = b"500 hashed, 500 files or directories unreadable" in many.stderr
        check(f"many unreadable {options}: counted", counted, many.stderr)
    check("unreadable: exit status 1", done.returncode == 1, f"{done.returncode}, {done.stderr!r}")
    check("unreadable: the others are hashed", sorted(line.split(b"  ")[1] for line in done.stdout.splitlines()) ==
          [b"./one", b"./two"], done.stdout)
    for name in (b"./secret", b"./closed"):
        check(f"unreadable: {name} is told", name + b": Permission denied\n" in done.stderr, done.stderr)
    check("unreadable: counted", b"2 files or directories unreadable" in done.stderr, done.stderr)


def deep(base):
    """Deeper than a path may be long, so that it can't be made, checked or removed with paths either."""
    tree = base / "deep"
    tree.mkdir()
    levels, name, here = 1000, "d" * 20, os.open(tree, os.O_RDONLY)
    for level in range(levels):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
        os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=here))
    os.close(here)
    done = run([treehash, "-j", "2", "-q", "4", "."], cwd=tree)
    check("deep tree: exit status 0", done.returncode == 0, f"{done.returncode}, {done.stderr[-500:]!r}")
    check("deep tree: every file", len(done.stdout.splitlines()) == levels, len(done.stdout.splitlines()))
    if not RUNNER:  # such as valgrind, which has its own ideas about descriptors
        # With few descriptors it goes as deep as it can, tells where it stopped, and loses nothing above that.
        done = run(["sh", "-c", 'ulimit -n 300; exec "$0" -j 2 .', treehash], cwd=tree)
        check("few descriptors: exit status 1", done.returncode == 1, f"{done.returncode}, {done.stderr[-500:]!r}")
        check("few descriptors: told", b"Too many open files" in done.stderr, done.stderr[-500:])
        check("few descriptors: what was reached is hashed", 200 < len(done.stdout.splitlines()) < levels)
    subprocess.run(["rm", "-rf", tree], check=True)  # shutil.rmtree would recurse


def changing(base):
    """A file that grows while it is read has no hash. It is big, and it is written to until treehash has ended."""
    tree = base / "changing"
    tree.mkdir()
    with open(tree / "log", "wb") as log:
        log.truncate(256 << 20)
        process = start([treehash, "."], cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while process.poll() is None:
            os.pwrite(log.fileno(), b"x", log.seek(0, os.SEEK_END))
            try:
                process.wait(0.001)
            except subprocess.TimeoutExpired:
                pass
        out, err = process.communicate()
    check("changing file: exit status 1", process.returncode == 1, f"{process.returncode}, {err!r}")
    check("changing file: told", b"./log: changed while it was read" in err, err)
    check("changing file: no hash", out == b"", out)


def many(base):
    count, tree = setting("TREEHASH_FILES", 100000), base / "many"
    for i in range(count):
        if i % 1000 == 0:
            here = tree / f"{i // 1000}"
            here.mkdir(parents=True)
        write(here, b"%d" % i, b"%d\n" % i)
    done = compare(f"{count} files", tree)
    check("every record was freed once", b" %d made, %d freed" % (count, count) in done.stderr, done.stderr)
    done = compare(f"{count} files, one worker, room for one", tree, "-j", "1", "-q", "1")
    at_once = re.search(rb"(\d+) at once at most", done.stderr)
    check("one runs, one waits, one is in hand: never more records", int(at_once.group(1)) <= 3, done.stderr)

    with open("/dev/full", "wb") as full:
        done = run([treehash, "."], cwd=tree, stdout=full)
    check("full disk: exit status 1", done.returncode == 1, done.returncode)
    check("full disk: told", b"write error: No space left on device" in done.stderr, done.stderr)
    made = int(re.search(rb"(\d+) made", done.stderr).group(1))
    check("full disk: the walk goes no further", made < count, done.stderr)
    done = subprocess.run(["sh", "-c", '"$@" . >&-', "sh", *RUNNER, treehash], cwd=tree, stderr=subprocess.PIPE)
    check("closed stdout: exit status 1", done.returncode == 1, f"{done.returncode}, {done.stderr!r}")
    done = subprocess.run(["bash", "-c", '"$@" . | head -n 1; exit ${PIPESTATUS[0]}', "bash", *RUNNER, treehash],
                          cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    check("a reader that goes away: exit status 1", done.returncode == 1, f"{done.returncode}, {done.stderr!r}")
    check("a reader that goes away: told", b"write error: Broken pipe" in done.stderr, done.stderr)


def usage():
    for arguments in ([], ["-j", "0", "."], ["-j", "x", "."], ["-q", "-1", "."], ["-q", "99999999999999999999", "."],
                      ["--no-such-option", "."]):
        done = run([treehash, *arguments])
        check(f"usage {arguments}: exit status 2", done.returncode == 2, done.returncode)
        check(f"usage {arguments}: told", b"usage:" in done.stderr and done.stdout == b"")


base = pathlib.Path(tempfile.mkdtemp(prefix="treehash-"))
try:
    base.chmod(0o755)
    usage()
    for test in (odd_names, contents, links, empty, unreadable, deep, changing, many):
        test(base)
finally:
    shutil.rmtree(os.fsencode(base), ignore_errors=True)
summary()

# SPDX-License-Identifier: MIT
"""What the tests of the example programs share: where the binaries are, how results are counted, references.

Each test is called with the directory of the binaries, laid out as examples/ is: DIR/c/treehash, DIR/cpp/01_hello …
TEST_RUNNER may name a command to run each program with, "valgrind -q --error-exitcode=99 --fair-sched=yes" say.
"""
import os
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNNER = shlex.split(os.environ.get("TEST_RUNNER", ""))
TIMEOUT = float(os.environ.get("TEST_TIMEOUT", "300"))  # seconds; a program that takes longer hangs

_passed = _failed = 0


def binaries():
    if len(sys.argv) != 2 or not os.path.isdir(sys.argv[1]):
        sys.exit(f"usage: {sys.argv[0]} DIRECTORY-OF-THE-BINARIES")
    return pathlib.Path(sys.argv[1]).resolve()


def setting(name, default):
    return int(os.environ.get(name, default))


def check(what, ok, detail=""):
    """Counts a result; tells what failed, and at once, since the next step may hang."""
    global _passed, _failed
    if ok:
        _passed += 1
    else:
        _failed += 1
        print(f"FAILED: {what}" + (f": {detail}" if detail else ""), flush=True)
    return ok


def summary():
    print(f"{_passed} passed, {_failed} failed")
    sys.exit(1 if _failed or not _passed else 0)


def run(command, **options):
    """Runs one of our programs to its end; `options` are those of subprocess.run."""
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.run([*RUNNER, *command], timeout=TIMEOUT, **options)


def start(command, **options):
    return subprocess.Popen([*RUNNER, *command], **options)


def find_manifest(directory, root):
    """What find and sha256sum say, sorted: the reference for treehash."""
    script = 'find "$1" -type f -print0 | sort -z | xargs -0 -r sha256sum'
    done = subprocess.run(["sh", "-c", script, "sh", root], cwd=directory, stdout=subprocess.PIPE, check=True)
    return sorted(done.stdout.splitlines())


def sha256sum_accepts(directory, manifest):
    """Whether `sha256sum -c` finds every line well formed and every hash right; an empty manifest is fine too."""
    if not manifest:
        return True, ""
    done = subprocess.run(["sha256sum", "-c", "--quiet", "--strict"], cwd=directory, input=manifest,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode == 0, done.stdout.decode(errors="replace")[:500]

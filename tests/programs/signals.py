#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""SIGINT and SIGTERM at random moments: treehash leaves a valid manifest at once, the service closes its account.

SIGNALS_ROUNDS: how many moments for each kind (50). SIGNALS_SEED: to repeat a run.
"""
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time

from programs import RUNNER, TIMEOUT, binaries, check, find_manifest, setting, sha256sum_accepts, start, summary

directory = binaries()
treehash, service = directory / "c" / "treehash", directory / "c" / "service"
rounds = setting("SIGNALS_ROUNDS", 50)
seed = setting("SIGNALS_SEED", random.randrange(1 << 32))
moments = random.Random(seed)
print(f"seed {seed}", flush=True)


def start_treehash(tree, *options):
    """Starts it, and returns once it handles signals."""
    ready, theirs = os.pipe()
    process = start([treehash, *options, "--ready-fd", str(theirs), "."], cwd=tree, pass_fds=[theirs],
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.close(theirs)
    with open(ready, "rb") as line:
        check("treehash is ready", line.read() == b"ready\n")
    return process


def finish(process):
    try:
        return process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        check("it ends", False, f"killed after {TIMEOUT} s: {out[-500:]!r} {err[-500:]!r}")
        return out, err


def manifest_is_valid(what, tree, out, whole):
    lines = out.splitlines(keepends=True)
    check(f"{what}: whole lines", all(line.endswith(b"\n") for line in lines), lines[-1:])
    check(f"{what}: no line twice", len(set(lines)) == len(lines))
    check(f"{what}: lines of this tree", {line.rstrip(b"\n") for line in lines} <= whole)
    ok, detail = sha256sum_accepts(tree, out)
    check(f"{what}: sha256sum -c", ok, detail)


def treehash_at_random_moments(tree):
    whole = set(find_manifest(tree, "."))
    began = time.monotonic()
    out, _ = finish(start_treehash(tree))
    usual = time.monotonic() - began
    check("treehash, left alone: complete", set(out.splitlines()) == whole)

    for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        stopped = 0
        for i in range(rounds):
            options = moments.choice([(), ("-j", "1", "-q", "1"), ("-j", "4", "-q", "2"), ("-q", "1000")])
            delay = moments.uniform(0, usual)
            what = f"treehash {' '.join(options)}, {number.name} after {delay:.4f} s (round {i})"
            process = start_treehash(tree, *options)
            time.sleep(delay)
            process.send_signal(number)
            out, err = finish(process)
            check(f"{what}: exit status", process.returncode in (status, 0), f"{process.returncode}, {err[-500:]!r}")
            manifest_is_valid(what, tree, out, whole)
            if process.returncode == 0:
                check(f"{what}: complete", set(out.splitlines()) == whole)
            else:
                stopped += len(out.splitlines()) < len(whole)
            treehash_account(what, out, err)
        check(f"{number.name} stops treehash in the midst of its work", stopped > 0)


def treehash_account(what, out, err):
    """One line for each file that was hashed; each other accepted file was cancelled, or given up in the midst."""
    line = re.search(rb"(\d+) hashed.*\n.*\n.* (\d+) accepted, (\d+) ran, (\d+) cancelled, (\d+) failed\n"
                     rb".* (\d+) made, (\d+) freed", err)
    if not check(f"{what}: the account", line is not None, err):
        return 0, 0, 0, 0
    hashed, accepted, ran, cancelled, failed, made, freed = (int(figure) for figure in line.groups())
    check(f"{what}: a line for each file that was hashed", len(out.splitlines()) == hashed == ran - failed, err)
    check(f"{what}: the account balances", accepted == ran + cancelled and made == freed, err)
    return made, accepted, cancelled, failed


def threads_of(process):
    """State and context switches of each thread: one that sleeps for good has no more of them."""
    tasks = sorted(pathlib.Path(f"/proc/{process.pid}/task").iterdir(), key=lambda task: int(task.name))
    return ["".join(re.findall(r"^(?:State|.*ctxt_switches).*\n", (task / "status").read_text(), re.M)) for task in tasks]


def await_stillness(process):
    """Until no thread has moved for half a second: there is no event that would say so."""
    still, before = 0, None
    while still < 5:
        time.sleep(0.1)
        now = threads_of(process)
        still = still + 1 if now == before and all("State:\tS" in thread for thread in now) else 0
        before = now


def treehash_that_waits(tree, signals):
    """Nobody reads its output, so that the workers block in a write, and the walk in a submit. The signal must end that
    submit: its record is then the one that was made, but not accepted. A second signal ends it all, though nobody reads."""
    what = f"SIGTERM {'once' if signals == 1 else 'twice'} in a blocked submit"
    process = start_treehash(tree, "-j", "2", "-q", "4")
    await_stillness(process)
    process.send_signal(signal.SIGTERM)
    await_stillness(process)  # now it has done what it can do while there is still no room
    if signals == 2:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            check(f"{what}: it ends", False)
    out, err = finish(process)
    check(f"{what}: exit status 143", process.returncode == 143, f"{process.returncode}, {err!r}")
    if signals == 2:  # the last line may be cut
        check(f"{what}: sha256sum -c", *sha256sum_accepts(tree, out[:out.rfind(b"\n") + 1]))
        return
    made, accepted, cancelled, failed = treehash_account(what, out, err)
    check(f"{what}: that submit was given up", made == accepted + 1, err)
    check(f"{what}: the queue was given up", (cancelled, failed) == (4, 0), err)
    check(f"{what}: sha256sum -c", *sha256sum_accepts(tree, out))


def treehash_in_a_big_file(tree):
    """Stops in the midst of a file that would take far longer, and has no line for it."""
    process = start_treehash(tree, "-j", "2")
    big = (tree / "big").resolve()
    while big not in [fd.resolve() for fd in pathlib.Path(f"/proc/{process.pid}/fd").iterdir()]:
        pass  # until it is being hashed
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = finish(process)
    check("SIGINT in a big file: exit status 130", process.returncode == 130, f"{process.returncode}, {err!r}")
    check("SIGINT in a big file: at once", time.monotonic() - began < 10, time.monotonic() - began)
    _, _, cancelled, failed = treehash_account("SIGINT in a big file", out, err)
    check("SIGINT in a big file: given up, and no error", failed == 1 and b"big" not in out + err, err)
    check("SIGINT in a big file: sha256sum -c", *sha256sum_accepts(tree, out))


def start_service(*options):
    process = start([service, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    check("service is ready", process.stdout.readline() == b"ready\n")
    return process


def account(what, process, out, err):
    check(f"{what}: exit status 0", process.returncode == 0, f"{process.returncode}, {out!r} {err!r}")
    check(f"{what}: account closed", out.endswith(b"\naccount closed\n"), out)
    line = re.search(rb"accepted (\d+) = ran (\d+) \+ cancelled 0 \+ expired 0 \+ discarded (\d+)"
                     rb" \+ queued 0 \+ running 0\n", out)
    if not check(f"{what}: the account", line is not None, out):
        return 0
    accepted, ran, discarded = (int(figure) for figure in line.groups())
    check(f"{what}: the account balances", accepted == ran + discarded, out)
    return discarded


def service_at_random_moments():
    for i in range(rounds):
        producers, rate, cost, workers, capacity = (moments.choice(of) for of in (
            (1, 4, 16), (10, 500, 100000), (0, 100, 20000), (1, 2, 8), (1, 8, 300)))
        number, delay = moments.choice((signal.SIGTERM, signal.SIGINT)), moments.uniform(0, 0.3)
        options = ["--producers", str(producers), "--rate", str(rate), "--cost-us", str(cost),
                   "--workers", str(workers), "--capacity", str(capacity), "--deadline-ms", "3600000"]
        what = f"service {' '.join(options)}, {number.name} after {delay:.4f} s (round {i})"
        process = start_service(*options)
        time.sleep(delay)
        process.send_signal(number)
        out, err = finish(process)
        check(f"{what}: nothing discarded", account(what, process, out, err) == 0, out)


def service_hurried():
    """Slow tasks, so that there is much to discard; the second way out is the deadline."""
    slow = ["--producers", "3", "--rate", "10000", "--cost-us", "200000", "--workers", "2", "--capacity", "1000"]
    for second, options in ((signal.SIGTERM, ()), (signal.SIGINT, ()), (None, ("--deadline-ms", "100"))):
        what = f"service, then {second.name if second else 'the deadline'}"
        process = start_service(*slow, *options)
        process.stdout.readline()  # a line of figures: a second has passed, the queue is full
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        first = process.stdout.readline()
        while b"WP_ECLOSED" not in first:
            first = process.stdout.readline()
        told = re.search(rb"producers: (\d+) waited for room, (\d+) were told WP_ECLOSED", first)
        check(f"{what}: blocked producers were woken", int(told.group(1)) > 0 and int(told.group(2)) > 0, first)
        if second:
            process.send_signal(second)
        out, err = finish(process)
        discarded = account(what, process, out, err)
        check(f"{what}: discards are told", discarded > 500 and b"\ndiscarded %d\n" % discarded in out, out)
        check(f"{what}: at once", time.monotonic() - began < 10, out)  # draining would take more than 50 s


def service_as_process_1():
    """In a process namespace of its own, where a signal that is not handled does nothing. Needs root's rights."""
    alone = ["unshare", "--pid", "--fork", "--kill-child"]
    if RUNNER or subprocess.run([*alone, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        print("service as process 1: left out, it can't be had here")
        return
    process = start([*alone, service], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    check("service as process 1 is ready", process.stdout.readline() == b"ready\n")
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    os.kill(int(children), signal.SIGTERM)
    out, err = finish(process)
    account("service as process 1", process, out, err)


base = pathlib.Path(tempfile.mkdtemp(prefix="signals-"))
try:
    for name, files, size in (("tree", 3000, 20000), ("wait", 6000, 1)):
        for i in range(files):
            here = base / name / str(i // 100)
            here.mkdir(parents=True, exist_ok=True)
            # Long names, so that few lines fill a pipe.
            (here / (f"{i:04}" + "n" * 200)).write_bytes(moments.randbytes(moments.randrange(size)))
    treehash_at_random_moments(base / "tree")
    treehash_that_waits(base / "wait", signals=1)
    treehash_that_waits(base / "wait", signals=2)
    (base / "big").mkdir()
    (base / "big" / "small").write_bytes(b"small")
    with open(base / "big" / "big", "wb") as big:
        big.truncate(1 << 40)  # all holes: takes no room
    treehash_in_a_big_file(base / "big")
    service_at_random_moments()
    service_hurried()
    service_as_process_1()
finally:
    shutil.rmtree(base, ignore_errors=True)
summary()

# SPDX-License-Identifier: MIT
"""run.py BUILD_DIR: measures all peers side by side.

Round by round, each workload is run by each peer, in a process of its own that takes a fraction of a second; the order of the
peers rotates. So whatever the machine does meanwhile meets all of them, and what is reported is the median over the rounds.

ROUNDS=n          how many (20, which take about 9 minutes)
ONLY=names        only these workloads and peers (* allowed); the result goes to BUILD_DIR, not to benches/results
"""

import fnmatch
import json
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import suite

HERE = Path(__file__).parent
DEFAULT_ROUNDS = 20
TIMEOUT_S = 60
DISTURBED = 0.3  # processors


def select(only: list[str]) -> tuple[list[suite.Workload], list[suite.Peer]]:
    """The workloads and peers that ONLY names; whichever kind it does not name is complete."""

    def named(items: list) -> list:
        return [item for item in items if any(fnmatch.fnmatch(item.name, pattern) for pattern in only)]

    workloads, peers = named(suite.WORKLOADS), named(suite.PEERS)
    for pattern in only:
        if not any(fnmatch.fnmatch(item.name, pattern) for item in workloads + peers):
            sys.exit(f"ONLY: no workload or peer is called {pattern}")
    return workloads or suite.WORKLOADS, peers or [peer for peer in suite.PEERS if peer.by_default]


def busy_s() -> float:
    """Seconds that this machine's processors have worked, for whomever; in steps of 10 ms."""
    words = Path("/proc/stat").read_text().split("\n")[0].split()[1:9]
    user, nice, system, _idle, _wait, irq, softirq, steal = (int(word) for word in words)
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def own_s() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class Others:
    """How much other programs work from now on, in processors."""

    def __init__(self) -> None:
        self.begin, self.busy, self.own = time.monotonic(), busy_s(), own_s()

    def processors(self) -> float:
        work = (busy_s() - self.busy) - (own_s() - self.own)
        return max(0.0, work) / (time.monotonic() - self.begin)


def call(programs: Path, peer: suite.Peer, arguments: list[str]) -> str:
    command = [str(programs / peer.command[0]), *peer.command[1:], *arguments]
    # A pool that hangs or fails has no figure, and the others go on.
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    return done.stdout.strip()


def versions(programs: Path, peers: list[suite.Peer]) -> dict[str, str]:
    """Of those that were built; the others are named."""
    found = {}
    for peer in peers:
        try:
            found[peer.name] = call(programs, peer, ["version"])
        except (OSError, subprocess.SubprocessError) as error:
            print(f"skipped: the peer {peer.name} ({error})")
    return found


class Progress:
    """One line that tells how far it is and how long it will take."""

    def __init__(self, steps: int):
        self.steps, self.done, self.begin = steps, 0, time.monotonic()
        self.told = self.begin

    def step(self, what: str) -> None:
        self.done += 1
        now = time.monotonic()
        left = (now - self.begin) / self.done * (self.steps - self.done)
        text = f"{100 * self.done // self.steps:3} %, {left / 60:4.1f} min left: {what}"
        if sys.stderr.isatty():
            print(f"\r{text:<78}", end="", file=sys.stderr, flush=True)
        elif now - self.told > 20:
            self.told = now
            print(text, file=sys.stderr, flush=True)


def measure(programs: Path, workloads: list, peers: list, rounds: int) -> tuple[dict, dict]:
    """The records of every workload and peer, and why a peer has none."""
    records: dict = defaultdict(lambda: defaultdict(list))
    skipped: dict = defaultdict(dict)
    plan = [
        (workload, peer)
        for number in range(rounds)
        for workload in workloads
        if number % workload.every == 0
        for peer in peers[number % len(peers):] + peers[:number % len(peers)]
        if not workload.only or peer.name in workload.only
    ]
    progress = Progress(len(plan))
    for workload, peer in plan:
        progress.step(f"{workload.name}, {peer.name}")
        if peer.name in skipped[workload.name]:
            continue
        numbers = [f"{name}={value}" for name, value in workload.numbers.items()]
        others = Others()
        try:
            record = json.loads(call(programs, peer, [workload.kind, *numbers]))
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            output = getattr(error, "stderr", None) or ""
            record = {"skipped": f"failed: {error} {output}".strip()}
            print(f"\n{workload.name}, {peer.name}: {record['skipped']}", file=sys.stderr)
        if "skipped" in record:
            skipped[workload.name][peer.name] = record["skipped"]
        else:
            records[workload.name][peer.name].append(record | {"others": others.processors()})
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return records, skipped


def undisturbed(records: list[dict]) -> list[dict]:
    """Without those beside which another program had a good part of a processor; all, if hardly any is left."""
    calm = [record for record in records if record["others"] < DISTURBED]
    return calm if 4 * len(calm) >= len(records) else records


def value(record: dict, figure: suite.Figure) -> float | None:
    """None where the peer cannot tell (the CPU time of goroutines)."""
    name, _, share = figure.record.partition(":")
    return record[name][record["shares"].index(int(share))] if share else record.get(name)


def rounded(number: float) -> float:
    return float(f"{number:.4g}")


def summary(values: list[float]) -> dict:
    low, _, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    named = {"median": statistics.median(values), "p25": low, "p75": high, "min": min(values), "max": max(values)}
    return {name: rounded(number) for name, number in named.items()} | {"rounds": len(values)}


def results(workloads: list, records: dict, skipped: dict) -> dict:
    """For each workload and peer: the summary of each figure, and the median curve where there is one."""
    found: dict = {}
    for workload in workloads:
        found[workload.name] = peers = {}
        for peer, of_peer in records[workload.name].items():
            calm = undisturbed(of_peer)
            peers[peer] = {
                figure.name: summary(values)
                for figure in workload.figures
                if None not in (values := [value(record, figure) for record in calm])
            }
            if "curve" in calm[0]:
                points = zip(*(record["curve"] for record in calm))
                peers[peer]["shares"] = calm[0]["shares"]
                peers[peer]["curve"] = [rounded(statistics.median(point)) for point in points]
        # A peer that failed once has no figure: its other rounds may be as wrong.
        for peer, why in skipped[workload.name].items():
            peers[peer] = {"skipped": why}
    return found


def machine() -> dict:
    """What the figures depend on, and nothing that tells whose machine it is."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    release = re.search(r'^PRETTY_NAME="(.*)"$', Path("/etc/os-release").read_text(), re.MULTILINE)
    governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": model.group(1) if model else platform.machine(),
        "kernel": platform.release().split("-")[0],
        "system": release.group(1) if release else "",
        "libc": " ".join(platform.libc_ver()),
        "governor": governor.read_text().strip() if governor.exists() else "not known",
        "virtual": "hypervisor" in Path("/proc/cpuinfo").read_text(),
    }


def shown(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"


def print_summary(workloads: list, found: dict) -> None:
    """Each figure's peers, the best first, with the quartiles and how they compare with the best peer."""
    labels = {peer.name: peer.label for peer in suite.PEERS}
    for workload in workloads:
        rows = found[workload.name]
        for figure in workload.figures:
            medians = {peer: row[figure.name] for peer, row in rows.items() if figure.name in row}
            if not medians:
                continue
            others = [row["median"] for peer, row in medians.items() if peer not in (*suite.OURS, suite.FLOOR)]
            best = (max if figure.more_is_better else min)(others) if others else None
            print(f"\n{workload.label}: {figure.label}" + (f" ({figure.unit})" if figure.unit else ""))
            order = sorted(medians.items(), key=lambda item: item[1]["median"], reverse=figure.more_is_better)
            for peer, row in order:
                ratio = f"{row['median'] / best:8.2f}" if best else ""
                spread = f"{shown(row['p25'])}…{shown(row['p75'])}"
                print(f"  {labels[peer]:<26}{shown(row['median']):>9}  {spread:>17}{ratio}")
        for peer, row in rows.items():
            if "skipped" in row and peer != suite.FLOOR:
                print(f"  {labels[peer]:<26}{'-':>9}  {row['skipped']}")


def as_text(found: dict) -> str:
    """JSON with a line for each peer's row, so that it is short and can still be read and compared."""

    def nested(value: object, depth: int) -> str:
        if depth == 0 or not isinstance(value, dict):
            return json.dumps(value, ensure_ascii=False)
        indent = " " * (4 - depth)
        items = (f"{indent}{json.dumps(name)}: {nested(item, depth - 1)}" for name, item in value.items())
        return "{\n" + ",\n".join(items) + "\n" + indent[1:] + "}"

    return nested(found, 3)


def destination(is_complete: bool, build: Path, cores: int) -> Path:
    if not is_complete:
        return build / "partial.json"
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    number = 1
    while (path := folder / f"{cores}-cores-{number}.json").exists():
        number += 1
    return path


def main() -> None:
    build = Path(sys.argv[1])
    programs = build / "peers" / "bin"
    rounds = int(os.environ.get("ROUNDS") or DEFAULT_ROUNDS)
    only = os.environ.get("ONLY", "").replace(",", " ").split()
    workloads, peers = select(only)
    known = versions(programs, peers)
    peers = [peer for peer in peers if peer.name in known]

    begin, others = time.monotonic(), Others()
    records, skipped = measure(programs, workloads, peers, rounds)
    took = time.monotonic() - begin
    here = machine()
    disturbance = others.processors()

    found = {
        "machine": here,
        "rounds": rounds,
        "seconds": round(took),
        "others": rounded(disturbance),
        "versions": known,
        "results": results(workloads, records, skipped),
    }
    print_summary(workloads, found["results"])
    if disturbance > 0.05:
        print(f"\nOther programs kept {disturbance:.2f} processors busy meanwhile: do not trust these figures.")
    path = destination(not only, build, here["cores"])
    path.write_text(as_text(found) + "\n")
    print(f"\n{rounds} rounds in {took / 60:.1f} min; results: {path}")


main()

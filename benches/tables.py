# SPDX-License-Identifier: MIT
"""The results as tables in Markdown: the targets, where a peer is ahead, and every figure."""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import suite

LABELS = {peer.name: peer.label for peer in suite.PEERS}
US = suite.OURS[0]
# Goroutines change places without the kernel: no thread is woken or switched. Go's pools are shown, but a target that is about
# threads does not compare with them.
GOROUTINES = ("go-channel", "go-ants", "go-pond")
PEERS = [peer.name for peer in suite.PEERS if peer.name not in (*suite.OURS, suite.FLOOR)]
THREADED = [name for name in PEERS if name not in GOROUTINES]
# What a user would pick instead: a library with a pool, rather than a channel to build one around.
POOLS = ("glib", "libuv", "apr", "onetbb-arena", "onetbb-group", "asio", "rayon", "threadpool")


class Run:
    """The medians of one run, or of several together."""

    def __init__(self, runs: list[dict]):
        self.runs = runs

    def median(self, workload: str, peer: str, figure: str) -> float | None:
        rows = (run["results"].get(workload, {}).get(peer, {}) for run in self.runs)
        medians = [row[figure]["median"] for row in rows if figure in row]
        return statistics.median(medians) if medians else None

    def best(self, workload: str, figure: suite.Figure | str, peers: Iterable[str]) -> tuple[float, str] | None:
        """The best of these peers, and its name."""
        of = figure if isinstance(figure, suite.Figure) else suite.figure(workload, figure)
        found = [(number, peer) for peer in peers if (number := self.median(workload, peer, of.name)) is not None]
        return (max if of.more_is_better else min)(found) if found else None

    def curve(self, workload: str, peer: str) -> list[tuple[float, float]]:
        """The share of the round trips, in per mille, that took at most so long."""
        rows = [row for run in self.runs if "curve" in (row := run["results"].get(workload, {}).get(peer, {}))]
        if not rows:
            return []
        medians = [statistics.median(point) for point in zip(*(row["curve"] for row in rows))]
        return list(zip(rows[0]["shares"], medians))


def shown(number: float | None, unit: str = "") -> str:
    if number is None:
        return "–"
    text = f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
    return f"{text} {unit}".strip()


@dataclass(frozen=True)
class Target:
    label: str
    wanted: str
    value: Callable[[Run], float | None]
    limit: float
    unit: str = ""
    at_least: bool = False

    def verdict(self, run: Run) -> str:
        number = self.value(run)
        if number is None:
            return "–"
        holds = number >= self.limit if self.at_least else number <= self.limit
        text = shown(number, self.unit) if self.unit != "×" else f"{number:.2f} ×"
        return f"{text} {'✓' if holds else '**✗**'}"


def ratio(a: float | None, b: float | None) -> float | None:
    return None if a is None or not b else a / b


def to_best(workload: str, figure: str, peers: Iterable[str]) -> Callable[[Run], float | None]:
    """Ours as a multiple of the best of these."""
    names = tuple(peers)

    def value(run: Run) -> float | None:
        best = run.best(workload, figure, names)
        return ratio(run.median(workload, US, figure), best[0]) if best else None

    return value


def best_to(workload: str, figure: str, peers: Iterable[str]) -> Callable[[Run], float | None]:
    inverse = to_best(workload, figure, peers)
    return lambda run: ratio(1, inverse(run))


def ours(workload: str, figure: str) -> Callable[[Run], float | None]:
    return lambda run: run.median(workload, US, figure)


def ours_to(workload: str, figure: str, other: str, peer: str, its: str) -> Callable[[Run], float | None]:
    return lambda run: ratio(run.median(workload, US, figure), run.median(other, peer, its))


STARTS_THREADS = [peer.name for peer in suite.PEERS if peer.threads and peer.name in PEERS]
TARGETS = [
    Target("one producer, two workers, empty tasks: the throughput of the best of GLib, libuv, APR, oneTBB, Boost.Asio, "
           "rayon, `threadpool`", "≥ 6 ×, aim 8 ×", best_to("empty-1p2w", "ns", POOLS), 6, "×", at_least=True),
    Target("the same: the throughput of Go's buffered channel", "≥ 4 ×",
           best_to("empty-1p2w", "ns", ["go-channel"]), 4, "×", at_least=True),
    Target("batches of 64, per task: the time of push, pop and call on one thread (a ring that many could use)", "≤ 1.4 ×",
           ours_to("batch-64", "ns", "floor-ring", suite.FLOOR, "shared"), 1.4, "×"),
    Target("four producers, four workers, per task: the time with one producer, two workers", "≤ 1.5 ×",
           ours_to("empty-4p4w", "ns", "empty-1p2w", US, "ns"), 1.5, "×"),
    Target("round trip, hot, p50: the time of a cache line there and back", "≤ 2 ×",
           ours_to("roundtrip-hot", "p50", "floor-line", suite.FLOOR, "ns"), 2, "×"),
    Target("round trip, hot, p99: its p50", "≤ 3 ×",
           ours_to("roundtrip-hot", "p99", "roundtrip-hot", US, "p50"), 3, "×"),
    Target("round trip after 200 µs, p50: that of the best peer with threads", "≤ 1 ×",
           to_best("roundtrip-200us", "p50", THREADED), 1, "×"),
    Target("round trip after 200 µs, p99: that of the best peer with threads", "≤ 1 ×",
           to_best("roundtrip-200us", "p99", THREADED), 1, "×"),
    Target("tasks of 1 µs, of the ideal throughput", "≥ 90 %", ours("work-1us", "ideal"), 90, "%", at_least=True),
    Target("tasks of 10 µs, of the ideal throughput", "≥ 98 %", ours("work-10us", "ideal"), 98, "%", at_least=True),
    Target("backpressure, context switches: the fewest of a peer with threads", "≤ 1 ×",
           to_best("backpressure", "switches", THREADED), 1, "×"),
    Target("create, 10 tasks, destroy: the time of the best of those that start threads", "≤ 1 ×",
           to_best("life", "us", STARTS_THREADS), 1, "×"),
    Target("resident memory of a slot of capacity", "≤ 192 bytes", ours("memory", "bytes"), 192, "bytes"),
]


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *("| " + " | ".join(row) + " |" for row in rows)]


def targets(runs: list[dict]) -> list[str]:
    head = ["what", "target", *(f"run {number}" for number in range(1, len(runs) + 1))]
    rows = [[target.label, target.wanted, *(target.verdict(Run([run])) for run in runs)] for target in TARGETS]
    return table(head, rows)


def figures() -> Iterable[tuple[suite.Workload, suite.Figure]]:
    return ((workload, figure) for workload in suite.WORKLOADS for figure in workload.figures)


def is_ahead(figure: suite.Figure, a: float, b: float) -> bool:
    return a > b if figure.more_is_better else a < b


def ahead(runs: list[dict]) -> list[str]:
    """The rows in which a peer's median is better than ours, in some run."""
    rows = []
    for workload, figure in figures():
        cells = []
        for run in map(lambda run: Run([run]), runs):
            mine, best = run.median(workload.name, US, figure.name), run.best(workload.name, figure, PEERS)
            leads = mine is not None and best is not None and is_ahead(figure, best[0], mine)
            cells.append(f"{shown(mine)} : {shown(best[0], figure.unit)} {LABELS[best[1]]}" if leads else "–")
        if any(cell != "–" for cell in cells):
            rows.append([f"{workload.label}: {figure.label}", *cells])
    if not rows:
        return ["In no row is a peer ahead."]
    return table(["what (ours : theirs)", *(f"run {number}" for number in range(1, len(runs) + 1))], rows)


GROUPS = [
    ("Empty tasks, and tasks of tasks: time per task",
     ["empty-1p1w", "empty-1p2w", "empty-4p4w", "empty-8p2w", "batch-64", "end-1p2w", "forkjoin", "burst"]),
    ("Tasks with work: share of the ideal throughput; and backpressure",
     ["work-1us", "work-10us", "work-100us", "work-mixed", "backpressure"]),
    ("Round trips", ["roundtrip-hot", "roundtrip-200us"]),
    ("What a pool costs besides", ["life", "memory", "idle"]),
    ("Floors: what no pool can be below", ["floor-ring", "floor-line"]),
]


def everything(runs: list[dict]) -> list[str]:
    """Each figure of each peer, over all runs; the best of a column in bold."""
    return [line for title, names in GROUPS for line in (f"**{title}**", "", *group(Run(runs), names), "")]


def group(run: Run, names: list[str]) -> list[str]:
    columns = [(workload, figure) for workload, figure in figures() if workload.name in names]
    head = [""]
    for workload, figure in columns:
        which = f" {figure.name}" if len(workload.figures) > 1 else ""
        head.append(f"{workload.short}{which}" + (f", {figure.unit}" if figure.unit else ""))
    rows = []
    for peer in suite.PEERS:
        numbers = [run.median(workload.name, peer.name, figure.name) for workload, figure in columns]
        if all(number is None for number in numbers):
            continue
        cells = []
        for number, (workload, figure) in zip(numbers, columns):
            best = run.best(workload.name, figure, [US, *PEERS])
            cells.append(f"**{shown(number)}**" if best and number == best[0] else shown(number))
        rows.append([peer.label, *cells])
    return table(head, rows)


def surroundings(runs: list[dict]) -> list[str]:
    """What the figures were measured on."""
    lines = []
    for number, run in enumerate(runs, 1):
        machine = run["machine"]
        virtual = ", a virtual machine" if machine["virtual"] else ""
        lines.append(f"- Run {number}: {machine['cores']} cores of {machine['processor']}{virtual}; Linux {machine['kernel']}, "
                     f"{machine['system']}, {machine['libc']}; {run['rounds']} rounds in {run['seconds'] / 60:.0f} min; "
                     f"other programs kept {run['others']:.2f} processors busy meanwhile.")
    versions = ", ".join(f"{LABELS[peer]} {version}" for peer, version in runs[-1]["versions"].items()
                         if peer != suite.FLOOR)
    return [*lines, f"- Versions: {versions}."]

# SPDX-License-Identifier: MIT
"""What is measured: the peers, the workloads, and the figures that are shown of each. The one place that names them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    name: str
    label: str
    command: tuple[str, ...]  # the program in the folder of the built peers, and its first arguments
    threads: bool = True  # a pool's life begins and ends the threads that run its tasks
    by_default: bool = True


PEERS = [
    Peer("workerpool", "libworkerpool", ("workerpool",)),
    Peer("workerpool-shared", "libworkerpool.so", ("workerpool-shared",), by_default=False),
    Peer("glib", "GLib GThreadPool", ("glib",)),
    Peer("libuv", "libuv", ("libuv",), threads=False),
    Peer("apr", "APR-util", ("apr",)),
    Peer("onetbb-arena", "oneTBB task_arena", ("onetbb-arena",), threads=False),
    Peer("onetbb-group", "oneTBB task_group", ("onetbb-group",), threads=False),
    Peer("asio", "Boost.Asio thread_pool", ("asio",)),
    Peer("rayon", "rayon", ("rayon",)),
    Peer("threadpool", "threadpool (crate)", ("threadpool",)),
    Peer("tokio", "tokio spawn_blocking", ("tokio",)),
    Peer("crossbeam", "bare crossbeam-channel", ("crossbeam",)),
    Peer("go-channel", "Go buffered channel", ("go-peers", "channel"), threads=False),
    Peer("go-ants", "Go ants", ("go-peers", "ants"), threads=False),
    Peer("go-pond", "Go pond", ("go-peers", "pond"), threads=False),
    Peer("floor", "(no pool)", ("floor",)),
]

OURS = ("workerpool", "workerpool-shared")
FLOOR = "floor"


@dataclass(frozen=True)
class Figure:
    name: str  # in the results
    label: str
    unit: str
    record: str  # in what the driver prints; "curve:500" is the curve's value at 500 per mille
    more_is_better: bool = False


@dataclass(frozen=True)
class Workload:
    name: str
    label: str
    short: str  # heads a column
    kind: str
    numbers: dict[str, int]
    figures: tuple[Figure, ...]
    only: tuple[str, ...] = ()  # these peers; all if empty
    every: int = 1  # measured in one of so many rounds


def per_task(name: str = "ns") -> tuple[Figure, ...]:
    return (Figure(name, "time per task", "ns", "ns"),)


IDEAL = (Figure("ideal", "of the ideal throughput", "%", "ideal", more_is_better=True),)
ROUND_TRIP = tuple(
    Figure(name, f"round trip, {name}", "ns", f"curve:{share}")
    for name, share in (("p50", 500), ("p90", 900), ("p99", 990), ("p99.9", 999))
)


def throughput(name: str, label: str, short: str, figures: tuple[Figure, ...], **numbers: int) -> Workload:
    return Workload(name, label, short, "throughput", numbers, figures)


WORKLOADS = [
    throughput("empty-1p1w", "empty tasks, 1 producer, 1 worker", "1P 1W", per_task(), producers=1, workers=1),
    throughput("empty-1p2w", "empty tasks, 1 producer, 2 workers", "1P 2W", per_task(), producers=1, workers=2),
    throughput("empty-4p4w", "empty tasks, 4 producers, 4 workers", "4P 4W", per_task(), producers=4, workers=4),
    throughput("empty-8p2w", "empty tasks, 8 producers, 2 workers", "8P 2W", per_task(), producers=8, workers=2),
    throughput("batch-64", "empty tasks in batches of 64, 1 producer, 2 workers", "batches of 64", per_task(), workers=2, batch=64),
    Workload("end-1p2w", "empty tasks that tell their end, 1 producer, 2 workers", "with `end`", "throughput",
             {"workers": 2, "end": 1}, per_task(), only=OURS),
    throughput("work-1us", "tasks of 1 µs, 1 producer, 2 workers", "1 µs", IDEAL, workers=2, unit_ns=1000),
    throughput("work-10us", "tasks of 10 µs, 1 producer, 2 workers", "10 µs", IDEAL, workers=2, unit_ns=10_000),
    throughput("work-100us", "tasks of 100 µs, 1 producer, 2 workers", "100 µs", IDEAL, workers=2, unit_ns=100_000, ms=80),
    throughput("work-mixed", "tasks of 1 µs, each hundredth of 1 ms, 1 producer, 2 workers", "mixed", IDEAL,
               workers=2, unit_ns=1000, every=100, long_ns=1_000_000, ms=80),
    Workload("roundtrip-hot", "round trip, the next at once, 2 workers", "hot", "roundtrip", {"workers": 2}, ROUND_TRIP),
    Workload("roundtrip-200us", "round trip after 200 µs of rest, 2 workers", "after 200 µs", "roundtrip",
             {"workers": 2, "gap_ns": 200_000, "ms": 250}, ROUND_TRIP),
    throughput("backpressure", "tasks of 50 µs, room for 16, 4 producers, 2 workers", "backpressure", (
        Figure("switches", "context switches per 1,000 tasks", "", "switches"),
        Figure("cpu", "CPU time of the submitters per task", "ns", "producers_cpu_ns"),
    ), producers=4, workers=2, capacity=16, unit_ns=50_000, bound=1, ms=80),
    Workload("burst", "10,000 empty tasks at once after 10 ms of rest, 2 workers", "burst of 10,000", "burst",
             {"workers": 2, "capacity": 10_240, "tasks": 10_000, "gap_ns": 10_000_000, "ms": 80},
             (Figure("us", "time to the end of the last", "µs", "us"),)),
    Workload("forkjoin", "each task submits two more, to depth 12, 2 workers", "fork-join", "forkjoin",
             {"workers": 2, "capacity": 8192, "depth": 12}, per_task()),
    Workload("life", "create with 2 workers, 10 tasks, destroy", "create to destroy", "life", {"workers": 2, "tasks": 10},
             (Figure("us", "time", "µs", "us"),)),
    Workload("memory", "resident memory of a queued task", "queued task", "memory", {"workers": 2, "tasks": 100_000},
             (Figure("bytes", "per queued task", "bytes", "bytes"),), every=3),
    Workload("idle", "an idle pool of 2 workers for 1 s", "idle for 1 s", "idle", {"workers": 2, "ms": 1000}, (
        Figure("cpu", "CPU time of the process", "µs", "cpu_us"),
        Figure("switches", "context switches", "", "switches"),
    ), every=5),
    Workload("floor-ring", "push, pop and call on one thread", "ring", "ring", {}, (
        Figure("shared", "a ring that many threads could use", "ns", "ns"),
        Figure("plain", "a ring for one thread", "ns", "plain_ns"),
    ), only=(FLOOR,)),
    Workload("floor-line", "a cache line there and back between two threads", "cache line", "line", {},
             (Figure("ns", "time", "ns", "ns"), Figure("clock", "two looks at the clock, which each round trip has besides",
                                                       "ns", "clock_ns")), only=(FLOOR,)),
]


def figure(workload: str, name: str) -> Figure:
    found = next(item for item in WORKLOADS if item.name == workload)
    return next(item for item in found.figures if item.name == name)

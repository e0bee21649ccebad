# SPDX-License-Identifier: MIT
"""The results as SVG: panels of bars, and curves of the round trips."""

import html
import math

import suite
from tables import LABELS, PEERS, US, Run, shown

INK, GREY, OURS_COLOR, THEIRS = "#1f2328", "#8c959f", "#0969da", "#b6bec7"
# Curves must be told apart: a colour for each peer that has one.
COLORS = {
    "workerpool": OURS_COLOR, "glib": "#bf8700", "onetbb-arena": "#8250df", "asio": "#cf222e", "rayon": "#bc4c00",
    "threadpool": "#1a7f37", "crossbeam": "#bf3989", "go-channel": "#1b7c83",
}


class Svg:
    def __init__(self, width: int, height: int, title: str):
        self.width, self.height = width, height
        self.parts = [f"<title>{html.escape(title)}</title>", f'<rect width="{width}" height="{height}" fill="#ffffff"/>']

    def rect(self, x: float, y: float, width: float, height: float, color: str) -> None:
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}" fill="{color}"/>')

    def line(self, points: list[tuple[float, float]], color: str, width: float = 1) -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="{width}"/>')

    def text(self, x: float, y: float, text: str, color: str = INK, anchor: str = "start", weight: str = "normal") -> None:
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" text-anchor="{anchor}" '
                          f'font-weight="{weight}">{html.escape(text)}</text>')

    def __str__(self) -> str:
        head = (f'<!-- SPDX-License-Identifier: MIT; drawn by benches/plot.py -->\n'
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
                f'font-family="sans-serif" font-size="11">')
        return "\n".join([head, *self.parts, "</svg>", ""])


class Scale:
    """From values to places: by their logarithm, or plainly."""

    def __init__(self, low: float, high: float, begin: float, end: float, is_log: bool):
        self.of = math.log10 if is_log else float
        self.low, self.high, self.begin, self.end = self.of(low), self.of(high), begin, end

    def __call__(self, value: float) -> float:
        share = (self.of(value) - self.low) / (self.high - self.low)
        return self.begin + min(max(share, 0), 1) * (self.end - self.begin)


PANEL_WIDTH, ROW, LABEL_WIDTH, VALUE_WIDTH = 440, 16, 150, 60


def bars(svg: Svg, x: float, y: float, run: Run, workload: suite.Workload, figure: suite.Figure) -> None:
    """One panel: the best on top."""
    unit = f" ({figure.unit})" if figure.unit else ""
    svg.text(x, y + 14, workload.label, weight="bold")
    svg.text(x, y + 28, f"{figure.label}{unit}; " + ("more is better" if figure.more_is_better else "less is better, log scale"),
             GREY)
    values = [(number, peer) for peer in (US, *PEERS)
              if (number := run.median(workload.name, peer, figure.name)) is not None]
    values.sort(reverse=figure.more_is_better)
    numbers = [max(number, 1e-3) for number, _ in values]
    low = 0.0 if figure.more_is_better else min(numbers) / 2
    high = max(100.0, *numbers) if figure.more_is_better else max(numbers)
    begin = x + LABEL_WIDTH
    scale = Scale(low, high, begin, x + PANEL_WIDTH - VALUE_WIDTH, is_log=not figure.more_is_better)
    for index, (number, peer) in enumerate(values):
        top = y + 36 + index * ROW
        mine = peer == US
        svg.text(begin - 6, top + 11, LABELS[peer], anchor="end", weight="bold" if mine else "normal")
        end = scale(max(number, 1e-3))
        svg.rect(begin, top + 2, end - begin, ROW - 4, OURS_COLOR if mine else THEIRS)
        svg.text(end + 4, top + 11, shown(number), INK if mine else GREY, weight="bold" if mine else "normal")


def panels(run: Run, title: str, shown_figures: list[tuple[str, str]]) -> str:
    height = 36 + ROW * (len(PEERS) + 1) + 20
    rows = math.ceil(len(shown_figures) / 2)
    svg = Svg(2 * PANEL_WIDTH + 60, rows * height + 10, title)
    for index, (name, of) in enumerate(shown_figures):
        workload = next(item for item in suite.WORKLOADS if item.name == name)
        bars(svg, 20 + index % 2 * (PANEL_WIDTH + 20), 5 + index // 2 * height, run, workload, suite.figure(name, of))
    return str(svg)


def curves(run: Run) -> str:
    """How large a share of the round trips took at most so long."""
    width, height, left, top = 900, 300, 60, 40
    names = ["roundtrip-hot", "roundtrip-200us"]
    svg = Svg(width, len(names) * (height + 70) + 10, "How long a task's round trip takes")
    for index, name in enumerate(names):
        workload = next(item for item in suite.WORKLOADS if item.name == name)
        offset = index * (height + 70)
        svg.text(left, offset + 20, workload.label + ": share of round trips that took at most so long", weight="bold")
        across = Scale(100, 1e7, left, width - 190, is_log=True)
        # Nines, so that the tail is seen.
        down = Scale(1, 0.001, offset + top + height - 20, offset + top, is_log=True)
        for share in (0.5, 0.9, 0.99, 0.999):
            place = down(1 - share)
            svg.line([(left, place), (width - 190, place)], "#eaeef2")
            svg.text(left - 6, place + 4, f"{100 * share:g} %", GREY, anchor="end")
        for power, text in ((2, "100 ns"), (3, "1 µs"), (4, "10 µs"), (5, "100 µs"), (6, "1 ms"), (7, "10 ms")):
            place = across(10**power)
            svg.line([(place, offset + top), (place, offset + top + height - 20)], "#eaeef2")
            svg.text(place, offset + top + height - 4, text, GREY, anchor="middle")
        listed = [(curve, peer) for peer in COLORS if (curve := run.curve(name, peer))]
        for row, (curve, peer) in enumerate(listed):
            points = [(across(time), down(1 - share / 1000)) for share, time in curve if share < 1000]
            svg.line(points, COLORS[peer], 2.5 if peer == US else 1.4)
            svg.rect(width - 175, offset + top + 20 + row * 18, 14, 4, COLORS[peer])
            svg.text(width - 155, offset + top + 26 + row * 18, LABELS[peer], weight="bold" if peer == US else "normal")
    return str(svg)


def all_charts(run: Run) -> dict[str, str]:
    """File names and contents."""
    return {
        "throughput": panels(run, "Empty tasks: time per task", [
            ("empty-1p1w", "ns"), ("empty-1p2w", "ns"), ("empty-4p4w", "ns"), ("empty-8p2w", "ns"), ("batch-64", "ns"),
            ("forkjoin", "ns")]),
        "work": panels(run, "Tasks with work: share of the ideal throughput", [
            ("work-1us", "ideal"), ("work-10us", "ideal"), ("work-100us", "ideal"), ("work-mixed", "ideal")]),
        "latency": curves(run),
        "costs": panels(run, "What a pool costs besides", [
            ("backpressure", "switches"), ("burst", "us"), ("life", "us"), ("memory", "bytes")]),
    }

# SPDX-License-Identifier: MIT
"""Draws benches/results/*.json into docs/img, and writes their tables into docs/performance.md between its markers.

The runs of one class of machines, 2-cores say, are shown together: the targets run by run, all else as the median of the runs.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

import charts
import tables

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"


def load() -> dict[str, list[dict]]:
    """The runs by class."""
    classes = defaultdict(list)
    paths = sorted((HERE / "results").glob("*-cores-*.json"), key=lambda path: int(path.stem.rsplit("-", 1)[1]))
    for path in paths:
        classes[path.stem.rsplit("-", 1)[0]].append(json.loads(path.read_text()))
    return classes


def section(name: str, runs: list[dict]) -> list[str]:
    images = DOCS / "img"
    images.mkdir(exist_ok=True)
    together = tables.Run(runs)
    lines = [f"## {name.replace('-', ' ')}", "", *tables.surroundings(runs), ""]
    lines += ["### The targets", "", *tables.targets(runs), ""]
    lines += ["### Where a peer is ahead", "", *tables.ahead(runs), ""]
    for chart, text in charts.all_charts(together).items():
        (images / f"{name}-{chart}.svg").write_text(text)
        lines += [f"![{chart}](img/{name}-{chart}.svg)", ""]
    lines += ["### Every figure", "", "The median of the runs, each of which is a median of its rounds.", ""]
    lines += [*tables.everything(runs), ""]
    return lines


def main() -> None:
    classes = load()
    if not classes:
        sys.exit("benches/results holds no results: run scripts/bench first")
    page = DOCS / "performance.md"
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    if not rest:
        sys.exit(f"{page} lacks the line {BEGIN}")
    lines = [line for name, runs in sorted(classes.items()) for line in section(name, runs)]
    page.write_text(before + "\n".join([BEGIN, "", *lines, END]) + after)
    print(f"written: {page} and {DOCS / 'img'}")


main()

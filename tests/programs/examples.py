#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each numbered example prints exactly what its .expected file says, several times in a row."""
import subprocess

from programs import ROOT, binaries, check, run, setting, summary

directory = binaries()
for expected in sorted((ROOT / "examples").glob("c*/[0-9][0-9]_*.expected")):
    name = f"{expected.parent.name}/{expected.stem}"
    program = directory / name
    if not check(f"{name} was built", program.is_file(), str(program)):
        continue
    for _ in range(setting("EXAMPLES_ROUNDS", 10)):
        try:
            done = run([program])
        except subprocess.TimeoutExpired:
            check(f"{name} ends", False)
            break
        ok = check(f"{name}: exit status 0", done.returncode == 0, f"{done.returncode}, {done.stderr.decode()}")
        ok &= check(f"{name}: output", done.stdout == expected.read_bytes(), done.stdout.decode())
        if not ok:
            break
summary()

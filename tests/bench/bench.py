#!/usr/bin/python3
"""make bench: what breakwater costs, as ratios to milters that do nothing.

    bench.py [--quick] [--rounds N] [--json FILE] [SECTION ...]

Sections: ordinary list blocked idle rcpt memory postfix directory growth (all, about eight minutes). Contenders run in turns, five rounds; a
ratio is taken within one round, and the median of the rounds is printed with the lowest and the highest. --quick is one short
round of everything: it shows that the bench works, its figures say nothing. What each figure means, and what must hold, stands
in docs/performance.md. BW_BUILD: the build tree (default the release preset's), with the target bench-programs built.

Exit 0: measured, whatever the ratios are. 1: something that is installed could not be measured. 2: usage, or not built.
"""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import contenders  # noqa: E402
import directory  # noqa: E402
import growth  # noqa: E402
import mail  # noqa: E402
import sections  # noqa: E402
import table  # noqa: E402
from support import place  # noqa: E402

SECTIONS = {"ordinary": sections.ordinary, "list": sections.list_mail, "blocked": sections.blocked, "idle": sections.idle,
            "rcpt": sections.rcpt, "memory": sections.memory, "postfix": mail.through_postfix,
            "directory": directory.directory, "growth": growth.growth}


def arguments():
    parser = argparse.ArgumentParser(usage="bench.py [--quick] [--rounds N] [--json FILE] [SECTION ...]", add_help=True)
    parser.add_argument("--quick", action="store_true", help="one short round of everything")
    parser.add_argument("--rounds", type=int, help="how often contenders take turns (5)")
    parser.add_argument("--json", metavar="FILE", help="writes every single run there")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=" ".join(SECTIONS))
    chosen = parser.parse_args()
    if unknown := [s for s in chosen.sections if s not in SECTIONS]:
        parser.error(f"unknown section '{unknown[0]}'; known: {' '.join(SECTIONS)}")
    if chosen.rounds is not None and not 1 <= chosen.rounds <= 100:
        parser.error("--rounds: 1 to 100")
    return chosen


def effort_of(chosen):
    effort = sections.Effort.quick() if chosen.quick else sections.Effort()
    if chosen.rounds:
        effort.rounds = chosen.rounds
    return effort


def heading(effort, quick):
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} processors, load {load:.2f}; {effort.rounds} rounds of {effort.measure_ms} ms in turns; "
          "ratios: median of the rounds (lowest..highest)")
    if quick:
        print("quick: this shows that the bench works; the figures say nothing")
    if load > 0.5:
        print("something else is running on this host: expect a wide spread")
    print(flush=True)


def measure(bench, chosen):
    rows = []
    for name in chosen.sections or SECTIONS:
        for row in SECTIONS[name](bench):
            rows.append(row)
            print("\n".join(table.block(row)) + "\n", flush=True)
    return rows


def sum_up(rows, seconds):
    judged = [(row.title, name, text, holds) for row in rows for name in row.series.runs for text, holds in table.judged(row, name)]
    broken = [j for j in judged if not j[3]]
    failed = [f"{row.title}: {name}: {row.series.notes[name]}" for row in rows for name in table.failed(row)]
    for title, name, text, _ in broken:
        print(f"does not hold: {title}: {name}: {text}")
    for text in failed:
        print(f"not measured: {text}")
    print(f"bench: {len(rows)} rows, {len(judged) - len(broken)} of {len(judged)} bounds hold, {len(failed)} not measured, "
          f"{seconds:.0f} s")
    return 1 if failed or not rows else 0


def main():
    chosen = arguments()
    if unbuilt := contenders.missing():
        print(f"bench: not built: {', '.join(unbuilt)}", file=sys.stderr)
        return 2
    effort = effort_of(chosen)
    began = time.monotonic()
    heading(effort, chosen.quick)
    with place.Scratch("bench") as scratch:
        bench = sections.Bench(scratch, effort)
        try:
            rows = measure(bench, chosen)
        finally:
            bench.close()
    if chosen.json:
        Path(chosen.json).write_text(json.dumps([table.raw(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    return sum_up(rows, time.monotonic() - began)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())

"""A large directory: memory, loading, changes, look-ups; on both stores, in a process of its own each (bench-directory)."""

import json
import subprocess

import contenders
import figures
from sections import Bound, Row

FEW, MANY = 10, 1_000_000
MOST_KIB = 256 * 1024


def run(*arguments, seconds=600):
    """bench-directory's answer."""
    done = subprocess.run([str(a) for a in (contenders.programs() / "bench-directory", *arguments)], capture_output=True, text=True,
                          timeout=seconds, check=False)
    if done.returncode != 0:
        raise figures.Failed(done.stderr.strip())
    return json.loads(done.stdout) if done.stdout else None


class Place:
    """A store with so many lists."""

    def __init__(self, name, store, lists):
        self.name, self.store, self.lists = name, store, lists

    def fill(self):
        run("fill", self.store, self.lists)
        return self

    def measure(self, *_):
        return run("measure", self.store, self.lists)


def places(bench, series, many):
    """Filled stores; a Redis holds one directory, so it has a large one only."""
    found = [Place(f"embedded, {n:,} lists", bench.scratch / f"directory-{n}.db", n).fill() for n in (FEW, many)]
    try:
        found.append(Place(f"redis, {many:,} lists", f"unix:{bench.redis().path}", many).fill())
    except contenders.NotInstalled as missing:
        series.note(f"redis, {many:,} lists", f"not installed ({missing})")
    return found


def directory(bench):
    """What 1,000,000 lists cost."""
    series, many = figures.Series(), bench.effort.lists
    entries = places(bench, series, many)
    series = figures.in_turns(series, entries, min(bench.effort.rounds, 3), lambda place, turn: place.measure(turn))
    bounds = [bound for store in ("embedded", "redis") for bound in (
        Bound(f"{store}, {many:,} lists", "swap_peak_kib", "", False, MOST_KIB),
        Bound(f"{store}, {many:,} lists", "change_ms", "", False, 1000))]
    yield Row(f"directory of {many:,} lists", "directory", series, bounds)

"""Runs of the load generator, and what several of them say together."""

import dataclasses
import itertools
import json
import statistics
import subprocess

import contenders

_tags = itertools.count(1)


class Failed(Exception):
    """A run that says nothing about speed: no answer, or answers that were not expected."""


def loadgen(contender, *arguments, linger=False):
    """The load generator's Popen, reading stdin only to know when to close what it left open."""
    command = [str(contenders.programs() / "loadgen"), "--socket", contender.socket, "--tag", f"b{next(_tags)}"]
    for pid in contender.pids()[:8]:
        command += ["--pid", str(pid)]
    command += [str(a) for a in arguments] + (["--linger"] if linger else [])
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def load(contender, *arguments, expect="accept", spare=0, seconds=120):
    """One run; its JSON. All messages, but `spare` at most, must have the verdict `expect`."""
    run = loadgen(contender, *arguments)
    try:
        out, err = run.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as late:
        run.kill()
        run.communicate()
        raise Failed(f"{contender.name}: not finished within {seconds} s") from late
    if run.returncode != 0:
        raise Failed(f"{contender.name}: {err.strip()}")
    result = json.loads(out)
    others = {v: result[v] for v in ("accept", "hold", "throttle", "reject", "discard") if v != expect and result[v]}
    if sum(others.values()) > spare:
        raise Failed(f"{contender.name}: not every message had the verdict {expect}: {others}")
    return result


@dataclasses.dataclass
class Spread:
    """The median of several figures, and how far they lie apart."""
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values):
        return cls(statistics.median(values), min(values), max(values))


class Series:
    """The runs of one row of the table: one list of results for each contender, run in turns."""

    def __init__(self):
        self.runs = {}
        self.notes = {}

    def add(self, name, result):
        self.runs.setdefault(name, []).append(result)

    def note(self, name, text):
        """Why there are no figures."""
        self.notes[name] = text
        self.runs.pop(name, None)

    def names(self):
        return [*self.runs, *self.notes]

    def spread(self, name, figure):
        return Spread.of([r[figure] for r in self.runs[name]])

    def ratio(self, name, yardstick, figure):
        """Of the same round, round by round: what disturbs one turn disturbs both. None without a yardstick."""
        if name not in self.runs or yardstick not in self.runs:
            return None
        pairs = zip(self.runs[name], self.runs[yardstick])
        values = [mine[figure] / theirs[figure] for mine, theirs in pairs if theirs[figure]]
        return Spread.of(values) if values else None


def in_turns(series, entries, rounds, run):
    """run(contender, round) -> result for everybody in turn, `rounds` times; who fails once is left out."""
    for turn in range(rounds):
        # Nobody always follows the same neighbour.
        for entry in (entries if turn % 2 == 0 else entries[::-1]):
            if entry.name in series.notes:
                continue
            try:
                series.add(entry.name, run(entry, turn))
            except Failed as failure:
                series.note(entry.name, str(failure))
    return series

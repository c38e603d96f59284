"""Does it get slower with what it knows? breakwaterd with 10 lists in its directory beside one with 1,000,000."""

import contenders
import figures
from directory import FEW, run
from sections import POST, Bound, Row

CONNECTIONS = 16
WITHIN = 0.10


class Grown(contenders.Breakwater):
    """Embedded, with so many lists in the store before it starts; the list that it is measured with stands in the configuration."""

    def __init__(self, scratch, lists):
        super().__init__(scratch, name=f"{lists:,} lists")
        self.lists = lists

    def start(self):
        run("fill", self.daemon.directory / "store.db", self.lists)
        self.daemon.start(seconds=180)  # it reads its directory first
        return self


def rows(bench, entries, small, large):
    """Ordinary mail is counted for its sender and its mailboxes: both guards are on, as they are by default."""
    bounds = [Bound(large.name, "rate", small.name, True, 1 - WITHIN),
              Bound(large.name, "cpu_us_per_message", small.name, False, 1 + WITHIN)]
    for title, arguments in (("ordinary mail, sender and mailbox guards on", []),
                             ("list mail", [*POST, "--to", contenders.OPEN_LIST.format(0)])):
        def once(contender, _, arguments=arguments):
            return figures.load(contender, "--connections", CONNECTIONS, *arguments, *bench.timing())

        series = figures.in_turns(bench.series(()), entries, bench.effort.rounds, once)
        yield Row(f"{title}, {CONNECTIONS} connections, {small.name} and {large.name}", "growth", series, bounds)


def growth(bench):
    """Side by side, in turns."""
    entries = [Grown(bench.scratch, n) for n in (FEW, bench.effort.lists)]
    started = []
    try:
        for entry in entries:
            started.append(entry.start())
            figures.load(entry, "--connections", 8, "--messages", 25)
        yield from rows(bench, entries, *entries)
    finally:
        for entry in started:
            entry.stop()

"""What is measured: each section yields rows of the table."""

import dataclasses
import itertools
import json
import time

import contenders
import figures
from figures import Failed, Series, in_turns

LEAN, REDIS_LEAN, ALL, RSPAMD = "null lean", "null lean+1", "null all", "rspamd ratelimit"
EMBEDDED, REDIS = "breakwater embedded", "breakwater redis"
OURS = (EMBEDDED, REDIS)
POST = ("--senders", 5000)  # fewer than the 10,000 that the thresholds of the open lists allow


@dataclasses.dataclass
class Bound:
    """`who`'s figure, divided by the yardstick's if there is one, has to be at least, or at most, `value`."""
    who: str
    figure: str
    yardstick: str
    least: bool
    value: float


@dataclasses.dataclass
class Row:
    title: str
    kind: str  # speed, cost, memory, mail: which columns the table has
    series: Series
    bounds: list = dataclasses.field(default_factory=list)
    note: str = ""


@dataclasses.dataclass
class Effort:
    """How long everything takes."""
    rounds: int = 5
    measure_ms: int = 700
    warmup_ms: int = 200
    connections: tuple = (1, 16, 100, 500)
    idle: int = 2000
    rate: int = 1000
    many_rcpts: int = 840_000
    mails: int = 1200
    lists: int = 1_000_000

    @classmethod
    def quick(cls):
        """Enough to see that everything works; its figures say nothing."""
        return cls(rounds=1, measure_ms=150, warmup_ms=50, connections=(1, 16), idle=200, rate=500, many_rcpts=8400, mails=100,
                   lists=10_000)


class Bench:
    """Starts contenders when a section wants them, and keeps them until the end."""

    def __init__(self, scratch, effort):
        self.scratch, self.effort = scratch, effort
        self.running, self.absent = {}, {}
        self._redis = None
        self._number = itertools.count(1)

    def redis(self):
        if self._redis is None:
            self._redis = contenders.Redis(self.scratch).start()
        return self._redis

    def make(self, kind, **more):
        """A contender, not started. Raises NotInstalled."""
        if kind == REDIS_LEAN:
            return contenders.NullMilter(self.scratch, "lean+1", redis=self.redis(), **more)
        if kind in (ALL, LEAN):
            return contenders.NullMilter(self.scratch, kind.split()[1], **more)
        if kind == RSPAMD:
            return contenders.Rspamd(self.scratch, self.redis(), **more)
        store = kind.split()[1]
        return contenders.Breakwater(self.scratch, store, redis=self.redis() if store == "redis" else None, **more)

    def have(self, *names):
        """The contenders that can be had, started; the others are named in .absent."""
        for name in names:
            if name in self.running or name in self.absent:
                continue
            try:
                self.running[name] = self.make(name).start()
                figures.load(self.running[name], "--connections", 8, "--messages", 25)  # nobody is measured cold
            except contenders.NotInstalled as missing:
                self.absent[name] = f"not installed ({missing})"
        return [self.running[n] for n in names if n in self.running]

    def series(self, names):
        """An empty series that names who is absent."""
        series = Series()
        for name in names:
            if name in self.absent:
                series.note(name, self.absent[name])
        return series

    def fresh(self, kind):
        """One more instance, for whoever wants to see it from its start; the caller stops it."""
        return self.make(kind, name=f"{kind} {next(self._number)}").start()

    def timing(self):
        return ["--warmup", f"{self.effort.warmup_ms}ms", "--measure", f"{self.effort.measure_ms}ms"]

    def close(self):
        for contender in self.running.values():
            contender.stop()
        if self._redis is not None:
            self._redis.stop()


def speed(bench, title, names, arguments, bounds=(), **expectation):
    """A row of messages as fast as the answers come."""
    entries = bench.have(*names)

    def run(contender, _):
        return figures.load(contender, *arguments, *bench.timing(), **expectation)

    return Row(title, "speed", in_turns(bench.series(names), entries, bench.effort.rounds, run), list(bounds))


# --- ordinary mail


def ordinary(bench):
    """Ordinary mail: no list among the recipients."""
    bounds = [b for who in OURS for b in (Bound(who, "rate", LEAN, True, 1.0), Bound(who, "p99_us", LEAN, False, 1.5))]
    for n in bench.effort.connections:
        yield speed(bench, f"ordinary mail, {n} connections", (ALL, LEAN, *OURS, RSPAMD), ["--connections", n], bounds)


# --- list mail


def list_bounds(connections):
    bounds = [Bound(EMBEDDED, "rate", LEAN, True, 0.30), Bound(REDIS, "rate", REDIS_LEAN, True, 0.85)]
    if connections >= 16:
        bounds.append(Bound(REDIS, "rate", RSPAMD, True, 3.0))
    return bounds


def list_mail(bench):
    """Posts to lists whose thresholds are far away: everything is counted, nothing is stopped."""
    everybody = (LEAN, REDIS_LEAN, *OURS, RSPAMD)
    one = [*POST, "--to", contenders.OPEN_LIST.format(0)]
    for n in bench.effort.connections:
        row = speed(bench, f"list mail to one list, {n} connections", everybody, ["--connections", n, *one], list_bounds(n))
        row.note = evalsha_note(bench)
        yield row
    many = [*POST, "--to", contenders.OPEN_LIST.format("#"), "--spread", contenders.OPEN_LISTS]
    yield speed(bench, "list mail to 1,000 lists, 16 connections", (LEAN, *OURS), ["--connections", 16, *many], list_bounds(0))
    yield replies(bench)


def replies(bench):
    root = "root.of.thread@client.nhs.example"
    to = ["--to", contenders.OPEN_LIST.format(1)]
    for contender in bench.have(LEAN, *OURS):
        figures.load(contender, "--messages", 1, "--message-id", root, *to)
    return speed(bench, "replies to one conversation, 16 connections", (LEAN, *OURS),
                 ["--connections", 16, *POST, *to, "--thread", root], list_bounds(0))


def evalsha_note(bench):
    """Calls of EVALSHA = messages x lists: one run counted by Redis itself."""
    ours = bench.running.get(REDIS)
    if ours is None:
        return ""
    before = bench.redis().calls("evalsha")
    result = figures.load(ours, "--connections", 4, "--messages", 25, *POST, "--to", contenders.OPEN_LIST.format(2))
    calls = bench.redis().calls("evalsha") - before
    return f"{REDIS}: {calls} calls of EVALSHA for {result['accept']} messages to one list"


# --- mail into conversations that are stopped


def blocked(bench):
    """Replies to a conversation whose breaker is open."""
    for address, verdict in ((contenders.HELD_LIST, "hold"), (contenders.REJECTED_LIST, "reject")):
        root = f"root.of.{verdict}@client.nhs.example"
        for contender in bench.have(*OURS):
            figures.load(contender, "--messages", 1, "--from", contenders.POSTER, "--message-id", root, "--to", address)
            figures.load(contender, "--messages", 20, "--from", f"{verdict}#@nhs.example", "--thread", root, "--to", address,
                         expect=verdict, spare=3)  # as many may pass as the conversation guard allows
        yield stopped(bench, address, root, verdict)


def stopped(bench, address, root, verdict):
    entries = bench.have(LEAN, *OURS)
    arguments = ["--connections", 16, "--from", f"{verdict}#@nhs.example", "--senders", 5000, "--thread", root, "--to", address]

    def run(contender, _):
        expect = "accept" if contender.name == LEAN else verdict
        return figures.load(contender, *arguments, *bench.timing(), expect=expect)

    series = in_turns(bench.series((LEAN, *OURS)), entries, bench.effort.rounds, run)
    return Row(f"mail into a blocked conversation ({verdict}), 16 connections", "speed", series)


# --- idle connections


def idle(bench):
    """A steady rate, with and without thousands of connections that do nothing."""
    names, effort = (LEAN, *OURS), bench.effort
    entries = bench.have(*names)
    for count in (0, effort.idle):
        arguments = ["--connections", 16, "--rate", effort.rate, "--idle", count, *bench.timing()]

        def run(contender, _, arguments=arguments):
            return figures.load(contender, *arguments)

        series = in_turns(bench.series(names), entries, effort.rounds, run)
        yield Row(f"ordinary mail at {effort.rate:,} messages/s, {count:,} idle connections", "cost", series)


# --- many recipients


def rcpt(bench):
    """One transaction with 1,000 recipients."""
    names = (ALL, LEAN, *OURS)
    entries = bench.have(*names)

    def run(contender, _):
        return figures.load(contender, "--rcpts", 1000, "--messages", 20)

    series = in_turns(bench.series(names), entries, bench.effort.rounds, run)
    bounds = [Bound(who, "cpu_us_per_message", LEAN, False, 1.15) for who in OURS]
    yield Row("one transaction with 1,000 RCPT", "cost", series, bounds)


# --- memory

IDLE_CONNECTIONS = 500


def kib(contender, what):
    """VmRSS or VmHWM, summed over all processes."""
    total = 0
    for pid in contender.pids():
        with open(f"/proc/{pid}/status", encoding="ascii") as lines:
            total += next((int(line.split()[1]) for line in lines if line.startswith(what)), 0)
    return total


def reset_peak(contender):
    """VmHWM starts again from VmRSS (proc(5), clear_refs)."""
    for pid in contender.pids():
        with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")


def resident_with_idle(contender, count):
    """VmRSS while `count` connections are open that have each sent one message."""
    run = figures.loadgen(contender, "--connections", 0, "--idle", count, "--idle-messages", 1, linger=True)
    try:
        answer = run.stdout.readline()
        if not answer or json.loads(answer)["idle"] != count:
            raise Failed(f"{contender.name}: {run.stderr.read().strip()}")
        time.sleep(0.2)
        return kib(contender, "VmRSS")
    finally:
        run.stdin.close()
        run.wait(30)
        run.stdout.close()
        run.stderr.close()


def peak_of_rcpts(contender, count):
    """How high one transaction with so many recipients lifts the peak."""
    reset_peak(contender)
    before = kib(contender, "VmRSS")
    figures.load(contender, "--rcpts", count, "--messages", 1, "--limit", "100s")
    return max(0, kib(contender, "VmHWM") - before)


def memory(bench):
    """Resident memory: idle connections, recipients."""
    names, series = (LEAN, *OURS), Series()
    bench.have(*names)
    for name in names:
        if name in bench.absent:
            series.note(name, bench.absent[name])
            continue
        try:
            series.add(name, memory_of(bench, name))
        except Failed as failure:
            series.note(name, str(failure))
    bounds = [b for who in OURS for b in (Bound(who, "idle_kib", LEAN, False, 1.5), Bound(who, "growth_kib", "", False, 1024))]
    yield Row(f"resident memory, {bench.effort.many_rcpts:,} RCPT", "memory", series, bounds)


def memory_of(bench, name):
    contender = bench.fresh(name)
    try:
        start = kib(contender, "VmRSS")
        idle_kib = resident_with_idle(contender, IDLE_CONNECTIONS)
        figures.load(contender, "--rcpts", 1000, "--messages", 5)  # warm
        few = peak_of_rcpts(contender, 84)
        many = peak_of_rcpts(contender, bench.effort.many_rcpts)
        return {"start_kib": start, "idle_kib": idle_kib, "each_kib": (idle_kib - start) / IDLE_CONNECTIONS,
                "few_kib": few, "many_kib": many, "growth_kib": many - few}
    finally:
        contender.stop()

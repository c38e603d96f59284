#!/usr/bin/python3
"""The NHS storm of 14 November 2016 through a real Postfix on loopback, with breakwater in front of it.

SIZE (members, 840000), REPLIERS (80) and STORE (embedded) come from the environment. STORE=redis: two Postfix, a breakwaterd
each, and one Redis that they share; the mails go to the two in turn. Everything lives in a scratch
directory and is gone at the end. The list is not really expanded: Postfix relays it to a sink as one recipient, and the
arithmetic (one post = SIZE deliveries) is done on what Postfix's log says it sent.

Exit 0: the figures of Postfix and of breakwater's store agree, and the colleague's mail arrived. 1: they do not. 2: usage.
"""

import contextlib
import itertools
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import daemon, mails, place, postfix, redis, sink, smtp  # noqa: E402

LIST = "all-england@nhs.example"
POSTER = "comms@nhs.example"
COLLEAGUE = "colleague@nhs.example"


def number(name, default, least, most):
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or not least <= int(text) <= most:
        print(f"demo: {name}={text}: a number from {least} to {most} is expected", file=sys.stderr)
        sys.exit(2)
    return int(text)


class Tally:
    """What the sending side saw: the answers to the announcement and to the replies, in their order."""

    def __init__(self):
        self.words = []
        self.first_stopped = self.first_stopped_s = None

    def add(self, word, seconds):
        self.words.append(word)
        if word != "delivered" and self.first_stopped is None:
            # The first word is the announcement's; so a replier's place in the list is his ordinal.
            self.first_stopped, self.first_stopped_s = len(self.words) - 1, seconds

    def count(self, word):
        return self.words.count(word)


class Screen:
    """A line that moves on a terminal; elsewhere the first reply, each tenth, and every change of fortune."""

    def __init__(self, repliers):
        self.repliers, self.moving, self.last = repliers, sys.stdout.isatty(), None

    def reply(self, i, word, tally):
        text = (f"  reply {i:>4} of {self.repliers}: {word:<10} delivered {tally.words[1:].count('delivered'):>4}"
                f"   held {tally.count('held'):>4}   refused {tally.count('rejected') + tally.count('throttled'):>4}")
        if self.moving:
            print("\r" + text, end="\n" if i == self.repliers else "", flush=True)
        elif word != self.last or i % 10 == 0 or i == self.repliers:
            print(text, flush=True)
        self.last = word

    def aside(self, text):
        print(("\n" if self.moving else "") + text, flush=True)


class Host:
    """One Postfix and its breakwaterd; with `shared`, one of several on that Redis."""

    def __init__(self, scratch, name, receiver, size, shared=None):
        self.mta = postfix.Postfix(scratch / f"postfix-{name}", receiver.port)
        self.mta.milter_socket.parent.chmod(0o755)
        sections = {"daemon": daemon.one_secret(scratch, daemon.USER), "store": shared.section(redis_deadline="2s")} if shared else None
        self.breakwater = daemon.Daemon(
            scratch, lists=[daemon.mail_list(LIST, size, posters=[POSTER])], socket_path=self.mta.milter_socket,
            user=daemon.USER, socket_group=self.mta.milter_group, mta=self.mta, name=name, host=name, sections=sections)


class Demo:
    def __init__(self, scratch, receiver, size, repliers, shared=None):
        self.size, self.repliers = size, repliers
        self.receiver = receiver
        self.tally, self.screen = Tally(), Screen(repliers)
        self.hosts = [Host(scratch, name, receiver, size, shared) for name in (("mx1", "mx2") if shared else ("mx1",))]
        self.turn = itertools.cycle(self.hosts)

    def send(self, who, to, fields):
        """One message by SMTP, to the hosts in turn; what became of it, in a word."""
        mta = next(self.turn).mta
        answer = smtp.deliver(mta.port, who, [to], mails.render(fields), login=who, address=daemon.CLIENT)
        if answer.code == 250:
            return "held" if (mta.queue / "hold" / answer.queue_id).exists() else "delivered"
        return "rejected" if answer.code >= 500 else "throttled"

    def play(self):
        start = time.monotonic()
        announcement = mails.post(POSTER, LIST, "test")
        word = self.send(POSTER, LIST, announcement)
        self.tally.add(word, 0)
        print(f"  the announcement by {POSTER}: {word}", flush=True)
        parent = mails.value(announcement, "Message-ID")
        for i in range(1, self.repliers + 1):
            who = f"replier{i}@nhs.example"
            word = self.send(who, LIST, mails.reply(who, LIST, parent, "Re: test"))
            self.tally.add(word, time.monotonic() - start)
            self.screen.reply(i, word, self.tally)
            if i == (self.repliers + 1) // 2:
                self.colleague()

    def colleague(self):
        who = "replier1@nhs.example"
        word = self.send(who, COLLEAGUE, mails.post(who, COLLEAGUE, "lunch?"))
        self.screen.aside(f"  in the midst of it, one mail to one colleague: {word}")

    def settle(self):
        """Everything that may go has gone, everybody's records are written."""
        for host in self.hosts:
            host.mta.settle()

    def outcome(self):
        held = [m for host in self.hosts for m in host.mta.postqueue_json() if m["queue_name"] == "hold"
                and LIST in [r["address"] for r in m["recipients"]]]
        posts = self.repliers + 1
        return {"posts": posts, "deliveries_without": posts * self.size,
                "deliveries_with": sum(host.mta.delivered(LIST) for host in self.hosts) * self.size, "held": len(held),
                "rejected": self.tally.count("rejected"), "first_trip_ordinal": self.tally.first_stopped or 0}

    def differences(self, figures):
        """What does not fit, in sentences; none if all is well."""
        for host in self.hosts:
            store = host.breakwater.figures()  # of the whole installation, after a heartbeat of each host
        ledger = len(self.hosts[0].breakwater.held())
        checks = (
            (store["deliveries"], figures["deliveries_with"], "deliveries: the store says {}, Postfix's log says {}"),
            (store["held"], figures["held"], "held mail: the store says {}, Postfix's hold queue says {}"),
            (ledger, figures["held"], "held mail: the ledger lists {}, Postfix's hold queue {}"),
            (self.receiver.count(LIST) * self.size, figures["deliveries_with"],
             "deliveries: the receiving side counts {}, Postfix's log says {}"),
            (self.receiver.count(COLLEAGUE), 1, "the mail to the colleague arrived {} times instead of {}"),
        )
        return [text.format(a, b) for a, b, text in checks if a != b]


def sum_up(demo, figures):
    tally = demo.tally
    print()
    print(f"Without breakwater these {figures['posts']:,} mails to a list of {demo.size:,} people would have become "
          f"{figures['deliveries_without']:,} deliveries.")
    print(f"With it they became {figures['deliveries_with']:,}; the rest waits in Postfix's hold queue: {figures['held']:,} mails, "
          "lost to nobody. Each can be looked at, released or deleted (breakwaterctl held).")
    if tally.first_stopped is not None:
        print(f"The storm was stopped at replier number {tally.first_stopped}, {tally.first_stopped_s:.1f} s after the "
              "announcement. The mail to one colleague went through meanwhile.")
    else:
        print("Nothing had to be stopped.")
    print()


def run(size, repliers, store):
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(place.Scratch("demo"))
        receiver = stack.enter_context(sink.Sink())
        shared = stack.enter_context(redis.Redis(scratch)) if store == "redis" else None
        demo = Demo(scratch, receiver, size, repliers, shared)
        print(f"A list of {size:,} members, a poster's announcement, {repliers:,} people who reply to all.", flush=True)
        with contextlib.ExitStack() as running:
            for host in demo.hosts:
                running.enter_context(host.breakwater)
                running.enter_context(host.mta)
            print("Two breakwaterd, two private Postfix and a Redis are running on loopback." if shared else
                  "breakwaterd and a private Postfix are running on loopback.", flush=True)
            demo.play()
            demo.settle()
            figures = demo.outcome()
            differences = demo.differences(figures)
        sum_up(demo, figures)
    for text in differences:
        print(f"demo: failed: {text}")
    print("demo: " + " ".join(f"{name}={value}" for name, value in figures.items()), flush=True)
    return 1 if differences else 0


def become_root():
    """Postfix's master chroots and changes users: sudo, for this one program, and only for who is not root."""
    if os.geteuid() == 0:
        return
    print("demo: a private Postfix needs root to chroot and to change users; asking sudo for this program",
          file=sys.stderr, flush=True)
    kept = [f"{name}={os.environ[name]}" for name in ("SIZE", "REPLIERS", "STORE", "BW_BUILD", "BW_UNPACKED", "BW_KEEP")
            if name in os.environ]
    os.execvp("sudo", ["sudo", "env", *kept, sys.executable, "-B", __file__])


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    store = os.environ.get("STORE") or "embedded"
    if store not in ("embedded", "redis"):
        print(f"demo: STORE={store}: the stores are 'embedded' and 'redis'", file=sys.stderr)
        return 2
    become_root()
    try:
        return run(number("SIZE", 840000, 1, 1000000000), number("REPLIERS", 80, 1, 100000), store)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())

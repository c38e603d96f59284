"""What becomes of a post after us: expanded by Postfix itself, or handed on by a real list manager through the same Postfix.

Neither is a post again, nor does any of it ask the store: a list of 10,000 members, in bulk and one by one with VERP. BW_VERP_MEMBERS says
how many get the latter; 10,000 of them take minutes.
"""

import collections
import contextlib
import os
import re
import sqlite3
import subprocess
import unittest

from support import daemon, mailman, mails, place, postfix, redis, sink, smtp

from .base import LIST, POSTER, Case

MEMBERS = 10000
SECONDS = int(os.environ.get("BW_VERP_SECONDS", "240"))
VERP_MEMBERS = int(os.environ.get("BW_VERP_MEMBERS", "200"))
BULK, SINGLE = "staff@nhs.example", "single@nhs.example"
LIST_MANAGER = "127.0.0.1"  # comes without XCLIENT: it is what it is

# Whatever a post or an attempt writes.
COUNTING = "tally entry conversation join_key message part breaker held".split()
MEMBERS_METER = 5


class Expansion(Case):
    """An alias behind the list's address: Postfix expands it after the milter, and shows nobody the members."""

    SIZE = 500

    def test_one_post_counted_once_with_its_size(self):
        aliases = place.Scratch("aliases")
        self.addCleanup(aliases.remove)
        table = aliases / "virtual"
        table.write_text(f"{LIST} " + ", ".join(f"m{i}@nhs.example" for i in range(self.SIZE)) + "\n")
        self.started(lists=[daemon.mail_list(LIST, self.SIZE)], main_cf={"virtual_alias_maps": f"texthash:{table}"})
        self.accepted(self.send(POSTER, LIST, mails.post(POSTER, LIST)))
        self.mta.settle()
        self.assertEqual(self.SIZE, sum(self.sink.recipients.values()))
        self.assertEqual(self.SIZE, self.breakwater.figures()["deliveries"])
        with contextlib.closing(sqlite3.connect(self.breakwater.directory / "store.db")) as store:
            self.assertEqual([(self.SIZE,)], store.execute("SELECT deliveries FROM message").fetchall())
        verdicts = [line for line in self.breakwater.log_text().splitlines() if "event=verdict" in line]
        self.assertEqual(1, len(verdicts), verdicts)


class Monitor:
    """What Redis is asked, by script."""

    def __init__(self, server):
        self.path = server.directory / "monitor"
        self.output = open(self.path, "wb")
        self.child = subprocess.Popen([server.root / "usr/bin/redis-cli", "-s", server.path, "MONITOR"], env=server.environment(),
                                      stdin=subprocess.DEVNULL, stdout=self.output, stderr=subprocess.STDOUT)
        built = (place.build_directory() / "milter/store/redis-scripts.c").read_text()
        self.names = {sha: name for name, sha in re.findall(r'{ "(\w+)", "([0-9a-f]{40})"', built)}
        place.wait_until(lambda: self.path.read_bytes().startswith(b"OK"), "Redis shows what it is asked", 20)

    def scripts(self):
        """Calls so far: {"count": 1, "meter": 7, …}"""
        calls = re.findall(r'"EVALSHA" "([0-9a-f]{40})"', self.path.read_text(errors="replace"), re.IGNORECASE)
        return collections.Counter(self.names.get(sha, sha) for sha in calls)

    def stop(self):
        place.stop_child(self.child)
        self.output.close()


class Manager(unittest.TestCase):
    """A real Mailman whose posts come and go through a Postfix with two of our milters, one on each store: both see everything."""

    def started(self):
        self.scratch = place.Scratch("output")
        self.addCleanup(self.scratch.remove)
        self.sink = sink.Sink()
        self.addCleanup(self.sink.close)
        port = place.free_port()
        self.manager = mailman.Manager(self.scratch, port, [(BULK, MEMBERS, "bulk"), (SINGLE, VERP_MEMBERS, "individual")])
        self.addCleanup(self.manager.stop)
        self.manager.start()
        self.server = redis.Redis(self.scratch).start()
        self.addCleanup(self.server.stop)
        self.mta = self.postfix(port)
        self.addCleanup(self.mta.stop)
        self.embedded = self.milter("embedded", self.mta.milter_socket)
        self.shared = self.milter("shared", self.mta.milter_socket.with_name("shared.sock"), store=self.server.section(redis_deadline="5s"))
        self.mta.start()

    def postfix(self, port):
        lmtp = f"lmtp:[127.0.0.1]:{self.manager.lmtp_port}"
        transport = self.scratch / "transport"
        transport.write_text(f"{BULK} {lmtp}\n{SINGLE} {lmtp}\n")
        both = f"{postfix.MILTER}, {postfix.MILTER.replace('milter.sock', 'shared.sock')}"
        return postfix.Postfix(self.scratch / "postfix", self.sink.port, port=port,
                               settings={"transport_maps": f"texthash:{transport}", "smtpd_milters": both})

    def milter(self, name, socket, **sections):
        # Far from the real sizes: what is learned must come from the output, all of it.
        lists = [daemon.mail_list(BULK, 25), daemon.mail_list(SINGLE, 25)]
        one = daemon.Daemon(self.scratch, lists=lists, name=name, host=name, socket_path=socket, user=daemon.USER, mta=self.mta,
                            socket_group=self.mta.milter_group, sections={"internal": {"list_servers": [LIST_MANAGER]}, **sections})
        self.addCleanup(one.end)
        return one.start()

    def hand_on(self, address, members):
        """A member's post, and its way to everybody; each gets it once. What was counted when the post was taken."""
        self.sink.recipients.clear()
        fields = mails.post("m0@nhs.example", address)
        answer = smtp.deliver(self.mta.port, "m0@nhs.example", [address], mails.render(fields), login="m0@nhs.example",
                              address=daemon.CLIENT)
        self.assertEqual(250, answer.code, answer)
        before = self.counted()
        place.wait_until(lambda: not self.manager.waiting() and self.sink.recipients.total() >= members, "all members have it", SECONDS, 0.5)
        self.mta.settle(120)
        self.assertEqual((members, {1}, set()), (len(self.sink.recipients), set(self.sink.recipients.values()), self.mta.held()))
        return before

    def store(self):
        return contextlib.closing(sqlite3.connect(self.embedded.directory / "store.db"))

    def counted(self):
        """All rows that counting has written."""
        with self.store() as store:
            return {table: store.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in COUNTING}

    def metered(self):
        with self.store() as store:
            return [n for n, in store.execute("SELECT amount FROM meter WHERE meter = ?", (MEMBERS_METER,))]

    def test_10_000_members_and_verp(self):
        self.started()
        monitor = Monitor(self.server)
        self.addCleanup(monitor.stop)
        self.hand_on(BULK, MEMBERS)
        before = self.hand_on(SINGLE, VERP_MEMBERS)
        self.assertIn("single-bounces+m7=nhs.example@nhs.example", {m.sender for m in self.sink.messages})
        sizes = {BULK: MEMBERS, SINGLE: VERP_MEMBERS}
        for one in (self.embedded, self.shared):
            place.wait_until(lambda one=one: sizes == {o["address"]: o.get("proposal") for o in one.json_lines("list", "ls")},
                             "the sizes of both are learned", 60, 0.5)
            # The only verdicts are those of the two posts.
            self.assertEqual([BULK, SINGLE], re.findall(r"event=verdict .* list=(\S+) ", one.log_text()))
        with self.subTest(store="embedded"):
            self.assertEqual(2, len(before["message"]))
            self.assertEqual(before, self.counted())
            self.assertEqual(MEMBERS + VERP_MEMBERS, sum(self.metered()))
            self.assertLess(len(self.metered()), 30 + VERP_MEMBERS // 10)  # by message and ten seconds, not by transaction
        with self.subTest(store="redis"):
            asked = monitor.scripts()
            self.assertEqual((2, 0, 0), (asked["count"], asked["settle"], asked["redirect"]), asked)
            self.assertGreater(asked["meter"], 0)  # the watcher's batches, two a second
            self.assertLess(asked["meter"], 30 + VERP_MEMBERS // 2, asked)

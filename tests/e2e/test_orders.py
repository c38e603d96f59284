"""Orders from breakwaterctl over the store to breakwater-agent and breakwater-helper, on a real Postfix and a real Sendmail."""

import concurrent.futures
import contextlib
import os
import pwd
import secrets
import shutil
import signal
import sqlite3
import subprocess
import time

from support import agent, daemon, helper, mails, place

from . import test_redis
from .base import LIST, POSTER, Case
from .test_sendmail import SendmailCase

SIZE = 40000
RELEASED, DELETED, RESTORED = (f"{name}@nhs.example" for name in ("all-released", "all-deleted", "all-restored"))
LISTS = (RELEASED, DELETED, RESTORED)


class Ordered:
    """Tests that both MTAs pass; the classes below bring one."""

    LOGINS = ""

    def start_all(self, hold=None, agent_runs=True, **more):
        self.started(lists=[daemon.mail_list(address, SIZE, posters=[self.LOGINS + POSTER]) for address in LISTS], **more)
        self.helper = helper.Helper(self.breakwater, self.mta, hold)
        self.addCleanup(self.helper.stop)
        self.agent = agent.Agent(self.breakwater, self.mta)
        self.addCleanup(self.agent.stop)
        self.helper.start()
        if agent_runs:
            self.agent.start()

    def hold(self, counts):
        """So many held replies to each list; the ids of their entries by list."""
        parents = {address: self.announce(address) for address in counts}
        for address, parent in parents.items():
            for i in range(1, 4):
                self.accepted(self.reply(f"u{i}@nhs.example", parent, address))
        jobs = [(address, i) for address, count in counts.items() for i in range(4, 4 + count)]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for answer in pool.map(lambda job: self.reply(f"u{job[1]}@nhs.example", parents[job[0]], job[0]), jobs):
                self.accepted(answer)
        self.mta.settle()
        return {address: [entry["id"] for entry in self.entries("--list", address)] for address in counts}

    def entries(self, *arguments):
        return self.breakwater.json_lines("held", "ls", *arguments)

    def command(self, *arguments):
        return [place.program("cli", "breakwaterctl"), "-c", self.breakwater.config_file, *map(str, arguments)]

    def order(self, *arguments):
        """breakwaterctl --yes …, in the background."""
        return subprocess.Popen(self.command("--yes", *arguments), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                stdin=subprocess.DEVNULL)

    def ordered(self, *arguments, code=0, seconds=120):
        """The same, to its end; what it printed."""
        done = subprocess.run(self.command("--yes", *arguments), capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL)
        self.assertEqual(code, done.returncode, done.stdout[-2000:] + done.stderr)
        return done.stdout + done.stderr

    def orders(self, *arguments):
        return self.breakwater.json_lines("held", "orders", *arguments)

    def copies(self, address):
        found = {}
        for message in self.sink.of(address):
            found[message.sender] = found.get(message.sender, 0) + 1
        return found

    def expect_copies(self, address, people):
        wanted = {POSTER: 1, **{f"u{i}@nhs.example": 1 for i in people}}
        place.wait_until(lambda: len(self.sink.of(address)) >= len(wanted), f"all copies for {address}", 40)
        self.assertEqual(wanted, self.copies(address))

    def events(self, kind):
        return [event["text"] for event in self.breakwater.json_lines("events", "--limit", "1000") if event["event"] == kind]


class Batch(Ordered):
    COUNTS = {RELEASED: 250, DELETED: 125, RESTORED: 125}
    GAP_S = 0.16         # between two messages, at the pace that is ordered
    WINDOW_S = 30

    def test_released_deleted_restored(self):
        """Half is released at a pace, a quarter deleted, a quarter deleted and restored: exactly the right mail arrives, once, byte for byte.

        All at the same time: orders of one host take turns."""
        self.start_all()
        held = self.hold(self.COUNTS)
        self.expect_agreement()
        before = {entry["id"]: self.body(entry["queue_id"]) for entry in self.entries("--list", RESTORED)[::10]}
        first = len(self.sink.of(RELEASED))
        release = self.order("held", "release", "--list", RELEASED, "--pace", int(SIZE * 60 / self.GAP_S), "--observe", "1s")
        delete = self.order("held", "delete", "--list", DELETED)
        self.ordered("held", "delete", "--list", RESTORED)
        self.ordered("held", "restore", "--list", RESTORED)
        for command in (delete, release):
            out, err = command.communicate(timeout=240)
            self.assertEqual(0, command.returncode, out[-1000:] + err)
        self.expect_agreement()
        self.assertEqual(self.COUNTS[DELETED], sum(name.endswith(".zst") for name in os.listdir(self.breakwater.directory / "archive")))
        self.assertEqual(held[RESTORED], [entry["id"] for entry in self.entries()], "what was restored waits as before")
        for entry in self.entries():
            if entry["id"] in before:
                self.assertEqual(before[entry["id"]], self.body(entry["queue_id"]))
        self.expect_copies(RELEASED, range(1, 4 + self.COUNTS[RELEASED]))
        for address in (DELETED, RESTORED):
            self.expect_copies(address, range(1, 4))
        self.expect_pace([message.at for message in self.sink.of(RELEASED)[first:]])
        self.expect_unchanged()
        self.expect_orders([("delete", self.COUNTS[DELETED]), ("delete", self.COUNTS[RESTORED]), ("release", self.COUNTS[RELEASED]),
                            ("restore", self.COUNTS[RESTORED])])
        self.assertEqual([], self.breakwater.json_lines("held", "reconcile"))

    def expect_pace(self, arrived):
        """No window has more deliveries than the budget, within a tenth; their times are the sink's."""
        budget = self.WINDOW_S / self.GAP_S
        most = max(sum(at <= other < at + self.WINDOW_S for other in arrived) for at in arrived)
        self.assertLess(most, 1.1 * budget, f"messages within {self.WINDOW_S} s")

    def expect_unchanged(self):
        """Below what MTAs add, a message arrives as it was sent."""
        for message in self.sink.of(RELEASED):
            self.assertTrue(message.data.endswith(b"\r\n\r\nPlease see below.\r\n"), message.data[-200:])
            header = message.data.partition(b"\r\n\r\n")[0]
            self.assertIn(f"\r\nFrom: {message.sender}\r\nTo: {RELEASED}\r\n".encode(), b"\r\n" + header)

    def expect_orders(self, expected):
        orders = self.orders("--all")
        self.assertEqual(expected, sorted((order["kind"], order["done"]) for order in orders))
        self.assertEqual({"done"}, {order["state"] for order in orders})
        self.assertEqual([], self.events("refused"))


class Moved(Ordered, Case):
    """How an order is stopped, paused, resumed, cancelled, left alone."""

    def test_a_flare_up_after_the_canary(self):
        """Two people answer while the canary is watched: nothing else goes, until somebody says so again."""
        self.start_all()
        self.hold({RELEASED: 6})
        release = self.order("held", "release", "--list", RELEASED, "--pace", "100,000,000", "--observe", "60s")
        place.wait_until(lambda: len(self.mta.held()) == 5, "the canary has gone", 20)
        parent = self.announce("bob@nhs.example")
        for i in range(2):
            self.accepted(self.reply(f"v{i}@nhs.example", parent, RELEASED))
        out, err = release.communicate(timeout=50)
        self.assertEqual(3, release.returncode, out + err)
        self.assertIn("stopped after 1 messages", err)
        order, = self.orders()
        self.assertEqual(("stopped", 1, 5), (order["state"], order["done"], order["pending"]))
        self.assertEqual(1, sum("stopped: after 1 messages" in text for text in self.events("order")))
        self.assertEqual(7, len(self.mta.held()))
        self.assertIn("resumed", self.breakwater.ctl("held", "resume", order["id"][:8]))
        place.wait_until(lambda: len(self.mta.held()) == 6, "another canary goes", 20)
        self.assertIn("cancelled", self.breakwater.ctl("held", "cancel", order["id"][:8]))
        self.ordered("held", "release", "--force", "--list", RELEASED)
        place.wait_until(lambda: not self.mta.held() and len(self.sink.of(RELEASED)) == 12, "all have gone", 30)
        self.assertEqual({1}, set(self.copies(RELEASED).values()))

    def test_pause_and_interrupt(self):
        """Interrupted, the command leaves the order running; paused, it waits; cancelled, the rest goes on waiting."""
        self.start_all()
        self.hold({RELEASED: 4})
        release = self.order("held", "release", "--list", RELEASED, "--pace", SIZE, "--observe", "1s")
        place.wait_until(lambda: len(self.mta.held()) == 3, "the canary has gone", 20)
        release.send_signal(signal.SIGINT)
        out, err = release.communicate(timeout=20)
        self.assertEqual(1, release.returncode, out + err)
        self.assertIn("what was ordered goes on", err)
        order, = self.orders()
        self.assertEqual("running", order["state"])
        self.breakwater.ctl("held", "pause", order["id"])
        self.assertEqual("paused", self.orders()[0]["state"])
        time.sleep(3)  # as long as it takes the agent to see it
        self.breakwater.ctl("held", "resume", order["id"])
        place.wait_until(lambda: len(self.mta.held()) == 2, "a canary goes again", 20)
        self.breakwater.ctl("held", "cancel", order["id"])
        self.ordered("held", "release", "--list", RELEASED, "--force")
        self.expect_copies(RELEASED, range(1, 8))
        self.assertEqual([("release", "done", 2), ("release", "cancelled", 2)],
                         [(o["kind"], o["state"], o["done"]) for o in self.orders("--all")])

    def test_one_post(self):
        """approve and deny are orders too, and their agent may come later."""
        self.start_all(agent_runs=False)
        ids = [self.accepted(self.send(f"w{i}@nhs.example", RELEASED, mails.post(f"w{i}@nhs.example", RELEASED))) for i in (1, 2)]
        approve = self.order("approve", ids[0])
        place.wait_until(lambda: len(self.orders()) == 1, "the order is given", 20)
        deny = self.order("deny", ids[1])
        place.wait_until(lambda: len(self.orders()) == 2, "so is the second", 20)
        self.assertEqual(set(ids), self.mta.held())
        self.agent.start()
        for command in (approve, deny):
            out, err = command.communicate(timeout=30)
            self.assertEqual(0, command.returncode, out + err)
        place.wait_until(lambda: len(self.sink.of(RELEASED)) == 1, "the approved one arrives", 20)
        self.assertEqual({"released", "deleted"}, {entry["state"] for entry in self.entries("--all")})

    def test_who_may(self):
        """Who may not read the key is told whose it is."""
        self.start_all(agent_runs=False)
        self.hold({RELEASED: 1})
        account = pwd.getpwnam(daemon.USER)
        done = subprocess.run(self.command("--yes", "held", "release", "--list", RELEASED), capture_output=True, text=True, timeout=30,
                              user=account.pw_uid, group=account.pw_gid, extra_groups=[])
        self.assertEqual(77, done.returncode, done.stderr)
        self.assertRegex(done.stderr, r"order.key: may not be read by \S+; root and the group \S+ give orders")
        self.assertEqual([], self.orders("--all"))

    def test_waited_for_too_long(self):
        """hold.keep: archived without an order, and the ledger says so."""
        self.start_all(hold={"keep": "1s"})
        self.hold({RELEASED: 2})
        place.wait_until(lambda: not self.mta.held(), "both are deleted", 30)
        place.wait_until(lambda: not self.entries(), "the ledger says so", 10)
        self.assertEqual({("deleted", "breakwater-agent (hold.keep)")}, {(e["state"], e["state_by"]) for e in self.entries("--all")})
        self.assertIn("(hold.keep), and went into the archive", " ".join(self.events("operator")))
        self.assertEqual(2, len(os.listdir(self.breakwater.directory / "archive")))


class Forged(Ordered, Case):
    """Rows written straight into the store, as whoever has its password could: each is refused with an event, nothing moves."""

    def sql(self, statement, values=()):
        with contextlib.closing(sqlite3.connect(self.breakwater.directory / "store.db", timeout=20)) as store, store:
            return store.execute(statement, values).fetchall()

    def forge(self, kind, subject, queue_id, text):
        """An order of one item, live."""
        now = int(time.time() * 1000)
        order = secrets.token_bytes(16)
        self.sql("INSERT INTO mail_order(id, kind, host, owner, reason, pace, observe_ms, made_ms, expires_ms, state, state_ms, state_by, "
                 "note, items, pending, done, gone, refused, failed, deliveries, format) "
                 "VALUES(?, ?, 'mx1', 'mallory', '', 0, 0, ?, ?, 1, ?, '', '', 1, 1, 0, 0, 0, 0, 0, 1)",
                 (order, ["release", "delete"].index(kind), now - 1000, now + 600000, now))
        self.sql("INSERT INTO order_item SELECT seq, 0, ?, 'postfix', ?, ?, ?, 1, 0, '', 0 FROM mail_order WHERE id = ?",
                 (bytes.fromhex(subject), queue_id, RELEASED, text, order))

    def expect_refused(self, what, kind, subject, queue_id, text):
        before = self.events("refused")
        self.forge(kind, subject, queue_id, text)
        place.wait_until(lambda: len(self.events("refused")) == len(before) + 1, f"{what}: an event", 20)
        place.wait_until(lambda: not self.orders(), f"{what}: the order ends", 20)
        return self.events("refused")[-1] if self.events("refused")[:-1] == before else self.events("refused")[0]

    def signed(self, kind, entry, key=None, **changes):
        at = int(self.helper.ask("look", entry["queue_id"]).rows[0]["at"])
        return self.helper.order(kind, entry["queue_id"], entry["id"], at, key, **changes)

    def test_forged_orders(self):
        self.start_all()
        self.hold({RELEASED: 4})
        ours, other, theirs, moved = self.entries("--list", RELEASED)
        good = self.signed("release", ours)
        path = self.mta.queue / "hold" / theirs["queue_id"]
        stolen = self.signed("delete", theirs)
        path.write_bytes(path.read_bytes().replace(b"X-Breakwater-Held", b"X-Somebody-Elses!"))
        # Deleted and restored: what was signed for that is used up.
        self.ordered("held", "delete", moved["id"])
        (replayed,), = self.sql("SELECT i.signed_text FROM order_item i JOIN mail_order o ON o.seq = i.mail_order WHERE o.kind = 1")
        self.ordered("held", "restore", moved["id"])
        moved, = [entry for entry in self.entries() if entry["id"] == moved["id"]]
        held = self.mta.held()
        cases = (
            ("another key", "release", ours, self.signed("release", ours, key=b"x" * 32), "bad-signature"),
            ("no signature", "release", ours, "v=1", "bad-signature"),
            ("an unknown id", "release", {**ours, "id": secrets.token_hex(16)}, good, "knows no such message"),
            ("shell characters", "release", {**ours, "queue_id": f"{ours['queue_id']};reboot"}, good, "under the queue id"),
            ("another message's queue id", "release", {**ours, "queue_id": other["queue_id"]}, good, "under the queue id"),
            ("another message's order", "release", other, good, "other-"),
            ("another command's order", "delete", ours, good, "other-command"),
            ("another host's order", "release", ours, self.signed("release", ours, host="mx2"), "other-host"),
            ("an order whose time is over", "release", ours, self.signed("release", ours, until=int(time.time() * 1000) - 1), "expired"),
            ("somebody else's message", "delete", theirs, stolen, "somebody else"),
            ("a replayed order", "delete", moved, replayed, "replayed"),
        )
        for what, kind, entry, text, said in cases:
            with self.subTest(what):
                self.assertIn(said, self.expect_refused(what, kind, entry["id"], entry["queue_id"], text))
                self.assertEqual(held, self.mta.held())
        self.ordered("held", "release", ours["id"], other["id"], "--force")
        self.expect_copies(RELEASED, [1, 2, 3, *(int(e["sender"][1:].partition("@")[0]) for e in (ours, other))])


class Killed(Ordered, Case):
    def finish(self, command):
        out, err = command.communicate(timeout=90)
        self.assertEqual(0, command.returncode, out[-1000:] + err)

    def expect_peace(self):
        """Ledger and queue agree, and no order is left."""
        self.expect_agreement()
        self.assertEqual([], self.breakwater.json_lines("held", "reconcile"))
        self.assertEqual([], self.orders())

    def test_in_the_midst(self):
        """Agent and helper are killed again and again while an order runs: each message goes once, and the order is done."""
        self.start_all()
        self.hold({RELEASED: 40})
        release = self.order("held", "release", "--list", RELEASED, "--force")
        for left in (35, 28, 21, 14, 7):
            place.wait_until(lambda: len(self.mta.held()) < left, f"fewer than {left} are held", 60)
            if left % 2:
                self.agent.kill()
                self.agent.start()
            else:
                self.helper.child.kill()
                self.helper.killed()
                self.helper.start()
        self.finish(release)
        self.expect_copies(RELEASED, range(1, 44))
        self.expect_peace()
        order, = self.orders("--all")
        self.assertEqual(("done", 40, 40 * SIZE), (order["state"], order["done"], order["deliveries"]))

    def walk(self, point, verb, entry, start, restart):
        """One order, whose agent or helper is killed at `point` and started anew: done, once."""
        start(point)
        command = self.order("held", verb, entry["id"], *(["--force"] if verb == "release" else []))
        restart()
        self.finish(command)
        states = {"release": "released", "delete": "deleted", "restore": "waiting"}
        now, = [e for e in self.entries("--all") if e["id"] == entry["id"]]
        self.assertEqual(states[verb], now["state"], f"{verb} at {point}")
        self.assertEqual(verb == "restore", now["queue_id"] in self.mta.held(), f"{verb} at {point}")
        return now

    def test_agent_at_every_point(self):
        points = [(0, "release"), (1, "release"), (3, "release"), (4, "delete"), (5, "delete"), (6, "delete"), (7, "delete"), (8, "restore"),
                  (9, "restore"), (10, "restore")]
        self.start_all(agent_runs=False)
        self.hold({RELEASED: 8})
        entries = self.entries("--list", RELEASED)

        def restart():
            self.agent.killed()
            self.agent.start()

        for point, verb in points:
            with self.subTest(point):
                # What the last deleted is what is restored.
                entry = entries.pop() if verb != "restore" else deleted
                done = self.walk(point, verb, entry, lambda p: self.agent.start("-k", str(p)), restart)
                deleted = done if verb == "delete" else entry
                if verb == "restore" and point != 10:
                    self.ordered("held", "delete", entry["id"])
                self.agent.stop()
        self.agent.start()
        self.ordered("held", "release", "--list", RELEASED, "--force")
        place.wait_until(lambda: len(self.sink.of(RELEASED)) == 1 + 3 + 5, "all copies arrive", 30)
        self.assertEqual({1}, set(self.copies(RELEASED).values()))
        self.expect_peace()

    def test_helper_at_every_point(self):
        points = [("checked", "release"), ("done", "release"), ("noted", "release"), ("checked", "delete"), ("sealed", "delete"),
                  ("done", "delete"), ("noted", "delete"), ("named", "restore"), ("done", "restore"), ("noted", "restore")]
        self.start_all()
        self.hold({RELEASED: 8})
        entries = self.entries("--list", RELEASED)

        def start(point):
            self.helper.stop()
            self.helper.start("-k", point)

        def restart():
            self.helper.killed()
            self.helper.start()

        for n, (point, verb) in enumerate(points):
            with self.subTest(f"{verb} at {point}"):
                entry = entries.pop() if verb != "restore" else deleted
                done = self.walk(point, verb, entry, start, restart)
                deleted = done if verb == "delete" else entry
                if verb == "restore" and n + 1 < len(points):
                    self.ordered("held", "delete", entry["id"])
        self.ordered("held", "release", "--list", RELEASED, "--force")
        place.wait_until(lambda: len(self.sink.of(RELEASED)) == 1 + 3 + 5, "all copies arrive", 30)
        self.assertEqual({1}, set(self.copies(RELEASED).values()))
        self.expect_peace()


class TwoHosts(test_redis.Shared):
    """Two Postfix, two agents, two helpers with one key, one Redis."""

    def start_all(self):
        self.shared()
        self.agents = []
        key = None
        for host in self.hosts:
            name = host.breakwater.host
            one = helper.Helper(host.breakwater, host.mta, name=f"helper-{name}")
            self.addCleanup(one.stop)
            if key is None:
                one.start()
                key = one.key
            else:
                shutil.copy2(key, one.key)
                one.start()
            self.agents.append(agent.Agent(host.breakwater, host.mta, name=f"agent-{name}"))
            self.addCleanup(self.agents[-1].stop)
            self.agents[-1].start()

    def hold_on_both(self):
        parent = self.announce_at(0)
        for i in range(1, 4):
            self.accepted(self.reply_at(0, f"u{i}@nhs.example", parent).answer)
        for i in range(4, 10):
            self.accepted(self.reply_at(i % 2, f"u{i}@nhs.example", parent).answer)
        place.wait_until(lambda: len(self.hosts[0].breakwater.held()) == 6, "one host sees what waits on both", 20)

    def test_any_host_will_do(self):
        """Ordered on one host about mail that both hold; while Redis is away, about its own only, and that is done."""
        self.start_all()
        self.hold_on_both()
        here = self.hosts[0].breakwater
        done = here.run_ctl("--yes", "held", "delete", "--list", LIST)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertEqual([set(), set()], [host.mta.held() for host in self.hosts])
        self.assertEqual({("mx1", "done", 3), ("mx2", "done", 3)},
                         {(o["host"], o["state"], o["done"]) for o in here.json_lines("held", "orders", "--all")})
        here.ctl("--yes", "held", "restore", "--list", LIST)
        self.assertEqual([3, 3], [len(host.mta.held()) for host in self.hosts])
        theirs = next(e["id"] for e in here.held() if e["host"] == "mx2")
        self.redis.kill()
        self.wait_for("degraded")
        done = here.run_ctl("--yes", "held", "release", "--list", LIST, "--force")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertEqual([0, 3], [len(host.mta.held()) for host in self.hosts])
        self.assertNotIn(theirs, {e["id"] for e in here.held()}, "what is elsewhere is not seen now")
        self.redis.start()
        self.wait_for("recovered")
        for host in self.hosts:
            host.mta.settle()
        place.wait_until(lambda: len(self.sink.of(LIST)) == 7, "what was let go arrives once", 30)


class Postfix(Batch, Case):
    def body(self, queue_id):
        return self.mta.command("postcat", "-hbq", queue_id)


class Sendmail(Batch, SendmailCase):
    LOGINS = "inside:"

    def body(self, queue_id):
        return self.mta.text_of(queue_id)

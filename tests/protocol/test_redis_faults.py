"""Redis stopped, killed, emptied, locked, not there at all: mail flows, huge lists stay protected, everything joins again."""

import sqlite3
import time

from support import daemon, mails, place, redis

from .base import HUGE, LARGE
from .shared import Shared

DEADLINE_S = 3  # long, so that one wait is told from none, and from two, on any machine


class Faults(Shared):
    def wait_for(self, event, times=1):
        for d in self.daemons:
            place.wait_until(lambda d=d: d.log_text().count(f"event={event} ") >= times, f"{times} x event={event} on {d.host}", 20)

    def tripped(self, hosts=2, **more):
        """Two hosts, and a conversation on HUGE whose breaker is open; the announcement's id."""
        self.shared(hosts, store={"redis_deadline": f"{DEADLINE_S}s"}, **more)
        parent = self.announce()
        self.assertEqual(["accept"] * 3 + ["hold"], self.replies([f"u{i}" for i in range(1, 5)], parent))
        self.await_copies()
        return parent

    def await_copies(self):
        """What is stopped is copied to every host with its next look."""
        for d in self.daemons:
            d.await_heartbeats()

    def ordinary_passes(self):
        verdict = self.send("a@nhs.example", "b@nhs.example", mails.post("a@nhs.example", "b@nhs.example"))
        self.assertEqual(("accept", "data"), (verdict.action, verdict.stage))


class Stopped(Faults):
    def test_sigstop_in_mid_storm(self):
        parent = self.tripped()
        second = self.announce(LARGE)
        self.redis.suspend()
        start = time.monotonic()
        words = [self.reply(f"v{i}", parent).action for i in range(1, 21)]
        self.ordinary_passes()
        self.assertLess(time.monotonic() - start, 2 * DEADLINE_S, "one wait for twenty messages")
        self.assertEqual(["hold"] * 20, words)
        # A large list has this host's share of ten: the root is not known to it, so the first reply is a post to it.
        large = [self.reply(f"w{i}", second, to=LARGE).action for i in range(1, 31)]
        self.assertEqual("hold", large[-1], large)
        self.assertLess(large.count("accept"), 21, large)
        self.at(2).ordinary_passes()
        self.expect("hold", self.reply("x1", parent))
        self.wait_for("degraded")
        self.redis.resume()
        self.wait_for("recovered")
        # What tripped on the first host is open on the second; nothing that was held is missing.
        self.expect("hold", self.at(2).reply("w99", second, to=LARGE))
        place.wait_until(lambda: self.redis.call("PING"), "Redis", 5)
        held = 1 + 20 + large.count("hold") + 1 + 1
        place.wait_until(lambda: len(self.daemons[0].held()) == held, f"{held} in the ledger of all", 15)
        events = self.daemons[1].ctl("events")
        self.assertIn("degraded", events)
        self.assertIn("recovered", events)

    def test_a_huge_list_lets_no_reply_pass_on_its_own(self):
        self.shared(2, store={"redis_deadline": "500ms"})
        parent = self.announce()
        self.redis.suspend()
        self.expect("hold", self.reply("u1", parent))
        self.expect("hold", self.at(2).reply("u2", parent))
        self.redis.resume()
        self.wait_for("recovered")
        self.expect("accept", self.reply("u3", parent))


class Killed(Faults):
    def test_restarted_empty(self):
        """Open breakers, settings and directory are rebuilt from what the hosts keep."""
        parent = self.tripped()
        self.daemons[0].ctl("--yes", "list", "add", "new@nhs.example", "50000")
        self.daemons[0].set("large.conversation.senders", "7")
        self.await_copies()
        self.redis.kill()
        self.ordinary_passes()
        self.expect("hold", self.reply("v1", parent))
        self.wait_for("degraded")
        self.redis.start()
        self.wait_for("recovered")
        for i in (1, 2):
            self.expect("hold", self.at(i).send("u@nhs.example", "new@nhs.example", mails.post("u@nhs.example", "new@nhs.example")))
            self.assertIn("7", self.daemons[i - 1].ctl("settings", "large.conversation.senders"))
        self.assertIn(("conversation", "open"), [(b["guard"], b["state"]) for b in self.daemons[1].breakers()])

    def test_restarted_so_quickly_that_nobody_noticed(self):
        self.tripped(hosts=1)
        self.daemons[0].ctl("--yes", "list", "add", "new@nhs.example", "50000")
        self.await_copies()
        self.redis.call("FLUSHALL")
        place.wait_until(lambda: [b for b in self.daemons[0].breakers() if b["guard"] == "conversation"], "the breaker is back", 15)
        place.wait_until(lambda: len(self.daemons[0].held()) == 1, "the ledger is back", 15)
        self.expect("hold", self.send("u@nhs.example", "new@nhs.example", mails.post("u@nhs.example", "new@nhs.example")))

    def test_a_breaker_closed_elsewhere_stays_closed(self):
        """Host 1 is cut off with a copy of an open breaker; an operator closes it on host 2 meanwhile."""
        parent = self.tripped()
        self.daemons[0].suspend()
        ident = next(b["id"] for b in self.daemons[1].breakers() if b["guard"] == "conversation")
        self.daemons[1].run_ctl("--yes", "breaker", "close", ident, "--reason", "calm")
        self.daemons[0].resume()
        state = {b["id"]: b["state"] for b in self.daemons[1].json_lines("breaker", "ls", "--all")}
        self.assertNotEqual("open", state.get(ident))
        self.await_copies()
        state = {b["id"]: b["state"] for b in self.daemons[1].json_lines("breaker", "ls", "--all")}
        self.assertNotEqual("open", state.get(ident))
        self.assertTrue(parent)


class Locked(Faults):
    def test_the_password_is_changed(self):
        parent = self.tripped(hosts=1)
        self.redis.call("ACL", "SETUSER", redis.USER, "resetpass", ">another one")
        self.redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        self.expect("hold", self.reply("v1", parent))
        self.wait_for("degraded")
        place.wait_until(lambda: "WRONGPASS" in self.daemons[0].log_text() or "WRONGPASS" in self.daemons[0].ctl("status"),
                         "the reason is told", 10)
        self.redis.password_file.write_text("another one\n")
        self.wait_for("recovered")
        self.expect("hold", self.reply("v2", parent))


class Away(Faults):
    def test_started_while_redis_is_away(self):
        self.tripped(hosts=1)
        self.daemons[0].ctl("--yes", "list", "add", "new@nhs.example", "50000")
        self.await_copies()
        self.daemons[0].stop()
        self.redis.kill()
        self.daemons[0].start()
        self.ordinary_passes()
        self.expect("hold", self.send("u@nhs.example", "new@nhs.example", mails.post("u@nhs.example", "new@nhs.example")))
        self.wait_for("degraded")
        self.redis.start()
        self.wait_for("recovered")
        self.assertIn("new@nhs.example", self.daemons[0].ctl("list", "ls"))

    def test_commands_without_redis(self):
        self.tripped(hosts=1)
        self.redis.kill()
        self.wait_for("degraded")
        refused = self.daemons[0].run_ctl("--yes", "set", "huge.conversation.senders", "5")
        self.assertEqual(69, refused.returncode, refused)
        stopped = self.daemons[0].run_ctl("list", "stop", LARGE, "--reason", "test")
        self.assertEqual(0, stopped.returncode, stopped)
        self.assertIn("shared store does not answer", stopped.stderr)
        self.expect("hold", self.send("u9@nhs.example", LARGE, mails.post("u9@nhs.example", LARGE)))
        self.redis.start()
        self.wait_for("recovered")
        self.expect("hold", self.send("u8@nhs.example", LARGE, mails.post("u8@nhs.example", LARGE)))

    def test_the_wrong_redis_is_not_joined(self):
        """Under the same address another installation's Redis comes up: its secret differs, and this host stays alone."""
        self.tripped(hosts=1)
        self.redis.kill()
        self.wait_for("degraded")
        self.daemons[0].suspend()
        self.redis.start()
        self.redis.call("HSET", "bw:{site}:numbers", "secret", "0123456789abcdef")
        self.daemons[0].resume()
        place.wait_until(lambda: "site secret" in self.daemons[0].log_text(), "the reason is told", 20)
        self.assertNotIn("event=recovered ", self.daemons[0].log_text())
        self.ordinary_passes()


class Probing(Faults):
    def test_both_stores_gone(self):
        """Redis and this host's file: counting goes on in memory, huge lists stay protected."""
        parent = self.tripped(hosts=1)
        other = sqlite3.connect(self.daemons[0].directory / "store.db", isolation_level=None, timeout=10)
        self.addCleanup(other.close)
        other.execute("BEGIN EXCLUSIVE")
        self.redis.kill()
        self.expect("hold", self.reply("v1", parent))
        self.ordinary_passes()
        self.assertTrue(self.daemons[0].alive())
        other.execute("ROLLBACK")
        self.redis.start()
        self.wait_for("recovered", 2)
        place.wait_until(lambda: len(self.daemons[0].held()) == 2, "both held messages are in the ledger", 15)

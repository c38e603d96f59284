"""What bw/mta.h asks of an MTA's queue, on a real Postfix and a real Sendmail: into the hold, out of it, anew."""

import json
import os
import subprocess
import time

from support import mails, place, postfix, sink

from .base import LIST, Case
from .test_sendmail import SendmailCase

COLLEAGUE = "bob@nhs.example"


class Asked:
    """`tool` asks the private MTA; the classes below say how."""

    def ask(self, verb, queue_id=None):
        """(exit status, rows, sentence)."""
        command = [place.build_directory() / "tests" / "e2e" / "queue-tool", *self.tool_arguments(),
                   self.breakwater.directory / "secret", verb, *([queue_id] if queue_id else [])]
        done = subprocess.run(command, env={**os.environ, **self.mta.environment()}, capture_output=True, text=True, timeout=60)
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    def done(self, verb, queue_id):
        code, rows, sentence = self.ask(verb, queue_id)
        self.assertEqual((0, ""), (code, sentence))
        return rows

    def queued(self):
        """A message to a single recipient that cannot be delivered yet."""
        queue_id = self.accepted(self.send("u1@nhs.example", COLLEAGUE, mails.post("u1@nhs.example", COLLEAGUE)))
        place.wait_until(lambda: self.tried(queue_id), "it was tried in vain", 20, 0.1)
        return queue_id

    def test_a_queued_message_into_the_hold_and_out(self):
        before = int(time.time()) * 1000
        self.started()
        self.sink.close()
        queue_id = self.queued()
        row, = self.done("look", queue_id)
        self.assertEqual((queue_id, False, False), (row["queue_id"], row["held"], row["marked"]))
        self.assertTrue(before <= row["arrived_ms"] <= time.time() * 1000, row)
        self.done("hold", queue_id)
        self.assertEqual({queue_id}, self.mta.held())
        held, = self.done("look", queue_id)
        self.assertEqual((True, False, row["arrived_ms"]), (held["held"], held["marked"], held["arrived_ms"]))
        self.assertEqual([held], self.ask("each")[1])
        self.assertEqual(1, self.ask("hold", queue_id)[0], "what is held already is not queued")
        self.done("release", queue_id)
        self.assertEqual(set(), self.mta.held())
        self.assertEqual([row], self.ask("each")[1])
        self.assertEqual(1, self.ask("release", queue_id)[0])

    def test_held_mail_says_when_it_came(self):
        self.started()
        before = int(time.time()) * 1000
        parent = self.announce()
        self.storm(parent, 1, 3)
        queue_id = self.accepted(self.reply("u4@nhs.example", parent))
        row, = self.done("look", queue_id)
        self.assertEqual((True, True, "u4@nhs.example"), (row["held"], row["marked"], row["sender"]))
        self.assertTrue(before <= row["arrived_ms"] <= time.time() * 1000, row)
        self.mta.settle()
        self.assertEqual([row], self.ask("each")[1])

    def test_what_is_gone(self):
        self.started()
        for verb in ("look", "hold", "release"):
            code, rows, sentence = self.ask(verb, self.nowhere)
            self.assertEqual((1, []), (code, rows), sentence)
            self.assertIn(f"{self.nowhere} is not ", sentence)


class Postfix(Asked, Case):
    nowhere = "4XyzBbCdFfGhzJj2"

    def tool_arguments(self):
        return ["postfix", "-", self.mta.config, "-"]

    def tried(self, queue_id):
        return queue_id in self.mta.queue_ids("deferred")

    def test_queues_in_subdirectories(self):
        """hash_queue_names and hash_queue_depth, with long ids and short ones: found, deleted and restored where Postfix looks for them."""
        for long in ("yes", "no"):
            with self.subTest(long):
                self.started(main_cf={"enable_long_queue_ids": long, "hash_queue_names": "hold, active incoming DEFERRED",
                                      "hash_queue_depth": "3"})
                parent = self.announce()
                self.storm(parent, 1, 3)
                ids = [self.accepted(answer) for answer in self.storm(parent, 4, 6)]
                self.assertEqual([], list((self.mta.queue / "hold").glob("??*")))
                entries = {entry["queue_id"]: entry["id"] for entry in self.breakwater.held()}
                for queue_id in ids:
                    self.assertEqual(entries[queue_id], self.done("look", queue_id)[0]["id"])
                self.breakwater.ctl("--yes", "held", "delete", *ids[:2])
                for folder in (self.mta.queue / "hold").glob("*/*/*"):
                    if not list(folder.iterdir()):
                        folder.rmdir()
                self.breakwater.ctl("--yes", "held", "restore", entries[ids[0]])
                self.assertEqual(2, len(self.mta.held()))
                self.expect_agreement()
                self.mta.postsuper("-s")
                self.expect_agreement()
                self.breakwater.ctl("--yes", "held", "release", "--force", "--list", LIST)
                self.mta.settle()
                place.wait_until(lambda: self.sink.count(LIST) >= 6, "the post, three replies and two that waited", 20)
                self.doCleanups()

    def test_anew(self):
        """Requeued, it has another id and its whole life before it."""
        self.started()
        self.sink.close()
        queue_id = self.queued()
        self.done("hold", queue_id)
        self.assertEqual(1, self.ask("requeue", self.nowhere)[0])
        self.done("requeue", queue_id)
        self.assertEqual(set(), self.mta.held())
        place.wait_until(lambda: self.mta.queue_ids() and queue_id not in self.mta.queue_ids(), "pickup has taken it", 90, 0.2)
        self.assertEqual(1, self.ask("look", queue_id)[0])
        new, = self.mta.queue_ids()
        self.assertTrue(self.done("look", new)[0]["arrived_ms"])


class Old(Case):
    """Mail that was held for longer than half of what its MTA gives it."""

    LIFETIME = 12
    MAIN_CF = {"maximal_queue_lifetime": f"{LIFETIME}s", "bounce_queue_lifetime": "1d", "minimal_backoff_time": "1s",
               "maximal_backoff_time": "1s", "queue_run_delay": "1s", "non_smtpd_milters": postfix.MILTER}

    def hold(self, people):
        """Entries of so many replies that have grown old, while nothing can be delivered."""
        self.started(main_cf=self.MAIN_CF)
        parent = self.announce()
        self.storm(parent, 1, 3)
        ids = [self.accepted(answer) for answer in self.storm(parent, 4, 3 + people)]
        self.mta.settle()
        self.sink.close()
        held = {entry["queue_id"]: entry for entry in self.breakwater.held()}
        time.sleep(self.LIFETIME + 2)
        return [held[queue_id] for queue_id in ids]

    def ledger(self, entry):
        return next(e for e in self.breakwater.json_lines("held", "ls", "--all") if e["id"] == entry["id"])

    def verdicts(self):
        return self.breakwater.log_text().count("event=verdict")

    def test_it_begins_anew(self):
        """Released in the usual way it is returned at the first delivery that fails; requeued it is delivered, and not judged again."""
        by_hand, ours = self.hold(2)
        judged = self.verdicts()
        self.breakwater.ctl("--yes", "held", "release", ours["id"])
        self.assertEqual({by_hand["queue_id"]}, self.mta.held())
        new, = self.mta.queue_ids() - self.mta.held()
        entry = self.ledger(ours)
        self.assertEqual(("released", new), (entry["state"], entry["queue_id"]))
        self.assertNotEqual(ours["queue_id"], new)
        self.mta.postsuper("-H", by_hand["queue_id"])
        self.mta.command("postqueue", "-i", by_hand["queue_id"])
        place.wait_until(lambda: self.status(by_hand["queue_id"], "expired"), "the other one is returned", 10, 0.1)
        place.wait_until(lambda: self.status(new, "deferred"), "a delivery was tried in vain", 10, 0.1)
        self.sink = sink.Sink(self.sink.port)
        self.addCleanup(self.sink.close)
        place.wait_until(lambda: self.sink.of(LIST), "it arrives", 20, 0.1)
        self.mta.settle()
        self.assertEqual([ours["sender"]], [message.sender for message in self.sink.of(LIST)])
        self.assertEqual((judged, 0), (self.verdicts(), len(self.mta.held())))
        self.assertEqual(5 * 40000, self.breakwater.figures()["deliveries"])
        self.assertEqual([], self.breakwater.json_lines("--yes", "held", "reconcile"), "neither lost nor rebuilt")

    def status(self, queue_id, word):
        return any(f" {queue_id}: " in line and f"status={word}" in line for line in self.mta.log_lines())

    def test_requeued_by_hand(self):
        """Found by its mark under its new id, and counted."""
        entry, = self.hold(1)
        self.mta.postsuper("-r", entry["queue_id"], "hold")
        place.wait_until(lambda: self.mta.queue_ids() - {entry["queue_id"]}, "pickup has taken it", 90, 0.2)
        new, = self.mta.queue_ids()
        found, = self.breakwater.json_lines("--yes", "held", "reconcile")
        self.assertEqual((entry["id"], "released", 40000), (found["id"], found["found"], found["deliveries"]))
        self.assertEqual(("released", new), tuple(self.ledger(entry)[name] for name in ("state", "queue_id")))
        self.assertEqual([], self.breakwater.json_lines("--yes", "held", "reconcile"))
        self.assertEqual(5 * 40000, self.breakwater.figures()["deliveries"])


class Instances(Case):
    """Two Postfix instances on one host, one breakwaterd: hold.postfix_config."""

    def setUp(self):
        self.started(with_daemon=False)
        self.other = postfix.Postfix(self.scratch / "postfix2", self.sink.port, settings={"enable_long_queue_ids": "no"})
        hold = {"postfix_config": [str(self.mta.config), str(self.other.config)],
                "postfix_commands": str(self.mta.root / "usr/sbin")}
        self.breakwater.config["hold"].update(hold)
        self.breakwater.write()
        self.breakwater.start()
        os.link(self.mta.milter_socket, self.other.milter_socket)
        os.chown(self.other.milter_socket.parent, self.mta.milter_socket.parent.stat().st_uid, -1)
        self.addCleanup(self.other.stop)
        self.other.start()
        parent = self.announce()
        self.storm(parent, 1, 3)
        self.here = [self.accepted(self.reply(f"a{i}@nhs.example", parent)) for i in range(3)]
        self.there = [self.accepted(self.reply(f"b{i}@nhs.example", parent, port=self.other.port)) for i in range(3)]
        self.entries = {entry["queue_id"]: entry["id"] for entry in self.breakwater.held()}

    def ctl(self, *arguments):
        """Nothing but the configuration says where the instances are."""
        command = [place.program("cli", "breakwaterctl"), "-c", self.breakwater.config_file, *arguments]
        done = subprocess.run(command, env={"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": self.mta.libraries}, capture_output=True,
                              text=True, timeout=60)
        self.assertEqual(0, done.returncode, done.stderr + done.stdout)
        return done.stdout

    def expect_held(self, here, there):
        self.assertEqual((set(here), set(there)), (self.mta.held(), self.other.held()))

    def test_each_is_found_where_it_is(self):
        here, there = self.here, self.there
        self.expect_held(here, there)
        self.ctl("--yes", "held", "delete", self.entries[here[0]], self.entries[there[0]])
        self.expect_held(here[1:], there[1:])
        self.ctl("--yes", "held", "restore", self.entries[here[0]], self.entries[there[0]])
        self.assertEqual(set(here), self.mta.held())
        self.assertEqual(3, len(self.other.held()))
        self.assertIn("0 differ", self.ctl("held", "reconcile"))
        self.ctl("--yes", "held", "release", "--force", self.entries[here[1]], self.entries[there[1]])
        self.mta.settle()
        self.other.settle()
        self.assertEqual([1, 1], [sum(m.sender == who for m in self.sink.of(LIST)) for who in ("a1@nhs.example", "b1@nhs.example")])
        self.assertEqual((2, 2), (len(self.mta.held()), len(self.other.held())))

    def test_the_agent_warns_of_short_queue_ids(self):
        self.breakwater.config["notify"] = {"state_file": str(self.breakwater.directory / "notified"), "sendmail": "/bin/true"}
        self.breakwater.write()
        with open(self.scratch / "agent.log", "w+b") as log:
            agent = subprocess.Popen([place.program("agent", "breakwater-agent"), "-c", self.breakwater.config_file, "-f"], stderr=log,
                                     env={"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": self.mta.libraries}, stdin=subprocess.DEVNULL)
            self.addCleanup(place.stop_child, agent)
            said = lambda: (self.scratch / "agent.log").read_text()
            place.wait_until(lambda: "event=short-queue-ids" in said(), "it warns", 15, 0.1)
            self.assertEqual(1, said().count("short-queue-ids"), said())
            self.assertIn(f"Postfix in {self.other.config} has enable_long_queue_ids = no", said())

    def test_reconcile_looks_at_all(self):
        place.run_sql(self.breakwater.directory / "store.db", "DELETE FROM held")
        said = self.ctl("--yes", "held", "reconcile")
        self.assertIn("6 are held (0 of them not ours); 6 differ", said)
        self.assertIn(f"warning: Postfix in {self.other.config} has enable_long_queue_ids = no", said)
        self.assertEqual({**self.entries}, {entry["queue_id"]: entry["id"] for entry in self.breakwater.held()})


class Sendmail(Asked, SendmailCase):
    nowhere = "6AM3m9AY032553"

    def tool_arguments(self):
        return ["sendmail", self.mta.commands, "-", self.mta.queue]

    def tried(self, queue_id):
        return f"{queue_id}: to=" in self.mta.log_text()

    def test_there_is_no_anew(self):
        self.started()
        code, _, sentence = self.ask("requeue", self.nowhere)
        self.assertEqual((3, "sendmail has no such thing\n"), (code, sentence))

"""The hold queue has an end: beyond it what is stopped is refused with an explanation or asked to come again, and ordinary mail flows."""

import threading

from support import mails, place

from .base import LIST, Case
from .test_redis import Shared

WARD = "ward@nhs.example"
FRIEND = "friend@nhs.example"


class Limits(Case):
    def started_with(self, **hold):
        self.started(sections={"hold": hold})
        self.parent = self.announce()
        self.assertEqual([250] * 3, [a.code for a in self.storm(self.parent, 1, 3)])

    def ordinary(self):
        """Mail to one person arrives whatever waits."""
        before = self.sink.count(FRIEND)
        self.accepted(self.send("u1@nhs.example", FRIEND, mails.post("u1@nhs.example", FRIEND)))
        place.wait_until(lambda: self.sink.count(FRIEND) > before, "ordinary mail arrives", 20)

    def stranger(self, who):
        """A reply of somebody whom another host vouches for: no login here."""
        return self.reply(who, self.parent, login=False)

    def expect_refused(self, answer, code, status):
        self.assertEqual((code, status), (answer.code, answer.text.split()[0]), answer)
        self.assertIn("40,000 mailboxes", answer.text)

    def wait_event(self, event):
        place.wait_until(lambda: f"event={event} " in self.breakwater.log_text(), f"event={event}", 20)

    def test_a_limit_of_messages(self):
        self.started_with(max_messages=5)
        self.assertEqual([250] * 5, [a.code for a in self.storm(self.parent, 4, 8)])
        self.assertEqual(5, len(self.mta.held()))
        self.assertEqual("messages", self.breakwater.status()["hold_queue"]["full"])
        refused = self.reply("u9@nhs.example", self.parent)
        self.expect_refused(refused, 550, "5.7.28")
        self.assertIn("Too much stopped mail waits already. Do not send it again today", refused.text)
        self.assertIn("to answer one person, write to that person alone", refused.text)
        fields = mails.reply("u10@nhs.example", LIST, self.parent)
        for _ in range(3):  # comes again and again, as its MTA would
            self.expect_refused(self.send("u10@nhs.example", LIST, fields, login=False), 451, "4.7.28")
        # postmaster is never refused for good.
        self.assertEqual(451, self.send("u11@nhs.example", [LIST, "postmaster@nhs.example"],
                                        mails.reply("u11@nhs.example", LIST, self.parent)).code)
        self.ordinary()
        self.assertEqual(5, len(self.mta.held()))
        self.expect_agreement()
        self.wait_event("limit")
        log = self.breakwater.log_text()
        self.assertIn("action=reject would=hold full=messages", log)
        self.assertIn("action=throttle would=hold full=messages", log)
        self.assertEqual(1, log.count("event=limit "))
        self.assertIn("the hold queue of mx1 is FULL: 5 of at most 5 messages wait", self.breakwater.ctl("status"))
        self.assertEqual(["limit"], [e["event"] for e in self.breakwater.json_lines("events") if e["event"] in ("limit", "room")])
        # Two leave: two more find room, the message that was put off among them, and the next does not.
        for queue_id in sorted(self.mta.held())[:2]:
            entry = next(e for e in self.breakwater.held() if e["queue_id"] == queue_id)
            self.breakwater.ctl("--yes", "held", "release", entry["id"])
        self.wait_event("room")
        self.accepted(self.send("u10@nhs.example", LIST, fields, login=False))
        self.accepted(self.reply("u12@nhs.example", self.parent))
        self.expect_refused(self.reply("u13@nhs.example", self.parent), 550, "5.7.28")
        self.assertEqual(5, len(self.mta.held()))
        self.expect_agreement()

    def test_a_storm_on_many_sockets_passes_no_limit(self):
        self.started_with(max_messages=7)
        answers, gate = [], threading.Barrier(16)

        def one(i):
            gate.wait()
            answers.extend(self.reply(f"s{i}-{n}@nhs.example", self.parent).code for n in range(3))

        threads = [threading.Thread(target=one, args=(i,)) for i in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # What is being written while the ledger is read may count twice for a moment: never one too many.
        held = len(self.mta.held())
        self.assertEqual((48, held), (len(answers), answers.count(250)))
        self.assertEqual(48 - held, answers.count(550))
        self.assertLessEqual(held, 7)
        self.assertGreaterEqual(held, 5)
        self.expect_agreement()
        self.ordinary()

    def test_limits_of_bytes_and_of_the_disk(self):
        self.started_with(max_bytes=20000)
        codes = [a.code for a in self.storm(self.parent, 4, 10)]
        self.assertEqual([250] * 4 + [550] * 3, codes)  # a block each
        self.assertEqual("bytes", self.breakwater.status()["hold_queue"]["full"])
        self.breakwater.config["hold"].update(max_bytes=0, min_free=10 ** 15, queue=str(self.mta.queue))
        self.breakwater.write()
        self.breakwater.reload()
        place.wait_until(lambda: "event=reloaded" in self.breakwater.log_text(), "the daemon has read it", 10)
        place.wait_until(lambda: self.stranger("u20@nhs.example").text.startswith("4.3.1"), "the disk is too full", 10, 0.2)
        self.expect_refused(self.stranger("u21@nhs.example"), 452, "4.3.1")
        self.expect_refused(self.reply("u22@nhs.example", self.parent), 550, "5.7.28")
        self.assertEqual("disk", self.breakwater.status()["hold_queue"]["full"])
        self.ordinary()
        self.breakwater.config["hold"].update(min_free=0)
        self.breakwater.write()
        self.breakwater.reload()
        place.wait_until(lambda: self.reply("u23@nhs.example", self.parent).code == 250, "there is room again", 10, 0.2)

    def test_the_limit_outlives_the_daemon(self):
        self.started_with(max_messages=2)
        self.assertEqual([250, 250, 550], [a.code for a in self.storm(self.parent, 4, 6)])
        self.breakwater.kill()
        self.breakwater.start()
        self.expect_refused(self.reply("u7@nhs.example", self.parent), 550, "5.7.28")
        self.assertEqual(2, len(self.mta.held()))


class SharedLimits(Shared):
    def test_each_host_has_its_own(self):
        self.shared()
        for host in self.hosts:
            host.breakwater.config["hold"].update(max_messages=2)
            host.breakwater.write()
            host.breakwater.restart()
        parent = self.announce_at(0)
        codes = [[self.reply_at(i, f"h{i}-{n}@nhs.example", parent).answer.code for n in range(4)] for i in (0, 1)]
        self.assertEqual([[250] * 4, [250, 250, 550, 550]], codes)  # three pass, one and two wait
        self.assertEqual(250, self.reply_at(0, "late@nhs.example", parent).answer.code)
        self.assertEqual(550, self.reply_at(0, "later@nhs.example", parent).answer.code)
        self.expect_nothing_lost()
        self.expect_one_ledger()

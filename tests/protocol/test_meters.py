"""The guards that watch no list: a hijacked account is stopped, its colleagues are not; flooded mailboxes; what the store hears of it."""

import threading

from support import daemon, mails, milter_mta, place

from .base import LARGE, Case, mark
from .shared import Shared

LIMIT, AT_ONCE, COLLEAGUES = 2000, 50, 50
JANE = "jane@nhs.example"


def recipients(n, who="r"):
    return [f"{who}{i}@elsewhere.example" for i in range(n)]


class Mail:
    """What both stores share; a mixin of Case."""

    def as_user(self, who, to, client=daemon.STRANGER, **more):
        """One message of an authenticated user, from anywhere."""
        sender = f"{who}@nhs.example"
        return self.send(sender, to, mails.post(sender, to[0]), client=client, auth=who, **more)

    def hijack(self, sockets, messages=80):
        """jane writes to fifty people at a time over all sockets, while fifty colleagues send normal mail; the verdicts of both."""
        verdicts = {"jane": [], "colleagues": []}
        lock = threading.Lock()

        def write(name, who, count, to):
            for i in range(count):
                verdict = milter_mta.message(sockets[i % len(sockets)], f"{who}@nhs.example", to, client=daemon.STRANGER,
                                             auth=who, headers=mails.post(f"{who}@nhs.example", to[0]))
                with lock:
                    verdicts[name].append(verdict)

        threads = [threading.Thread(target=write, args=("jane", "jane", messages // 4, recipients(AT_ONCE))) for _ in range(4)]
        threads += [threading.Thread(target=write, args=("colleagues", f"c{i}", 6, recipients(3, f"friend{i}-")))
                    for i in range(COLLEAGUES)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return verdicts

    def expect_hijack_stopped(self, sockets):
        verdicts = self.hijack(sockets, messages=80 * len(sockets))
        passed = [v for v in verdicts["jane"] if v.action == "accept"]
        stopped = [v for v in verdicts["jane"] if v.action != "accept"]
        self.assertLessEqual(len(passed) * AT_ONCE, LIMIT * len(sockets))
        self.assertEqual({("hold", "sender")}, {(v.action, mark(v).get("guard")) for v in stopped})
        self.assertEqual({("accept", "data")}, {(v.action, v.stage) for v in verdicts["colleagues"]})
        self.assertEqual(6 * COLLEAGUES, len(verdicts["colleagues"]))
        return passed

    def expect_breaker(self, d):
        shown, = [b for b in d.breakers() if b["guard"] == "sender"]
        self.assertEqual((f"auth:{JANE}", "open", "sender.recipients", LIMIT),
                         (shown["list"], shown["state"], shown["rule"], shown["limit"]))


class Embedded(Mail, Case):
    def test_a_hijacked_account(self):
        self.started()
        passed = self.expect_hijack_stopped([self.breakwater.socket])
        self.assertEqual(LIMIT // AT_ONCE, len(passed), "one daemon knows its own count at once")
        self.expect_breaker(self.breakwater)
        self.assertIn(f"sender breaker of auth:{JANE} is open", self.breakwater.ctl("events"))
        # To lists as well; and jane's name in From: is not jane.
        self.expect("hold", self.as_user("jane", [LARGE]), "sender")
        self.expect("accept", self.send(JANE, ["friend@nhs.example"], mails.post(JANE, "friend@nhs.example")))

    def test_held_mail_is_in_the_ledger(self):
        self.started(settings={"sender.recipients": "10"})
        self.expect("accept", self.as_user("jane", recipients(10)))
        self.expect("hold", self.as_user("jane", recipients(3), queue_id="4ZqHeld1"), "sender")
        entry, = self.breakwater.held()
        self.assertEqual(("4ZqHeld1", "sender", f"auth:{JANE}", 3),
                         (entry["queue_id"], entry["guard"], entry["list"], entry["deliveries"]))
        self.assertIn("13 recipients of at most 10 in 60 min", entry["sentence"])
        self.assertEqual([entry], self.breakwater.json_lines("held", "ls", "--list", f"auth:{JANE}"))
        self.assertEqual([], self.breakwater.json_lines("held", "ls", "--list", "auth:joe@nhs.example"))
        # Her post to a list is found under both.
        self.expect("hold", self.as_user("jane", [LARGE], queue_id="4ZqHeld2"), "sender")
        for key in (f"auth:{JANE}", LARGE):
            self.assertEqual("4ZqHeld2", self.breakwater.json_lines("held", "ls", "--list", key)[-1]["queue_id"])
        self.assertEqual(1, len(self.breakwater.json_lines("breaker", "ls", "--list", f"auth:{JANE}")))
        self.assertIn("sender breaker", self.breakwater.ctl("breaker", "show", f"auth:{JANE}"))
        self.assertIn(f"auth:{JANE}", self.breakwater.ctl("status"))

    def test_the_operator_closes_and_opens(self):
        self.started(settings={"sender.recipients": "10", "sender.window": "1m"})
        self.as_user("jane", recipients(10))
        self.expect("hold", self.as_user("jane", recipients(1)), "sender")
        self.breakwater.ctl("set", "sender.recipients", "100", "--yes")
        self.expect("hold", self.as_user("jane", recipients(1)), "sender")
        self.breakwater.ctl("breaker", "close", f"auth:{JANE}", "--reason", "it was her")
        place.wait_until(lambda: self.as_user("jane", recipients(1)).action == "accept", "the daemon knows that it is closed", 5)
        self.breakwater.ctl("breaker", "open", "auth:joe@nhs.example", "--reason", "look at him")
        place.wait_until(lambda: self.as_user("joe", recipients(1)).action == "hold", "the daemon knows that it is open", 5)
        self.breakwater.ctl("breaker", "close", "auth:joe@nhs.example")
        place.wait_until(lambda: self.as_user("joe", recipients(1)).action == "accept", "and that it is closed again", 5)

    def test_stopped_after_a_restart(self):
        self.started(settings={"sender.recipients": "10"})
        self.as_user("jane", recipients(10))
        self.expect("hold", self.as_user("jane", recipients(1)), "sender")
        self.breakwater.restart()
        place.wait_until(lambda: self.as_user("jane", recipients(1)).action == "hold", "the breaker is read back", 5)

    def test_what_was_aborted_counts_nowhere(self):
        self.started(settings={"sender.recipients": "10"})
        self.as_user("jane", recipients(8))
        for _ in range(3):
            with milter_mta.Session(self.breakwater.socket, client=daemon.STRANGER) as session:
                session.prepare(JANE, recipients(5), headers=mails.post(JANE, "r0@elsewhere.example"), auth="jane")
                self.assertIsNone(session.over, "near its limit: it goes on to the end of message")
                session.abort()
        self.expect("accept", self.as_user("jane", recipients(2)))
        self.expect("hold", self.as_user("jane", recipients(1)), "sender")

    def test_shadow_lets_pass(self):
        self.started(mode="shadow", settings={"sender.recipients": "10"})
        self.as_user("jane", recipients(10))
        self.assertEqual(("accept", "eom"), (lambda v: (v.action, v.stage))(self.as_user("jane", recipients(1))))
        self.assertIn("would=hold", self.breakwater.log_text())

    def test_a_flooded_mailbox(self):
        self.started(settings={"mailbox.messages": "20"})
        to = ["victim@nhs.example"]
        words = [self.send(f"x{i}@elsewhere.example", to, mails.post(f"x{i}@elsewhere.example", to[0]), client=daemon.STRANGER)
                 for i in range(30)]
        self.assertEqual(["accept"] * 20 + ["throttle"] * 10, [v.action for v in words])
        self.assertIn("4.7.28", str(words[-1]))
        # Retries of what was throttled keep nobody out for longer: they count nowhere.
        self.expect("accept", self.as_user("friend", to))
        self.expect("accept", self.send("y@elsewhere.example", to + ["other@nhs.example"],
                                        mails.post("y@elsewhere.example", to[0]), client=daemon.STRANGER))

    def test_a_robot_inside(self):
        """Mail of one of our hosts is looked at when a mailbox gets much of it; people's passes."""
        self.started(settings={"mailbox.messages": "20"})
        to = "desk@nhs.example"

        def robot(i):
            return self.send("robot@nhs.example", [to], mails.post("robot@nhs.example", to) + [("Auto-Submitted", "auto-replied")])

        words = [robot(i).action for i in range(60)]
        self.assertGreater(words.count("accept"), 20)
        self.assertEqual(30, words.index("throttle"), words)
        person = self.send("a@nhs.example", [to], mails.post("a@nhs.example", to))
        self.expect("accept", person)

    def test_a_forged_origin(self):
        self.started(settings={"origin.mode": "enforce"}, sections={"internal": {"authserv_ids": ["mx.nhs.example"]}})

        def outside(results=None):
            fields = mails.post("boss@nhs.example", LARGE)
            fields = ([("Authentication-Results", results)] if results else []) + fields
            return self.send("boss@nhs.example", [LARGE], fields, client=daemon.STRANGER)

        self.expect("hold", outside(), "origin")
        self.expect("hold", outside("elsewhere.example; dmarc=pass"), "origin")
        self.expect("hold", outside("mx.nhs.example; dmarc=fail; spf=pass"), "origin")
        self.expect("hold", outside("mx.nhs.example; x=\"; dmarc=pass\"; dmarc=none"), "origin")
        self.expect("accept", outside("mx.nhs.example; spf=none; dmarc=pass (p=reject) header.from=nhs.example"))


class OneRedis(Mail, Shared):
    def test_a_hijacked_account_on_two_hosts(self):
        self.shared(2)
        self.expect_hijack_stopped(self.sockets)
        for d in self.daemons:
            self.expect_breaker(d)

    def test_stopped_here_stopped_there(self):
        self.shared(2, settings={"sender.recipients": "100"})
        self.at(1).as_user("jane", recipients(100))
        self.expect("hold", self.as_user("jane", recipients(1)), "sender")
        self.at(2)
        place.wait_until(lambda: self.as_user("jane", recipients(1)).action == "hold", "the other host knows", 5)

    def test_two_hosts_add_up(self):
        self.shared(2, settings={"sender.recipients": "100"})
        for i in (1, 2):
            self.expect("accept", self.at(i).as_user("jane", recipients(60)))
        place.wait_until(lambda: self.at(1).as_user("jane", recipients(1)).action == "hold", "the sum of both is known here", 5)

    def test_ordinary_mail_waits_for_no_store(self):
        """Redis does not answer at all: ordinary mail passes at DATA as ever, and what was counted is handed over afterwards."""
        self.shared(1, settings={"sender.recipients": "100"})
        self.redis.suspend()
        self.addCleanup(self.redis.resume)
        for i in range(60):
            verdict = self.as_user("joe", [f"friend{i}@elsewhere.example"])
            self.assertEqual(("accept", "data"), (verdict.action, verdict.stage))
        self.redis.resume()

"""A hijacked account through a real Postfix, on both stores: stopped within 2,000 recipients, and its colleagues do not notice."""

import threading

from support import mails, place, redis, smtp

from .base import LIST, Case

LIMIT, AT_ONCE, MESSAGES, COLLEAGUES = 2000, 50, 56, 50
JANE = "jane@nhs.example"
STRANGE = "203.0.113.66"  # where the one who has her password sits


class Hijack(Case):
    def together(self):
        """jane's visitor on four connections, fifty colleagues on one each; the answers to both."""
        answers = {"jane": [], "colleagues": []}

        def write(whose, who, address, count, to):
            with smtp.Client(self.mta.port, login=who, address=address) as client:
                for _ in range(count):
                    answers[whose].append(client.deliver(who, to, mails.render(mails.post(who, to[0]))))

        victims = [f"victim{i}@nhs.example" for i in range(AT_ONCE)]
        threads = [threading.Thread(target=write, args=("jane", JANE, STRANGE, MESSAGES // 4, victims)) for _ in range(4)]
        threads += [threading.Thread(target=write, args=("colleagues", f"c{i}@nhs.example", f"198.51.100.{i + 1}", 3,
                                                         [f"friend{i}@nhs.example"])) for i in range(COLLEAGUES)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def hijack(self, **more):
        self.started(**more)
        answers = self.together()
        for answer in answers["jane"] + answers["colleagues"]:
            self.accepted(answer)  # who is held is told 250: nothing is lost, somebody looks at it
        held = self.mta.held()
        jane = {answer.queue_id for answer in answers["jane"]}

        self.assertEqual((MESSAGES, 3 * COLLEAGUES), (len(answers["jane"]), len(answers["colleagues"])))
        self.assertEqual(set(), held - jane, "none of the colleagues' mail is held")
        self.assertEqual(LIMIT, (MESSAGES - len(held)) * AT_ONCE)
        place.wait_until(lambda: len(self.breakwater.held()) == len(held), "this host's ledger is copied to the shared store", 10)
        self.expect_agreement()
        self.assertEqual({(f"auth:{JANE}", "sender")}, {(e["list"], e["guard"]) for e in self.breakwater.held()})
        self.mta.settle(60)
        self.assertEqual(LIMIT, sum(self.sink.count(f"victim{i}@nhs.example") for i in range(AT_ONCE)))
        self.assertEqual(3 * COLLEAGUES, sum(self.sink.count(f"friend{i}@nhs.example") for i in range(COLLEAGUES)))

    def test_on_the_embedded_store(self):
        self.hijack()
        # jane herself, who has a new password now and whom the operator lets write again.
        self.breakwater.ctl("breaker", "close", f"auth:{JANE}", "--reason", "new password")
        self.breakwater.set("sender.recipients", "5000")
        place.wait_until(lambda: self.send(JANE, "friend1@nhs.example", mails.post(JANE, "friend1@nhs.example")).queue_id
                         not in self.mta.held(), "mail of jane passes", 10)
        # To a list she posts as ever: the gate holds it, not what was done in her name.
        self.accepted(self.send(JANE, LIST, mails.post(JANE, LIST)))
        self.assertIn("gate", {entry["guard"] for entry in self.breakwater.held()})
        # One of the held messages was hers: it is released like any other.
        entry = next(e for e in self.breakwater.held() if e["guard"] == "sender")
        self.breakwater.ctl("--yes", "held", "release", entry["id"])
        self.mta.settle(60)
        self.assertNotIn(entry["queue_id"], self.mta.held())
        self.expect_agreement()

    def test_on_redis(self):
        scratch = place.Scratch("e2e-redis")
        self.addCleanup(scratch.remove)
        shared = redis.Redis(scratch).start()
        self.addCleanup(shared.stop)
        self.hijack(sections={"store": shared.section()})

"""Several daemons on one Redis: one count, one set of breakers and settings; and Redis is asked no more than need be."""

from support import daemon, mails, milter_mta, place

from .base import HUGE, LARGE, POSTERS, people
from .shared import Shared

RUNS, HOSTS, SOCKETS = 20, 4, 50


class Exact(Shared):
    """Four daemons, fifty sockets each, all released at once."""

    def storm(self, limit):
        lists = [daemon.mail_list(f"run{i}@nhs.example", 26000, posters=POSTERS) for i in range(RUNS)]
        self.shared(HOSTS, lists,
                    settings={"huge.conversation.senders": str(limit), "huge.conversation.replies": "off",
                              "huge.conversation.day_senders": "off", "huge.list.senders": "off"})
        for i in range(RUNS):
            to = f"run{i}@nhs.example"
            parent = self.announce(to=to)
            storm = milter_mta.Storm(self.sockets, [
                dict(sender=who, rcpts=[to], headers=mails.reply(who, to, parent)) for who in people(1, HOSTS * SOCKETS)],
                client=daemon.CLIENT)
            verdicts = [getattr(v, "action", v) for v in storm.release()]
            with self.subTest(run=i):
                self.assertEqual((limit, HOSTS * SOCKETS - limit), (verdicts.count("accept"), verdicts.count("hold")), verdicts)
        degraded = sum("degraded=yes" in line for d in self.daemons for line in d.log_text().splitlines())
        print(f"limit {limit}: {RUNS} runs of {HOSTS} x {SOCKETS}, exactly {limit} passed; decided in degraded mode: {degraded}",
              flush=True)
        self.assertEqual(0, degraded)

    def test_one(self):
        self.storm(1)

    def test_three(self):
        self.storm(3)

    def test_ten(self):
        self.storm(10)


class OneTruth(Shared):
    def test_replies_are_counted_together(self):
        self.shared(2)
        parent = self.at(1).announce()
        words = [self.at(i % 2 + 1).reply(f"u{i}", parent).action for i in range(1, 7)]
        self.assertEqual(["accept"] * 3 + ["hold"] * 3, words)
        for d in self.daemons:
            self.assertIn(("conversation", "open"), [(b["guard"], b["state"]) for b in d.breakers()])

    def test_held_mail_is_listed_on_every_host(self):
        self.shared(2)
        parent = self.at(1).announce()
        for i in range(1, 7):
            self.at(i % 2 + 1).reply(f"u{i}", parent)
        place.wait_until(lambda: len(self.daemons[0].held()) == 3, "the ledgers of both hosts in Redis")
        self.assertEqual({"mx1", "mx2"}, {entry["host"] for entry in self.daemons[1].held()})

    def test_a_setting_is_active_on_all_hosts(self):
        self.shared(2)
        parent = self.at(1).announce()
        self.assertIn("active on 2 of 2 hosts", self.daemons[0].set("huge.conversation.senders", "1"))
        self.expect("accept", self.at(2).reply("u1", parent))
        self.expect("hold", self.at(2).reply("u2", parent))
        self.assertIn("active on 2 of 2 hosts", self.daemons[1].ctl("--yes", "list", "add", "new@nhs.example", "40000"))
        self.expect("hold", self.at(1).send("u@nhs.example", "new@nhs.example", mails.post("u@nhs.example", "new@nhs.example")))

    def test_another_site_secret_is_refused(self):
        self.shared(1)
        other = daemon.Daemon(self.scratch, name="other", host="other", sections={"store": self.redis.section()})
        with self.assertRaisesRegex(RuntimeError, "site secret"):
            other.start()

    def test_status_names_redis(self):
        self.shared(2)
        self.assertIn("redis, unix:", self.daemons[0].ctl("status"))
        self.assertEqual({"mx1", "mx2"}, {h["host"] for h in self.daemons[0].status()["hosts"]})


class Calls(Shared):
    """What Redis executes."""

    def test_one_call_a_message_and_list_and_none_for_ordinary_mail(self):
        self.shared(1, settings=dict.fromkeys(("gate.fanout", "conversation.senders", "conversation.replies", "conversation.day_senders",
                                               "list.senders", "list.budget"), "off"))
        parent = self.announce()
        for what, calls, work in (
                ("replies", 100, lambda: [self.reply(f"u{i}", parent) for i in range(1, 101)]),
                ("posts to two lists", 40, lambda: [self.post(f"v{i}@nhs.example", [HUGE, LARGE]) for i in range(20)]),
                ("ordinary mail", 0, lambda: [self.post("a@nhs.example", ["b@nhs.example"]) for _ in range(100)])):
            before = self.redis.calls("evalsha")
            self.assertEqual({"accept"}, {verdict.action for verdict in work()})
            with self.subTest(what=what):
                self.assertEqual(calls, self.redis.calls("evalsha") - before)
        self.assertLessEqual(self.redis.clients(), 2)

    def post(self, who, to):
        return self.send(who, to, mails.post(who, to[0]))

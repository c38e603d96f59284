"""Storms behind a barrier: with a limit of N senders exactly N replies pass, whoever races."""

from support import daemon, mails, milter_mta

from .base import POSTER, POSTERS, Case, people

RUNS, SOCKETS = 20, 50


class Barrier(Case):
    def storm(self, limit, runs=RUNS):
        lists = [daemon.mail_list(f"run{i}@nhs.example", 26000, posters=POSTERS) for i in range(runs)]
        self.started(lists=lists, settings={"huge.conversation.senders": str(limit), "huge.conversation.replies": "off",
                                            "huge.conversation.day_senders": "off", "huge.list.senders": "off"})
        for i in range(runs):
            to = f"run{i}@nhs.example"
            parent = self.announce(to=to)
            storm = milter_mta.Storm(self.breakwater.socket, [
                dict(sender=who, rcpts=[to], headers=mails.reply(who, to, parent)) for who in people(1, SOCKETS)],
                client=daemon.CLIENT)
            verdicts = [getattr(v, "action", v) for v in storm.release()]
            with self.subTest(run=i):
                self.assertEqual(limit, verdicts.count("accept"), verdicts)
                self.assertEqual(SOCKETS - limit, verdicts.count("hold"), verdicts)
            self.assertEqual("hold", self.reply("late", parent, to=to).action)

    def test_one(self):
        self.storm(1)

    def test_three(self):
        self.storm(3)

    def test_ten(self):
        self.storm(10)

    def test_the_budget_is_as_exact(self):
        """Members of a list of 26,000 race for a budget of ten posts; the announcement takes the first."""
        to = "run@nhs.example"
        self.started(lists=[daemon.mail_list(to, 26000, posters=POSTERS)],
                     settings={"huge.conversation.senders": "off", "huge.conversation.replies": "off",
                               "huge.conversation.day_senders": "off", "huge.list.senders": "off",
                               "huge.list.budget": "260000"})
        parent = self.announce(to=to)
        storm = milter_mta.Storm(self.breakwater.socket, [
            dict(sender=who, rcpts=[to], headers=mails.reply(who, to, parent)) for who in people(1, SOCKETS)],
            client=daemon.CLIENT)
        verdicts = [getattr(v, "action", v) for v in storm.release()]
        self.assertEqual((9, SOCKETS - 9), (verdicts.count("accept"), verdicts.count("hold")), verdicts)
        self.assertEqual(260000, self.breakwater.figures()["deliveries"])

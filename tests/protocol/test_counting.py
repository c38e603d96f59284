"""What counts, and how often: expanded copies, retries, replays."""

from support import daemon, mails

from .base import HUGE, LARGE, POSTER, POSTERS, Case, people

EVERYBODY = 840000


class Expander(Case):
    def test_16_800_transactions_of_50_are_one_post(self):
        """An Exchange in front of us expands the list: To: names it, the envelope has members."""
        big = "everybody@nhs.example"
        self.started(lists=[daemon.mail_list(big, EVERYBODY, posters=POSTERS)],
                     sections={"internal": {"vouched": [daemon.CLIENT, daemon.EXPANDER]}})
        fields = mails.post(POSTER, big)
        session = self.session(client=daemon.EXPANDER)
        for i in range(EVERYBODY // 50):
            members = [f"m{i}.{k}@nhs.example" for k in range(50)]
            verdict = session.message(POSTER, members, headers=fields)
            self.assertEqual("accept", verdict.action, (i, verdict))
        self.assertEqual(EVERYBODY, self.breakwater.figures()["deliveries"])
        # One post was counted: had each transaction been one, the window's senders and posts would say so.
        self.assertEqual(["hold"] * 2, [self.reply(who, mails.value(fields, "Message-ID"), to=big).action
                                        for who in people(1, 2)])  # 840,000 more are beyond the budget

    def test_from_any_other_client_headers_make_nothing_list_mail(self):
        self.started()
        fields = mails.post("u1@nhs.example", HUGE)
        verdict = self.send("u1@nhs.example", "member@nhs.example", fields)
        self.assertEqual(("accept", "data"), (verdict.action, verdict.stage))


class Retries(Case):
    SETTINGS = {"large.conversation.senders": "5", "large.conversation.replies": "off", "large.list.action": "throttle"}

    def test_a_throttled_message_retried_20_times_counts_once(self):
        self.started(settings={**self.SETTINGS, "large.conversation.senders": "off", "large.conversation.replies": "5",
                               "large.conversation.reply_senders": "2"})
        parent = self.announce(to=LARGE)
        self.breakwater.ctl("--yes", "list", "stop", LARGE, "--for", "1h", "--reason", "test")
        fields = mails.reply("u1@nhs.example", LARGE, parent)
        for _ in range(20):
            self.expect("throttle", self.send("u1@nhs.example", LARGE, fields))
        self.breakwater.ctl("--yes", "list", "resume", LARGE)
        self.expect("accept", self.send("u1@nhs.example", LARGE, fields))
        self.assertEqual(["accept"] * 4 + ["hold"], self.replies(people(2, 6), parent, to=LARGE))

    def test_a_held_message_offered_again_stays_one_attempt(self):
        self.started()
        fields = mails.post("u1@nhs.example", HUGE)
        for _ in range(5):
            self.expect("hold", self.send("u1@nhs.example", HUGE, fields), "gate")


class Replays(Case):
    def test_one_duplicate_passes_uncounted_and_each_further_one_is_a_new_post(self):
        """A budget of four posts: announcement, reply, (duplicate), two replays; then it is spent."""
        self.started(settings={"large.list.budget": "16000"})
        parent = self.announce(to=LARGE)
        fields = mails.reply("u1@nhs.example", LARGE, parent)
        verdicts = [self.send("u1@nhs.example", LARGE, fields).action for _ in range(5)]
        self.assertEqual(["accept"] * 4 + ["hold"], verdicts)

    def test_a_replayed_identity_hides_nothing(self):
        """A hijacker repeats an accepted reply to a huge list: from the second copy on it is a new post."""
        self.started()
        parent = self.announce()
        fields = mails.reply("u1@nhs.example", HUGE, parent)
        self.expect("accept", self.send("u1@nhs.example", HUGE, fields))
        self.expect("accept", self.send("u1@nhs.example", HUGE, fields))
        self.expect("hold", self.send("u1@nhs.example", HUGE, fields), "gate")

    def test_one_identity_with_other_recipients_is_no_duplicate(self):
        self.started()
        parent = self.announce()
        fields = mails.reply("u1@nhs.example", HUGE, parent)
        self.expect("accept", self.send("u1@nhs.example", HUGE, fields))
        self.expect("hold", self.send("u1@nhs.example", [HUGE, "other@nhs.example"], fields), "gate")


class Figures(Case):
    def test_only_what_passed_adds_deliveries(self):
        self.started()
        parent = self.announce()
        self.replies(people(1, 10), parent)
        self.assertEqual({"deliveries": 4 * 40000, "held": 7}, self.breakwater.figures())

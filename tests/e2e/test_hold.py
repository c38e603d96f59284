"""Held mail: in Postfix's hold queue, in the ledger, and back out."""

from support import daemon, mails

from .base import LIST, Case


class Hold(Case):
    def setUp(self):
        self.started()
        self.parent = self.announce()
        self.ids = [self.accepted(answer) for answer in self.storm(self.parent, 1, 6)]

    def test_the_fourth_of_three_and_all_after_are_held(self):
        self.assertEqual(set(self.ids[3:]), self.mta.held())
        self.expect_agreement()
        self.mta.settle()
        self.assertEqual(4, self.mta.delivered(LIST))

    def test_a_held_message_describes_itself(self):
        text = self.mta.postcat(self.ids[3])
        entry = next(e for e in self.breakwater.held() if e["queue_id"] == self.ids[3])
        self.assertRegex(text, r"X-Breakwater-Held: v=1; id=%s;" % entry["id"])
        self.assertEqual((LIST, "conversation"), (entry["list"], entry["guard"]))
        shown = self.breakwater.ctl("held", "show", entry["id"])
        self.assertIn("4th sender of at most 3", shown)

    def test_release_and_back(self):
        entry = next(e for e in self.breakwater.held() if e["queue_id"] == self.ids[3])
        dry = self.breakwater.run_ctl("held", "release", entry["id"])
        self.assertEqual(set(self.ids[3:]), self.mta.held(), "without --yes nothing happens")
        self.assertEqual(0, dry.returncode, dry.stderr)
        self.breakwater.ctl("--yes", "held", "release", entry["id"])
        self.mta.settle()
        self.assertEqual(set(self.ids[4:]), self.mta.held())
        self.expect_agreement()
        self.assertEqual(5, self.mta.delivered(LIST))
        self.assertEqual(5 * 40000, self.breakwater.figures()["deliveries"])
        arrived = self.sink.of(LIST)[-1]
        self.assertEqual("u4@nhs.example", arrived.sender)

    def test_release_of_what_is_gone_says_so(self):
        entry = self.breakwater.held()[0]
        self.mta.postsuper("-d", entry["queue_id"])
        done = self.breakwater.run_ctl("--yes", "held", "release", entry["id"])
        self.assertEqual(1, done.returncode, done.stdout + done.stderr)
        self.assertIn(entry["queue_id"], done.stdout + done.stderr)

    def test_one_mail_to_one_colleague(self):
        fields = mails.reply("u4@nhs.example", "u1@nhs.example", self.parent)
        self.accepted(self.send("u4@nhs.example", "u1@nhs.example", fields))
        self.mta.settle()
        self.assertEqual(1, self.sink.count("u1@nhs.example"))

    def test_a_list_among_single_recipients_holds_the_whole_envelope(self):
        fields = mails.reply("u9@nhs.example", LIST, self.parent)
        queue_id = self.accepted(self.send("u9@nhs.example", [LIST, "friend@nhs.example"], fields))
        self.assertIn(queue_id, self.mta.held())
        self.assertEqual(0, self.sink.count("friend@nhs.example"))
        self.expect_agreement()


class SeveralLists(Case):
    OTHER = "all-wales@nhs.example"
    LISTS = (daemon.mail_list(LIST, 40000), daemon.mail_list(OTHER, 30000))

    def test_each_list_of_a_message_is_asked(self):
        """The message waits once, under the list that stopped it; every list's own stop, and its own deliveries, count."""
        self.started(lists=self.LISTS)
        fields = mails.post("u1@nhs.example", [LIST, self.OTHER])
        self.accepted(self.send("u1@nhs.example", [LIST, self.OTHER, "friend@nhs.example"], fields))
        entry, = self.breakwater.held()
        self.assertEqual(70001, entry["deliveries"])
        self.assertEqual({LIST: 40000, self.OTHER: 30000}, {one["list"]: one["deliveries"] for one in entry["lists"]})
        for address in (LIST, self.OTHER):
            self.assertEqual([entry], self.breakwater.json_lines("held", "ls", "--list", address))
        stopped = next(address for address in (LIST, self.OTHER) if address != entry["list"])
        self.breakwater.ctl("list", "stop", stopped, "--reason", "test")
        refused = self.breakwater.run_ctl("--yes", "held", "release", entry["id"])
        self.assertEqual(3, refused.returncode, refused.stdout + refused.stderr)
        self.assertIn(f"mail to {stopped} is stopped", refused.stderr)
        self.breakwater.ctl("list", "resume", stopped)
        self.breakwater.ctl("--yes", "held", "release", entry["id"])
        self.mta.settle()
        self.assertEqual([1, 1, 1], [self.sink.count(a) for a in (LIST, self.OTHER, "friend@nhs.example")])

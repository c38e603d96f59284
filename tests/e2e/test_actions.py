"""Each action through real SMTP: what the sender is told, and what becomes of the mail."""

import time

from support import daemon, mails, smtp

from .base import LIST, POSTER, Case


class Actions(Case):
    def fourth(self, action, **more):
        """The answer to the fourth replier where the conversation guard has `action`."""
        self.started(settings={"huge.conversation.action": action}, **more)
        self.parent = self.announce()
        self.storm(self.parent, 1, 3)
        return self.reply("u4@nhs.example", self.parent)

    def expect_delivered(self, count):
        self.mta.settle()
        self.assertEqual((count, count), (self.mta.delivered(LIST), self.sink.count(LIST)))
        self.assertEqual(count * 40000, self.breakwater.figures()["deliveries"])
        self.expect_agreement()

    def test_reject(self):
        answer = self.fourth("reject")
        self.assertEqual(550, answer.code, answer)
        self.assertTrue(answer.text.startswith("5.7.28 "), answer)
        self.assertIn("40,000", answer.text)
        self.expect_delivered(4)

    def test_throttle(self):
        answer = self.fourth("throttle")
        self.assertIn(answer.code, (450, 451), answer)
        self.assertTrue(answer.text.startswith("4.7.28 "), answer)
        self.expect_delivered(4)

    def test_throttle_on_submission_is_hold(self):
        self.fourth("throttle")
        answer = self.reply("u5@nhs.example", self.parent, port=self.mta.submission_port)
        self.assertIn(self.accepted(answer), self.mta.held())

    def test_discard(self):
        answer = self.fourth("discard")
        self.assertEqual(250, answer.code, answer)
        self.expect_delivered(4)

    def test_tag(self):
        self.accepted(self.fourth("tag"))
        self.expect_delivered(5)
        tagged = [b"\r\nX-Breakwater: " in message.data for message in self.sink.of(LIST)]
        self.assertEqual(1, tagged.count(True))

    def test_an_automatic_reply_is_discarded(self):
        self.started()
        parent = self.announce()
        fields = mails.reply("u1@nhs.example", LIST, parent, "Out of office", auto_submitted="auto-replied")
        self.assertEqual(250, self.send("u1@nhs.example", LIST, fields).code)
        self.expect_delivered(1)

    def test_shadow_lets_everything_pass_and_says_what_it_would_do(self):
        self.started(mode="shadow")
        parent = self.announce()
        for answer in self.storm(parent, 1, 6):
            self.accepted(answer)
        self.expect_delivered(7)
        self.assertIn("SHADOW", self.breakwater.ctl("status"))
        self.assertIn("would=hold", self.breakwater.log_text())


class Unusual(Case):
    def test_a_message_without_any_header(self):
        """Postfix adds none to a stranger's mail: judged like any other, at once."""
        self.started(main_cf={"local_header_rewrite_clients": ""})
        started = time.monotonic()
        answer = smtp.deliver(self.mta.port, "x@evil.example", [LIST], b"\r\nno header at all\r\n", address=daemon.STRANGER)
        self.assertIn(self.accepted(answer), self.mta.held())
        self.assertLess(time.monotonic() - started, 5)


class Identity(Case):
    def test_who_has_not_logged_in_is_no_poster(self):
        self.started(sections={"internal": {"vouched": []}})
        answer = self.send(POSTER, LIST, mails.post(POSTER, LIST), login=False)
        self.assertIn(self.accepted(answer), self.mta.held())
        self.accepted(self.send(POSTER, LIST, mails.post(POSTER, LIST)))
        self.mta.settle()
        self.assertEqual(1, self.sink.count(LIST))

"""Lists that leave an envelope, seen in what is really delivered: Postfix and Sendmail."""

import unittest.mock

from support import mails, place, sendmail

from .base import LIST, Case
from .test_sendmail import CLIENT, SendmailCase

COLLEAGUE = "bob@nhs.example"
STRIP = {"huge.conversation.action": "strip", "huge.list.senders": "off"}


class Envelope:
    """What both MTAs must do."""

    def storm_to_the_limit(self, settings, **more):
        self.started(settings=settings, **more)
        self.parent = self.announce()
        for answer in self.storm(self.parent, 1, 3):
            self.accepted(answer)

    def fourth(self, to, who="u4@nhs.example"):
        return self.accepted(self.send(who, to, mails.reply(who, LIST, self.parent)))

    def expect_copies(self, of_the_list, of_the_colleague):
        self.mta.settle()
        place.wait_until(lambda: self.sink.count(COLLEAGUE) >= of_the_colleague, "the colleague has his mail", 20)
        self.assertEqual((of_the_list, of_the_colleague), (self.sink.count(LIST), self.sink.count(COLLEAGUE)))
        self.assertEqual(of_the_list * 40000 + of_the_colleague, self.breakwater.figures()["deliveries"])
        self.expect_agreement()


class Strip(Envelope):
    def test_the_list_leaves_and_the_colleague_stays(self):
        self.storm_to_the_limit(STRIP)
        self.fourth([LIST, COLLEAGUE])
        self.expect_copies(4, 1)
        self.assertEqual(("u4@nhs.example", (COLLEAGUE,)), self.sink.of(COLLEAGUE)[0][1:3])

    def test_in_any_spelling(self):
        """Whatever the bytes: the list gets nothing, or the message waits."""
        self.storm_to_the_limit(STRIP)
        local = LIST.split("@")[0]
        stripped = held = 0
        for i, spelling in enumerate((LIST.upper(), "All-England@NHS.example", f'"{local}"@nhs.example', local, LIST)):
            answer = self.send(f"u{i + 4}@nhs.example", [COLLEAGUE, spelling], mails.reply(f"u{i + 4}@nhs.example", LIST, self.parent))
            if answer.code == 250:
                waits = answer.queue_id in self.mta.held()
                held, stripped = held + waits, stripped + (not waits)
        self.assertGreaterEqual(stripped, 3)
        self.expect_copies(4, stripped)

    def test_no_recipient_left_waits(self):
        self.storm_to_the_limit(STRIP)
        self.assertIn(self.fourth([LIST, LIST.upper()]), self.mta.held())
        self.expect_copies(4, 0)


class OnPostfix(Strip, Case):
    def test_a_virtual_alias_leaves_with_all_its_members(self):
        """Postfix expands after the milter has spoken, and deletes what it would have expanded."""
        members = [f"m{i}@nhs.example" for i in range(3)]
        self.storm_to_the_limit(STRIP, main_cf={"virtual_alias_maps": "inline:{ {" + f"{LIST} = {', '.join(members)}" + "} }"})
        self.fourth([LIST, COLLEAGUE])
        self.mta.settle()
        self.assertEqual([4, 4, 4, 1], [self.sink.count(a) for a in (*members, COLLEAGUE)])


class OnSendmail(Strip, SendmailCase):
    def test_a_local_alias_has_been_expanded_already_and_waits(self):
        """Sendmail would delete the alias and deliver to its members."""
        alias = "staff@mx.nhs.example"
        with unittest.mock.patch.dict(sendmail.ETC, {"mail/aliases": "staff: m1@elsewhere.example, m2@elsewhere.example\n"}):
            self.started(settings={"huge.gate.action": "strip"}, mc="define(`ALIAS_FILE', `stab:/etc/mail/aliases')dnl")
        self.breakwater.ctl("list", "add", alias, "40000")
        who = "u1@nhs.example"
        answer = self.send(who, [alias, COLLEAGUE], mails.post(who, alias))
        self.assertIn(self.accepted(answer), self.mta.held())
        self.mta.settle()
        self.assertEqual(0, self.sink.count("m1@elsewhere.example"))


del Envelope, Strip, Case, SendmailCase

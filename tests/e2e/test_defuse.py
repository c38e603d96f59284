"""Lists that leave an envelope, and defused posts, seen in what is really delivered: Postfix and Sendmail."""

import unittest.mock

from support import daemon, mails, place, sendmail, smtp

from .base import LIST, POSTER, Case
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


class Defusing:
    """`who`: smtp.Client's arguments for the poster. `notify`: what becomes of NOTIFY=SUCCESS,DELAY."""

    who = {}
    notify = "NOTIFY=FAILURE,DELAY"

    def defused(self, fields, parameters, **more):
        """What arrives of a poster's post to the list and a colleague, each with these parameters of RCPT."""
        self.started(**more)
        asked = "".join(f" {p}" for p in parameters)
        with smtp.Client(self.mta.port, **self.who) as client:
            client.docmd("MAIL", f"FROM:<{POSTER}>")
            for to in (LIST, COLLEAGUE):
                self.assertEqual(250, client.docmd("RCPT", f"TO:<{to}>{asked}")[0])
            self.assertEqual(250, client.data(mails.render([*mails.post(POSTER, LIST), *fields]))[0])
        self.mta.settle()
        place.wait_until(lambda: self.sink.count(LIST) == 1 and self.sink.count(COLLEAGUE) == 1, "both have it", 20)
        return self.sink.of(LIST)[0]

    def test_what_arrives_asks_for_nothing(self):
        arrived = self.defused([(n, POSTER) for n in ("Disposition-Notification-To", "X-Keep", "Return-Receipt-To", "X-Confirm-Reading-To",
                                                      "Return-Receipt-To")], ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;all+2Bx@nhs.example"])
        names = [line.split(b":")[0].lower() for line in arrived.data.split(b"\r\n\r\n")[0].split(b"\r\n")]
        self.assertEqual([], [n for n in names if b"receipt" in n or b"notification" in n or b"reading" in n])
        self.assertIn(b"x-keep", names)
        self.assertIn(b"X-Auto-Response-Suppress: DR, RN, NRN, OOF, AutoReply\r\n", arrived.data)
        wanted = dict(self.sink.parameters)
        self.assertEqual({self.notify, "ORCPT=rfc822;all+2Bx@nhs.example"}, self.in_order(wanted[LIST]))
        self.assertEqual({"NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;all+2Bx@nhs.example"}, self.in_order(wanted[COLLEAGUE]))

    @staticmethod
    def in_order(parameters):
        """Words of NOTIFY come in any order."""
        return {"NOTIFY=" + ",".join(sorted(p[7:].split(","), key=("SUCCESS", "FAILURE", "DELAY").index)) if p.startswith("NOTIFY=") else p
                for p in parameters}

    def test_what_another_has_signed_arrives_as_it_was(self):
        arrived = self.defused([("Return-Receipt-To", POSTER), ("DKIM-Signature", "v=1; d=elsewhere.example; h=from:return-receipt-to; b=x")], [])
        self.assertIn(b"Return-Receipt-To: ", arrived.data)


class PostfixDefused(Defusing, Case):
    who = {"login": POSTER, "address": daemon.CLIENT}


class SendmailDefused(Defusing, SendmailCase):
    who = {"source": CLIENT}
    notify = "NOTIFY=SUCCESS,DELAY"  # Sendmail adds, and takes nothing away


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


del Defusing, Envelope, Strip, Case, SendmailCase

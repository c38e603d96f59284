"""Reply-all becomes reply, seen in what is really delivered: Postfix and Sendmail."""

import unittest.mock

from support import daemon, mails, place, sendmail

from .base import LIST, POSTER, Case
from .test_sendmail import STRANGER, SendmailCase

COLLEAGUE = "bob@nhs.example"
OWNER = "owner@nhs.example"
OTHER = "ward@nhs.example"
REDIRECT = {"huge.conversation.action": "redirect", "huge.list.senders": "off", "small.gate.mode": "off"}
OWNED = daemon.mail_list(LIST, 40000, owner=OWNER)  # without posters


class Redirected:
    """What both MTAs must do. `poster`: as the directory names the identity."""

    poster = POSTER

    def lists(self):
        return ({**OWNED, "posters": [self.poster]}, daemon.mail_list(OTHER, 30))

    def storm_to_the_limit(self, **more):
        self.started(**{"settings": REDIRECT, "lists": self.lists(), **more})
        self.parent = self.announce()
        for answer in self.storm(self.parent, 1, 3):
            self.accepted(answer)

    def answer_all(self, to, who="u4@nhs.example"):
        """One more reply; its queue id."""
        return self.accepted(self.send(who, to, mails.reply(who, LIST, self.parent)))

    def expect_copies(self, **wanted):
        """By local part; the list has its four."""
        copies = {f"{name.replace('_', '-')}@nhs.example": count for name, count in {"all_england": 4, **wanted}.items()}
        self.mta.settle()
        place.wait_until(lambda: all(self.sink.count(address) >= count for address, count in copies.items()), "everybody has it", 20)
        self.assertEqual(copies, {address: self.sink.count(address) for address in copies})
        self.expect_agreement()

    def test_the_poster_gets_it_and_nobody_of_the_list(self):
        self.storm_to_the_limit()
        self.assertNotIn(self.answer_all([LIST]), self.mta.held())
        self.expect_copies(comms=1)
        self.assertEqual(("u4@nhs.example", (POSTER,)), self.sink.of(POSTER)[0][1:3])
        self.assertEqual(4 * 40000 + 1, self.breakwater.figures()["deliveries"])
        self.assertIn("action=redirect", self.breakwater.log_text())
        self.assertIn(POSTER, self.sink.of(POSTER)[0].data.decode() + self.breakwater.log_text())

    def test_others_keep_it(self):
        self.storm_to_the_limit()
        self.answer_all([COLLEAGUE, LIST, OTHER])
        self.expect_copies(comms=1, bob=1, ward=1)
        self.assertEqual(4 * 40000 + 1 + 1 + 30, self.breakwater.figures()["deliveries"])

    def test_who_is_there_already_gets_it_once(self):
        """The usual reply-all: To the poster, Cc the list."""
        self.storm_to_the_limit()
        for i, to in enumerate(([POSTER, LIST], [LIST, POSTER], ["Comms@NHS.example", LIST], [LIST, "comms+x@nhs.example", POSTER])):
            self.answer_all(to, f"u{i + 4}@nhs.example")
        self.expect_copies(comms=4)
        self.assertEqual(set(), self.mta.held())

    def test_once_beyond_those_that_are_remembered(self):
        """Postfix delivers to an added recipient again."""
        self.storm_to_the_limit()
        self.answer_all([*(f"m{i}@nhs.example" for i in range(40)), POSTER, LIST])
        self.expect_copies(comms=1, m0=1, m39=1)

    def test_by_the_very_bytes(self):
        """Whatever the spelling: the list gets nothing, and the poster one copy, or the message waits."""
        self.storm_to_the_limit()
        local = LIST.split("@")[0]
        went = 0
        for i, spelling in enumerate((LIST.upper(), "All-England@NHS.example", f'"{local}"@nhs.example', f"{local}+x@nhs.example", LIST)):
            who = f"u{i + 4}@nhs.example"
            answer = self.send(who, [COLLEAGUE, spelling], mails.reply(who, LIST, self.parent))
            went += answer.code == 250 and answer.queue_id not in self.mta.held()
        self.assertGreaterEqual(went, 3)
        self.expect_copies(comms=went, bob=went)

    def test_the_posters_own_reply_waits(self):
        self.storm_to_the_limit(lists=(OWNED,), settings={**REDIRECT, "huge.gate.mode": "off"})
        self.assertNotIn(self.answer_all([LIST]), self.mta.held())
        self.assertIn(self.answer_all([LIST, COLLEAGUE], POSTER), self.mta.held())
        self.expect_copies(comms=1, bob=0)

    def test_an_unproven_poster_gets_nothing_but_the_owner_does(self):
        self.started(settings={**REDIRECT, "huge.gate.mode": "off"}, lists=self.lists())
        fields = mails.post(POSTER, LIST)
        self.accepted(self.stranger(POSTER, LIST, fields))
        self.parent = mails.value(fields, "Message-ID")
        for answer in self.storm(self.parent, 1, 3):
            self.accepted(answer)
        self.answer_all([LIST])
        self.expect_copies(comms=0, owner=1)

    def test_nobody_to_go_to_waits_and_says_why(self):
        self.started(settings={**REDIRECT, "huge.gate.mode": "off"}, lists=(daemon.mail_list(LIST, 40000),))
        fields = mails.post(POSTER, LIST)
        self.accepted(self.stranger(POSTER, LIST, fields))
        self.parent = mails.value(fields, "Message-ID")
        for answer in self.storm(self.parent, 1, 3):
            self.accepted(answer)
        self.assertIn(self.answer_all([LIST, COLLEAGUE]), self.mta.held())
        self.expect_copies(bob=0)
        self.assertIn("neither a proven poster nor an owner", self.breakwater.held()[0]["sentence"])


class OnPostfix(Redirected, Case):
    def stranger(self, sender, to, fields):
        return self.send(sender, to, fields, login=False, address=daemon.STRANGER)

    def test_a_virtual_alias_leaves_with_all_its_members(self):
        members = [f"m{i}@nhs.example" for i in range(3)]
        self.storm_to_the_limit(main_cf={"virtual_alias_maps": "inline:{ {" + f"{LIST} = {', '.join(members)}" + "} }"})
        self.answer_all([LIST])
        self.expect_copies(all_england=0, m0=4, m1=4, m2=4, comms=1)

    def test_the_trace_says_so(self):
        self.storm_to_the_limit(sections={"daemon": {"trace_header": True}})
        self.answer_all([LIST])
        self.expect_copies(comms=1)
        self.assertIn(b"\r\nX-Breakwater: action=redirect; ", self.sink.of(POSTER)[0].data)


class OnSendmail(Redirected, SendmailCase):
    poster = f"inside:{POSTER}"

    def stranger(self, sender, to, fields):
        return self.send(sender, to, fields, address=STRANGER)

    def test_a_local_alias_has_been_expanded_already_and_waits(self):
        """Sendmail would delete the alias, and deliver to its members."""
        alias = "staff@mx.nhs.example"
        with unittest.mock.patch.dict(sendmail.ETC, {"mail/aliases": "staff: m1@elsewhere.example, m2@elsewhere.example\n"}):
            self.started(settings={**REDIRECT, "huge.gate.mode": "off"}, mc="define(`ALIAS_FILE', `stab:/etc/mail/aliases')dnl")
        self.breakwater.ctl("list", "add", alias, "40000", "--owner", OWNER)
        fields = mails.post(POSTER, alias)
        self.accepted(self.send(POSTER, alias, fields))
        parent = mails.value(fields, "Message-ID")
        for i in range(1, 4):
            self.accepted(self.send(f"u{i}@nhs.example", alias, mails.reply(f"u{i}@nhs.example", alias, parent)))
        answer = self.send("u4@nhs.example", [alias, COLLEAGUE], mails.reply("u4@nhs.example", alias, parent))
        self.assertIn(self.accepted(answer), self.mta.held())
        self.mta.settle()
        self.assertEqual((4, 0, 0), tuple(self.sink.count(a) for a in ("m1@elsewhere.example", OWNER, COLLEAGUE)))
        self.assertIn("the MTA cannot take the list out", self.breakwater.held()[0]["sentence"])


del Redirected, Case, SendmailCase

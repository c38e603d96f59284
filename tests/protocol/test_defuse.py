"""Lists that leave an envelope (strip), by the exact bytes of their RCPT, and who gets the message all the same."""

from support import mails, milter_wire as wire

from .base import HUGE, LARGE, Case

COLLEAGUE = "bob@nhs.example"
STRIP = {"huge.conversation.action": "strip", "huge.list.senders": "off"}


class Envelope(Case):
    def storm(self, settings, **more):
        """Three repliers have passed; the next one is stopped."""
        self.started(settings=settings, **more)
        self.parent = self.announce()
        self.assertEqual(["accept"] * 3, self.replies(("u1", "u2", "u3"), self.parent))

    def fourth(self, to, who="u4@nhs.example", **more):
        return self.send(who, to, mails.reply(who, to[0], self.parent), **more)

    def deliveries(self):
        return self.breakwater.figures()["deliveries"]


class Strip(Envelope):
    def test_the_list_leaves_and_the_others_stay(self):
        self.storm(STRIP)
        before = self.deliveries()
        verdict = self.expect("accept", self.fourth([HUGE, COLLEAGUE]))
        self.assertEqual(([f"<{HUGE}>"], [], "", []), (verdict.deleted, verdict.other, verdict.quarantine, verdict.added))
        self.assertEqual(before + 1, self.deliveries(), "one colleague, and nobody of 40,000")
        self.assertRegex(self.breakwater.log_text(), r"event=verdict action=strip guard=conversation .* deliveries=40001 reached=1 ")
        self.assertEqual([], self.breakwater.held())

    def test_by_the_exact_bytes_of_each_spelling(self):
        self.storm(STRIP)
        spellings = [HUGE.upper(), HUGE, HUGE.replace("@", "+x@"), HUGE]
        verdict = self.expect("accept", self.fourth([COLLEAGUE, *spellings]))
        self.assertEqual([f"<{s}>" for s in spellings[:3]], verdict.deleted)

    def test_no_recipient_left_is_hold(self):
        self.storm(STRIP)
        for to in ([HUGE], [HUGE, HUGE.upper()]):
            verdict = self.expect("hold", self.fourth(to), "conversation")
            self.assertEqual([], verdict.deleted)

    def test_a_spelling_that_the_mta_writes_anew_is_hold(self):
        self.storm(STRIP)
        local = HUGE.split("@")[0]
        for i, spelling in enumerate((f'"{local}"@nhs.example', f"@nhs.example:{HUGE}", f"{local}@[127.0.0.1]", local)):
            with self.subTest(spelling):
                verdict = self.expect("hold", self.fourth([COLLEAGUE, spelling], f"v{i}@nhs.example"), "conversation")
                self.assertEqual([], verdict.deleted)

    def test_more_spellings_than_are_kept_is_hold(self):
        self.storm(STRIP)
        many = [HUGE.replace("@", f"+{i}@") for i in range(9)]
        self.expect("hold", self.fourth([COLLEAGUE, *many]), "conversation")
        verdict = self.expect("accept", self.fourth([COLLEAGUE, *many[:8]], "u5@nhs.example"))
        self.assertEqual(8, len(verdict.deleted))

    def test_only_the_list_that_stops_it(self):
        """Another list of the envelope gets the message, and counts its deliveries and its sender."""
        self.storm({**STRIP, "large.gate.mode": "off"})
        before = self.deliveries()
        verdict = self.expect("accept", self.fourth([HUGE, LARGE]))
        self.assertEqual([f"<{HUGE}>"], verdict.deleted)
        self.assertEqual(before + 4000, self.deliveries())

    def test_what_reached_no_one_fills_no_budget(self):
        """The budget of five posts and replies: what was stripped is not in it."""
        self.storm({**STRIP, "huge.list.budget": "200000"})
        for i in range(4, 12):
            self.expect("accept", self.fourth([HUGE, COLLEAGUE], f"u{i}@nhs.example"))
        self.announce()

    def test_another_guard_that_holds_is_stricter(self):
        self.storm({**STRIP, "large.gate.action": "hold", "gate.fanout": "3000"})
        verdict = self.expect("hold", self.fourth([HUGE, LARGE]), "gate")
        self.assertEqual([], verdict.deleted)

    def test_what_another_list_throttles_comes_again_whole(self):
        """Strip is stricter than throttle, but the throttled list must not get the message for that."""
        self.storm({**STRIP, "large.gate.action": "throttle", "gate.fanout": "3000"})
        verdict = self.expect("throttle", self.fourth([HUGE, LARGE]))
        self.assertEqual([], verdict.deleted)

    def test_an_mta_that_lets_no_recipient_be_deleted_holds(self):
        self.storm(STRIP)
        session = self.session(actions=wire.ALL_ACTIONS & ~wire.ACTIONS["delrcpt"])
        fields = mails.reply("u4@nhs.example", HUGE, self.parent)
        verdict = self.expect("hold", session.message("u4@nhs.example", [HUGE, COLLEAGUE], headers=fields), "conversation")
        self.assertEqual([], verdict.deleted)

    def test_sendmail_has_expanded_local_aliases_already(self):
        self.storm(STRIP)
        session = self.session()
        for mailer, word in (("local", "hold"), ("relay", "accept")):
            with self.subTest(mailer):
                session.macros |= {"v": "8.17.1.9", "{rcpt_mailer}": mailer}
                who = f"{mailer}@nhs.example"
                verdict = session.message(who, [HUGE, COLLEAGUE], headers=mails.reply(who, HUGE, self.parent))
                self.expect(word, verdict)
                session = self.session()

    def test_shadow_strips_nothing(self):
        self.storm({**STRIP, "huge.conversation.mode": "shadow"})
        verdict = self.expect("accept", self.fourth([HUGE, COLLEAGUE]))
        self.assertEqual([], verdict.deleted)
        self.assertIn("would=strip", self.breakwater.log_text())

    def test_one_list_alone(self):
        self.started(settings={f"@{HUGE}.conversation.action": "strip"})
        self.parent = self.announce()
        self.replies(("u1", "u2", "u3"), self.parent)
        self.assertEqual([f"<{HUGE}>"], self.fourth([HUGE, COLLEAGUE]).deleted)

    def test_the_gate_strips_a_post(self):
        self.started(settings={"huge.gate.action": "strip"})
        verdict = self.expect("accept", self.send("u1@nhs.example", [HUGE, COLLEAGUE], mails.post("u1@nhs.example", HUGE)))
        self.assertEqual([f"<{HUGE}>"], verdict.deleted)
        self.assertEqual(1, self.deliveries())

    def test_the_trace_header_says_so(self):
        self.storm(STRIP, sections={"daemon": {"trace_header": True}})
        verdict = self.expect("accept", self.fourth([HUGE, COLLEAGUE]))
        self.assertTrue(verdict.header("X-Breakwater").startswith("action=strip; "), verdict)

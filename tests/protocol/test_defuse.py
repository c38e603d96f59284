"""Lists that leave an envelope (strip), by the exact bytes of their RCPT, and who gets the message all the same; and defusing: what
would make each member's program answer does not go out."""

import struct

from support import mails, milter_mta, milter_wire as wire

from .base import HUGE, LARGE, POSTER, Case

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


SILENCE = ("X-Auto-Response-Suppress", "DR, RN, NRN, OOF, AutoReply")
REQUESTS = [("Disposition-Notification-To", POSTER), ("Return-Receipt-To", POSTER), ("X-Confirm-Reading-To", POSTER)]
FOREIGN = "v=1; a=rsa-sha256; d=elsewhere.example; s=k1;\r\n\tbh=abc=; h=From:Subject :\r\n\t %s:Date; b=def="


class Defusing(Case):
    def post(self, fields=(), to=HUGE, sender=POSTER, parameters=(), session=None):
        """The verdict, and what was changed: [(name, index, value)], [(recipient, parameters)]."""
        session = session or self.session()
        to = [to] if isinstance(to, str) else to
        session.open()
        session.mail(sender)
        for address in to:
            session.step("rcpt", wire.strings(f"<{address}>", *parameters), {"{rcpt_addr}": address})
        session.data()
        session._content([*mails.post(sender, to), *fields], b"")
        verdict = session.eom("4ZqDefuse1")
        fields = [(*wire.split(data[4:]), struct.unpack(">I", data[:4])[0]) for c, data in verdict.other if c == b"m"]
        return verdict, fields, [tuple(wire.split(data)) for c, data in verdict.other if c == b"2"]

    def test_requests_leave_and_silence_is_asked_for(self):
        self.started()
        verdict, fields, _ = self.post([*REQUESTS, ("disposition-notification-to", "second@nhs.example")])
        self.expect("accept", verdict)
        self.assertEqual([("Disposition-Notification-To", "", 2), ("Disposition-Notification-To", "", 1), ("Return-Receipt-To", "", 1),
                          ("X-Confirm-Reading-To", "", 1)], fields)
        self.assertEqual([SILENCE], verdict.added)
        self.assertRegex(self.breakwater.log_text(), "action=accept .* defused=requests,silence receipts_estimate=40000")

    def test_other_words_for_silence_are_replaced(self):
        self.started()
        verdict, fields, _ = self.post([("X-Auto-Response-Suppress", "None"), ("X-Auto-Response-Suppress", "OOF")])
        self.assertEqual([("X-Auto-Response-Suppress", "", 2), (*SILENCE, 1)], fields)
        self.assertEqual([], verdict.added)

    def test_what_somebody_else_has_signed_stays(self):
        """Each field by itself: a signature over one seals that one."""
        self.started()
        for name, _ in [*REQUESTS, SILENCE]:
            with self.subTest(name):
                signature = ("DKIM-Signature", FOREIGN % name.lower())
                verdict, fields, _ = self.post([signature, *REQUESTS])
                self.assertEqual([n for n, _ in REQUESTS if n != name], [f[0] for f in fields])
                self.assertEqual([] if name == SILENCE[0] else [SILENCE], verdict.added)

    def test_our_own_signature_and_other_fields_seal_nothing(self):
        self.started()
        for signature in (FOREIGN.replace("elsewhere", "nhs") % "Return-Receipt-To", FOREIGN % "Return-Receipt-To-X",
                          "h=Return-Receipt-To; b=no domain", "d=elsewhere.example; x h=Return-Receipt-To", ";;=;:", ""):
            with self.subTest(signature):
                fields = self.post([("DKIM-Signature", signature), *REQUESTS])[1]
                self.assertEqual(3, len(fields))

    def test_notify(self):
        self.started()
        rows = (("NOTIFY=SUCCESS", "NOTIFY=FAILURE"), ("notify=success,failure", "NOTIFY=FAILURE"),
                ("NOTIFY=DELAY,SUCCESS", "NOTIFY=FAILURE,DELAY"), ("NOTIFY=FAILURE", None), ("NOTIFY=NEVER", None), ("ORCPT=rfc822;x", None))
        for given, now in rows:
            with self.subTest(given):
                verdict, _, added = self.post(parameters=[given])
                self.assertEqual([(f"<{HUGE}>", now)] if now else [], added)
                self.assertEqual([f"<{HUGE}>"] if now else [], verdict.deleted)
        self.assertRegex(self.breakwater.log_text(), "defused=notify,silence receipts_estimate=40000")

    def test_sendmail_would_add_to_what_was_asked_for(self):
        self.started()
        session = self.session()
        session.macros["v"] = "8.17.1.9"
        verdict, fields, added = self.post(REQUESTS, parameters=["NOTIFY=SUCCESS"], session=session)
        self.assertEqual((3, [], []), (len(fields), added, verdict.deleted))

    def test_the_original_recipient_stays_with_its_notify(self):
        self.started()
        self.assertEqual([(f"<{HUGE}>", "NOTIFY=FAILURE ORCPT=rfc822;All+40x")],
                         self.post(parameters=["ORCPT=rfc822;All+40x", "NOTIFY=SUCCESS"])[2])

    def test_the_notify_of_others_is_theirs(self):
        """Single recipients and lists of other tiers keep what their sender asked for."""
        self.started()
        _, _, added = self.post(to=[HUGE, "bob@nhs.example", LARGE], parameters=["NOTIFY=SUCCESS"])
        self.assertEqual([f"<{HUGE}>"], [a[0] for a in added])

    def test_what_waits_is_defused_as_well(self):
        """An MTA shows released mail to no filter again."""
        self.started()
        verdict, fields, added = self.post(REQUESTS, sender="u1@nhs.example", parameters=["NOTIFY=SUCCESS"])
        self.expect("hold", verdict, "gate")
        self.assertEqual((3, 1), (len(fields), len(added)))
        self.assertEqual(SILENCE[1], verdict.header(SILENCE[0]))

    def test_other_tiers_keep_their_receipts_unless_told(self):
        self.started()
        verdict, fields, _ = self.post(REQUESTS, to=LARGE)
        self.assertEqual(([], []), (fields, verdict.added))
        self.breakwater.ctl("set", f"@{LARGE}.defuse.mode", "enforce", "--force")
        self.assertEqual(3, len(self.post(REQUESTS, to=LARGE)[1]))

    def test_shadow_only_says_so(self):
        self.started(mode="shadow")
        verdict, fields, added = self.post(REQUESTS, parameters=["NOTIFY=SUCCESS"])
        self.assertEqual(([], [], [], []), (fields, added, verdict.added, verdict.deleted))
        self.assertRegex(self.breakwater.log_text(), "would_defuse=requests,notify,silence receipts_estimate=80000")

    def test_an_mta_that_lets_nothing_be_changed(self):
        self.started()
        for less in ("changeheader", "addrcpt_par", "delrcpt"):
            with self.subTest(less):
                session = self.session(actions=wire.ALL_ACTIONS & ~wire.ACTIONS[less])
                verdict, fields, added = self.post(REQUESTS, parameters=["NOTIFY=SUCCESS"], session=session)
                self.expect("accept", verdict)
                self.assertEqual((0, 1) if less == "changeheader" else (3, 0), (len(fields), len(added)))

    def test_a_recipient_without_any_bytes(self):
        """The MTA says that it means the list all the same. libmilter ends such a session, or the message waits; the daemon lives."""
        self.started(settings={"huge.gate.action": "strip"})
        for path in (b"", b"\0", wire.strings("", "NOTIFY=SUCCESS")):
            with self.subTest(path):
                self.assertIn(self.nameless(path), ("hold", "gone"))
                self.expect_sane_after_strip()

    def nameless(self, path):
        session = self.session()
        try:
            session.open()
            session.mail("u1@nhs.example")
            session.step("rcpt", path, {"{rcpt_addr}": HUGE})
            session.rcpt("bob@nhs.example")
            session.data()
            session._content(mails.post("u1@nhs.example", HUGE), b"")
            return session.eom("4ZqNameless1").action
        except milter_mta.Gone:
            return "gone"

    def expect_sane_after_strip(self):
        self.assertTrue(self.breakwater.alive())
        verdict = self.expect("accept", self.send("u2@nhs.example", [HUGE, "bob@nhs.example"], mails.post("u2@nhs.example", HUGE)))
        self.assertEqual([f"<{HUGE}>"], verdict.deleted)

    def test_a_header_full_of_requests(self):
        self.started()
        fields = self.post([REQUESTS[0]] * 5000)[1]
        self.assertEqual(list(range(4096, 0, -1)), [f[2] for f in fields])
        self.assertTrue(self.breakwater.alive())

"""The plain dialogue: what is asked for, where messages are decided, and what is answered."""

from support import daemon, mails, milter_wire as wire, place

from .base import HUGE, LARGE, LISTS, POSTER, Case, mark, people


class Negotiation(Case):
    def test_no_step_and_no_reply_that_no_decision_needs(self):
        self.started()
        session = self.session().negotiate()
        for step in ("helo", "unknown"):
            self.assertFalse(session.asks(step), step)
        for step in ("mail", "rcpt", "header", "eoh"):
            self.assertFalse(session.asks(step) and session.replies(step), step)
        self.assertTrue(session.asks("data") and session.replies("data"))

    def test_only_actions_that_are_used(self):
        self.started()
        session = self.session().negotiate()
        allowed = sum(wire.ACTIONS[a] for a in ("addheader", "delrcpt", "addrcpt", "addrcpt_par", "changeheader", "quarantine", "setsymlist"))
        self.assertEqual(0, session.asked_actions & ~allowed)
        self.assertTrue(session.asked_actions & wire.ACTIONS["quarantine"])

    def test_an_mta_that_can_do_less(self):
        """Sendmail without some steps: whatever is offered, what was not offered is not used."""
        self.started()
        steps = wire.ALL_STEPS & ~wire.NO_REPLY["rcpt"] & ~wire.NO_STEP["helo"]
        session = self.session(steps=steps).negotiate()
        self.assertEqual(0, session.asked_steps & ~steps)
        verdict = session.message(POSTER, [HUGE], headers=mails.post(POSTER, HUGE))
        self.expect("accept", verdict)


class Decisions(Case):
    def test_ordinary_mail_is_accepted_at_data(self):
        self.started()
        fields = mails.post("a@nhs.example", "b@nhs.example", "Re: lunch")
        verdict = self.send("a@nhs.example", "b@nhs.example", fields)
        self.assertEqual(("accept", "data"), (verdict.action, verdict.stage))

    def test_list_mail_is_decided_at_the_end_of_the_message(self):
        self.started()
        verdict = self.send(POSTER, HUGE, mails.post(POSTER, HUGE))
        self.assertEqual(("accept", "eom"), (verdict.action, verdict.stage))
        self.assertEqual(["X-Auto-Response-Suppress"], [name for name, _ in verdict.added], "huge lists are defused")

    def test_a_post_by_nobody_in_particular_is_held_by_the_gate(self):
        self.started()
        verdict = self.expect("hold", self.send("u1@nhs.example", HUGE, mails.post("u1@nhs.example", HUGE)), "gate")
        self.assertEqual({"v", "id", "list", "guard", "mac", "c", "m", "side", "n", "at"}, set(mark(verdict)))
        self.assertEqual(("1", HUGE), (mark(verdict)["v"], mark(verdict)["list"]))

    def test_the_address_of_a_list_in_any_spelling(self):
        self.started()
        for spelling in (HUGE.upper(), HUGE.replace("@", "+news@"), HUGE.replace("nhs", "NHS")):
            with self.subTest(spelling):
                self.expect("hold", self.send("u1@nhs.example", spelling, mails.post("u1@nhs.example", spelling)), "gate")

    def test_the_fourth_sender_of_three_is_held(self):
        self.started()
        parent = self.announce()
        self.assertEqual(["accept"] * 3, self.replies(people(1, 3), parent))
        self.expect("hold", self.reply("u4", parent), "conversation")
        self.assertEqual(["hold"] * 4, self.replies(people(1, 4), parent))

    def test_a_poster_gets_through_in_an_open_conversation(self):
        self.started()
        parent = self.announce()
        self.replies(people(1, 5), parent)
        self.expect("accept", self.reply(POSTER, parent))

    def test_answering_one_person_stays_possible(self):
        self.started()
        parent = self.announce()
        self.replies(people(1, 5), parent)
        verdict = self.reply("u1", parent, to=POSTER)
        self.assertEqual(("accept", "data"), (verdict.action, verdict.stage))

    def test_the_stricter_list_of_two_decides_and_gives_slots_back(self):
        self.started()
        parent = self.announce(to=LARGE)
        # Held by the gate of HUGE (a post there): it must not use up one of LARGE's senders.
        for who in people(1, 12):
            self.expect("hold", self.send(who, [LARGE, HUGE], mails.reply(who, LARGE, parent)))
        self.assertEqual(["accept"] * 10, self.replies(people(20, 29), parent, to=LARGE))
        self.expect("hold", self.reply("u30", parent, to=LARGE), "conversation")


class Connections(Case):
    def test_messages_on_one_connection_know_nothing_of_each_other(self):
        self.started()
        session = self.session()
        held = session.message("u1@nhs.example", [HUGE], headers=mails.post("u1@nhs.example", HUGE))
        self.expect("hold", held, "gate")
        ordinary = session.message("u1@nhs.example", ["b@nhs.example"], headers=mails.post("u1@nhs.example", "b@nhs.example"))
        self.assertEqual(("accept", "data", []), (ordinary.action, ordinary.stage, ordinary.added))
        self.expect("accept", session.message(POSTER, [HUGE], headers=mails.post(POSTER, HUGE)))
        again = session.message("u1@nhs.example", [HUGE], headers=mails.post("u1@nhs.example", HUGE))
        self.expect("hold", again, "gate")
        self.assertNotEqual(mark(held)["id"], mark(again)["id"])

    def test_a_login_in_the_middle_of_a_session(self):
        self.started()
        session = self.session(client=daemon.PLAIN)
        self.expect("hold", session.message(POSTER, [HUGE], headers=mails.post(POSTER, HUGE)), "gate")
        self.expect("accept", session.message(POSTER, [HUGE], headers=mails.post(POSTER, HUGE), auth=POSTER))

    def test_aborted_messages_leave_nothing_behind(self):
        self.started()
        parent = self.announce()
        session = self.session()
        for who in people(1, 20):
            session.prepare(who, [HUGE], headers=mails.reply(who, HUGE, parent))
            session.abort()
        self.assertEqual(["accept"] * 3 + ["hold"], self.replies(people(31, 34), parent))

    def test_a_second_mta_on_the_connection(self):
        """SMFIC_QUIT_NC: the MTA keeps the socket for its next client. (libmilter knows the command only after an end of
        message that it answered with «continue».)"""
        self.started()
        session = self.session()
        self.expect("hold", session.message("u1@nhs.example", [HUGE], headers=mails.post("u1@nhs.example", HUGE)))
        session.command("next")
        session.client, session.connected = daemon.STRANGER, False
        self.expect("hold", session.message(POSTER, [HUGE], headers=mails.post(POSTER, HUGE)), "gate")


class Actions(Case):
    """Each action of a guard as the MTA sees it; the fourth sender meets it."""

    def fourth(self, action, **more):
        self.started(settings={"huge.conversation.action": action}, **more)
        parent = self.announce()
        self.replies(people(1, 3), parent)
        return self.reply("u4", parent)

    def test_reject_explains_itself(self):
        verdict = self.expect("reject", self.fourth("reject"))
        self.assertRegex(verdict.text, r"^550 5\.7\.28 ")
        self.assertIn("40,000", verdict.text)

    def test_throttle(self):
        verdict = self.expect("throttle", self.fourth("throttle"))
        self.assertRegex(verdict.text, r"^4[0-9][0-9] 4\.7\.28 ")

    def test_throttle_becomes_hold_for_mail_programs(self):
        self.started(settings={"huge.conversation.action": "throttle"})
        parent = self.announce()
        self.replies(people(1, 3), parent)
        self.expect("hold", self.reply("u4", parent, daemon_name="ORIGINATING", auth="u4@nhs.example"))

    def test_discard_when_the_operator_says_so(self):
        self.expect("discard", self.fourth("discard"))

    def test_tag_passes_with_a_header(self):
        verdict = self.expect("accept", self.fourth("tag"))
        self.assertTrue(verdict.header("X-Breakwater"), verdict)

    def test_an_automaton_is_discarded_on_protocol_evidence(self):
        self.started()
        parent = self.announce()
        fields = mails.reply("u1@nhs.example", HUGE, parent, "Out of office", auto_submitted="auto-replied")
        self.expect("discard", self.send("u1@nhs.example", HUGE, fields))

    def test_shadow_decides_and_lets_pass(self):
        verdict = self.fourth("hold", mode="shadow")
        self.assertEqual(("accept", []), (verdict.action, verdict.added))
        self.assertIn("would=hold", self.breakwater.log_text())

    def test_bypass_by_a_local_file(self):
        self.started()
        self.expect("hold", self.send("u1@nhs.example", HUGE, mails.post("u1@nhs.example", HUGE)))
        self.breakwater.ctl("--yes", "bypass", "--for", "1h")
        place.wait_until(lambda: self.send("u2@nhs.example", HUGE, mails.post("u2@nhs.example", HUGE)).action == "accept",
                         "the bypass is seen", 2, 0.1)


class Identities(Case):
    def test_from_proves_nothing(self):
        self.started()
        fields = mails.post(POSTER, HUGE)
        self.expect("hold", self.send("u1@nhs.example", HUGE, fields), "gate")
        self.expect("hold", self.send(POSTER, HUGE, mails.post(POSTER, HUGE), client=daemon.STRANGER), "gate")
        self.expect("hold", self.send(POSTER, HUGE, mails.post(POSTER, HUGE), client=daemon.PLAIN), "gate")

    def test_list_headers_from_strangers_open_no_door(self):
        self.started()
        fields = mails.post("x@evil.example", HUGE, list_id=f"<{HUGE.replace('@', '.')}>", x_loop=HUGE, precedence="list")
        self.expect("hold", self.send("x@evil.example", HUGE, fields, client=daemon.STRANGER), "gate")

    def test_re_alone_opens_no_door(self):
        self.started()
        self.announce()
        fields = mails.post("u1@nhs.example", HUGE, "Re: hello")
        self.expect("hold", self.send("u1@nhs.example", HUGE, fields), "gate")
        fields = mails.reply("u1@nhs.example", HUGE, "<never-seen@nhs.example>", "Re: hello")
        self.expect("hold", self.send("u1@nhs.example", HUGE, fields), "gate")

    def test_strangers_cannot_stop_a_list_for_its_members(self):
        self.started()
        parent = self.announce()
        strangers = [self.reply(f"s{i}@evil.example", parent, client=daemon.STRANGER).action for i in range(20)]
        self.assertIn("hold", strangers)
        self.assertEqual(["accept"] * 3 + ["hold"], self.replies(people(1, 4), parent))

    def test_our_own_relays_judged_it_already(self):
        self.started()
        parent = self.announce()
        self.assertEqual(["accept"] * 10, self.replies(people(1, 10), parent, client=daemon.RELAY))
        self.assertEqual(["accept"] * 3 + ["hold"], self.replies(people(11, 14), parent))

    def test_list_output_is_no_post(self):
        """A list manager's expanded copies, single recipients, come back through us."""
        self.started(lists=LISTS)
        fields = mails.post(POSTER, HUGE, list_id=f"<{HUGE.replace('@', '.')}>")
        for i in range(40):
            self.expect("accept", self.send("bounces@nhs.example", f"member{i}@nhs.example", fields, client=daemon.LIST_SERVER))
        self.announce()


class Settings(Case):
    def test_set_in_mid_storm_acts_on_the_next_message(self):
        self.started(settings={"huge.conversation.senders": "5"})
        parent = self.announce()
        self.assertEqual(["accept"] * 3, self.replies(people(1, 3), parent))
        self.breakwater.set("huge.conversation.senders", "3")
        self.expect("hold", self.reply("u4", parent), "conversation")

    def test_raising_a_limit_forgets_nothing(self):
        self.started(settings={"huge.list.senders": "100"})
        parent = self.announce()
        self.assertEqual(["accept"] * 2, self.replies(people(1, 2), parent))
        self.breakwater.set("huge.conversation.senders", "4")
        self.assertEqual(["accept"] * 2 + ["hold"], self.replies(people(3, 5), parent))

    def test_a_setting_of_one_list(self):
        self.started()
        self.breakwater.set(f"@{HUGE}.conversation.senders", "1")
        parent = self.announce()
        self.assertEqual(["accept", "hold"], self.replies(people(1, 2), parent))

    def test_list_stop_and_resume(self):
        self.started()
        parent = self.announce()
        said = self.breakwater.ctl("--yes", "list", "stop", HUGE, "--for", "1h", "--reason", "test")
        self.assertIn("STOPPED", said)
        self.expect("hold", self.reply(POSTER, parent))
        said = self.breakwater.ctl("--yes", "list", "resume", HUGE)
        self.assertIn("FLOWING", said)
        self.expect("accept", self.reply("u1", parent))

    def test_the_file_is_read_again_at_sigusr1(self):
        breakwater = self.started()
        new = "new-list@nhs.example"
        breakwater.config["lists"].append(daemon.mail_list(new, 30000))
        breakwater.write()
        breakwater.reload()
        place.wait_until(lambda: self.send("u1@nhs.example", new, mails.post("u1@nhs.example", new)).action == "hold",
                         "the new list is known", 5, 0.1)

    def test_a_bad_file_at_sigusr1_leaves_the_running_state(self):
        breakwater = self.started()
        breakwater.config_file.write_text("mode = \"enforce\";\nlists = ( { address = \"x@nhs.example\"; } );\n")
        breakwater.reload()
        place.wait_until(lambda: str(breakwater.config_file) in breakwater.log_text(), "the error is logged", 5, 0.1)
        self.expect_sane()

"""The storm on Sendmail: what its users are told, what is quarantined, and what is let go again."""

import threading
import time

from support import daemon, mails, place, sendmail, sink, smtp

from .base import LIST, POSTER, Case

CLIENT = "127.0.0.10"     # inside, and vouches for its users
STRANGER = "127.0.0.99"   # outside
INTERNAL = {"networks": ["127.0.0.0/28"], "vouched": [CLIENT], "relays": [], "expanders": [], "list_servers": [],
            "submission_daemons": [sendmail.SUBMISSION_NAME]}
COLLEAGUE = "bob@nhs.example"
LISTS = (daemon.mail_list(LIST, 40000, posters=[f"inside:{POSTER}"]),)


class SendmailCase(Case):
    """As Case, with Sendmail. Clients are told apart by their loopback address alone; no one logs in."""

    def started(self, with_daemon=True, mc="", sections=None, queues=0, lists=LISTS, **more):
        self.scratch = place.Scratch("sendmail")
        self.addCleanup(self.scratch.remove)
        self.sink = sink.Sink()
        self.addCleanup(self.sink.close)
        self.mta = sendmail.Sendmail(self.scratch / "sendmail", self.sink.port, more=mc, queues=queues)
        self.breakwater = daemon.Daemon(self.scratch, lists=lists,
                                        socket_path=self.mta.milter_socket, user=daemon.USER, sections={"internal": INTERNAL, **(sections or {})},
                                        mta=self.mta, **more)
        self.addCleanup(self.mta.stop)
        self.addCleanup(self.breakwater.end)
        if with_daemon:
            self.breakwater.start()
        self.mta.start()

    def send(self, sender, to, fields, address=CLIENT, port=None):
        to = [to] if isinstance(to, str) else to
        return smtp.deliver(port or self.mta.port, sender, to, mails.render(fields), source=address)

    def expect_agreement(self):
        """The waiting messages of the ledger are Sendmail's, and those in its quarantine."""
        super().expect_agreement()
        self.assertLessEqual({entry["mta"] for entry in self.breakwater.held()}, {"sendmail"})

    def expect_delivered(self, count):
        self.mta.settle()
        place.wait_until(lambda: self.sink.count(LIST) >= count, f"{count} copies for {LIST} arrive", 20)
        self.assertEqual(count, self.sink.count(LIST))
        self.assertEqual(count * 40000, self.breakwater.figures()["deliveries"])
        self.expect_agreement()


class Storm(SendmailCase):
    def setUp(self):
        self.started()
        self.parent = self.announce()
        self.ids = [self.accepted(answer) for answer in self.storm(self.parent, 1, 20)]

    def entry(self, queue_id):
        return next(e for e in self.breakwater.held() if e["queue_id"] == queue_id)

    def release(self, *arguments):
        return self.breakwater.run_ctl("--yes", "held", "release", *arguments)

    def test_three_replies_pass_and_seventeen_wait(self):
        self.assertEqual(set(self.ids[3:]), self.mta.held())
        self.expect_delivered(4)
        self.assertEqual(17, self.breakwater.figures()["held"])
        self.assertEqual({"sendmail"}, {e["mta"] for e in self.breakwater.held()})
        self.assertIn("open", {b["phase"] for b in self.breakwater.breakers()})

    def test_the_quarantine_says_why(self):
        entry = self.entry(self.ids[3])
        text = self.mta.text_of(self.ids[3])
        mark = rf"v=1; id={entry['id']}; list={LIST}; guard=conversation; at=.*; mac=[0-9a-f]+"
        self.assertRegex(text, rf"(?m)^q.*{mark}.*4th sender of at most 3")
        self.assertRegex(text, rf"(?m)^H\?\?X-Breakwater-Held: {mark}$")
        self.assertIn("QUARANTINE: breakwater", self.mta.mailq(quarantined=True))
        self.assertNotIn(self.ids[3], self.mta.mailq())

    def test_a_queue_run_leaves_quarantined_mail_alone(self):
        self.mta.command("-q")
        self.expect_delivered(4)
        self.assertEqual(set(self.ids[3:]), self.mta.held())

    def test_one_mail_to_one_colleague(self):
        self.accepted(self.send("u4@nhs.example", COLLEAGUE, mails.reply("u4@nhs.example", COLLEAGUE, self.parent)))
        place.wait_until(lambda: self.sink.count(COLLEAGUE) == 1, "the colleague has his mail", 20)

    def test_a_list_among_single_recipients_holds_the_whole_envelope(self):
        answer = self.send("u30@nhs.example", [LIST, COLLEAGUE], mails.reply("u30@nhs.example", LIST, self.parent))
        self.assertIn(self.accepted(answer), self.mta.held())
        self.expect_delivered(4)
        self.assertEqual(0, self.sink.count(COLLEAGUE))

    def test_release(self):
        one, two, *rest = self.ids[3:]
        dry = self.breakwater.run_ctl("held", "release", self.entry(one)["id"])
        self.assertEqual(0, dry.returncode, dry.stderr)
        self.assertIn(one, self.mta.held(), "without --yes nothing happens")
        for queue_id, word in ((one, self.entry(one)["id"]), (two, two)):
            done = self.release(word)
            self.assertEqual(0, done.returncode, done.stderr)
            self.assertIn("released 1 message", done.stdout)
        self.assertEqual(set(rest), self.mta.held())
        self.expect_delivered(6)
        self.assertEqual(["u4@nhs.example", "u5@nhs.example"], [m.sender for m in self.sink.of(LIST)[-2:]])

    def test_release_of_a_batch(self):
        done = self.release("--force", "--list", LIST)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual(set(), self.mta.held())
        self.expect_delivered(21)
        self.assertEqual([], self.breakwater.held())

    def test_release_of_what_is_gone_says_so(self):
        queue_id = self.ids[3]
        word = self.entry(queue_id)["id"]
        self.mta.command("-Q", "-qQ", f"-qI{queue_id}")
        self.mta.command(f"-qI{queue_id}")
        done = self.release(word)
        self.assertEqual(1, done.returncode, done.stdout + done.stderr)
        # Still on its way, or gone.
        self.assertRegex(done.stderr, f"{queue_id} is not (held any more: it is on its way|in Sendmail's quarantine any more)")
        self.assertEqual("waiting", self.entry(queue_id)["state"])

    def test_two_operators_release_one_message_once(self):
        word = self.entry(self.ids[3])["id"]
        done = []
        threads = [threading.Thread(target=lambda: done.append(self.release(word))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(1, sum("released 1 message" in d.stdout for d in done), done)
        self.expect_delivered(5)

    def test_release_without_sendmail_releases_nothing(self):
        done = self.release(self.ids[3], "--sendmail-commands", self.scratch / "nowhere")
        self.assertEqual(1, done.returncode, done.stdout)
        self.assertIn("no sendmail that can be run", done.stderr)
        self.expect_delivered(4)


class Actions(SendmailCase):
    def fourth(self, action, **more):
        """The answer to the fourth replier where the conversation guard has `action`."""
        self.started(settings={"huge.conversation.action": action}, **more)
        self.parent = self.announce()
        self.storm(self.parent, 1, 3)
        return self.reply("u4@nhs.example", self.parent)

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
        self.expect_delivered(4)

    def test_discard(self):
        answer = self.fourth("discard")
        self.assertEqual(250, answer.code, answer)
        self.expect_delivered(4)
        self.assertEqual(set(), self.mta.held())

    def test_tag(self):
        self.accepted(self.fourth("tag"))
        self.expect_delivered(5)
        tagged = [b"\r\nX-Breakwater: " in message.data for message in self.sink.of(LIST)]
        self.assertEqual(1, tagged.count(True))

    def test_shadow_lets_everything_pass(self):
        self.started(mode="shadow")
        for answer in self.storm(self.announce(), 1, 6):
            self.accepted(answer)
        self.expect_delivered(7)
        self.assertIn("would=hold", self.breakwater.log_text())


class Connections(SendmailCase):
    def test_two_messages_on_one_connection(self):
        """Each has its own queue id, its own entry and its own verdict."""
        self.started()
        parent = self.announce()
        self.storm(parent, 1, 3)
        with smtp.Client(self.mta.port, source=CLIENT) as client:
            ids = [self.accepted(client.deliver(f"u{i}@nhs.example", [LIST], self.text(i, parent))) for i in (4, 5)]
            plain = mails.render(mails.post("u6@nhs.example", COLLEAGUE))
            self.accepted(client.deliver("u6@nhs.example", [COLLEAGUE], plain))
            ids.append(self.accepted(client.deliver("u7@nhs.example", [LIST], self.text(7, parent))))
        self.assertEqual(set(ids), self.mta.held())
        place.wait_until(lambda: self.sink.count(COLLEAGUE) == 1, "the colleague has his mail", 20)
        self.expect_delivered(4)

    @staticmethod
    def text(i, parent):
        return mails.render(mails.reply(f"u{i}@nhs.example", LIST, parent))

    def test_a_transaction_that_is_given_up(self):
        self.started()
        with smtp.Client(self.mta.port, source=CLIENT) as client:
            client.docmd("MAIL", f"FROM:<{POSTER}>")
            client.docmd("RCPT", f"TO:<{LIST}>")
            client.rset()
            fields = mails.post("u1@nhs.example", LIST)
            queue_id = self.accepted(client.deliver("u1@nhs.example", [LIST], mails.render(fields)))
        self.assertEqual({queue_id}, self.mta.held())
        self.expect_agreement()

    def test_a_message_without_any_header(self):
        self.started()
        answer = smtp.deliver(self.mta.port, "x@evil.example", [LIST], b"\r\nno header at all\r\n", source=STRANGER)
        self.assertIn(self.accepted(answer), self.mta.held())
        self.expect_agreement()

    def test_a_stranger_is_no_poster(self):
        self.started()
        answer = self.send(POSTER, LIST, mails.post(POSTER, LIST), address=STRANGER)
        self.assertIn(self.accepted(answer), self.mta.held())
        self.assertRegex(self.breakwater.held()[0]["identity"], rf"^outside:{POSTER} 127\.0\.0\.0/24$")

    def test_envelopes_that_sendmail_splits(self):
        """A queue group with r= splits an envelope after it was judged: its parts wait with one mark, under ids of their own."""
        self.started(mc="QUEUE_GROUP(`mqueue', `P=/var/spool/mqueue, r=1')dnl")
        people = [COLLEAGUE, "eve@nhs.example"]
        first = self.accepted(self.send("u1@nhs.example", [LIST, *people], mails.post("u1@nhs.example", LIST)))
        place.wait_until(lambda: len(self.mta.held()) == 3, "three parts wait", 10)
        entry, = self.breakwater.held()
        self.assertEqual((first, 40002), (entry["queue_id"], entry["deliveries"]))
        self.mta.command("-q")
        self.assertEqual([], self.sink.messages)
        self.mta.command("-Q", f"-qQid={entry['id']}")
        self.mta.command("-q")
        self.mta.settle()
        self.assertEqual([1, 1, 1], [self.sink.count(address) for address in (LIST, *people)])


class Together(SendmailCase):
    def replies(self, parent, people):
        """Answers to replies that are sent at once, each over a connection of its own."""
        barrier = threading.Barrier(people)
        answers = []

        def one(i):
            barrier.wait()
            answers.append(self.reply(f"u{i}@nhs.example", parent))

        threads = [threading.Thread(target=one, args=(i,)) for i in range(people)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def test_three_pass_of_thirty_at_once(self):
        self.started()
        answers = self.replies(self.announce(), 30)
        self.assertEqual({250}, {answer.code for answer in answers})
        self.assertEqual(27, len(self.mta.held()))
        self.expect_delivered(4)

    def test_kill_9_in_mid_storm(self):
        """Nobody is refused, open breakers are open again, and the ledger knows all that is quarantined."""
        self.started()
        parent = self.announce()
        self.storm(parent, 1, 6)
        answers = []
        storm = threading.Thread(target=lambda: answers.extend(self.storm(parent, 7, 80)))
        storm.start()
        place.wait_until(lambda: len(self.mta.held()) > 10, "the storm is on", 20)
        self.breakwater.kill()
        self.breakwater.start()
        storm.join()
        self.assertEqual({250}, {answer.code for answer in answers})
        self.assertIn("open", {b["phase"] for b in self.breakwater.breakers()})
        self.assertIn(self.accepted(self.reply("late@nhs.example", parent)), self.mta.held())
        held, ledger = self.mta.held(), {entry["queue_id"] for entry in self.breakwater.held()}
        self.assertEqual(set(), held - ledger)
        self.assertLessEqual(len(ledger - held), 1, "the message in hand when the kill came")


class Absent(SendmailCase):
    def test_mail_passes_without_breakwaterd_and_is_judged_when_it_is_back(self):
        self.started(with_daemon=False)
        self.accepted(self.send("a@nhs.example", COLLEAGUE, mails.post("a@nhs.example", COLLEAGUE)))
        place.wait_until(lambda: self.sink.count(COLLEAGUE) == 1, "the colleague has his mail", 20)
        self.breakwater.start()
        answer = self.send("a@nhs.example", LIST, mails.post("a@nhs.example", LIST))
        self.assertIn(self.accepted(answer), self.mta.held())

    def test_a_late_breakwaterd_delays_mail_as_long_as_the_example_says(self):
        """R:5s of conf/sendmail, and mail passes."""
        self.started()
        self.breakwater.suspend()
        started = time.monotonic()
        self.accepted(self.send("a@nhs.example", COLLEAGUE, mails.post("a@nhs.example", COLLEAGUE)))
        waited = time.monotonic() - started
        self.breakwater.resume()
        self.assertTrue(4 < waited < 12, waited)


class Example(SendmailCase):
    def test_the_example_becomes_the_configuration(self):
        self.started(with_daemon=False)
        cf = (self.mta.root / "etc/mail/sendmail.cf").read_text()
        self.assertIn("Xbreakwater, S=unix:/run/breakwater/milter.sock, T=C:2s;S:5s;R:5s;E:10s\n", cf)
        self.assertIn("O InputMailFilters=breakwater\n", cf)
        self.assertRegex(cf, r"(?m)^O Milter\.macros\.helo=.*\{cert_subject\}.*\{verify\}$")

    def test_sendmail_takes_the_socket_for_safe(self):
        self.started()
        self.announce()
        self.mta.settle()
        self.assertNotIn("unsafe", self.mta.log_text())
        self.assertEqual(1, self.breakwater.log_text().count("event=verdict"))

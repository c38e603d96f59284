"""Killed, restarted, reloaded, drained: open breakers stay open, and what was answered is in the ledger."""

import threading
import time

from support import daemon, mails, milter_mta, place

from .base import HUGE, POSTER, Case, mark, people
from .test_misbehave import STAGES, walk


class Kill(Case):
    def test_kill_9_in_mid_storm(self):
        breakwater = self.started()
        parent = self.announce()
        held, unanswered = set(), 0
        stop_at = threading.Event()

        def storm(first):
            nonlocal unanswered
            for who in people(first, first + 400):
                try:
                    verdict = self.reply(who, parent)
                except (milter_mta.Gone, OSError):
                    unanswered += 1
                    return
                if verdict.action == "hold":
                    held.add(mark(verdict)["id"])
                if len(held) > 60:
                    stop_at.set()

        threads = [threading.Thread(target=storm, args=(1000 * k,)) for k in range(1, 5)]
        for thread in threads:
            thread.start()
        self.assertTrue(stop_at.wait(60))
        breakwater.kill()
        for thread in threads:
            thread.join()
        breakwater.start()
        # Before any answer went out its entry was on disk; an entry without an answer may be there beside.
        ledger = {entry["id"] for entry in breakwater.held()}
        self.assertEqual(set(), held - ledger)
        self.assertLessEqual(len(ledger - held), len(threads))
        self.assertIn("open", {b["phase"] for b in breakwater.breakers()})
        self.expect("hold", self.reply("somebody-new", parent), "conversation")

    def test_killed_in_every_state_of_the_protocol(self):
        breakwater = self.started()
        parent = self.announce()
        for i, stage in enumerate(STAGES):
            session = milter_mta.Session(breakwater.socket)
            walk(session, stage, f"k{i}@nhs.example", parent)
            breakwater.kill()
            session.close()
            breakwater.start()
        self.assertEqual(["accept"] * 3 + ["hold"], self.replies(people(1, 4), parent))
        self.expect_sane()

    def test_a_second_start_on_the_same_socket_after_a_kill(self):
        """The dead daemon's socket file and pid file are no obstacle."""
        breakwater = self.started()
        breakwater.kill()
        self.assertTrue(breakwater.socket.exists())
        breakwater.start()
        self.expect_sane()


class Drain(Case):
    def test_sigterm_waits_for_open_transactions(self):
        breakwater = self.started()
        session = self.session()
        session.prepare(POSTER, [HUGE], headers=mails.post(POSTER, HUGE))
        breakwater.child.terminate()
        place.wait_until(lambda: not self.accepts(), "new connections are refused", 5)
        self.assertIsNone(breakwater.child.poll())
        self.expect("accept", session.finish())
        session.quit()
        self.assertEqual(0, breakwater.child.wait(5))

    def test_sigterm_waits_no_longer_than_ten_seconds(self):
        breakwater = self.started()
        session = self.session()
        session.prepare(POSTER, [HUGE], headers=mails.post(POSTER, HUGE))
        start = time.monotonic()
        breakwater.child.terminate()
        self.assertEqual(0, breakwater.child.wait(20))
        self.assertLess(time.monotonic() - start, 15)

    def test_sigterm_without_open_transactions_is_quick(self):
        breakwater = self.started()
        idle = self.session()
        idle.open()
        start = time.monotonic()
        self.assertEqual(0, breakwater.stop())
        self.assertLess(time.monotonic() - start, 5)

    def accepts(self):
        try:
            milter_mta.Session(self.breakwater.socket).close()
            return True
        except OSError:
            return False


class Reload(Case):
    def test_a_hundred_reloads_under_load(self):
        breakwater = self.started()
        parent = self.announce()
        done = threading.Event()
        verdicts = []

        def load():
            session = milter_mta.Session(breakwater.socket, client=daemon.CLIENT)
            with session:
                while not done.is_set():
                    verdicts.append(session.message(POSTER, ["b@nhs.example"], headers=mails.post(POSTER, "b@nhs.example")).action)

        threads = [threading.Thread(target=load) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(100):
            breakwater.reload()
            time.sleep(0.02)
        done.set()
        for thread in threads:
            thread.join()
        self.assertGreater(len(verdicts), 100)
        self.assertEqual({"accept"}, set(verdicts))
        self.assertEqual(["accept"] * 3 + ["hold"], self.replies(people(1, 4), parent))

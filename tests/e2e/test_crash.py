"""breakwaterd killed, gone or late while Postfix works."""

import contextlib
import os
import signal
import sqlite3
import threading

from support import mails, place, smtp

from .base import LIST, POSTER, Case


class Killed(Case):
    def test_kill_9_in_mid_storm(self):
        """After the restart open breakers are open, and the ledger holds every message of the hold queue."""
        self.started()
        parent = self.announce()
        enough = threading.Event()
        answers = []

        def storm(first):
            for i in range(first, first + 150):
                answers.append(self.reply(f"u{i}@nhs.example", parent))
                if len(answers) > 40:
                    enough.set()

        threads = [threading.Thread(target=storm, args=(1000 * k,)) for k in range(1, 4)]
        for thread in threads:
            thread.start()
        self.assertTrue(enough.wait(60))
        self.breakwater.kill()
        self.breakwater.start()
        for thread in threads:
            thread.join()
        self.assertEqual({250}, {answer.code for answer in answers}, "Postfix never refuses mail for our sake")
        self.assertIn("open", {b["phase"] for b in self.breakwater.breakers()})
        self.assertIn(self.accepted(self.reply("late@nhs.example", parent)), self.mta.held())
        # A message in hand when the kill came may have its entry without having been held: at most one a session.
        held, ledger = self.mta.held(), {entry["queue_id"] for entry in self.breakwater.held()}
        self.assertEqual(set(), held - ledger)
        self.assertLessEqual(len(ledger - held), len(threads))

    def test_killed_while_a_message_is_under_way(self):
        self.started()
        client = smtp.Client(self.mta.port, login=POSTER)
        self.addCleanup(client.close)
        client.docmd("MAIL", f"FROM:<{POSTER}>")
        client.docmd("RCPT", f"TO:<{LIST}>")
        self.breakwater.kill()
        code, _ = client.data(mails.render(mails.post(POSTER, LIST)))
        self.assertEqual(250, code)
        self.mta.settle()
        self.assertEqual(1, self.sink.count(LIST))


class Points(Case):
    """Killed at each point on the way into the hold queue."""

    POINTS = "decided written marked quarantined".split()  # of breakwaterd -k
    LOST_MS = 11 * 60 * 1000                               # entries that are younger may be under way

    def test_hold_at_every_point(self):
        """Each message is there once, held or delivered; ledger and hold queue agree once they are compared."""
        self.started()
        parent = self.announce()
        for i in range(1, 5):
            self.accepted(self.reply(f"u{i}@nhs.example", parent))
        held = self.mta.held()
        self.assertEqual(1, len(held), "the breaker is open")
        for point in self.POINTS:
            self.breakwater.stop()
            self.breakwater.start(more=("-k", point))
            self.accepted(self.reply(f"{point}@nhs.example", parent))
            self.breakwater.killed()
        self.breakwater.start()
        self.mta.settle()
        self.accepted(self.reply("late@nhs.example", parent))
        place.wait_until(lambda: self.sink.count(LIST) + len(self.mta.held()) == 1 + 4 + len(self.POINTS) + 1, "each message is somewhere", 30)
        senders = [message.sender for message in self.sink.of(LIST)]
        self.assertEqual(len(senders), len(set(senders)), "nothing comes twice")
        self.grow_old()
        done = self.breakwater.json_lines("--yes", "held", "reconcile")
        self.assertEqual(self.mta.held(), {entry["queue_id"] for entry in self.breakwater.held()}, done)
        waiting = {entry["sender"] for entry in self.breakwater.held()}
        self.assertEqual(set(), waiting & set(senders), "what was delivered does not wait")
        self.assertEqual({f"{point}@nhs.example" for point in self.POINTS}, (waiting | set(senders)) & {f"{p}@nhs.example" for p in self.POINTS})

    def grow_old(self):
        self.breakwater.stop()
        with contextlib.closing(sqlite3.connect(self.breakwater.directory / "store.db")) as db, db:
            db.execute("UPDATE held SET held_ms = held_ms - ?", (self.LOST_MS,))
        self.breakwater.start()


class Absent(Case):
    def test_ordinary_mail_passes_without_breakwaterd(self):
        self.started(with_daemon=False)
        self.accepted(self.send("a@nhs.example", "b@nhs.example", mails.post("a@nhs.example", "b@nhs.example")))
        self.mta.settle()
        self.assertEqual(1, self.sink.count("b@nhs.example"))
        self.breakwater.start()
        answer = self.send("a@nhs.example", LIST, mails.post("a@nhs.example", LIST))
        self.assertIn(self.accepted(answer), self.mta.held())

    def test_mail_passes_beside_a_stopped_process(self):
        """SIGSTOP: Postfix waits as long as its command_timeout says, then goes on alone."""
        self.started()
        os.kill(self.breakwater.pid, signal.SIGSTOP)
        try:
            self.accepted(self.send("a@nhs.example", "b@nhs.example", mails.post("a@nhs.example", "b@nhs.example")))
        finally:
            os.kill(self.breakwater.pid, signal.SIGCONT)
        self.mta.settle()
        self.assertEqual(1, self.sink.count("b@nhs.example"))


class Chroot(Case):
    def test_smtpd_and_cleanup_are_chrooted(self):
        """What the other tests rely on: the milter's socket was reached from inside the queue directory."""
        self.started()
        with smtp.Client(self.mta.port) as client:
            client.noop()
            # One that master has just started is still on its way in.
            place.wait_until(lambda: self.roots() == {str(self.mta.queue)}, "every smtpd is in its chroot", 5)

    def roots(self):
        found = set()
        for pid in (int(p) for p in os.listdir("/proc") if p.isdigit()):
            try:
                if self.is_smtpd(pid):
                    found.add(os.readlink(f"/proc/{pid}/root"))
            except OSError:
                continue  # gone meanwhile
        return found

    def is_smtpd(self, pid):
        with open(f"/proc/{pid}/stat") as stat:
            name = stat.read().split(")", 1)[0].split("(", 1)[1]
        with open(f"/proc/{pid}/status") as status:
            parent = next(int(line.split()[1]) for line in status if line.startswith("PPid:"))
        return name == "smtpd" and parent == self.mta.master.pid

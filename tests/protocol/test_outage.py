"""The store's file cannot be written: counting goes on in memory, what is stopped stays stopped, and all of it comes back."""

import sqlite3

from support import daemon, mails, place

from .base import HUGE, POSTERS, Case

WARD = "ward@nhs.example"


class Locked(Case):
    def lock(self):
        """Another program holds the file's write lock."""
        other = sqlite3.connect(self.breakwater.directory / "store.db", isolation_level=None, timeout=10)
        self.addCleanup(other.close)
        other.execute("BEGIN EXCLUSIVE")
        return other

    def wait_for(self, event):
        place.wait_until(lambda: f"event={event} " in self.breakwater.log_text(), f"event={event}", 15)

    def test_stopped_mail_stays_stopped_and_held_mail_comes_back(self):
        self.started(lists=[daemon.mail_list(HUGE, 40000, posters=POSTERS), daemon.mail_list(WARD, 4000)])
        parent = self.announce()
        self.breakwater.ctl("list", "stop", WARD, "--reason", "test")
        self.expect("hold", self.send("u0@nhs.example", WARD, mails.post("u0@nhs.example", WARD)))
        # The stop is copied into memory with the next look.
        self.breakwater.await_heartbeats()
        other = self.lock()
        self.wait_for("degraded")
        for i in range(1, 4):
            who = f"u{i}@nhs.example"
            self.expect("hold", self.send(who, WARD, mails.post(who, WARD)))
            self.expect("hold", self.send(who, HUGE, mails.reply(who, HUGE, parent)))
        other.execute("ROLLBACK")
        self.wait_for("recovered")
        self.assertEqual(7, len(self.breakwater.held()))
        self.assertIn("recovered", self.breakwater.ctl("events"))

"""A hold queue of many messages: pages, reconcile and single orders in bounded memory, on real queue files of a real Postfix.

BW_HELD_MESSAGES says how many (5,000; `make check-all` takes 100,000).
"""

import json
import os
import shutil
import sqlite3
import subprocess
import time

from support import place

from .base import LIST, Case

COUNT = int(os.environ.get("BW_HELD_MESSAGES", "5000"))
UNKNOWN = 200      # entries that the ledger is to lose
PAGE = 50
LS_KIB = 48 * 1024         # of `held ls`, whatever the number of messages
RECONCILE_KIB = 64 * 1024  # and of `held reconcile`, which keeps a hundred bytes of each waiting entry

POSTCAT = """\
#!/bin/sh
# postcat, and a note of how many messages it was asked for.
n=0
for word; do case "$word" in -*|*/*) ;; *) n=$((n + 1)) ;; esac; done
echo $n >>{counted}
exec {program} "$@"
"""


class Scale(Case):
    def setUp(self):
        self.started(main_cf={"qmgr_message_active_limit": "20000"})
        parent = self.announce()
        self.storm(parent, 1, 3)
        self.first = self.accepted(self.reply("u4@nhs.example", parent))
        self.mta.settle()
        self.fill()
        self.commands = self.scratch / "commands"
        self.commands.mkdir()
        for name in ("postqueue", "postsuper", "postconf"):
            (self.commands / name).symlink_to(self.mta.root / "usr/sbin" / name)
        (self.commands / "postcat").write_text(POSTCAT.format(counted=self.scratch / "counted", program=self.mta.root / "usr/sbin/postcat"))
        (self.commands / "postcat").chmod(0o755)

    def fill(self):
        """Queue files, and a ledger that knows them: what so many replies would have left."""
        started = time.monotonic()
        tool = place.build_directory() / "tests" / "e2e" / "fill-hold"
        done = subprocess.run([tool, self.breakwater.directory / "secret", self.mta.queue / "hold" / self.first, str(COUNT - 1)],
                              capture_output=True, text=True, timeout=600, check=True)
        made = [line.split() for line in done.stdout.splitlines()]
        store = sqlite3.connect(self.breakwater.directory / "store.db", timeout=30)
        columns = [row[1] for row in store.execute("PRAGMA table_info(held)")]
        values = ", ".join({"seq": "NULL", "id": "?", "queue_id": "?"}.get(name, name) for name in columns)
        with store:
            store.executemany(f"INSERT INTO held SELECT {values} FROM held WHERE seq = 1",
                              [(bytes.fromhex(i), queue_id) for i, queue_id in made])
        store.close()
        self.say("filled", started)

    @staticmethod
    def say(what, started, kib=None):
        """For whoever wants figures; nothing is asserted of time."""
        if os.environ.get("BW_FIGURES"):
            print(f"{COUNT} held: {what}: {time.monotonic() - started:.2f} s" + (f", {kib} KiB" if kib else ""), flush=True)

    def measured(self, *arguments):
        """(output, peak of resident memory in KiB)"""
        command = [place.build_directory() / "tests" / "e2e" / "peak", self.scratch / "peak", place.program("cli", "breakwaterctl"),
                   "-c", self.breakwater.config_file, *map(str, arguments)]
        started = time.monotonic()
        done = subprocess.run(command, env={**os.environ, **self.mta.environment()}, capture_output=True, text=True, timeout=900,
                              stdin=subprocess.DEVNULL)
        self.assertEqual(0, done.returncode, (done.stdout + done.stderr)[-2000:])
        kib = int((self.scratch / "peak").read_text())
        self.say(" ".join(map(str, arguments[:6])), started, kib)
        return done.stdout, kib

    def page(self, *arguments):
        text, kib = self.measured("--json", "held", "ls", "--limit", PAGE, *arguments)
        self.assertLess(kib, LS_KIB)
        return [json.loads(line)["id"] for line in text.splitlines()]

    def reconcile(self, *arguments):
        (self.scratch / "counted").write_text("")
        text, kib = self.measured("--json", *arguments, "held", "reconcile", "--postfix-commands", self.commands)
        self.assertLess(kib, RECONCILE_KIB)
        asked = sum(map(int, (self.scratch / "counted").read_text().split()))
        return [json.loads(line) for line in text.splitlines()], asked

    def test_all_of_it(self):
        """In one go: a queue of this size is not made twice."""
        self.pages()
        self.one_of_many()
        self.reconciles()

    def pages(self):
        ids = place.rows_of(self.breakwater.directory / "store.db", "SELECT lower(hex(id)) FROM held ORDER BY seq")
        ids = [row[0] for row in ids]
        self.assertEqual(COUNT, len(ids))
        self.assertEqual(ids[:PAGE], self.page())
        self.assertEqual(ids[PAGE:2 * PAGE], self.page("--after", ids[PAGE - 1]))
        self.assertEqual(ids[-10:], self.page("--after", ids[-11]))
        self.assertEqual([], self.page("--after", ids[-1]))
        people, kib = self.measured("held", "ls", "--limit", PAGE)
        self.assertIn(f"there are more: --after {ids[PAGE - 1]}", people)
        self.assertLess(kib, LS_KIB)

    def reconciles(self):
        store = self.breakwater.directory / "store.db"
        self.assertEqual(COUNT - 1, len(self.mta.held()), "Postfix has them all")
        self.assertEqual(([], 0), self.reconcile(), "all are known: none is looked into")
        (before,), = place.rows_of(store, "SELECT count(*) FROM held")
        place.run_sql(store, f"DELETE FROM held WHERE state = 0 AND seq % {COUNT // UNKNOWN} = 0 AND seq > 100")
        lost = before - place.rows_of(store, "SELECT count(*) FROM held")[0][0]
        self.assertGreater(lost, UNKNOWN / 2)
        found, asked = self.reconcile("--yes")
        self.assertEqual({"rebuilt"}, {one["found"] for one in found})
        self.assertEqual((lost, lost), (len(found), asked), "only unknown ones are looked into")
        self.assertEqual(([], 0), self.reconcile("--yes"))
        # Gone from the queue behind our back.
        gone = sorted(self.mta.held())[:UNKNOWN]
        for queue_id in gone:
            os.unlink(self.mta.queue / "hold" / queue_id)
        place.run_sql(self.breakwater.directory / "store.db", "UPDATE held SET held_ms = held_ms - 700000, state_ms = 0")
        found, _ = self.reconcile("--yes")
        self.assertEqual({(queue_id, "lost") for queue_id in gone}, {(one["queue_id"], one["found"]) for one in found})

    def one_of_many(self):
        """Queue files as any other: the order for one of them is carried out, and the rest stays."""
        one, two = sorted(self.mta.held() - {self.first})[:2]
        self.measured("--yes", "held", "release", "--force", one)
        self.mta.settle(60)
        self.measured("--yes", "held", "delete", two)
        self.assertEqual(COUNT - 2, len(self.mta.held()))
        entry = next(e for e in place.rows_of(self.breakwater.directory / "store.db",
                                              f"SELECT lower(hex(id)) FROM held WHERE queue_id = '{two}'"))
        self.measured("--yes", "held", "restore", entry[0])
        self.assertEqual(COUNT - 1, len(self.mta.held()))
        place.wait_until(lambda: self.sink.count(LIST) == 5, "the post, three replies and one that waited", 20)

    def tearDown(self):
        # Quicker than one by one at the end.
        self.mta.stop()
        shutil.rmtree(self.mta.queue / "hold", ignore_errors=True)

"""Deleted into the archive, restored, reconciled: on a real Postfix and on a real Sendmail nothing is lost and nothing comes twice."""

import os
import random
import subprocess

from support import mails, place

from .base import LIST, Case
from .test_sendmail import SendmailCase


class Held:
    """Tests that both MTAs pass; the classes below bring one."""

    def hold(self, people):
        """So many replies waiting; their queue ids."""
        parent = self.announce()
        self.storm(parent, 1, 3)
        return [self.accepted(answer) for answer in self.storm(parent, 4, 3 + people)]

    def entries(self, *arguments):
        return {entry["queue_id"]: entry for entry in self.breakwater.json_lines("held", "ls", *arguments)}

    def held_ctl(self, *arguments):
        return self.breakwater.ctl("--yes", "held", *arguments)

    def reconcile(self, *arguments):
        return self.breakwater.json_lines(*arguments, "held", "reconcile")

    def archive(self):
        return sorted(os.listdir(self.breakwater.directory / "archive"))

    def age(self, queue_id):
        """Makes an entry older than the ten minutes that one without its message may be."""
        place.run_sql(self.breakwater.directory / "store.db",
                      f"UPDATE held SET held_ms = held_ms - 700000 WHERE queue_id = '{queue_id}'")

    def copies(self):
        """Who has how many copies of a reply in the sink."""
        found = {}
        for message in self.sink.of(LIST):
            found[message.sender] = found.get(message.sender, 0) + 1
        return found

    def expect_copies(self, people):
        self.mta.settle()
        wanted = {f"u{i}@nhs.example": 1 for i in people}
        place.wait_until(lambda: len(self.sink.of(LIST)) > len(wanted), "all copies have arrived", 20)
        self.assertEqual({**wanted, "comms@nhs.example": 1}, self.copies())


class Batch(Held):
    PEOPLE = 60

    def test_released_deleted_restored(self):
        """Half is released, a quarter deleted, a quarter deleted and restored: exactly the right mail arrives, once, byte for byte."""
        self.started()
        ids = self.hold(self.PEOPLE)
        before = {queue_id: self.body(queue_id) for queue_id in ids}
        order = random.Random(4).sample(range(self.PEOPLE), self.PEOPLE)
        quarter = self.PEOPLE // 4
        half, gone, back = order[:2 * quarter], order[2 * quarter:3 * quarter], order[3 * quarter:]
        entries = self.entries()
        ledger = [entries[queue_id]["id"] for queue_id in ids]
        self.held_ctl("release", "--force", *(ledger[i] for i in half))
        self.held_ctl("delete", *(ledger[i] for i in gone + back))
        self.assertEqual(set(), self.mta.held())
        self.assertEqual(len(gone + back), sum(name.endswith(".zst") for name in self.archive()))
        self.held_ctl("restore", *(ledger[i] for i in back))
        self.expect_agreement()
        self.assertEqual({before[ids[i]] for i in back}, {self.body(queue_id) for queue_id in self.mta.held()})
        self.assertEqual([], self.reconcile(), "ledger and queue agree")
        self.held_ctl("release", "--force", *(ledger[i] for i in back))
        self.expect_copies([1, 2, 3] + [4 + i for i in half + back])
        self.assertEqual({"deleted"}, {entry["state"] for entry in self.entries("--all").values()
                                       if entry["id"] in [ledger[i] for i in gone]})
        self.assertEqual((1 + 3 + len(half + back)) * 40000, self.breakwater.figures()["deliveries"])

    def test_by_hand(self):
        """What somebody does to the queue without us is found, and written down once."""
        self.started()
        released, deleted, waiting = self.hold(3)
        entries = self.entries()
        self.release_by_hand(released)
        self.delete_by_hand(deleted)
        for queue_id in (released, deleted, waiting):
            self.age(queue_id)
        dry = {found["queue_id"]: found["found"] for found in self.reconcile()}
        self.assertEqual({released, deleted}, set(dry))
        self.assertEqual({"waiting"}, {entry["state"] for entry in self.entries("--all").values()}, "a dry run writes nothing")
        wet = {found["queue_id"]: found["found"] for found in self.reconcile("--yes")}
        self.assertEqual({released, deleted}, set(wet))
        self.assertEqual(("lost", "lost"), (dry[deleted], wet[deleted]))
        # Seen while it is still queued, it is known to be released; the MTA may be done with it between the two looks.
        self.assertIn((dry[released], wet[released]), {("released", "released"), ("released", "lost"), ("lost", "lost")})
        self.assertEqual([], self.reconcile("--yes"))
        self.assertEqual([waiting], list(self.entries()))
        self.assertEqual(entries[waiting]["id"], self.entries()[waiting]["id"])

    def test_young_entries_are_left(self):
        self.started()
        queue_id, = self.hold(1)
        self.delete_by_hand(queue_id)
        self.assertEqual([], self.reconcile("--yes"))
        self.assertEqual([queue_id], list(self.entries()))

    def test_the_ledger_is_rebuilt_from_the_queue(self):
        self.started()
        ids = self.hold(3)
        entries = self.entries()
        place.run_sql(self.breakwater.directory / "store.db", "DELETE FROM held")
        self.assertEqual({}, self.entries())
        self.assertEqual({"rebuilt"}, {found["found"] for found in self.reconcile("--yes")})
        again = self.entries()
        self.assertEqual(set(ids), set(again))
        for queue_id, entry in entries.items():
            for name in ("id", "list", "lists", "sender", "deliveries", "subject", "message_id", "conversation", "guard", "held_at",
                         "host", "mta", "side"):
                self.assertEqual(entry[name], again[queue_id][name], name)
        self.held_ctl("release", "--force", *(entry["id"] for entry in again.values()))
        self.expect_copies(range(1, 7))

    def test_others_mail_is_left_alone(self):
        """A message that somebody else holds, under the queue id of one of ours: not released, not deleted, not claimed."""
        self.started()
        ours, theirs = self.hold(2)
        self.unmark(theirs)
        for verb in ("release", "delete"):
            done = self.breakwater.run_ctl("--yes", "held", verb, theirs)
            self.assertEqual(1, done.returncode, done.stdout + done.stderr)
            self.assertIn("somebody else's", done.stderr)
        self.assertEqual({ours, theirs}, self.mta.held())
        place.run_sql(self.breakwater.directory / "store.db", "DELETE FROM held")
        self.assertEqual([ours], [found["queue_id"] for found in self.reconcile("--yes")])
        self.assertEqual([], [name for name in self.archive() if name.endswith(".zst")])

    def test_a_full_archive_deletes_nothing(self):
        for limit in ({"archive_bytes": 10}, {"archive_min_free": 10 ** 15}):
            with self.subTest(limit):
                self.started(sections={"hold": limit})
                queue_id, = self.hold(1)
                done = self.breakwater.run_ctl("--yes", "held", "delete", queue_id)
                self.assertEqual(1, done.returncode, done.stdout + done.stderr)
                self.assertIn("nothing is deleted", done.stderr)
                self.assertEqual({queue_id}, self.mta.held())
                self.assertEqual([queue_id], list(self.entries()))
                self.doCleanups()

    def test_a_damaged_archive_is_not_restored(self):
        self.started()
        queue_id, = self.hold(1)
        self.held_ctl("delete", queue_id)
        path = self.breakwater.directory / "archive" / self.archive()[0]
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        done = self.breakwater.run_ctl("--yes", "held", "restore", queue_id)
        self.assertNotEqual(0, done.returncode)
        self.assertIn(path.name, done.stderr)
        self.assertEqual(set(), self.mta.held())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        self.held_ctl("restore", queue_id)
        self.expect_agreement()


class Decided(Held, Case):
    def test_approve_and_deny(self):
        """Two posts that the gate holds: one goes out once, one goes into the archive."""
        self.started()
        ids = [self.accepted(self.send(f"u{i}@nhs.example", LIST, mails.post(f"u{i}@nhs.example", LIST))) for i in (1, 2)]
        self.assertEqual({"gate"}, {entry["guard"] for entry in self.entries().values()})
        self.breakwater.ctl("--yes", "approve", ids[0])
        self.breakwater.ctl("--yes", "deny", ids[1])
        self.mta.settle()
        self.assertEqual({"u1@nhs.example": 1}, self.copies())
        self.assertEqual({ids[0]: "released", ids[1]: "deleted"}, {q: entry["state"] for q, entry in self.entries("--all").items()})
        self.assertEqual([], self.reconcile())


class Paced(Held, Case):
    def start_release(self, *arguments):
        """`held release --list` in the background."""
        return subprocess.Popen([place.program("cli", "breakwaterctl"), "-c", self.breakwater.config_file, "--yes", "held", "release",
                                 "--list", LIST, *arguments], env={**os.environ, **self.mta.environment()}, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def test_the_budget_is_kept(self):
        """Eleven messages of 40,000 deliveries at 2,400,000 a minute: one a second, measured where they arrive."""
        self.started()
        self.hold(11)
        self.mta.settle()
        first = len(self.sink.of(LIST))
        self.held_ctl("release", "--list", LIST, "--pace", "2,400,000", "--observe", "1s")
        self.expect_copies(range(1, 15))
        arrived = [message.at for message in self.sink.of(LIST)[first:]]
        self.assertEqual(11, len(arrived))
        self.assertGreater((arrived[-1] - arrived[0]) / 10, 1 / 1.1, "deliveries a second")
        self.assertEqual([f"u{i}@nhs.example" for i in range(4, 15)], [m.sender for m in self.sink.of(LIST)[first:]])

    def test_a_flare_up_after_the_canary(self):
        """Two people answer while the canary is watched: nothing else goes, until somebody says so again."""
        self.started()
        ids = self.hold(6)
        release = self.start_release("--pace", "100,000,000", "--observe", "60s")
        place.wait_until(lambda: len(self.mta.held()) == 5, "the canary has gone", 20)
        parent = self.announce("bob@nhs.example")
        storm = [self.accepted(self.reply(f"v{i}@nhs.example", parent)) for i in range(2)]
        out, err = release.communicate(timeout=50)
        self.assertEqual(3, release.returncode, out + err)
        self.assertIn("stopped after 1 of 6 messages", err)
        self.assertEqual({*ids[1:], *storm}, self.mta.held())
        self.assertIn("paced release stopped", self.breakwater.ctl("events"))
        self.held_ctl("release", "--list", LIST, "--pace", "100,000,000", "--observe", "1s")
        self.mta.settle()
        self.assertEqual(set(), self.mta.held())
        self.assertEqual({1}, set(self.copies().values()))

    def test_killed_and_taken_up_again(self):
        self.started()
        self.hold(6)
        release = self.start_release("--pace", "100,000,000", "--observe", "1s")
        place.wait_until(lambda: len(self.mta.held()) < 5, "two rounds have gone", 20)
        release.kill()
        release.communicate()
        self.reconcile("--yes")
        self.expect_agreement()
        self.held_ctl("release", "--list", LIST, "--pace", "100,000,000", "--observe", "1s")
        self.expect_copies(range(1, 10))


class Postfix(Batch, Case):
    def body(self, queue_id):
        return self.mta.command("postcat", "-hbq", queue_id)

    def release_by_hand(self, queue_id):
        self.mta.postsuper("-H", queue_id)
        self.mta.command("postqueue", "-i", queue_id)

    def delete_by_hand(self, queue_id):
        self.mta.postsuper("-d", queue_id)

    def unmark(self, queue_id):
        path = self.mta.queue / "hold" / queue_id
        path.write_bytes(path.read_bytes().replace(b"X-Breakwater-Held", b"X-Somebody-Elses!"))

    def test_short_queue_ids(self):
        """A restored file gets the name that Postfix would give it: its inode is another."""
        self.started(main_cf={"enable_long_queue_ids": "no"})
        ids = self.hold(2)
        entries = self.entries()
        self.held_ctl("delete", ids[0])
        (self.mta.queue / "hold" / "taken").write_text("the inode of before")
        os.unlink(self.mta.queue / "hold" / "taken")
        keep = [open(self.scratch / f"inode{i}", "w") for i in range(3)]  # whoever comes next takes the inode that is free
        self.held_ctl("restore", ids[0])
        for file in keep:
            file.close()
        restored, = self.mta.held() - {ids[1]}
        inode = os.stat(self.mta.queue / "hold" / restored).st_ino
        self.assertEqual(f"{ids[0][:5]}{inode:X}", restored)
        self.assertEqual(entries[ids[0]]["id"], self.entries()[restored]["id"])
        self.mta.postsuper("-s", "hold")
        self.assertEqual({restored, ids[1]}, self.mta.held())
        self.assertEqual([], self.reconcile())
        self.held_ctl("release", "--force", "--list", LIST)
        self.expect_copies(range(1, 6))

    def test_released_by_hand_and_still_queued(self):
        """Its deliveries are counted when it is found, though nobody told us."""
        self.started()
        queue_id, = self.hold(1)
        self.sink.close()
        self.mta.postsuper("-H", queue_id)
        self.assertEqual([(queue_id, "released")], [(f["queue_id"], f["found"]) for f in self.reconcile("--yes")])
        self.assertEqual(["released"], [entry["state"] for entry in self.entries("--all").values()])

    def test_a_mark_copied_into_another_message(self):
        """Who has received a held message knows its mark; it makes no message of his ours."""
        self.started(main_cf={"smtpd_sender_restrictions": "check_sender_access inline:{eve@nhs.example=hold}"})
        queue_id, other = self.hold(2)
        mark = next(line for line in self.mta.postcat(queue_id).splitlines() if line.startswith("X-Breakwater-Held:"))
        place.run_sql(self.breakwater.directory / "store.db", "DELETE FROM held")
        fields = mails.post("eve@nhs.example", "bob@nhs.example", x_breakwater_held=mark.split(": ", 1)[1])
        forged = self.accepted(self.send("eve@nhs.example", "bob@nhs.example", fields))
        self.assertIn(forged, self.mta.held())
        self.assertEqual({queue_id, other}, {found["queue_id"] for found in self.reconcile("--yes")})


class Sendmail(Batch, SendmailCase):
    PEOPLE = 24

    def body(self, queue_id):
        return self.mta.text_of(queue_id)

    def release_by_hand(self, queue_id):
        self.mta.command("-Q", "-qQ", f"-qI{queue_id}")
        self.mta.command(f"-qI{queue_id}")

    def delete_by_hand(self, queue_id):
        for kind in ("hf", "df"):
            os.unlink(self.mta.file(kind, queue_id))

    def unmark(self, queue_id):
        path = self.mta.file("hf", queue_id)
        path.write_bytes(path.read_bytes().replace(b"X-Breakwater-Held", b"X-Somebody-Elses!"))


class SeveralQueues(Sendmail):
    """QueueDirectory with a last "*", and subdirectories qf, df and xf in each."""

    def started(self, **more):
        super().started(queues=3, **more)

    def test_they_are_all_used(self):
        self.started()
        self.hold(12)
        self.assertGreater(sum(bool(list(folder.iterdir())) for folder in self.mta.queue.glob("q*/qf")), 1)
        self.assertEqual([], [path for path in self.mta.queue.glob("q*/*") if path.is_file()])


class Parts(Held, SendmailCase):
    """An envelope that Sendmail splits after it was judged waits as several messages with one entry: what is done to it is done to all."""

    MC = "QUEUE_GROUP(`mqueue', `P=/var/spool/mqueue{star}, r=1')dnl"
    PEOPLE = [LIST, "bob@nhs.example", "eve@nhs.example"]

    def hold_parts(self, queues=0):
        """The entry of a message in three parts."""
        self.started(mc=self.MC.format(star="/q*" if queues else ""), queues=queues)
        self.accepted(self.send("u1@nhs.example", self.PEOPLE, mails.post("u1@nhs.example", LIST)))
        place.wait_until(lambda: len(self.mta.held()) == 3, "three parts wait", 10)
        entry, = self.breakwater.held()
        self.assertEqual(40002, entry["deliveries"])
        return entry

    def expect_once(self):
        self.mta.settle()
        place.wait_until(lambda: len(self.sink.messages) >= 3, "three parts arrive", 20)
        self.assertEqual([1, 1, 1], [self.sink.count(address) for address in self.PEOPLE])

    def test_released(self):
        for queues in (0, 3):
            with self.subTest(queues):
                entry = self.hold_parts(queues)
                self.held_ctl("release", "--force", entry["id"])
                self.assertEqual(set(), self.mta.held())
                self.expect_once()
                self.doCleanups()

    def test_deleted_and_restored(self):
        for queues in (0, 3):
            with self.subTest(queues):
                entry = self.hold_parts(queues)
                parts = self.mta.held()
                before = sorted(self.mta.text_of(part) for part in parts)
                self.held_ctl("delete", entry["id"])
                self.assertEqual([], [path for path in self.mta.queue.rglob("*[0-9]") if path.is_file()])
                self.assertEqual([], self.reconcile("--yes"))
                self.held_ctl("restore", entry["id"])
                self.assertEqual(parts, self.mta.held())
                self.assertEqual(before, sorted(self.mta.text_of(part) for part in parts))
                self.assertEqual([], self.reconcile("--yes"))
                self.held_ctl("release", "--force", entry["id"])
                self.expect_once()
                self.doCleanups()

    def test_one_part_went_by_hand(self):
        """The entry waits on for the others, even if it was the one that it names."""
        entry = self.hold_parts()
        first = entry["queue_id"]
        self.mta.command("-Q", "-qQ", f"-qI{first}")
        self.mta.command(f"-qI{first}")
        place.wait_until(lambda: len(self.sink.messages) == 1, "one part arrives", 20)
        self.age(first)
        found, = self.reconcile("--yes")
        self.assertEqual((entry["id"], "returned"), (found["id"], found["found"]))
        self.assertIn(found["queue_id"], self.mta.held())
        self.assertEqual([], self.reconcile("--yes"))
        self.held_ctl("release", "--force", entry["id"])
        self.expect_once()

    def test_a_deletion_that_was_broken_off(self):
        """Some parts are in the archive alone: nothing throws it away before the deletion was done, and undone."""
        entry = self.hold_parts()
        parts = self.mta.held()
        before = {part: {kind: self.mta.file(kind, part).read_bytes() for kind in ("hf", "df")} for part in parts}
        self.held_ctl("delete", entry["id"])
        # As a kill after the first of three has left it.
        gone = min(parts - {entry["queue_id"]})
        body = self.mta.queue / f"df{entry['queue_id']}"
        body.write_bytes(before[entry["queue_id"]]["df"])
        for part in parts - {gone}:
            (self.mta.queue / f"hf{part}").write_bytes(before[part]["hf"])
            if part != entry["queue_id"]:
                os.link(body, self.mta.queue / f"df{part}")
        place.run_sql(self.breakwater.directory / "store.db", "UPDATE held SET state = 0")
        self.assertEqual([], self.reconcile("--yes"))
        done = self.breakwater.run_ctl("--yes", "held", "release", "--force", entry["id"])
        self.assertIn("delete it, then restore it", done.stderr)
        self.held_ctl("delete", entry["id"])
        self.assertEqual(set(), self.mta.held())
        self.held_ctl("restore", entry["id"])
        self.assertEqual(parts, self.mta.held())
        self.held_ctl("release", "--force", entry["id"])
        self.expect_once()

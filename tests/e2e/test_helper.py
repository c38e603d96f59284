"""breakwater-helper on a real Postfix and a real Sendmail: what is ordered is done, once; what is forged is refused, each with its own code."""

import grp
import os
import subprocess
import time

from support import helper, mails, place

from .base import LIST, Case
from .test_sendmail import SendmailCase

STRANGER = "nobody"


class Asking:
    """One who asks the helper, of a test case that has an MTA."""

    def start_all(self, hold=None, **more):
        self.started(**more)
        self.helper = helper.Helper(self.breakwater, self.mta, hold)
        self.addCleanup(self.helper.stop)
        self.helper.start()

    def look(self, queue_id):
        row, = self.helper.ask("look", queue_id).rows
        return row

    def order(self, kind, queue_id, **changes):
        row = self.look(queue_id)
        return self.helper.order(kind, queue_id, row["id"], row["at"], **changes)

    def expect(self, answer, code):
        self.assertEqual(("refused", code), (answer["is"], answer.get("code")), answer)
        self.assertIn(f"code={code}", self.helper.log_text())

    def expect_done(self, answer):
        self.assertEqual("done", answer["is"], answer)

    def deleted(self, queue_id):
        """Deleted as the agent deletes; what it would archive: the answer to fetch, and the bytes."""
        order = self.order("delete", queue_id)
        saved = self.fetched(queue_id, order)
        self.expect_done(self.helper.ask("delete", queue_id, order))
        return saved

    def fetched(self, queue_id, order):
        answer = self.helper.ask("fetch", queue_id, order)
        self.expect_done(answer)
        contents = []
        for fd in answer.files:
            with open(fd, "rb") as file:
                contents.append(file.read())
        return answer, contents

    def put(self, queue_id, order, answer, contents, **changes):
        files = [helper.memfd(content) for content in contents]
        lines = {f"file{i}": answer[f"file{i}"] for i in range(len(contents))}
        try:
            return self.helper.ask("put", queue_id, order, files=files, **{"seal": answer["seal"], **lines, **changes})
        finally:
            for fd in files:
                os.close(fd)

    def carry_out(self, kind, queue_id, order, saved):
        if kind == "restore":
            return self.put(queue_id, order, *saved)
        if kind == "delete":
            answer = self.helper.ask("fetch", queue_id, order)
            if answer is None or answer["is"] != "done":
                return answer
            for fd in answer.files:
                os.close(fd)
        return self.helper.ask(kind, queue_id, order)


class Helped(Asking):
    """Tests that both MTAs pass; the classes below bring one."""

    def setUp(self):
        self.start_all()

    def hold(self, people):
        """So many held replies; their queue ids."""
        parent = self.announce()
        self.storm(parent, 1, 3)
        self.mta.settle()
        return [self.accepted(answer) for answer in self.storm(parent, 4, 3 + people)]

    def copies(self):
        return sorted(message.sender for message in self.sink.of(LIST))

    # -- what is true

    def test_questions(self):
        """What is held and ours is told in full; of all else, that it is there."""
        ours, theirs = self.hold(2)
        self.unmark(theirs)
        row = self.look(ours)
        entry = next(entry for entry in self.breakwater.held() if entry["queue_id"] == ours)
        self.assertEqual((entry["id"], LIST, "u4@nhs.example", "1", "conversation", "40000", "members"),
                         tuple(row[name] for name in ("id", "list", "sender", "held", "guard", "deliveries", "side")))
        self.assertEqual(LIST, row["recipients"].strip())
        self.assertEqual({"is", "queue", "held", "arrived"}, set(self.look(theirs)))
        rows = {row["queue"]: row for row in self.helper.ask("each").rows}
        self.assertEqual({ours, theirs}, set(rows))
        self.assertEqual((row["id"], None), (rows[ours]["id"], rows[theirs].get("id")))
        self.assertEqual({ours, theirs}, {row["queue"] for row in self.helper.ask("each", brief="1").rows})

    def test_release(self):
        first, second = self.hold(2)
        before = len(self.copies())
        self.expect_done(self.helper.ask("release", first, self.order("release", first)))
        self.assertEqual({second}, self.mta.held())
        self.deliver(first)
        self.mta.settle()
        place.wait_until(lambda: len(self.copies()) > before, "it has arrived", 20)
        self.assertEqual(1, self.copies().count("u4@nhs.example"))

    def test_deleted_and_restored(self):
        """Byte for byte, with its owner and its mode; and again after that."""
        ids = self.hold(2)
        before = self.state_of(ids[0])
        row = self.look(ids[0])
        answer, contents = self.deleted(ids[0])
        self.assertEqual({ids[1]}, self.mta.held())
        for _ in range(2):
            order = self.helper.order("restore", ids[0], row["id"], row["at"])
            back = self.put(ids[0], order, answer, contents)
            self.expect_done(back)
            self.assertEqual([back["queue"]], back.notes)
            self.assertEqual({ids[1], back["queue"]}, self.mta.held())
            self.assertEqual(before, self.state_of(back["queue"]))
            self.expect(self.put(ids[0], order, answer, contents), "replayed")
            self.expect_done(self.helper.ask("delete", back["queue"], self.order("delete", back["queue"])))

    def test_what_has_waited_for_hold_keep(self):
        """Goes without an order, and nothing else does."""
        ids = self.hold(2)
        time.sleep(1.1)
        for keep in ("0s", "1h", "1s"):
            self.helper.stop()
            self.breakwater.config["hold"]["keep"] = keep
            self.breakwater.write()
            self.helper.start()
            for ask in ("fetch", "delete") if keep != "1s" else ():
                self.expect(self.helper.ask(ask, ids[0]), "not-due")
        for ask in ("release", "put", "hold"):
            self.expect(self.helper.ask(ask, ids[0]), "other-command")
        self.unmark(ids[1])
        self.expect(self.helper.ask("delete", ids[1]), "no-mark")
        self.assertEqual(set(ids), self.mta.held())
        answer = self.helper.ask("fetch", ids[0])
        self.expect_done(answer)
        for fd in answer.files:
            os.close(fd)
        self.expect_done(self.helper.ask("delete", ids[0]))
        self.assertEqual({ids[1]}, self.mta.held())

    # -- what is forged

    def test_forged_orders(self):
        """One of each kind, each with a code of its own; nothing is done."""
        one, two, theirs = self.hold(3)
        row = self.look(one)
        self.unmark(theirs)
        make = lambda kind="release", queue_id=one, **changes: self.helper.order(kind, queue_id, row["id"], row["at"], **changes)
        good = make()
        evil = f"{one}; rm -rf $HOME"
        shell = "$(reboot)"
        cases = (
            ("bad-signature", one, make(key=bytes(32))),
            ("bad-signature", one, good.replace("release", "restore")),
            ("bad-signature", one, good[:-1] + ("0" if good[-1] != "0" else "1")),
            ("bad-order", one, make(at="soon")),
            ("bad-order", one, make(queue=evil)),
            ("expired", one, make(until=int(time.time() * 1000) - 1)),
            ("other-host", one, make(host="mx2")),
            ("other-command", one, make("delete")),
            ("other-command", one, make("freeze")),
            ("other-message", two, good),
            ("other-message", two, make(queue_id=two)),
            ("other-message", one, self.helper.order("release", one, row["id"], int(row["at"]) + 1)),
            ("other-message", one, self.helper.order("release", one, "ab" * 16, row["at"])),
            ("no-mark", theirs, make(queue_id=theirs)),
            ("no-message", self.no_such_id(one), make(queue_id=self.no_such_id(one))),
            ("bad-id", shell, make(queue_id=shell)),
            ("bad-id", "../../etc/passwd", make(queue_id="../../etc/passwd")),
            ("bad-id", "ALL", make(queue_id="ALL")),
            ("bad-id", "-d", make(queue_id="-d")),
            ("other-command", one, None),
            ("bad-request", one, make(mta="uucp"), {"mta": "uucp"}),
            ("bad-request", one, good, {"config": "/etc"} if self.helper.config else {"mta": "postfix"}),
        )
        for code, queue_id, order, *changes in cases:
            with self.subTest(code, order=order):
                self.expect(self.helper.ask("release", queue_id, order, **(changes[0] if changes else {})), code)
        self.assertEqual({one, two, theirs}, self.mta.held())
        self.expect_done(self.helper.ask("release", one, good))
        self.expect(self.helper.ask("release", one, good), "replayed")
        self.helper.stop()
        self.helper.start()
        self.expect(self.helper.ask("release", one, good), "replayed")
        self.expect(self.helper.ask("release", one, make()), "no-message")

    def test_forged_files(self):
        """Only what was handed over comes back, and only where it was."""
        one, two = self.hold(2)
        row, other = self.look(one), self.look(two)
        answer, contents = self.deleted(one)
        changed = contents[:-1] + [contents[-1].replace(b"u4@", b"u5@").replace(b"a", b"b", 1)]
        restore = lambda **changes: self.helper.order("restore", one, **{"mark_id": row["id"], "at_ms": row["at"], **changes})
        name, mode, *rest = answer["file0"].split()
        suid = " ".join([name, str(0o4755), *rest])
        self.assertNotEqual(contents, changed)
        self.expect(self.put(one, restore(), answer, changed), "bad-seal")
        self.expect(self.put(one, restore(mark_id=other["id"]), answer, contents), "bad-seal")
        self.expect(self.put(one, restore(at_ms=other["at"]), answer, contents), "bad-seal")
        self.expect(self.put(one, restore(), answer, contents, seal="0" * 64), "bad-seal")
        self.expect(self.put(one, restore(), answer, contents, file0=" ".join([name, "0511", *rest])), "bad-request")
        self.expect(self.put(one, restore(), answer, contents, file0=" ".join([name, "511", *rest])), "bad-seal")
        self.expect(self.put(one, restore(), answer, contents, file0=suid), "bad-request")
        self.expect(self.put(one, restore(), answer, contents, file0=answer["file0"].replace(name, "passwd")), "bad-request")
        self.expect(self.put(one, restore(), answer, []), "bad-request")
        self.refuse_a_giant(one, restore(), answer)
        loose = [helper.memfd(content, sealed=False) for content in contents]
        lines = {f"file{i}": answer[f"file{i}"] for i in range(len(contents))}
        self.expect(self.helper.ask("put", one, restore(), files=loose, seal=answer["seal"], **lines), "bad-request")
        for fd in loose:
            os.close(fd)
        self.assertEqual({two}, self.mta.held())
        self.assertEqual([], [name for name in os.listdir(self.helper.directory / "state") if name.endswith(".zst")])

    def refuse_a_giant(self, queue_id, order, answer):
        """A file without end is not read."""
        fd = helper.memfd(b"", 1 << 40)
        name, mode, uid, gid, _ = answer["file0"].split()
        line = f"{name} {mode} {uid} {gid} {1 << 40}"
        self.expect(self.helper.ask("put", queue_id, order, files=[fd], seal=answer["seal"], file0=line), "bad-request")
        os.close(fd)

    def test_strangers_and_nonsense(self):
        """Another user is turned away, and whatever comes, the helper goes on."""
        one, = self.hold(1)
        self.helper.socket.chmod(0o666)
        with self.helper.client(STRANGER) as client:
            self.expect(client.receive(), "not-allowed")
        self.assertEqual("done", self.helper.ask("look", one, user="root")["is"])
        for data in (b"x", b"ask=look", b"=\0", b"ask\0", b"\0", b"ask=\0" * 300, b"ask=look\0mta=\0", b"ask=each\0mta=" + b"a" * 90000 + b"\0"):
            with self.subTest(data[:20]), self.helper.client() as client:
                client.send(data)
                self.expect(client.receive(), "bad-request")
        clients = [self.helper.client() for _ in range(20)]
        self.expect_done(self.helper.ask("look", one))
        for client in clients:
            client.close()
        self.expect_done(self.helper.ask("look", one))

    # -- accepted mail

    def post_waiting(self):
        """An accepted post that is still queued; its queue id and when it was accepted."""
        self.sink.close()
        queue_id = self.accepted(self.send("comms@nhs.example", LIST, mails.post("comms@nhs.example", LIST)))
        place.wait_until(lambda: queue_id in self.deferred(), "it is deferred", 30)
        return queue_id, int(time.time() * 1000)

    def test_freeze_thaw_drop(self):
        """Accepted mail bears no mark: when it came tells which it is."""
        queue_id, at_ms = self.post_waiting()
        order = lambda kind, at=at_ms: self.helper.order(kind, queue_id, "ab" * 16, at)
        for ask, kind in (("hold", "freeze"), ("release", "thaw")):
            for at in (at_ms - 2 * 3600000, at_ms + 2 * 3600000):
                self.expect(self.helper.ask(ask, queue_id, order(kind, at)), "other-message")
        self.expect(self.helper.ask("release", queue_id, order("thaw")), "no-message")
        self.expect(self.helper.ask("hold", queue_id, order("release")), "other-command")
        self.expect_done(self.helper.ask("hold", queue_id, order("freeze")))
        self.assertEqual({queue_id}, self.mta.held())
        self.expect_done(self.helper.ask("release", queue_id, order("thaw")))
        self.assertEqual(set(), self.mta.held())
        self.expect_done(self.helper.ask("hold", queue_id, order("freeze")))
        answer = self.helper.ask("fetch", queue_id, order("drop"))
        self.expect_done(answer)
        contents = []
        for fd in answer.files:
            with open(fd, "rb") as file:
                contents.append(file.read())
        self.expect_done(self.helper.ask("delete", queue_id, order("drop")))
        self.assertEqual((set(), set()), (self.deferred(), self.mta.held()))
        self.expect_done(self.put(queue_id, order("restore"), answer, contents))
        self.assertEqual({queue_id}, self.mta.held())

    def test_a_held_message_is_no_post(self):
        """Nor is a post that is held by somebody else one of ours."""
        queue_id, = self.hold(1)
        row = self.look(queue_id)
        for ask, kind in (("hold", "freeze"), ("release", "thaw"), ("delete", "drop")):
            self.expect(self.helper.ask(ask, queue_id, self.helper.order(kind, queue_id, row["id"], row["at"])), "other-message")

    # -- killed

    def test_killed_and_ordered_again(self):
        """At each point, for each command: what was ordered happens once, and a repeated order finds what is left to do."""
        ids = self.hold(3 * len(helper.FAULTS))
        reached = set()
        for fault in helper.FAULTS:
            for kind in ("release", "delete", "restore"):
                with self.subTest(fault, kind=kind):
                    if self.kill_at(fault, kind, ids.pop()):
                        reached.add(fault)
        wanted = set(helper.FAULTS) - (set() if self.helper.mta == "sendmail" else {"answered"})
        self.assertEqual(wanted, reached)
        self.mta.settle()
        copies = [sender for sender in self.copies() if sender != "comms@nhs.example"]
        self.assertEqual(sorted(set(copies)), copies, "nobody's reply comes twice")
        self.assertEqual(3 + len(helper.FAULTS), len(copies), "those that passed, and those that were released")

    def kill_at(self, fault, kind, queue_id):
        """False: this kind of order does not get there."""
        row = self.look(queue_id)
        saved = self.deleted(queue_id) if kind == "restore" else None
        order = self.helper.order(kind, queue_id, row["id"], row["at"])
        self.helper.stop()
        self.helper.start("-k", fault)
        first = self.carry_out(kind, queue_id, order, saved)
        died = first is None or (fault == "answered" and self.helper.mta == "sendmail" and kind == "release")
        if died:
            self.assertEqual(-9, self.helper.killed())
        self.helper.stop()
        self.helper.start()
        again = self.carry_out(kind, queue_id, order, saved)
        self.assertIn(again.get("code"), (None, "replayed", "no-message"), again)
        held = self.mta.held()
        self.assertEqual(kind == "restore", queue_id in held, "released, deleted, or back")
        if kind == "restore":
            self.expect_done(self.helper.ask("delete", queue_id, self.order("delete", queue_id)))
        if kind == "release":
            self.run_queue(queue_id)
        return died


class Postfix(Helped, Case):
    def deferred(self):
        return self.mta.queue_ids("deferred")

    def unmark(self, queue_id):
        path = self.mta.queue / "hold" / queue_id
        path.write_bytes(path.read_bytes().replace(b"X-Breakwater-Held", b"X-Somebody-Elses!"))

    def deliver(self, queue_id):
        self.mta.command("postqueue", "-i", queue_id)

    def run_queue(self, queue_id):
        self.mta.command("postqueue", "-i", queue_id, check=False)

    def state_of(self, queue_id):
        path = self.mta.queue / "hold" / queue_id
        stat = path.stat()
        return path.read_bytes(), stat.st_mode, stat.st_uid, stat.st_gid

    def no_such_id(self, queue_id):
        return queue_id[:6] + "0000z0000"

    def test_requeue(self):
        queue_id, = self.hold(1)
        mark = self.look(queue_id)["id"]
        self.sink.close()
        self.expect_done(self.helper.ask("requeue", queue_id, self.order("release", queue_id)))
        self.assertEqual(set(), self.mta.held())
        carrier, = place.wait_until(lambda: self.helper.ask("carriers", since=str(int(time.time() * 1000) - 600000)).rows,
                                    "it is in the queue under another id", 90, 0.2)
        self.assertNotEqual(queue_id, carrier["queue"])
        self.assertIn(f"id={mark}", carrier["mark"])

    # -- at its start

    def test_as_a_service(self):
        """With the socket that systemd hands over, and with no more than its unit allows."""
        self.helper.stop()
        self.helper.start_as_a_service()
        ids = self.hold(3)
        row = self.look(ids[0])
        self.expect_done(self.helper.ask("release", ids[1], self.order("release", ids[1])))
        before = self.state_of(ids[0])
        saved = self.deleted(ids[0])
        self.assertEqual({ids[2]}, self.mta.held())
        self.expect_done(self.put(ids[0], self.helper.order("restore", ids[0], row["id"], row["at"]), *saved))
        self.assertEqual({ids[0], ids[2]}, self.mta.held())
        self.assertEqual(before, self.state_of(ids[0]))
        self.assertEqual({row["id"], self.look(ids[2])["id"]}, {row["id"] for row in self.helper.ask("each").rows if row["held"] == "1"})

    def refuses_to_start(self, text, *arguments):
        done = subprocess.run(self.helper.command(*arguments), capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(1, done.returncode, done.stderr)
        self.assertIn(text, done.stderr)

    def test_refuses_to_start(self):
        self.refuses_to_start("another breakwater-helper answers there")
        self.helper.stop()
        self.helper.key.chmod(0o644)
        self.refuses_to_start("must belong to root")
        self.helper.key.chmod(0o640)
        self.breakwater.config_file.chmod(0o664)
        self.refuses_to_start("nobody else may write to it")
        self.breakwater.config_file.chmod(0o644)
        os.chown(self.breakwater.config_file, 5, 0)
        self.refuses_to_start("must belong to root")
        os.chown(self.breakwater.config_file, 0, 0)
        self.refuses_to_start("must not be able to read", "-g", "games")
        self.refuses_to_start("no group", "-g", "no-such-group")
        self.helper.directory.chmod(0o777)
        self.refuses_to_start("hold.helper_socket")
        self.helper.directory.chmod(0o755)
        self.helper.start("-g", "staff")
        stat = self.helper.key.stat()
        self.assertEqual((0, grp.getgrnam("staff").gr_gid, 0o640), (stat.st_uid, stat.st_gid, stat.st_mode & 0o7777))
        stat = self.helper.socket.stat()
        self.assertEqual((0, 0o660), (stat.st_uid, stat.st_mode & 0o7777))

    def test_two_instances(self):
        """Only those that hold.postfix_config names."""
        self.helper.stop()
        self.breakwater.config["hold"]["postfix_config"] = ["/nowhere", str(self.mta.config)]
        self.breakwater.write()
        self.helper.start()
        queue_id, = self.hold(1)
        self.assertEqual(queue_id, self.look(queue_id)["queue"])
        self.expect(self.helper.ask("look", queue_id, config="/etc/postfix"), "bad-request")
        self.expect(self.helper.ask("look", queue_id, config=""), "bad-request")


class Sendmail(Helped, SendmailCase):
    def deferred(self):
        return self.mta.waiting()

    def unmark(self, queue_id):
        path = self.mta.queue / f"hf{queue_id}"
        path.write_bytes(path.read_bytes().replace(b"X-Breakwater-Held", b"X-Somebody-Elses!"))

    def deliver(self, queue_id):
        """The helper does."""

    def run_queue(self, queue_id):
        """Of one who was killed before that."""
        self.mta.command(f"-qI{queue_id}")

    def state_of(self, queue_id):
        return [(path.read_bytes(), path.stat().st_mode, path.stat().st_uid, path.stat().st_gid)
                for path in (self.mta.queue / f"{kind}{queue_id}" for kind in ("hf", "df"))]

    def no_such_id(self, queue_id):
        return queue_id[:8] + "000001"

    def test_requeue(self):
        queue_id, = self.hold(1)
        self.expect(self.helper.ask("requeue", queue_id, self.order("release", queue_id)), "bad-request")
        self.assertEqual({queue_id}, self.mta.held())

"""A message that Sendmail has split after it was judged: breakwater-helper and breakwater-agent do to all parts what an order says of one."""

import os

from support import helper, mails, place

from . import test_helper, test_orders
from .base import LIST
from .test_sendmail import SendmailCase

OTHERS = ["bob@nhs.example", "eve@nhs.example"]
MC = "QUEUE_GROUP(`mqueue', `P=/var/spool/mqueue, r=1')dnl"


class Requests(test_helper.Asking, SendmailCase):
    """A message that Sendmail has split: an order that names one part deletes, restores and releases all."""

    def setUp(self):
        self.start_all(mc=MC)

    def hold(self, sender, others=OTHERS):
        """The queue id of the entry, and those of all parts."""
        before = self.mta.held()
        self.accepted(self.send(sender, [LIST, *others], mails.post(sender, LIST)))
        place.wait_until(lambda: len(self.mta.held() - before) == 1 + len(others), "all parts wait", 20)
        entry, = [entry for entry in self.breakwater.held() if entry["sender"] == sender]
        return entry["queue_id"], self.mta.held() - before

    def file(self, kind, queue_id):
        return self.mta.queue / f"{kind}{queue_id}"

    def state_of(self, parts):
        """Byte for byte, with owner and mode; and that they share one body, as Sendmail has made them."""
        paths = [self.file(kind, part) for part in sorted(parts) for kind in ("hf", "df")]
        bodies = {self.file("df", part).stat().st_ino for part in parts}
        return len(bodies), [(path.read_bytes(), path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in paths]

    def left(self):
        return sorted(path.name for path in self.mta.queue.rglob("*[0-9]") if path.is_file())

    def expect_once(self):
        place.wait_until(lambda: len(self.sink.messages) >= 3, "all parts arrive", 20)
        self.mta.settle()
        self.assertEqual([1, 1, 1], [self.sink.count(address) for address in [LIST, *OTHERS]])

    def test_deleted_restored_released(self):
        first, parts = self.hold("u1@nhs.example")
        row, before = self.look(first), self.state_of(parts)
        self.assertEqual(1, before[0])
        for _ in range(2):
            answer, contents = self.deleted(first)
            self.assertEqual(["hf", "df", *(f"hf{part}" for part in sorted(parts - {first}))],
                             [answer["file0"].split()[0], answer["file1"].split()[0], *sorted(answer[f"file{i}"].split()[0] for i in (2, 3))])
            self.assertEqual([], self.left())
            restore = self.helper.order("restore", first, row["id"], row["at"])
            self.expect_done(self.put(first, restore, answer, contents))
            self.assertEqual(before, self.state_of(parts))
            self.assertEqual(parts, self.mta.held())
            self.expect(self.put(first, restore, answer, contents), "replayed")
        self.expect_done(self.helper.ask("release", first, self.order("release", first)))
        self.expect_once()

    def test_somebody_elses_part(self):
        """A part without the message's own mark is none: nothing is handed over, deleted or let go."""
        first, parts = self.hold("u1@nhs.example")
        other, _ = self.hold("u2@nhs.example")
        stranger = max(parts - {first})
        path = self.file("hf", stranger)
        good = path.read_bytes()
        held = self.mta.held()
        for code, text in (("no-mark", good.replace(b"X-Breakwater-Held", b"X-Somebody-Elses!")),
                           ("other-message", self.file("hf", other).read_bytes())):
            path.write_bytes(text)
            for ask, kind in (("fetch", "delete"), ("delete", "delete"), ("release", "release")):
                with self.subTest(code, ask=ask):
                    self.expect(self.helper.ask(ask, first, self.order(kind, first)), code)
            self.assertEqual(held, self.mta.held())
        path.write_bytes(good)
        self.deleted(first)
        self.assertEqual(held - parts, self.mta.held())

    def test_forged_files(self):
        """One file more, one less, another order, another name: none of it is what was handed over."""
        first, parts = self.hold("u1@nhs.example")
        row, part = self.look(first), min(parts - {first})
        answer, contents = self.deleted(first)
        restore = lambda: self.helper.order("restore", first, row["id"], row["at"])
        lines = [answer[f"file{i}"] for i in range(4)]
        unlike = lines[3].replace(lines[3].split()[0], f"hf{part[:-1]}{(int(part[-1]) + 1) % 10}")
        changed = contents[:3] + [contents[3].replace(b"eve@", b"all@").replace(b"bob@", b"all@")]
        self.assertNotEqual(contents, changed)
        cases = (
            ("one more", lines + [lines[3]], contents + [contents[3]], "bad-seal"),
            ("one more by another name", lines + [unlike], contents + [contents[3]], "bad-seal"),
            ("one less", lines[:3], contents[:3], "bad-seal"),
            ("another name", lines[:3] + [unlike], contents, "bad-seal"),
            ("another order", [lines[0], lines[1], lines[3], lines[2]], contents[:2] + [contents[3], contents[2]], "bad-seal"),
            ("other bytes", lines, changed, "bad-seal"),
            ("no name of a part", lines[:3] + [lines[3].replace("hf", "qf")], contents, "bad-request"),
            ("a file without a line", lines, contents + [contents[3]], "bad-request"),
        )
        for what, named, bytes_of, code in cases:
            with self.subTest(what):
                self.expect(self.put(first, restore(), {"seal": answer["seal"], **{f"file{i}": line for i, line in enumerate(named)},
                                                        **({"file4": ""} if len(bytes_of) > len(named) else {})}, bytes_of), code)
                self.assertEqual([], self.left())
        self.expect_done(self.put(first, restore(), answer, contents))
        self.assertEqual(parts, self.mta.held())

    def test_what_stands_under_a_parts_name(self):
        """A part that is back already is left; another's message under its name is not taken for one, and stays as it is."""
        first, parts = self.hold("u1@nhs.example")
        row, before = self.look(first), self.state_of(parts)
        theirs, _ = self.hold("u2@nhs.example")
        part = min(parts - {first})
        answer, contents = self.deleted(first)
        restore = lambda: self.helper.order("restore", first, row["id"], row["at"])
        texts = {kind: self.file(kind, theirs).read_bytes() for kind in ("hf", "df")}
        for kind, text in texts.items():
            self.file(kind, part).write_bytes(text)
        self.expect(self.put(first, restore(), answer, contents), "other-message")
        self.assertEqual([texts["hf"], texts["df"]], [self.file(kind, part).read_bytes() for kind in ("hf", "df")])
        self.assertFalse(self.file("hf", first).exists())
        for kind in texts:
            self.file(kind, part).unlink()
        # As a kill has left it before the part that the order names was back, and with a body that is not shared.
        self.expect_done(self.put(first, restore(), answer, contents))
        self.file("hf", first).unlink()
        self.file("hf", max(parts - {first})).unlink()
        self.file("df", part).unlink()
        self.file("df", part).write_bytes(contents[1])
        self.expect_done(self.put(first, restore(), answer, contents))
        self.assertEqual(before[0], self.state_of(parts)[0])
        self.assertLessEqual(parts, self.mta.held())
        self.expect_done(self.helper.ask("release", first, self.order("release", first)))
        self.expect_once()

    def test_as_many_as_a_packet_carries(self):
        """Each part has a file, and all share one body. Of one part more nothing is handed over or deleted."""
        most = helper.FILES_MAX - 1
        people = [f"p{i}@nhs.example" for i in range(most)]
        first, parts = self.hold("u1@nhs.example", people[1:])
        row, before = self.look(first), self.state_of(parts)
        self.assertEqual((most, 1), (len(parts), before[0]))
        answer, contents = self.deleted(first)
        self.assertEqual(([], helper.FILES_MAX), (self.left(), len(contents)))
        self.expect_done(self.put(first, self.helper.order("restore", first, row["id"], row["at"]), answer, contents))
        self.assertEqual(before, self.state_of(parts))
        many, more = self.hold("u2@nhs.example", people)
        for ask in ("fetch", "delete"):
            answer = self.helper.ask(ask, many, self.order("delete", many))
            self.assertEqual(("failed", "limit"), (answer["is"], answer["err"]))
            self.assertIn(f"{most + 1} parts", answer["why"])
        self.assertEqual(parts | more, self.mta.held())

    def test_killed_and_ordered_again(self):
        """At each point: no part is lost, and the order that is repeated does what is left."""
        first, parts = self.hold("u1@nhs.example")
        row, before = self.look(first), self.state_of(parts)
        saved, died = None, []
        for fault in helper.FAULTS[:-1]:
            for kind in ("delete", "restore"):
                with self.subTest(fault, kind=kind):
                    if kind == "delete":
                        saved = self.fetched(first, self.order("delete", first))
                    order = self.helper.order(kind, first, row["id"], row["at"])
                    self.helper.stop()
                    self.helper.start("-k", fault)
                    if self.carry_out(kind, first, order, saved) is None:
                        self.assertEqual(-9, self.helper.killed())
                        died.append((fault, kind))
                    self.helper.stop()
                    self.helper.start()
                    again = self.carry_out(kind, first, order, saved)
                    self.assertIn(again.get("code"), (None, "replayed", "no-message"), again)
                    if kind == "delete":
                        self.assertEqual([], self.left())
        self.assertEqual(before, self.state_of(parts))
        both = [(fault, kind) for fault in ("checked", "done", "noted") for kind in ("delete", "restore")]
        self.assertEqual(sorted([*both, ("sealed", "delete"), ("named", "restore")]), sorted(died))


class Orders(test_orders.Ordered, SendmailCase):
    """A message that Sendmail has split is one entry, and an order on it is about all parts."""

    walk, finish = test_orders.Killed.walk, test_orders.Killed.finish

    def setUp(self):
        self.start_all(mc=MC)
        self.accepted(self.send("u1@nhs.example", [test_orders.RELEASED, *OTHERS], mails.post("u1@nhs.example", test_orders.RELEASED)))
        place.wait_until(lambda: len(self.mta.held()) == 3, "three parts wait", 10)
        self.entry, = self.entries()
        self.parts = self.mta.held()

    def files(self):
        return {path.name: path.read_bytes() for path in self.mta.queue.rglob("*[0-9]") if path.is_file()}

    def expect_once(self):
        place.wait_until(lambda: len(self.sink.messages) >= 3, "all parts arrive", 30)
        self.mta.settle()
        self.assertEqual([1, 1, 1], [self.sink.count(address) for address in [test_orders.RELEASED, *OTHERS]])

    def test_deleted_restored_released(self):
        before = self.files()
        for _ in range(2):
            self.ordered("held", "delete", self.entry["id"])
            self.assertEqual({}, self.files())
            self.assertEqual([], self.breakwater.json_lines("held", "reconcile"))
            self.ordered("held", "restore", self.entry["id"])
            self.assertEqual(before, self.files())
            self.assertEqual([], self.breakwater.json_lines("held", "reconcile"))
        self.ordered("held", "release", "--force", self.entry["id"])
        self.expect_once()

    def test_a_deletion_that_was_broken_off(self):
        """One part is in the archive alone: who is not root sees that, too, and throws nothing away."""
        before = self.files()
        self.ordered("held", "delete", self.entry["id"])
        gone = min(self.parts - {self.entry["queue_id"]})
        body = self.mta.queue / f"df{self.entry['queue_id']}"
        for name in sorted(before, key=lambda name: (name != body.name, name)):
            if name[2:] != gone and name[:2] == "df" and name != body.name:
                os.link(body, self.mta.queue / name)
            elif name[2:] != gone:
                (self.mta.queue / name).write_bytes(before[name])
        place.run_sql(self.breakwater.directory / "store.db", "UPDATE held SET state = 0")
        self.assertEqual([], self.breakwater.json_lines("held", "reconcile"))
        self.assertIn("delete it, then restore it", self.ordered("held", "release", "--force", self.entry["id"], code=1))
        self.ordered("held", "delete", self.entry["id"])
        self.assertEqual({}, self.files())
        self.ordered("held", "restore", self.entry["id"])
        self.assertEqual(before, self.files())
        self.ordered("held", "release", "--force", self.entry["id"])
        self.expect_once()

    def test_the_agent_is_killed_at_every_point(self):
        """Of a deletion and of a restoration: all parts go, and all come back."""
        before = self.files()

        def restart():
            self.agent.killed()
            self.agent.start()

        def start(point):
            self.agent.stop()
            self.agent.start("-k", str(point))

        self.assertEqual(3, len(self.mta.held()))
        for at_delete, at_restore in ((4, 8), (5, 9), (6, 10), (7, 10)):
            with self.subTest((at_delete, at_restore)):
                deleted = self.walk(at_delete, "delete", self.entry, start, restart)
                self.assertEqual({}, self.files())
                self.walk(at_restore, "restore", deleted, start, restart)
                self.assertEqual(before, self.files())
        self.ordered("held", "release", "--force", self.entry["id"])
        self.expect_once()
        self.assertEqual([], self.breakwater.json_lines("held", "reconcile"))
        self.assertEqual([], self.orders())

"""An MTA that misbehaves at every stage: the daemon lives, counts nothing of it, and judges the next message."""

import struct

from support import mails, milter_mta, milter_wire as wire

from .base import HUGE, LISTS, POSTER, Case, people

STAGES = ("connected", "negotiate", "connect", "helo", "mail", "rcpt", "data", "header", "eoh", "body")
COMMANDS = ("connect", "helo", "mail", "rcpt", "data", "header", "eoh", "body", "eom", "abort", "quit", "unknown")


def walk(session, stage, sender="u1@nhs.example", parent="<x@nhs.example>"):
    """Brings a session up to and through `stage` with a reply to HUGE."""
    fields = mails.reply(sender, HUGE, parent)
    steps = {
        "connected": lambda: None,
        "negotiate": session.negotiate,
        "connect": session.connect,
        "helo": session.helo,
        "mail": lambda: session.mail(sender),
        "rcpt": lambda: session.rcpts([HUGE]),
        "data": session.data,
        "header": lambda: [session.header(n, v) for n, v in fields],
        "eoh": session.eoh,
        "body": lambda: session.body(b"text\r\n"),
    }
    for name in STAGES[:STAGES.index(stage) + 1]:
        steps[name]()


def closes(session):
    session.close()


def garbage(session):
    session.send(b"\xff\x00GET / HTTP/1.1\r\n\r\n" * 20)


def truncated(session):
    session.send(struct.pack(">I", 400) + b"L" + b"Subject\0cut")
    session.close()


def oversized(session):
    session.send(struct.pack(">I", 0x7fffffff) + b"B" + b"x" * 4096)


def empty(session):
    session.send(struct.pack(">I", 0))


def unterminated(session):
    """Strings without their NUL, in the commands that carry strings."""
    session.send(b"".join(wire.packet(wire.COMMAND[c], b"<a@b") for c in ("mail", "rcpt", "header", "helo", "connect")))


def no_data(session):
    session.send(b"".join(wire.packet(wire.COMMAND[c]) for c in ("mail", "rcpt", "header", "helo", "connect", "macros")))


def odd_macros(session):
    session.send(wire.packet(b"D") + wire.packet(b"D", b"M") + wire.packet(b"D", b"Mi\0") + wire.packet(b"D", b"M{auth_authen}\0x"))


MISDEEDS = (closes, garbage, truncated, oversized, empty, unterminated, no_data, odd_macros)


class EveryStage(Case):
    def misdeeds(self, deed):
        self.started()
        parent = self.announce()
        for i, stage in enumerate(STAGES):
            with self.subTest(stage=stage):
                session = milter_mta.Session(self.breakwater.socket)
                try:
                    walk(session, stage, f"m{i}@nhs.example", parent)
                    deed(session)
                except (milter_mta.Gone, OSError):
                    pass  # the daemon may well hang up
                finally:
                    session.close()
                self.assertTrue(self.breakwater.alive(), self.breakwater.log_text()[-3000:])
        # None of it counts as an attempt.
        self.assertEqual(["accept"] * 3 + ["hold"], self.replies(people(1, 4), parent))
        self.expect_sane()


def _misdeed_test(deed):
    return lambda self: self.misdeeds(deed)


for _deed in MISDEEDS:
    setattr(EveryStage, f"test_{_deed.__name__}", _misdeed_test(_deed))


class Order(Case):
    def test_every_command_after_every_stage(self):
        """Out of order, unasked for, or twice: an answer or a hang-up, never a crash."""
        self.started()
        data = {"connect": wire.strings("h") + wire.address("192.0.2.1"), "helo": b"h\0", "mail": b"<a@b>\0",
                "rcpt": wire.strings(f"<{HUGE}>"), "header": b"Subject\0x\0", "body": b"x", "unknown": b"XYZZY\0"}
        for stage in STAGES[1:]:
            for command in COMMANDS:
                with self.subTest(stage=stage, command=command):
                    session = milter_mta.Session(self.breakwater.socket, timeout=0.3)
                    try:
                        walk(session, stage)
                        session.command(command, data.get(command, b""))
                        session.command("eom")
                        session.answer()
                    except (milter_mta.Gone, OSError):
                        pass
                    finally:
                        session.close()
        self.expect_sane()

    def test_an_abort_after_each_stage(self):
        self.started()
        parent = self.announce()
        session = self.session()
        session.open()
        for i, stage in enumerate(STAGES[4:]):
            sender = f"a{i}@nhs.example"
            session.mail(sender)
            for name in STAGES[5:STAGES.index(stage) + 1]:
                {"rcpt": lambda: session.rcpts([HUGE]), "data": session.data, "eoh": session.eoh,
                 "header": lambda: [session.header(n, v) for n, v in mails.reply(sender, HUGE, parent)],
                 "body": lambda: session.body(b"text\r\n")}[name]()
            session.abort()
            self.expect("accept", session.message(POSTER, [HUGE], headers=mails.reply(POSTER, HUGE, parent)))
        self.assertEqual(["accept"] * 3 + ["hold"], self.replies(people(1, 4), parent))

    def test_two_negotiations_and_old_versions(self):
        self.started()
        for version in (0, 1, 2, 3, 4, 5, 6, 7, 0x7fffffff):
            with self.subTest(version=version):
                session = milter_mta.Session(self.breakwater.socket, timeout=2)
                session.offer = (version, wire.ALL_ACTIONS, wire.ALL_STEPS)
                try:
                    session.negotiate().negotiate()
                except (milter_mta.Gone, OSError):
                    pass
                finally:
                    session.close()
        self.expect_sane()


class Silence(Case):
    def test_silent_sessions_delay_nobody(self):
        """One at every stage, thirty times over, and the work goes on beside them."""
        self.started(lists=LISTS)
        parent = self.announce()
        silent = []
        for i in range(300):
            session = self.session()
            walk(session, STAGES[i % len(STAGES)], f"s{i}@nhs.example", parent)
            silent.append(session)
        self.assertEqual(["accept"] * 3 + ["hold"], self.replies(people(1, 4), parent))
        self.expect_sane()

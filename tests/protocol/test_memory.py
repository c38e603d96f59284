"""Memory, in the release build: bounded by lists, never by recipients, sessions or misbehaviour."""

import gc

from support import mails, milter_mta

from .base import HUGE, POSTER, Case

MIB = 1024
MILLIONS = 840000


def recipients(count):
    return (f"member{i}@nhs.example" for i in range(count))


class Rcpt(Case):
    def resident(self, session, count, to):
        """VmRSS while a transaction with `count` recipients and those in `to` is open; then its verdict."""
        session.open()
        session.mail(POSTER)
        session.rcpts(recipients(count), macros=False)
        session.rcpts(to)
        over = session.data()  # its answer comes after every RCPT was seen
        resident = self.breakwater.rss_kib()
        if over is None:
            for name, value in mails.post(POSTER, HUGE):
                session.header(name, value)
            session.eoh()
            over = session.eom()
            resident = max(resident, self.breakwater.rss_kib())
        else:
            session.abort()
        return resident, over

    def compare(self, to, stage):
        self.started(settings={"huge.list.budget": "1000000000"})
        session = self.session()
        for _ in range(5):
            self.resident(session, 84, to)
        few, _ = self.resident(session, 84, to)
        many, verdict = self.resident(session, MILLIONS, to)
        gc.collect()
        self.assertEqual(("accept", stage), (verdict.action, verdict.stage), verdict)
        print(f"        VmRSS with 84 RCPT {few} KiB, with {MILLIONS:,} {many} KiB", flush=True)
        self.assertLessEqual(many - few, 1 * MIB)
        self.expect_sane()

    def test_840_000_recipients_of_ordinary_mail(self):
        self.compare([], "data")

    def test_840_000_recipients_beside_a_list(self):
        self.compare([HUGE], "eom")


class Sessions(Case):
    def test_sessions_leave_nothing_behind(self):
        """Two thousand sessions, broken off at the end of their headers."""
        self.started()

        def round_of(count):
            for _ in range(count):
                session = milter_mta.Session(self.breakwater.socket)
                session.prepare("u1@nhs.example", [HUGE], headers=mails.post("u1@nhs.example", HUGE) + [("X", "y" * 5000)])
                session.close()
            self.expect_sane()
            return self.breakwater.rss_kib()

        before = round_of(300)
        after = round_of(2000)
        self.assertLessEqual(after - before, 1 * MIB)

    def test_large_headers_are_not_kept(self):
        self.started()
        fields = mails.post("u1@nhs.example", HUGE) + [(f"X-{i}", "y" * 60000) for i in range(17)]
        self.send("u1@nhs.example", HUGE, fields)
        before = self.breakwater.rss_kib()
        for _ in range(50):
            self.send("u1@nhs.example", HUGE, fields)
        self.assertLessEqual(self.breakwater.rss_kib() - before, 2 * MIB)

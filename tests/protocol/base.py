"""What the protocol tests share: a daemon in a scratch directory, a few lists, and people who write to them."""

import unittest

from support import daemon, mails, milter_mta, place

HUGE = "all-england@nhs.example"     # 40,000: tier huge, 3 senders, budget 1,000,000
LARGE = "region@nhs.example"         # 4,000: tier large, no gate below 25,000
POSTER = "comms@nhs.example"
POSTERS = (POSTER, f"inside:{POSTER}")  # by login, and by a host that authenticates its users itself

LISTS = (daemon.mail_list(HUGE, 40000, posters=POSTERS), daemon.mail_list(LARGE, 4000, posters=POSTERS))


class Case(unittest.TestCase):
    """One daemon a test, in a scratch directory of its own; `started(…)` takes Daemon's arguments."""

    def setUp(self):
        self.scratch = place.Scratch("protocol")
        self.addCleanup(self.scratch.remove)

    def started(self, lists=LISTS, **more):
        self.breakwater = daemon.Daemon(self.scratch, lists=lists, **more)
        self.addCleanup(self.breakwater.end)
        return self.breakwater.start()

    def session(self, client=daemon.CLIENT, **more):
        """An MTA connected to the daemon; closed at the end of the test."""
        session = milter_mta.Session(self.breakwater.socket, client=client, **more)
        self.addCleanup(session.__exit__)
        return session

    # -- people

    def send(self, sender, to, fields, client=daemon.CLIENT, **more):
        """One message on a connection of its own; its verdict."""
        to = [to] if isinstance(to, str) else to
        return milter_mta.message(self.breakwater.socket, sender, to, client=client, headers=fields, **more)

    def announce(self, to=HUGE, sender=POSTER, **more):
        """A poster's post that must pass; its Message-ID."""
        fields = mails.post(sender, to)
        self.expect("accept", self.send(sender, to, fields, **more))
        return mails.value(fields, "Message-ID")

    def reply(self, who, parent, to=HUGE, **more):
        """`who` (a local part) replies to the message `parent` and to all."""
        sender = who if "@" in who else f"{who}@nhs.example"
        return self.send(sender, to, mails.reply(sender, to, parent), **more)

    def replies(self, people, parent, **more):
        """The verdicts' words, in order."""
        return [self.reply(who, parent, **more).action for who in people]

    def expect(self, action, verdict, guard=None):
        """The verdict's action; for hold, its mark's guard too."""
        self.assertEqual(action, verdict.action, f"{verdict}\n{self.breakwater.log_text()[-1500:]}")
        if guard:
            self.assertEqual(guard, mark(verdict).get("guard"), verdict)
        return verdict

    def expect_sane(self):
        """The daemon lives and still judges: ordinary mail passes at DATA, a stranger to the list's posters is held."""
        self.assertTrue(self.breakwater.alive(), self.breakwater.log_text()[-3000:])
        ordinary = self.send("a@nhs.example", "b@nhs.example", mails.post("a@nhs.example", "b@nhs.example"))
        self.assertEqual(("accept", "data"), (ordinary.action, ordinary.stage))
        self.expect("hold", self.send("nobody@nhs.example", HUGE, mails.post("nobody@nhs.example", HUGE)), "gate")


def people(first, last):
    return [f"u{i}@nhs.example" for i in range(first, last + 1)]


def mark(verdict):
    """X-Breakwater-Held as a dict: "v=1; id=…; list=…; guard=…; mac=…"."""
    text = verdict.header("X-Breakwater-Held") or ""
    return dict(part.strip().split("=", 1) for part in text.split(";") if "=" in part)

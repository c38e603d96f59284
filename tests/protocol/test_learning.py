"""Sizes learned from what list servers and expanders hand on: proposals that act in shadow until somebody confirms them."""

from support import daemon, mails, milter_mta, place

from .base import HUGE, LARGE, Case, people
from .shared import Shared

STAFF = "staff@nhs.example"
LISTS = (daemon.mail_list(HUGE, 40000), daemon.mail_list(LARGE, 4000))


def output(fields, address):
    """What Mailman adds (RFC 2369, RFC 2919)."""
    return [*fields, ("List-Id", f"<{address.replace('@', '.')}>"), ("List-Post", f"<mailto:{address}>")]


class Learning:
    """Of each store; `hosts` hosts share it."""

    def hand_on(self, socket, address, members, client=daemon.LIST_SERVER, apiece=1000, fields=None):
        """One message to so many members; all must pass."""
        fields = fields or output(mails.post("ann@nhs.example", address), address)
        with milter_mta.Session(socket, client=client) as session:
            for first in range(0, members, apiece):
                to = [f"m{i}@nhs.example" for i in range(first, first + apiece)]
                verdict = session.message("staff-bounces@nhs.example", to, headers=fields)
                self.assertEqual("accept", verdict.action, verdict)
        return fields

    def lists(self, *words):
        return {o["address"]: o for o in self.breakwater.json_lines("list", "ls", *words)}

    def learned(self, address):
        return self.breakwater.json_lines("list", "ls", address, "--all")

    def check_all_of_it(self, sockets):
        """Half of the output through one host, half through the other; a forger at both."""
        fields = self.hand_on(sockets[0], STAFF, 15000)
        for number in range(15, 30):
            to = [f"m{number}.{i}@nhs.example" for i in range(1000)]
            milter_mta.message(sockets[-1], "staff-bounces@nhs.example", to, client=daemon.LIST_SERVER, headers=fields)
        self.hand_on(sockets[0], LARGE, 6000)
        self.hand_on(sockets[0], "depot@nhs.example", 3000)
        self.hand_on(sockets[0], "forged@nhs.example", 2000, client=daemon.STRANGER)
        self.hand_on(sockets[-1], "claimed@nhs.example", 2000, client=daemon.PLAIN)
        place.wait_until(lambda: [o["size"] for o in self.learned(STAFF)] == [30000], "what both hosts saw is learned", 40, 0.3)
        self.assertEqual({HUGE: 40000, LARGE: 4000}, {a: o["size"] for a, o in self.lists().items()})
        place.wait_until(lambda: self.learned("depot@nhs.example") and "proposal" in self.lists()[LARGE], "the others are learned", 40, 0.3)
        self.assertEqual({HUGE, LARGE, STAFF, "depot@nhs.example"}, set(self.lists("--all")))
        self.breakwater.ctl("--yes", "list", "rm", "depot@nhs.example")
        self.assertEqual({HUGE, LARGE, STAFF}, set(self.lists("--all")))
        staff = self.lists("--all")[STAFF]
        self.assertEqual((30000, "learned", "huge", False), (staff["size"], staff["source"], staff["tier"], staff["unconfirmed"]))
        self.assertEqual(6000, self.lists()[LARGE]["proposal"])
        events = [e["list"] for e in self.breakwater.json_lines("events") if e["event"] == "learned"]
        self.assertEqual({"depot@nhs.example", LARGE, STAFF}, set(events))

    def check_shadow_then_confirmed(self):
        """Shadow stops nobody; the operator's word does. Nothing of it remains a proposal."""
        self.assertEqual(["accept"] * 6, [self.send(who, STAFF, mails.post(who, STAFF)).action for who in people(1, 6)])
        self.assertIn("would=hold guard=gate", self.breakwater.log_text())
        self.assertIn("learned", self.breakwater.ctl("list", "show", STAFF))
        for address in (STAFF, LARGE):
            self.breakwater.ctl("--yes", "list", "confirm", address)
        self.assertEqual({HUGE: (40000, "config"), LARGE: (6000, "operator"), STAFF: (30000, "operator")},
                         {a: (o["size"], o["source"]) for a, o in self.lists("--all").items()})
        self.assertNotIn("proposal", self.lists()[LARGE])
        self.expect("hold", self.send("u9@nhs.example", STAFF, mails.post("u9@nhs.example", STAFF)), "gate")

    def check_taken_away(self):
        self.breakwater.ctl("--yes", "list", "rm", STAFF, "--force")
        self.assertEqual({HUGE, LARGE}, set(self.lists("--all")))


class Embedded(Learning, Case):
    def test_learned_confirmed_removed(self):
        self.started(lists=LISTS)
        self.check_all_of_it([self.breakwater.socket])
        self.check_shadow_then_confirmed()
        self.check_taken_away()


class Redis(Learning, Shared):
    def test_learned_confirmed_removed(self):
        self.shared(hosts=2, lists=LISTS)
        self.check_all_of_it(self.sockets)
        self.check_shadow_then_confirmed()
        self.check_taken_away()

"""Redirected replies over the wire: what the MTA is told, and never more than a hundred of a conversation, whatever races."""

from support import daemon, mails, milter_mta

from .base import POSTERS, people
from .shared import Shared

HOSTS, SOCKETS, LIMIT = 4, 40, 100
LIST = "all-england@nhs.example"
POSTER = "<comms@nhs.example>"


class Race(Shared):
    """Four daemons on one Redis, forty sockets each, all released at once."""

    def redirected(self, parent, who):
        """How many of these replies went to the poster; the others wait."""
        storm = milter_mta.Storm(self.sockets, [dict(sender=one, rcpts=[LIST], headers=mails.reply(one, LIST, parent)) for one in who],
                                 client=daemon.CLIENT)
        verdicts = storm.release()
        gone = [v for v in verdicts if v.action == "accept" and v.deleted]
        self.assertEqual(len(verdicts) - len(gone), [v.action for v in verdicts].count("hold"))
        for verdict in gone:
            self.assertEqual([f"<{LIST}>"], verdict.deleted)
            self.assertEqual([POSTER.encode()], [data.split(b"\0")[0] for _, data in verdict.other])
        return len(gone)

    def test_a_hundred_of_a_conversation(self):
        self.shared(HOSTS, [daemon.mail_list(LIST, 40000, posters=POSTERS)],
                    settings={"huge.conversation.action": "redirect", "huge.list.senders": "off", "huge.list.budget": "off"})
        for run in range(3):
            parent = self.announce(to=LIST)
            for who in people(1, 3):
                self.expect("accept", self.send(who, LIST, mails.reply(who, LIST, parent)))
            self.assertEqual(LIMIT, self.redirected(parent, people(4, 3 + HOSTS * SOCKETS)), f"run {run}")
            self.assertEqual(0, self.redirected(parent, people(500, 499 + HOSTS * SOCKETS)), f"run {run}, after them")
        self.assertEqual([], [line for d in self.daemons for line in d.log_text().splitlines() if "degraded=yes" in line])

"""What the end-to-end tests share: a private chrooted Postfix, a sink behind it, breakwaterd in front of it."""

import unittest

from support import daemon, mails, place, postfix, sink, smtp

LIST = "all-england@nhs.example"   # 40,000: tier huge
POSTER = "comms@nhs.example"
LISTS = (daemon.mail_list(LIST, 40000, posters=[POSTER]),)


class Case(unittest.TestCase):
    """started(…) takes Daemon's arguments; `main_cf` goes to Postfix."""

    def started(self, lists=LISTS, main_cf=None, with_daemon=True, **more):
        self.scratch = place.Scratch("e2e")
        self.addCleanup(self.scratch.remove)
        self.sink = sink.Sink()
        self.addCleanup(self.sink.close)
        self.mta = postfix.Postfix(self.scratch / "postfix", self.sink.port, settings=main_cf)
        self.breakwater = daemon.Daemon(self.scratch, lists=lists, socket_path=self.mta.milter_socket, user=daemon.USER,
                                        socket_group=self.mta.milter_group, mta=self.mta, **more)
        self.addCleanup(self.mta.stop)
        self.addCleanup(self.breakwater.end)
        if with_daemon:
            self.breakwater.start()
        self.mta.start()

    def send(self, sender, to, fields, login=True, address=daemon.CLIENT, port=None):
        """One message; the Answer. By default its sender has logged in."""
        to = [to] if isinstance(to, str) else to
        return smtp.deliver(port or self.mta.port, sender, to, mails.render(fields), login=sender if login else None,
                            address=address)

    def accepted(self, answer):
        """Its queue id, once it is known that the answer is 250."""
        self.assertEqual(250, answer.code, answer)
        return answer.queue_id

    def announce(self, to=LIST):
        """A poster's post; its Message-ID."""
        fields = mails.post(POSTER, to)
        self.accepted(self.send(POSTER, to, fields))
        return mails.value(fields, "Message-ID")

    def reply(self, who, parent, to=LIST, **more):
        return self.send(who, to, mails.reply(who, to, parent), **more)

    def storm(self, parent, first, last):
        """Replies of distinct people; the answers."""
        return [self.reply(f"u{i}@nhs.example", parent) for i in range(first, last + 1)]

    def expect_agreement(self):
        """The ledger's waiting messages are those of the hold queue, by queue id."""
        self.assertEqual(self.mta.held(), {entry["queue_id"] for entry in self.breakwater.held()})

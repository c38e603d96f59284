"""The sending side: an SMTP client that can be somebody else (XCLIENT) and sends many RCPT at once."""

import collections
import re
import smtplib

Answer = collections.namedtuple("Answer", "code text queue_id")

RCPT_AT_ONCE = 500  # pipelined RCPT commands in flight; their answers must fit the socket's buffers


# Postfix's "2.0.0 Ok: queued as 4Zabc", Sendmail's "2.0.0 3AM3bJ8O012345 Message accepted for delivery".
QUEUED = re.compile(r"queued as (\w+)|^2\.0\.0 (\w+) Message accepted")


def queue_id_of(text):
    """"2.0.0 Ok: queued as 4Zabc" -> "4Zabc"."""
    found = QUEUED.search(text)
    return found and (found.group(1) or found.group(2))


class Client(smtplib.SMTP):
    """Client(port, login="alice@nhs.example", address="192.0.2.7") speaks as that SASL user from that address.

    Postfix believes XCLIENT from loopback in these tests; a real host would have seen AUTH. `source`: the loopback
    address to come from, for an MTA that has no XCLIENT.
    """

    def __init__(self, port, login=None, address=None, helo="client.nhs.example", source=None):
        super().__init__("127.0.0.1", port, local_hostname=helo, timeout=60, source_address=(source, 0) if source else None)
        attributes = []
        if address:
            attributes += ["NAME=[UNAVAILABLE]", f"ADDR={address}"]
        if login:
            attributes.append(f"LOGIN={login}")
        self.ehlo()
        if attributes:
            self._become(" ".join(attributes))

    def _become(self, attributes):
        code, text = self.docmd("XCLIENT", attributes)
        if code != 220:
            raise smtplib.SMTPResponseException(code, text)
        self.ehlo_resp = self.helo_resp = None
        self.ehlo()

    def deliver(self, sender, recipients, message):
        """One transaction; returns the Answer to the end of data, or the first refusal (of MAIL or RCPT)."""
        code, text = self.docmd("MAIL", f"FROM:<{sender}>")
        if code != 250:
            return self._refused(code, text)
        refusal = self._recipients(recipients)
        if refusal:
            return self._refused(*refusal)
        code, text = self.data(message)
        text = text.decode("latin-1")
        return Answer(code, text, queue_id_of(text) if code == 250 else None)

    def data(self, message):
        """As smtplib's, but a refusal of DATA is an answer like any other."""
        try:
            return super().data(message)
        except smtplib.SMTPDataError as refused:
            return refused.smtp_code, refused.smtp_error

    def _recipients(self, recipients):
        refusal = None
        for start in range(0, len(recipients), RCPT_AT_ONCE):
            part = recipients[start:start + RCPT_AT_ONCE]
            self.send("".join(f"RCPT TO:<{r}>\r\n" for r in part).encode())
            for _ in part:
                answer = self.getreply()
                if answer[0] != 250 and refusal is None:
                    refusal = answer
        return refusal

    def _refused(self, code, text):
        self.rset()
        return Answer(code, text.decode("latin-1"), None)


def deliver(port, sender, recipients, message, **who):
    """One message over a connection of its own, `who` as Client takes it; returns its Answer."""
    with Client(port, **who) as client:
        return client.deliver(sender, recipients, message)

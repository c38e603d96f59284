"""Mail that no one should send: fewer facts, never a crash, and the verdict that its sender deserves."""

from support import mails

from .base import HUGE, POSTER, Case, people

LONG = 60000  # of one header field; libmilter takes packets of up to 65,535 bytes


def changed(fields, **changes):
    """Fields replaced by name (dashes as underscores); None removes one."""
    named = {n.replace("_", "-").lower(): v for n, v in changes.items()}
    kept = [(n, named.get(n.lower(), v)) for n, v in fields]
    return [(n, v) for n, v in kept if v is not None]


# What each does to a well-formed reply. The sender stays one more sender, so the fourth of them is held all the same.
DEFORMITIES = {
    "NULs in the subject": lambda f: changed(f, subject=b"Re: \xc3\x28 Upd"),
    "bare CR": lambda f: changed(f, subject=b"Re: Up\rdate\r\r"),
    "8-bit that is no UTF-8": lambda f: changed(f, subject=bytes(range(128, 256))) + [("X-\xff", b"\xfe\xff")],
    "no Date, no From": lambda f: changed(f, date=None, **{"from": None}),
    "two of everything": lambda f: f + f,
    "empty values": lambda f: f + [("X", ""), ("References", ""), ("Subject", ""), ("Message-ID", "")],
    "a subject of 60,000 bytes": lambda f: changed(f, subject="Re: " * (LONG // 4)),
    "60,000 bytes without a blank": lambda f: f + [("References", "<" + "x" * LONG)],
    "10,000 references": lambda f: f + [("References", " ".join(f"<{i}@x>" for i in range(5000)))] * 2,
    "a megabyte of header": lambda f: f + [(f"X-{i}", "y" * LONG) for i in range(17)],
    "30,000 fields": lambda f: f + [("X-Y", "z")] * 30000,
    "encoded words within encoded words": lambda f: changed(f, subject="=?utf-8?q?" * 2000 + "?=" * 2000),
    "an unknown charset": lambda f: changed(f, subject="=?x-none?B?////?= =?utf-8?b?!!!!?="),
    "folded to nothing": lambda f: changed(f, subject="Re:\r\n \r\n\t\r\n "),
    "comments in comments": lambda f: changed(f, **{"from": "(" * 20000 + ")" * 20000 + " <a@b>"}),
    "an endless group": lambda f: changed(f, to="group: " + "a@b, " * 10000),
    "Thread-Index of rubbish": lambda f: f + [("Thread-Index", "A" * LONG), ("Thread-Index", "====")],
    "Content-Type of rubbish": lambda f: changed(f, content_type='multipart/mixed; boundary="' + "=" * LONG),
}


class Header(Case):
    def setUp(self):
        super().setUp()
        self.started()

    def test_deformities(self):
        for name, deform in DEFORMITIES.items():
            with self.subTest(name):
                parent = self.announce_again()
                verdicts = [self.send(who, HUGE, deform(mails.reply(who, HUGE, parent))).action for who in people(1, 3)]
                self.assertLessEqual(set(verdicts), {"accept", "hold"})
                self.assertTrue(self.breakwater.alive(), self.breakwater.log_text()[-3000:])
        self.expect_sane()

    def announce_again(self):
        """Each deformity has a conversation of its own; the poster's budget is no matter here."""
        fields = mails.post(POSTER, HUGE)
        self.send(POSTER, HUGE, fields)
        return mails.value(fields, "Message-ID")

    def test_deformed_replies_still_count(self):
        parent = self.announce()
        ways = ("no Date, no From", "8-bit that is no UTF-8", "bare CR", "an unknown charset")
        verdicts = [self.send(who, HUGE, DEFORMITIES[way](mails.reply(who, HUGE, parent))).action
                    for who, way in zip(people(1, 4), ways)]
        self.assertEqual(["accept"] * 3 + ["hold"], verdicts)

    def test_no_message_id(self):
        """Without one, two different posts are two posts, and a reply is known by what it refers to."""
        parent = self.announce()
        verdicts = [self.send(who, HUGE, changed(mails.reply(who, HUGE, parent), message_id=None)).action
                    for who in people(1, 4)]
        self.assertEqual(["accept"] * 3 + ["hold"], verdicts)

    def test_no_header_at_all(self):
        self.expect("hold", self.send("u1@nhs.example", HUGE, []), "gate")
        self.expect("accept", self.send(POSTER, HUGE, []))


class Envelope(Case):
    def setUp(self):
        super().setUp()
        self.started()

    def test_senders_and_recipients_that_are_none(self):
        odd = ("", "@", "a", "a@", "@b", "a@b@c", '"a b"@nhs.example', "a" * 5000 + "@nhs.example", "a@" + "b." * 5000,
               "\udcff\udcfe@nhs.example", "=?x?=@nhs.example", "a\r\nb@nhs.example", "%s%n@nhs.example", "a@[127.0.0.1]",
               "SRS0=xx=yy=evil.example=a@nhs.example", "x" * 60000)
        for address in odd:
            with self.subTest(address=address[:40]):
                self.send(address, ["b@nhs.example"], mails.post("a@nhs.example", "b@nhs.example"))
                verdict = self.send("u1@nhs.example", [address, HUGE], mails.post("u1@nhs.example", HUGE))
                self.expect("hold", verdict, "gate")
                # The null sender is weak evidence of an automaton; either guard holds.
                self.expect("hold", self.send(address, [HUGE], mails.post("u1@nhs.example", HUGE)))
        self.expect_sane()

    def test_ten_thousand_recipients(self):
        recipients = [f"r{i}@nhs.example" for i in range(10000)]
        verdict = self.send("a@nhs.example", recipients, mails.post("a@nhs.example", "undisclosed:;"))
        self.assertEqual(("accept", "data"), (verdict.action, verdict.stage))
        self.expect("hold", self.send("a@nhs.example", recipients + [HUGE], mails.post("a@nhs.example", HUGE)), "gate")

    def test_the_list_named_many_times_is_one_list(self):
        verdict = self.send(POSTER, [HUGE, HUGE.upper(), HUGE.replace("@", "+x@")] * 100, mails.post(POSTER, HUGE))
        self.expect("accept", verdict)


class Body(Case):
    def test_nested_and_endless_parts(self):
        self.started()
        parent = self.announce()
        fields = changed(mails.reply("u1@nhs.example", HUGE, parent), content_type='multipart/mixed; boundary="b"')
        bodies = (b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" * 3000, b"--b\r\n" * 20000, b"\0" * 200000,
                  b"--b\r\nContent-Type: message/rfc822\r\n\r\n" * 3000, b"\r" * 200000, b"x" * 3000000)
        for body in bodies:
            self.send("u1@nhs.example", HUGE, fields, body=body)
        self.expect_sane()

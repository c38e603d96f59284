"""Twenty thousand RCPT in one transaction, Postfix's limit raised."""

from support import mails

from .base import LIST, POSTER, Case

MANY = 20000


class Recipients(Case):
    def setUp(self):
        self.started(main_cf={"smtpd_recipient_limit": str(MANY + 10)}, settings={"sender.recipients": "off"})
        self.people = [f"member{i}@nhs.example" for i in range(MANY)]

    def test_ordinary_mail(self):
        before = self.breakwater.rss_kib()
        self.accepted(self.send("a@nhs.example", self.people, mails.post("a@nhs.example", "undisclosed:;")))
        self.assertLessEqual(self.breakwater.rss_kib() - before, 4096)
        self.mta.settle(120)
        self.assertEqual(MANY, sum(self.sink.recipients.values()))

    def test_beside_a_list_the_whole_is_held(self):
        fields = mails.post("a@nhs.example", LIST)
        queue_id = self.accepted(self.send("a@nhs.example", self.people + [LIST], fields))
        self.assertEqual({queue_id}, self.mta.held())
        self.expect_agreement()
        self.assertEqual(MANY + 40000, self.breakwater.held()[0]["deliveries"])

    def test_beside_a_list_from_its_poster(self):
        self.accepted(self.send(POSTER, [LIST] + self.people, mails.post(POSTER, LIST)))
        self.mta.settle(120)
        self.assertEqual(MANY + 1, sum(self.sink.recipients.values()))

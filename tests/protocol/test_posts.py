"""Accepted list messages are remembered with their queue ids; and what the ledger keeps readable is the operator's choice."""

import contextlib
import sqlite3

from support import daemon, mails, place

from .base import HUGE, LARGE, POSTER, POSTERS, Case

SMALL = "team@nhs.example"
LISTS = (daemon.mail_list(HUGE, 40000, posters=POSTERS), daemon.mail_list(LARGE, 4000, posters=POSTERS),
         daemon.mail_list(SMALL, 40, posters=POSTERS))


class Store(Case):
    def rows(self, statement):
        with contextlib.closing(sqlite3.connect(self.breakwater.directory / "store.db", timeout=10)) as store:
            store.row_factory = sqlite3.Row
            return [dict(row) for row in store.execute(statement)]

    def posts(self, count):
        return place.wait_until(lambda: (lambda rows: rows if len(rows) >= count else None)(self.rows("SELECT * FROM post ORDER BY seq")),
                                f"{count} posts are remembered")


class Posts(Store):
    def test_posts_and_replies(self):
        """One row a list of a medium tier or above; none for what was stopped, for small lists, for single people."""
        self.started(lists=LISTS)
        parent = self.announce()
        self.assertEqual(["accept"] * 3 + ["hold"], self.replies(("u1", "u2", "u3", "u4"), parent))
        both = mails.post(POSTER, [LARGE, HUGE])
        self.expect("accept", self.send(POSTER, [LARGE, HUGE, SMALL, "b@nhs.example"], both))
        self.expect("accept", self.send(POSTER, SMALL, mails.post(POSTER, SMALL)))
        posts = self.posts(6)
        self.assertEqual([HUGE] * 4 + sorted([HUGE, LARGE]), [p["list"] for p in posts[:4]] + sorted(p["list"] for p in posts[4:]))
        self.assertEqual([POSTER, "u1@nhs.example", "u2@nhs.example", "u3@nhs.example", POSTER, POSTER], [p["sender"] for p in posts])
        self.assertEqual([40000] * 4 + [4000, 40000], [p["deliveries"] for p in posts[:4]] + sorted(p["deliveries"] for p in posts[4:]))
        self.assertEqual(1, len({p["conversation"] for p in posts[:4]}), "a post and its replies")
        self.assertEqual(5, len({p["id"] for p in posts}), "one id a message")
        self.assertEqual(parent.strip("<>"), posts[0]["message_id"].strip("<>"))
        for p in posts:
            self.assertTrue(p["queue_id"] and p["host"] and p["mta"], p)
            self.assertEqual(0, p["state"])
        self.breakwater.stop()
        self.assertEqual(6, len(self.rows("SELECT * FROM post")))

    def test_shadow(self):
        """What passes in shadow is queued as well."""
        self.started(lists=LISTS, mode="shadow")
        parent = self.announce()
        self.replies([f"u{i}" for i in range(1, 7)], parent)
        self.assertEqual(7, len(self.posts(7)))

    def test_the_last_moment(self):
        """A daemon that is stopped right after a message hands it over before it ends."""
        self.started(lists=LISTS)
        self.announce()
        self.breakwater.stop()
        self.assertEqual(1, len(self.rows("SELECT * FROM post")))


class Privacy(Store):
    def hold(self, **privacy):
        self.started(lists=LISTS, sections={"privacy": privacy})
        self.expect("hold", self.send("eve@nhs.example", HUGE, mails.post("eve@nhs.example", HUGE)), "gate")
        self.announce()
        return self.rows("SELECT * FROM held")[0], self.posts(1)[0]

    def test_readable(self):
        held, post = self.hold()
        self.assertEqual("eve@nhs.example", held["sender"])
        self.assertIn("eve@nhs.example", held["identity"])
        self.assertNotEqual("", held["subject"])
        self.assertEqual(POSTER, post["sender"])

    def test_no_sender(self):
        held, post = self.hold(sender=False)
        self.assertEqual(("", "", ""), (held["sender"], held["identity"], post["sender"]))
        self.assertNotEqual("", held["subject"])

    def test_no_subject(self):
        held, post = self.hold(subject=False)
        self.assertEqual("", held["subject"])
        self.assertEqual(("eve@nhs.example", POSTER), (held["sender"], post["sender"]))

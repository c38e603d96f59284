"""Accepted messages whose copies are still queued: frozen, thawed, dropped, restored, on a real Postfix and a real Sendmail."""

import os

from support import agent, helper, mails, place, sink

from . import test_redis
from .base import LIST, POSTER, Case
from .test_sendmail import SendmailCase

COLLEAGUE = "bob@nhs.example"


class Frozen:
    """Tests that both MTAs pass; the classes below bring one."""

    def stuck(self):
        """A post that was accepted and cannot be delivered yet, and a message to one person beside it; their queue ids."""
        self.started()
        port = self.sink.port
        self.sink.close()
        self.port = port
        fields = mails.post(POSTER, LIST)
        post = self.accepted(self.send(POSTER, LIST, fields))
        self.parent = mails.value(fields, "Message-ID")
        other = self.accepted(self.send("u9@nhs.example", COLLEAGUE, mails.post("u9@nhs.example", COLLEAGUE)))
        for queue_id in (post, other):
            place.wait_until(lambda: self.tried(queue_id), f"{queue_id} was tried in vain", 30, 0.1)
        place.wait_until(lambda: self.states() == {post: "queued"}, "the post is remembered", 10)
        return post, other

    def reachable(self):
        """From now on mail can be delivered."""
        self.sink = sink.Sink(self.port)
        self.addCleanup(self.sink.close)

    def states(self):
        words = ("queued", "frozen", "thawed", "dropped")
        return {queue_id: words[state] for queue_id, state in
                place.rows_of(self.breakwater.directory / "store.db", "SELECT queue_id, state FROM post")}

    def storm_ctl(self, *arguments, yes=True):
        return self.breakwater.run_ctl(*(["--yes"] if yes else []), "storm", *arguments)

    def done(self, *arguments):
        result = self.storm_ctl(*arguments)
        self.assertEqual(0, result.returncode, result.stdout + result.stderr)
        return result.stdout

    def archive(self):
        folder = self.breakwater.directory / "archive"
        return sorted(os.listdir(folder)) if folder.exists() else []

    def conversation(self):
        (conversation,), = place.rows_of(self.breakwater.directory / "store.db", "SELECT hex(conversation) FROM post")
        return conversation.lower()

    def test_frozen_and_thawed(self):
        """Shown first, then frozen: nothing of it is delivered, whoever flushes the queue. Thawed, it comes once."""
        post, other = self.stuck()
        shown = self.storm_ctl("freeze", "--list", LIST, yes=False)
        self.assertEqual(0, shown.returncode, shown.stderr)
        self.assertIn("mx1: 1 message, at most 40,000 copies", shown.stdout)
        self.assertIn("nothing was done", shown.stdout)
        self.assertEqual(({post: "queued"}, set()), (self.states(), self.mta.held()))
        self.done("freeze", self.conversation()[:8])
        self.assertEqual(({post: "frozen"}, {post}), (self.states(), self.mta.held()))
        self.reachable()
        self.flush()
        place.wait_until(lambda: self.sink.count(COLLEAGUE) == 1, "the message beside it is delivered", 30)
        self.assertEqual(0, self.sink.count(LIST))
        self.assertEqual(1, self.storm_ctl("freeze", "--list", LIST).returncode, "it is frozen already")
        self.done("thaw", "--list", LIST)
        place.wait_until(lambda: self.sink.count(LIST) == 1, "the post is delivered", 30)
        self.mta.settle()
        self.assertEqual((1, {post: "thawed"}, set()), (self.sink.count(LIST), self.states(), self.mta.held()))
        self.assertEqual(1, self.storm_ctl("drop", "--list", LIST).returncode)
        self.assertEqual([], self.archive())

    def test_thawed_at_a_pace(self):
        """The canary first, then the others; all of them, once."""
        first, other = self.stuck()
        posts = {first} | {self.accepted(self.send(POSTER, LIST, mails.post(POSTER, LIST))) for _ in range(2)}
        place.wait_until(lambda: self.states() == {post: "queued" for post in posts}, "the posts are remembered", 10)
        for post in posts:
            place.wait_until(lambda: self.tried(post), "it was tried in vain", 30, 0.1)
        self.done("freeze", "--list", LIST)
        self.assertEqual(posts, self.mta.held())
        self.reachable()
        self.done("thaw", "--list", LIST, "--pace", "40,000,000", "--observe", "1s")
        self.flush()
        place.wait_until(lambda: self.sink.count(LIST) == 3, "all copies arrive", 30)
        self.mta.settle()
        self.assertEqual((3, {post: "thawed" for post in posts}), (self.sink.count(LIST), self.states()))

    def test_dropped(self):
        post, other = self.stuck()
        self.done("freeze", "--list", LIST)
        shown = self.storm_ctl("drop", "--list", LIST, yes=False)
        self.assertEqual((0, {post}), (shown.returncode, self.mta.held()))
        self.done("drop", "--list", LIST)
        self.assertEqual(({post: "dropped"}, set()), (self.states(), self.mta.held()))
        self.assertEqual(1, len(self.archive()), "it lies in the archive")
        self.reachable()
        self.flush()
        place.wait_until(lambda: self.sink.count(COLLEAGUE) == 1, "the message beside it is delivered", 30)
        place.wait_until(self.nothing_queued, "the queue is empty", 30, 0.1)
        self.assertEqual(0, self.sink.count(LIST))
        self.assertEqual(1, self.storm_ctl("thaw", "--list", LIST).returncode)

    def test_restored(self):
        """Dropped by mistake: back in the hold queue, once, whatever is typed again; thawed, it comes."""
        post, other = self.stuck()
        self.done("freeze", "--list", LIST)
        self.assertEqual(1, self.storm_ctl("restore", "--list", LIST).returncode, "it was not dropped")
        self.done("drop", "--list", LIST)
        shown = self.storm_ctl("restore", "--list", LIST, yes=False)
        self.assertEqual((0, set(), 1), (shown.returncode, self.mta.held(), len(self.archive())), shown.stderr)
        self.assertIn("would be restored: 1 message", shown.stdout)
        printed = self.done("restore", self.conversation()[:8])
        self.assertIn("restored 1 message, 40,000 deliveries; `storm thaw` lets them go", printed)
        (name, state), = self.states().items()
        self.assertEqual(("frozen", {name}, []), (state, self.mta.held(), self.archive()))
        self.assertEqual(1, self.storm_ctl("restore", "--list", LIST).returncode, "it is back already")
        self.done("drop", "--list", LIST)
        self.assertEqual((set(), 1), (self.mta.held(), len(self.archive())))
        self.done("restore", "--list", LIST)
        self.reachable()
        self.flush()
        place.wait_until(lambda: self.sink.count(COLLEAGUE) == 1, "the message beside it is delivered", 30)
        self.assertEqual(0, self.sink.count(LIST))
        self.done("thaw", "--list", LIST)
        place.wait_until(lambda: self.sink.count(LIST) == 1, "the post is delivered", 30)
        place.wait_until(self.nothing_queued, "the queue is empty", 30, 0.1)
        self.assertEqual((1, ["thawed"], set()), (self.sink.count(LIST), list(self.states().values()), self.mta.held()))

    def test_restored_too_late(self):
        """Its archive is gone: said, and nothing else happens."""
        post, other = self.stuck()
        self.done("freeze", "--list", LIST)
        self.done("drop", "--list", LIST)
        for name in self.archive():
            os.remove(self.breakwater.directory / "archive" / name)
        result = self.storm_ctl("restore", "--list", LIST)
        self.assertEqual(1, result.returncode, result.stdout)
        self.assertIn("not in the archive any more", result.stdout + result.stderr)
        self.assertEqual(({post: "dropped"}, set()), (self.states(), self.mta.held()))

    def test_somebody_elses_hold(self):
        """What was held by hand is left alone, and stays what it is."""
        post, other = self.stuck()
        self.hold_by_hand(post)
        result = self.storm_ctl("freeze", "--list", LIST)
        self.assertEqual(1, result.returncode)
        self.assertIn("not by breakwater", result.stdout + result.stderr)
        self.assertEqual(({post: "queued"}, {post}), (self.states(), self.mta.held()))

    def test_another_message(self):
        """A queue id that means another message by now: what came at another time is not touched."""
        post, other = self.stuck()
        self.change(f"UPDATE post SET queue_id = '{other}', accepted_ms = accepted_ms - 60000")
        result = self.storm_ctl("freeze", "--list", LIST)
        self.assertEqual(1, result.returncode)
        self.assertIn("did not come when", result.stdout + result.stderr)
        self.assertEqual(set(), self.mta.held())
        self.change("UPDATE post SET accepted_ms = accepted_ms + 2 * 3600 * 1000 + 60000")
        self.assertEqual(1, self.storm_ctl("freeze", "--list", LIST).returncode, "and what came an hour before as little")
        self.assertEqual(set(), self.mta.held())

    def test_delivered(self):
        """Nothing of it is queued any more."""
        self.started()
        queue_id = self.accepted(self.send(POSTER, LIST, mails.post(POSTER, LIST)))
        place.wait_until(lambda: self.sink.count(LIST) == 1, "the post is delivered", 30)
        self.mta.settle()
        place.wait_until(lambda: self.states() == {queue_id: "queued"}, "the post is remembered", 10)
        result = self.storm_ctl("freeze", "--list", LIST)
        self.assertEqual(1, result.returncode)
        self.assertIn("not queued any more", result.stdout + result.stderr)

    def test_which(self):
        post, other = self.stuck()
        for arguments, code in ((("freeze",), 2), (("freeze", "abcd", "--list", LIST), 2), (("freeze", "no-id"), 2),
                                (("freeze", "00000000"), 1), (("freeze", "--list", "nobody@nhs.example"), 1),
                                (("thaw", "--list", LIST), 1)):
            with self.subTest(arguments):
                self.assertEqual(code, self.storm_ctl(*arguments).returncode)
        self.assertEqual(({post: "queued"}, set()), (self.states(), self.mta.held()))

    def test_other_hosts(self):
        """Without orders each host freezes its own, and says what is elsewhere."""
        post, other = self.stuck()
        columns = "queue_id, mta, list, conversation, sender, message_id, deliveries, accepted_ms, state, state_ms, format"
        self.change(f"INSERT INTO post(id, host, {columns}) SELECT x'0123456789abcdef0123456789abcdef', 'mx2', {columns} FROM post")
        shown = self.done("freeze", "--list", LIST)
        self.assertIn("other hosts: 1 message, at most 40,000 copies", shown)
        self.assertIn("mx1: 1 message, at most 40,000 copies", shown)
        self.assertEqual({post}, self.mta.held())
        result = self.storm_ctl("freeze", "--list", LIST)
        self.assertEqual(1, result.returncode)
        self.assertIn("on this host", result.stderr)

    def test_killed_in_between(self):
        """The store said it first: a freeze that got no further ends as thawed, a drop that did ends as dropped."""
        post, other = self.stuck()
        self.change("UPDATE post SET state = 1")
        self.done("thaw", "--list", LIST)
        self.assertEqual(({post: "thawed"}, set()), (self.states(), self.mta.held()))
        self.done("freeze", "--list", LIST)
        self.done("drop", "--list", LIST)
        self.change("UPDATE post SET state = 1")
        self.done("drop", "--list", LIST)
        self.assertEqual(({post: "dropped"}, 1), (self.states(), len(self.archive())))

    def test_restore_killed_in_between(self):
        """It is in the queue, and the store does not say so yet: found there, and not put in twice."""
        post, other = self.stuck()
        self.done("freeze", "--list", LIST)
        self.done("drop", "--list", LIST)
        saved = {name: (self.breakwater.directory / "archive" / name).read_bytes() for name in self.archive()}
        self.done("restore", "--list", LIST)
        (name, state), = self.states().items()
        for file, content in saved.items():
            path = self.breakwater.directory / "archive" / file
            path.write_bytes(content)
            path.with_suffix(".place").write_text(name)
        self.change("UPDATE post SET state = 3")
        self.done("restore", "--list", LIST)
        self.assertEqual(({name: "frozen"}, {name}, []), (self.states(), self.mta.held(), self.archive()))
        self.reachable()
        self.flush()
        self.done("thaw", "--list", LIST)
        place.wait_until(lambda: self.sink.count(LIST) == 1, "the post is delivered", 30)
        place.wait_until(self.nothing_queued, "the queue is empty", 30, 0.1)
        self.assertEqual(1, self.sink.count(LIST))

    def change(self, statement):
        place.run_sql(self.breakwater.directory / "store.db", statement)


class Postfix(Frozen, Case):
    def tried(self, queue_id):
        return queue_id in self.mta.queue_ids("deferred")

    def flush(self):
        self.mta.command("postqueue", "-f")

    def nothing_queued(self):
        return not self.mta.queue_ids()

    def hold_by_hand(self, queue_id):
        self.mta.postsuper("-h", queue_id)


class Sendmail(Frozen, SendmailCase):
    def tried(self, queue_id):
        return f"{queue_id}: to=" in self.mta.log_text()

    def flush(self):
        self.mta.command("-q")

    def nothing_queued(self):
        return not self.mta.waiting() and not self.mta.held()

    def hold_by_hand(self, queue_id):
        self.mta.command("-Qby hand", f"-qI{queue_id}")


class ByOrders(Postfix):
    """The same by signed orders: breakwater-agent, who is nobody special, and breakwater-helper, who alone is root."""

    # Which copies are meant, and what belongs to whom, is decided before an order is written.
    test_somebody_elses_hold = test_another_message = test_delivered = test_which = test_other_hosts = test_killed_in_between = None
    test_restore_killed_in_between = None  # an agent's archive is not root's to write

    def started(self, **more):
        super().started(**more)
        self.helper = helper.Helper(self.breakwater, self.mta)
        self.addCleanup(self.helper.stop)
        self.agent = agent.Agent(self.breakwater, self.mta)
        self.addCleanup(self.agent.stop)
        self.helper.start()
        self.agent.start()

    def done(self, *arguments):
        printed = super().done(*arguments)
        order = self.breakwater.json_lines("held", "orders", "--all")[0]
        self.assertEqual((arguments[0], "done", 0), (order["kind"], order["state"], order["refused"]), printed)
        return printed


class ShortIds:
    """A queue id of Postfix that ends with the number of the file: what comes back is called otherwise."""

    def started(self, **more):
        super().started(main_cf={"enable_long_queue_ids": "no"}, **more)


SELDOM = ("frozen_and_thawed", "thawed_at_a_pace", "dropped", "restored_too_late", "somebody_elses_hold", "another_message", "delivered",
          "which", "other_hosts", "killed_in_between")
PostfixShortIds = type("PostfixShortIds", (ShortIds, Postfix), {"test_" + name: None for name in SELDOM})
ByOrdersShortIds = type("ByOrdersShortIds", (ShortIds, ByOrders), {"test_" + name: None for name in SELDOM})


class TwoHosts(test_redis.Shared):
    """Two Postfix, a breakwaterd each, one Redis; without orders, so each host works on what it took itself."""

    def stuck_on_both(self):
        self.shared()
        port = self.sink.port
        self.sink.close()
        self.port = port
        self.ids = [self.accept_at(i) for i in (0, 1)]

    def accept_at(self, i):
        queue_id = self.accepted(self.send_at(i, POSTER, LIST, mails.post(POSTER, LIST)).answer)
        place.wait_until(lambda: queue_id in self.hosts[i].mta.queue_ids("deferred"), "it was tried in vain", 30, 0.1)
        return queue_id

    def storm_at(self, i, *arguments, yes=True):
        result = self.hosts[i].breakwater.run_ctl(*(["--yes"] if yes else []), "storm", *arguments, "--list", LIST)
        return result.returncode, result.stdout + result.stderr

    def reachable(self):
        self.sink = sink.Sink(self.port)
        self.addCleanup(self.sink.close)
        for host in self.hosts:
            host.mta.command("postqueue", "-f")

    def test_each_sees_all_and_freezes_its_own(self):
        self.stuck_on_both()
        place.wait_until(lambda: "other hosts: 1 message, at most 40,000 copies" in self.storm_at(0, "freeze", yes=False)[1],
                         "mx1 knows of mx2's post", 20)
        self.assertEqual(0, self.storm_at(0, "freeze")[0])
        self.assertEqual(({self.ids[0]}, set()), (self.hosts[0].mta.held(), self.hosts[1].mta.held()))
        self.assertIn("other hosts: 1 message", self.storm_at(1, "thaw")[1], "mx2 sees that mx1 has one frozen")
        self.assertEqual(0, self.storm_at(1, "freeze")[0])
        self.reachable()
        self.assertEqual(0, self.storm_at(0, "thaw")[0])
        place.wait_until(lambda: self.sink.count(LIST) == 1, "mx1's copy arrives", 30)
        self.assertEqual({self.ids[1]}, self.hosts[1].mta.held())
        self.assertEqual(0, self.storm_at(1, "drop")[0])
        self.hosts[0].mta.settle()
        self.assertEqual((1, set()), (self.sink.count(LIST), self.hosts[1].mta.queue_ids()))

    def test_without_redis(self):
        """Accepted and frozen while Redis is away: each host has what it needs, and Redis learns of it afterwards."""
        self.stuck_on_both()
        self.redis.kill()
        self.wait_for("degraded")
        late = self.accept_at(0)
        place.wait_until(lambda: "mx1: 2 messages" in self.storm_at(0, "freeze", yes=False)[1], "mx1 knows its own", 20)
        code, text = self.storm_at(0, "freeze")
        self.assertEqual(0, code, text)
        self.assertEqual({self.ids[0], late}, self.hosts[0].mta.held())
        self.redis.start()
        self.wait_for("recovered")
        place.wait_until(lambda: "other hosts: 2 messages" in self.storm_at(1, "thaw", yes=False)[1], "mx2 sees what mx1 has frozen", 30)
        self.reachable()
        self.assertEqual(0, self.storm_at(0, "thaw")[0])
        place.wait_until(lambda: self.sink.count(LIST) == 3, "all copies arrive", 30)
        for host in self.hosts:
            host.mta.settle()
        self.assertEqual(3, self.sink.count(LIST))

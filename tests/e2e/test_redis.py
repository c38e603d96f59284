"""Two Postfix, a breakwaterd each, and one Redis with the shipped rights: what fails in mid-storm loses nothing and delays nobody."""

import collections
import re
import threading
import time

from support import daemon, mails, place, postfix, redis, sink, smtp

from .base import LIST, POSTER, LISTS, Case

REGION = "region@nhs.example"  # 4,000: tier large, ten senders
DEADLINE_S = 2                 # long, so that a wait is told from none on any machine
MESSAGE_ID = re.compile(rb"Message-ID: (<[^>\r\n]*>)")

Sent = collections.namedtuple("Sent", "message_id answer seconds")
Host = collections.namedtuple("Host", "mta breakwater")


class Storm:
    """One client a host, each reply by another person, one after the other until end(); .sent[i] is what host i was sent."""

    def __init__(self, case, parent, to=LIST):
        self.case, self.parent, self.to = case, parent, to
        self.over = threading.Event()
        self.sent = [[] for _ in case.hosts]
        self.threads = [threading.Thread(target=self._talk, args=(i,)) for i in range(len(case.hosts))]
        for thread in self.threads:
            thread.start()
        case.addCleanup(self.end)

    def _talk(self, i):
        for n in range(1, 2000):
            if self.over.wait(0.04):
                return
            self.sent[i].append(self.case.reply_at(i, f"s{i}-{n}@nhs.example", self.parent, self.to))

    def go_on(self, more=15):
        """Returns when each host has answered `more` further messages."""
        goals = [len(sent) + more for sent in self.sent]
        place.wait_until(lambda: all(len(sent) >= goal for sent, goal in zip(self.sent, goals)), f"{more} messages on each host", 60)

    def end(self):
        """Returns the number of messages on each host so far."""
        self.over.set()
        for thread in self.threads:
            thread.join()
        return [len(sent) for sent in self.sent]


class Shared(Case):
    """self.hosts[0] and [1]; everything that is sent is kept in self.sent, and must turn up again."""

    def shared(self, persistent=False):
        self.scratch = place.Scratch("e2e")
        self.addCleanup(self.scratch.remove)
        self.sink = sink.Sink()
        self.addCleanup(self.sink.close)
        self.redis = redis.Redis(self.scratch, persistent=persistent).start()
        self.addCleanup(self.redis.stop)
        self.sent = []
        self.hosts = [self.host(name) for name in ("mx1", "mx2")]

    def host(self, name):
        mta = postfix.Postfix(self.scratch / f"postfix-{name}", self.sink.port)
        mta.milter_socket.parent.chmod(0o755)
        sections = {"daemon": daemon.one_secret(self.scratch, daemon.USER),
                    "store": self.redis.section(redis_deadline=f"{DEADLINE_S}s")}
        one = daemon.Daemon(self.scratch, lists=LISTS + (daemon.mail_list(REGION, 4000, posters=[POSTER]),), name=name, host=name,
                            socket_path=mta.milter_socket, user=daemon.USER, socket_group=mta.milter_group, mta=mta,
                            sections=sections)
        self.addCleanup(mta.stop)
        self.addCleanup(one.end)
        one.start()
        mta.start()
        return Host(mta, one)

    # -- sending

    def send_at(self, i, who, to, fields):
        start = time.monotonic()
        answer = smtp.deliver(self.hosts[i].mta.port, who, [to], mails.render(fields), login=who, address=daemon.CLIENT)
        one = Sent(mails.value(fields, "Message-ID"), answer, time.monotonic() - start)
        self.sent.append(one)
        return one

    def reply_at(self, i, who, parent, to=LIST):
        return self.send_at(i, who, to, mails.reply(who, to, parent))

    def announce_at(self, i, to=LIST):
        one = self.send_at(i, POSTER, to, mails.post(POSTER, to))
        self.accepted(one.answer)
        return one.message_id

    def storm(self, parent, to=LIST):
        """In full swing: the breaker has tripped, and both hosts hold."""
        storm = Storm(self, parent, to)
        for host in self.hosts:
            place.wait_until(host.mta.held, "a held reply on each host", 30)
        storm.go_on()
        self.copied()
        return storm

    # -- waiting

    def wait_for(self, event, hosts=(0, 1)):
        for i in hosts:
            place.wait_until(lambda one=self.hosts[i].breakwater: f"event={event} " in one.log_text(), f"event={event} on host {i}", 30)

    def copied(self):
        """What is stopped is copied to every host once a second."""
        for host in self.hosts:
            host.breakwater.figures()

    # -- looking

    def ids_held(self):
        """Message-IDs in both hold queues, with how often each is there."""
        files = [host.mta.queue / "hold" / name for host in self.hosts for name in host.mta.held()]
        return collections.Counter(MESSAGE_ID.search(path.read_bytes()).group(1).decode() for path in files)

    def ids_arrived(self):
        return collections.Counter(MESSAGE_ID.search(m.data).group(1).decode() for m in self.sink.messages)

    def expect_nothing_lost(self):
        """Each message is with its recipient or in a hold queue, once, or its sender was told that it is not taken."""
        for host in self.hosts:
            host.mta.settle()
        found = self.ids_held() + self.ids_arrived()
        self.assertEqual({code for code in (s.answer.code for s in self.sent) if code not in (250, 451, 550)}, set())
        self.assertEqual(collections.Counter(s.message_id for s in self.sent if s.answer.code == 250), found)

    def expect_held(self, i, sent):
        """Queued on host i, and stopped."""
        self.assertEqual(set(), {s.answer.queue_id for s in sent if s.answer.code == 250} - self.hosts[i].mta.held())

    def ledger(self, i):
        return {entry["queue_id"]: entry for entry in self.hosts[i].breakwater.held()}

    def expect_one_ledger(self):
        """From each host one sees what waits on both."""
        queues = set().union(*(host.mta.held() for host in self.hosts))
        for i in (0, 1):
            place.wait_until(lambda i=i: set(self.ledger(i)) == queues, f"both hold queues in the ledger as host {i} shows it", 20, 0.2)

    def expect_open(self, *lists):
        for host in self.hosts:
            stopped = {(b["list"], b["guard"]) for b in host.breakwater.breakers() if b["phase"] == "open"}
            self.assertLessEqual({(one, "conversation") for one in lists}, stopped)

    def expect_short_waits(self, storm, since):
        """Each client waited for Redis at most once, however many messages it sent."""
        for sent, first in zip(storm.sent, since):
            waits = [s.seconds for s in sent[first:] if s.seconds >= DEADLINE_S]
            self.assertLessEqual(len(waits), 1, waits)
            self.assertLess(sum(waits), 2 * DEADLINE_S)


class Stopped(Shared):
    def test_sigstop_in_mid_storm(self):
        self.shared()
        second = self.announce_at(0, REGION)
        storm = self.storm(self.announce_at(1))
        self.redis.suspend()
        since = [len(sent) for sent in storm.sent]
        # A storm that begins now is known to this host alone.
        replies = [self.reply_at(0, f"r{n}@nhs.example", second, REGION) for n in range(1, 26)]
        storm.go_on()
        self.wait_for("degraded")
        self.assertLessEqual(sum(s.seconds >= DEADLINE_S for s in replies), 1)
        self.expect_held(0, replies[15:])
        # Cut off, a host knows and releases its own.
        mine = next(entry for entry in self.ledger(0).values() if entry["list"] == LIST)
        self.hosts[0].breakwater.ctl("--yes", "held", "release", mine["id"])
        self.redis.resume()
        self.wait_for("recovered")
        storm.go_on(5)
        storm.end()
        self.expect_short_waits(storm, since)
        self.expect_nothing_lost()
        self.assertEqual(1 + 3 + 1, self.sink.count(LIST), "the announcement, the replies of three people, what was released")
        self.expect_one_ledger()
        self.expect_open(LIST, REGION)
        self.expect_held(1, [self.reply_at(1, "late@nhs.example", second, REGION)])
        self.release_on_each()

    def release_on_each(self):
        for i, host in enumerate(self.hosts):
            queue_id = next(q for q, entry in self.ledger(i).items() if entry["host"] == f"mx{i + 1}")
            entry = self.ledger(i)[queue_id]
            elsewhere = self.hosts[1 - i].breakwater.run_ctl("--yes", "held", "release", entry["id"])
            self.assertEqual(1, elsewhere.returncode, elsewhere)
            self.assertIn(f"the hold queue of mx{i + 1}", elsewhere.stderr)
            host.breakwater.ctl("--yes", "held", "release", entry["id"])
            self.assertNotIn(queue_id, self.ledger(1 - i), "the other host sees it at once")
            self.assertNotIn(queue_id, host.mta.held())
        self.expect_nothing_lost()
        self.expect_one_ledger()


class Killed(Shared):
    def test_a_daemon_in_mid_storm(self):
        """Mail passes its Postfix unjudged meanwhile, as default_action=accept says; the other host notices nothing."""
        self.shared()
        storm = self.storm(self.announce_at(0))
        self.hosts[0].breakwater.kill()
        storm.go_on(5)
        self.hosts[0].breakwater.start()
        back = len(storm.sent[0])
        storm.go_on()
        storm.end()
        self.assertEqual({250}, {s.answer.code for s in self.sent}, "Postfix never refuses mail for our sake")
        self.expect_held(0, storm.sent[0][back + 1:])
        self.expect_held(1, storm.sent[1][4:])
        self.assertNotIn("event=degraded ", self.hosts[1].breakwater.log_text())
        self.expect_nothing_lost()
        self.expect_open(LIST)
        # A message in hand when the kill came may have its entry without having been held.
        queues = set().union(*(host.mta.held() for host in self.hosts))
        for i in (0, 1):
            place.wait_until(lambda i=i: queues <= set(self.ledger(i)), "every held message is in the ledger of all", 20, 0.2)
            self.assertLessEqual(len(set(self.ledger(i)) - queues), 1)

    def test_redis_in_mid_storm(self):
        """With appendonly it comes back as it was: also with what no host keeps a copy of."""
        self.shared(persistent=True)
        self.hosts[0].breakwater.ctl("--yes", "set", "large.conversation.senders", "7", "--reason", "town hall week")
        storm = self.storm(self.announce_at(0))
        since = [len(sent) for sent in storm.sent]
        self.redis.kill()
        storm.go_on(5)
        self.wait_for("degraded")
        self.redis.start()
        self.wait_for("recovered")
        storm.go_on(5)
        storm.end()
        self.expect_short_waits(storm, since)
        self.expect_nothing_lost()
        self.assertEqual(1 + 3, self.sink.count(LIST), "the announcement, and the replies of three people")
        self.expect_one_ledger()
        self.expect_open(LIST)
        for host in self.hosts:
            self.assertIn("town hall week", host.breakwater.ctl("history"))

"""breakwater-agent: whoever is held is told at once, once, and nobody else is; administrators hear of the trip."""

import json
import signal
import subprocess
from email import policy
from email.parser import BytesParser

from support import daemon, mails, place, smtp

from .base import LIST, LISTS, POSTER, Case
from .test_redis import REGION, Shared

ADMIN = "ops@nhs.example"

# The unpacked Postfix has no set-group-id postdrop, so this stands for sendmail(1) and takes the other door, SMTP.
SENDMAIL = """#!/usr/bin/python3
import smtplib, sys
arguments = sys.argv[1:]
assert arguments[:4] == ["-i", "-f", "<>", "--"] and len(arguments) == 5, arguments
with smtplib.SMTP("127.0.0.1", {port}) as smtp:
    smtp.sendmail("", [arguments[4]], sys.stdin.buffer.read())
"""


OWNER = "boss@nhs.example"
HOOK = """#!/bin/sh
cat >> {directory}/hook.json
"""
TRIP, CALM, CLOSED, REFUSED, ORDER = 1, 3, 4, 13, 12  # enum bw_event, for histories that would take hours


class Agent:
    """breakwater-agent of a host, started."""

    def __init__(self, breakwater):
        self.log = breakwater.directory / "agent.log"
        started = self.text().count("event=started")
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen([place.program("agent", "breakwater-agent"), "-f", "-c", breakwater.config_file],
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            place.wait_until(lambda: self.text().count("event=started") > started, "breakwater-agent has started", 10)
        except AssertionError:
            self.stop()
            raise

    def stop(self):
        place.stop_child(self.child)
        found = [word for word in daemon.SANITIZERS if word in self.text()]
        if found:
            raise AssertionError("sanitizer: " + self.text()[-6000:])

    def kill(self):
        self.child.kill()
        self.child.wait()

    def text(self):
        return self.log.read_text() if self.log.exists() else ""


class Told:
    """What a mailbox of the sink was told."""

    def told(self, address):
        return [BytesParser(policy=policy.default).parsebytes(m.data) for m in self.sink.of(address)]

    def wait_for(self, address, count):
        place.wait_until(lambda: len(self.told(address)) >= count, f"{count} notices for {address}", 20)

    def write_script(self, name, text):
        script = self.scratch / name
        script.write_text(text)
        script.chmod(0o755)
        return str(script)


class Notices(Told, Case):
    def start_agent(self, lists=LISTS, sections=None, hook=None, **notify):
        """breakwater-agent as the daemon's user, looking every second."""
        sections = {"notify": {"every": "1s", "state_file": "", "sendmail": "", "admins": [ADMIN], **notify}, **(sections or {})}
        self.started(lists=lists, sections=sections, with_daemon=False)
        self.breakwater.config["notify"].update(sendmail=self.write_script("sendmail", SENDMAIL.format(port=self.mta.port)),
                                                state_file=str(self.breakwater.directory / "notified"))
        if hook:
            text = hook.format(directory=self.breakwater.directory)
            self.breakwater.config["notify"].update(hook=self.write_script("hook", text))
        self.breakwater.write()
        self.breakwater.start()
        self.run_agent()

    def hooked(self):
        """The objects that the hook was given."""
        path = self.breakwater.directory / "hook.json"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def happened(self, event, what, guard="", text="", conversation=None, host="mx1"):
        """Writes history behind everybody's back, as a day of storms would."""
        blob = f"X'{conversation}'" if conversation else "NULL"
        now = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
        place.run_sql(self.breakwater.config["store"]["path"],
                      "INSERT INTO event(at_ms, event, host, list, guard, text, owner, conversation) "
                      f"VALUES({now}, {event}, '{host}', '{what}', '{guard}', '{text}', '', {blob})")

    def run_agent(self):
        self.agent = Agent(self.breakwater)
        self.addCleanup(self.agent.stop)

    def stop_agent(self):
        self.agent.stop()

    def agent_text(self):
        return self.agent.text()

    def test_senders_and_administrators(self):
        self.start_agent(languages=["en", "de"])
        parent = self.announce()
        self.storm(parent, 1, 5)
        self.reply("u5@nhs.example", parent)
        self.accepted(self.send("stranger@elsewhere.example", LIST, mails.post("stranger@elsewhere.example", LIST), login=False,
                                address=daemon.STRANGER))
        self.wait_for("u4@nhs.example", 1)
        self.wait_for("u5@nhs.example", 1)
        self.wait_for(ADMIN, 1)
        notice, = self.told("u4@nhs.example")
        self.assertEqual("", self.sink.of("u4@nhs.example")[0].sender)
        self.assertEqual("auto-generated", notice["Auto-Submitted"])
        self.assertEqual(f"Your message to 40,000 people waits, it was not sent: {LIST}", notice["Subject"])
        body = notice.get_content()
        self.assertIn("would have reached 40,000 people", body)
        self.assertIn("nicht noch einmal senden", body)
        self.assertIn("4th sender of at most 3", body)
        admin, = self.told(ADMIN)
        self.assertIn(f"A conversation on {LIST} is stopped", admin.get_content())
        self.assertIn("4th sender of at most 3", admin.get_content())
        self.assertIn(f"breakwaterctl held release --list {LIST}", admin.get_content())
        # Whoever is told, is told once; a stranger is not.
        self.breakwater.ctl("--yes", "held", "ls")
        place.wait_until(lambda: self.agent_text().count("event=notified") >= 1, "the agent says so", 5)
        self.stop_agent()
        self.run_agent()
        self.storm(parent, 6, 6)
        self.wait_for("u6@nhs.example", 1)
        self.assertEqual([1, 1], [len(self.told(f"u{i}@nhs.example")) for i in (4, 5)])
        self.assertEqual([], self.told("stranger@elsewhere.example"))
        self.assertEqual([], self.told("u3@nhs.example"))

    def test_notices_wait_for_their_mta(self):
        """A sendmail that fails: said once, tried again, and every notice goes out in the end."""
        self.start_agent(admins=[])
        script = self.scratch / "sendmail"
        good = script.read_text()
        script.write_text("#!/bin/sh\nexit 75\n")
        self.storm(self.announce(), 1, 5)
        place.wait_until(lambda: "event=notice-failed" in self.agent_text(), "the failure is said", 20)
        script.write_text(good)
        self.wait_for("u4@nhs.example", 1)
        self.wait_for("u5@nhs.example", 1)
        place.wait_until(lambda: "event=notice-back" in self.agent_text(), "so is its end", 20)
        self.assertEqual(1, self.agent_text().count("event=notice-failed"))
        self.assertEqual([1, 1], [len(self.told(f"u{i}@nhs.example")) for i in (4, 5)])

    def test_one_agent_a_host(self):
        self.start_agent()
        done = subprocess.run([place.program("agent", "breakwater-agent"), "-f", "-c", self.breakwater.config_file],
                              capture_output=True, text=True, timeout=30)
        self.assertEqual(1, done.returncode)
        self.assertIn("another breakwater-agent", done.stderr)

    def test_programs_are_never_written_to(self):
        """What a program wrote waits like any mail, and nobody answers it (RFC 3834); nor is there anybody behind a null sender."""
        self.start_agent()
        robots = {"monitor@nhs.example": "auto-generated", "vacation@nhs.example": "auto-replied", "cron@nhs.example": "auto-notified"}
        for robot, kind in robots.items():
            self.send(robot, LIST, mails.post(robot, LIST, auto_submitted=kind))
        self.send("news@nhs.example", LIST, mails.post("news@nhs.example", LIST, precedence="bulk"))
        fields = mails.post("nobody@nhs.example", LIST)
        smtp.deliver(self.mta.port, "", [LIST], mails.render(fields), login="nobody@nhs.example", address=daemon.CLIENT)
        self.accepted(self.send("ann@nhs.example", LIST, mails.post("ann@nhs.example", LIST)))
        self.assertGreaterEqual(len(self.mta.held()), 3)
        self.wait_for("ann@nhs.example", 1)
        self.mta.settle()
        for address in (*robots, "news@nhs.example", "nobody@nhs.example"):
            self.assertEqual([], self.told(address), address)
        self.assertEqual({ADMIN, "ann@nhs.example"}, set(self.sink.recipients))

    def test_one_mail_a_state_and_one_run_of_the_hook(self):
        self.start_agent(hook=HOOK, senders=False)
        parent = self.announce()
        self.storm(parent, 1, 5)
        self.wait_for(ADMIN, 1)
        for _ in range(10):
            self.accepted(self.reply("u5@nhs.example", parent))
        place.wait_until(self.hooked, "the hook has run", 10)
        first, = self.hooked()
        self.assertEqual(("storm", "open", LIST, "conversation", None, ["mx1"]),
                         tuple(first[k] for k in ("event", "state", "list", "guard", "sender", "hosts")))
        self.assertIn(f"breakwaterctl held ls --list {LIST}", first["commands"])
        self.assertGreater(first["held"], 0)
        self.assertEqual(first["held"] * 40000, first["deliveries"]["waiting"])
        # Its end: the same incident, another state. What was seen before a restart is not told again.
        self.stop_agent()
        self.run_agent()
        self.happened(CALM, LIST, "conversation", "is half-open", first["conversation"])
        self.happened(CLOSED, LIST, "conversation", "is closed", first["conversation"])
        place.wait_until(lambda: len(self.hooked()) == 2, "the hook has run again", 20)
        self.wait_for(ADMIN, 2)
        last = self.hooked()[1]
        self.assertEqual(("closed", first["incident"]), (last["state"], last["incident"]))
        self.assertEqual(12, last["held"])
        self.assertEqual({"made": 4 * 40000, "avoided": 12 * 40000, "waiting": 12 * 40000}, last["deliveries"])
        self.assertEqual([f"breakwater: A conversation on {LIST} is stopped", f"breakwater: Over: mail to {LIST} flows again"],
                         [m["Subject"] for m in self.told(ADMIN)])
        self.assertIn("Waiting: 12 messages, 480,000 deliveries", self.told(ADMIN)[1].get_content())

    def test_fifty_storms_are_one_mail(self):
        self.start_agent(hook=HOOK)
        for i in range(50):
            self.happened(TRIP, f"l{i}@nhs.example", "list", f"list breaker of l{i}@nhs.example is open")
        self.happened(REFUSED, "", text="order 0123abcd: release of 4Q1 refused: bad seal")
        self.happened(ORDER, "", text="order 0123abcd to release stopped: a flare-up")
        place.wait_until(lambda: len(self.hooked()) == 52, "the hook has heard of each", 30)
        self.wait_for(ADMIN, 1)
        mails_now = self.told(ADMIN)
        self.assertLessEqual(len(mails_now), 2)
        # One look may have come in the midst of it: then a second mail follows a minute later, with all the rest.
        self.assertRegex(mails_now[0]["Subject"], r"^breakwater: Mail to l\d+@nhs.example is stopped(, and \d+ more)?$")
        events = {(o["event"], o["state"]) for o in self.hooked()}
        self.assertEqual({("storm", "open"), ("refusal", "refused"), ("order", "stopped")}, events)
        self.assertEqual(50, len({o["list"] for o in self.hooked() if o["event"] == "storm"}))

    def test_a_hook_that_hangs_or_fails_holds_nobody_up(self):
        self.start_agent(hook="#!/bin/sh\nexec sleep 100\n")
        self.storm(self.announce(), 1, 5)
        self.wait_for(ADMIN, 1)
        self.wait_for("u5@nhs.example", 1)
        place.wait_until(lambda: "event=hook-failed" in self.agent_text(), "what hangs is killed", 30)
        self.assertIn("did not end within 10 s and was killed", self.agent_text())
        self.assertNotIn("event=notice-failed", self.agent_text())

    def test_owners_and_approvals(self):
        self.start_agent(lists=(daemon.mail_list(LIST, 40000, posters=[POSTER], owner=OWNER), daemon.mail_list("b@nhs.example", 30000),
                                daemon.mail_list("c@nhs.example", 30000, owner=OWNER)),
                         owners=True, languages=["fr", "en"])
        self.accepted(self.send("ann@nhs.example", [LIST, "b@nhs.example"], mails.post("ann@nhs.example", [LIST, "b@nhs.example"])))
        self.wait_for(OWNER, 1)
        self.wait_for(ADMIN, 1)
        owner, = self.told(OWNER)
        self.assertEqual("", self.sink.of(OWNER)[0].sender)
        self.assertEqual("auto-generated", owner["Auto-Submitted"])
        self.assertEqual(f"Du courrier à votre liste attend : {LIST}", owner["Subject"])
        self.assertIn("1 messages to it wait, which would make 40,000 deliveries", owner.get_content())
        self.assertIn(f"breakwaterctl held ls --list {LIST}", owner.get_content())
        admin, = self.told(ADMIN)
        self.assertRegex(admin["Subject"], "Un message à .* attend une approbation")
        entry, = self.breakwater.held()
        self.assertIn(f"breakwaterctl approve {entry['id']}", admin.get_content())
        # Owners are not told of each: once an hour.
        self.accepted(self.send("bob@nhs.example", LIST, mails.post("bob@nhs.example", LIST)))
        self.wait_for("bob@nhs.example", 1)
        self.assertEqual(1, len(self.told(OWNER)))

    def test_administrators_hear_of_a_full_queue(self):
        self.start_agent(hook=HOOK, sections={"hold": {"max_messages": 2}}, senders=False)
        self.storm(self.announce(), 1, 8)
        place.wait_until(lambda: ("hold-queue", "full") in {(o["event"], o["state"]) for o in self.hooked()}, "the hook hears of it", 20)
        for entry in self.breakwater.held():
            self.breakwater.ctl("--yes", "held", "release", entry["id"])
        place.wait_until(lambda: ("hold-queue", "room") in {(o["event"], o["state"]) for o in self.hooked()}, "and of its end", 20)

    def test_privacy(self):
        """A ledger that names no sender: nobody is told, and nothing breaks; one that names no subject: no notice does."""
        self.start_agent(sections={"privacy": {"subject": False, "sender": True}})
        parent = self.announce()
        self.storm(parent, 1, 3)
        self.accepted(self.send("u4@nhs.example", LIST, mails.reply("u4@nhs.example", LIST, parent, subject="Re: salaries")))
        self.wait_for("u4@nhs.example", 1)
        self.assertNotIn("salaries", self.told("u4@nhs.example")[0].get_content())
        self.assertIn("Your message\nto " + LIST, self.told("u4@nhs.example")[0].get_content().replace("\r", ""))
        self.breakwater.config["privacy"].update(sender=False)
        self.breakwater.write()
        self.breakwater.reload()
        self.agent.child.send_signal(signal.SIGUSR1)
        place.wait_until(lambda: "event=reloaded" in self.agent_text(), "the agent has read it", 10)
        place.wait_until(lambda: "event=reloaded" in self.breakwater.log_text(), "the daemon has, too", 10)
        self.storm(parent, 5, 8)
        self.happened(TRIP, "auth:jane@nhs.example", "sender", "sender breaker of auth:jane@nhs.example is open")
        place.wait_until(lambda: any("Mail from a sender is stopped" in m.get_content() + m["Subject"] for m in self.told(ADMIN)),
                         "administrators hear of a sender", 90)
        self.assertFalse(any("jane" in m.as_string() for m in self.told(ADMIN)))
        self.mta.settle()
        self.assertEqual({ADMIN, "u4@nhs.example", LIST}, set(self.sink.recipients))
        self.assertIsNone(self.agent.child.poll())


class SharedNotices(Told, Shared):
    """Two hosts, an agent each, one Redis."""

    def one_agent(self, host, **notify):
        one = host.breakwater
        script = self.write_script(f"sendmail-{one.host}", SENDMAIL.format(port=host.mta.port))
        one.config["notify"] = {"every": "1s", "state_file": str(one.directory / "notified"), "sendmail": script, "admins": [ADMIN],
                                "hook": self.write_script(f"hook-{one.host}", HOOK.format(directory=one.directory)), **notify}
        one.write()
        agent = Agent(one)
        self.addCleanup(agent.stop)
        return agent

    def hooked(self, i):
        path = self.hosts[i].breakwater.directory / "hook.json"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def of_list(self, address):
        return [m for m in self.told(ADMIN) if address in m["Subject"] + m.get_content()]

    def test_one_agent_tells_and_another_takes_over(self):
        self.shared()
        agents = [self.one_agent(host) for host in self.hosts]
        place.wait_until(lambda: all("event=started" in a.text() for a in agents), "both agents look", 10)
        parent = self.announce_at(1)
        # The fourth and the fifth wait, on a host each; the trip is one event, and its host's agent is not the one that tells.
        for n in range(1, 4):
            self.assertEqual(250, self.reply_at(1, f"u{n}@nhs.example", parent).answer.code)
        self.reply_at(1, "u4@nhs.example", parent)
        self.reply_at(0, "u5@nhs.example", parent)
        for who in ("u4@nhs.example", "u5@nhs.example", ADMIN):
            self.wait_for(who, 1)
        place.wait_until(lambda: self.hooked(0), "the leader's hook has run", 20)
        self.assertEqual(["storm"], [o["event"] for o in self.hooked(0)])
        self.assertEqual([], self.hooked(1))
        # The leader dies: what happens then is told by the other, and what was told is not told again.
        agents[0].kill()
        second = self.announce_at(0, REGION)
        for n in range(1, 13):
            self.reply_at(0, f"r{n}@nhs.example", second, REGION)
        place.wait_until(lambda: self.hooked(1), "the next agent has taken over", 70)
        place.wait_until(lambda: self.of_list(REGION), "and tells", 70)
        self.assertEqual({REGION}, {o["list"] for o in self.hooked(1)})
        self.assertEqual([1, 1], [len(self.told(f"u{n}@nhs.example")) for n in (4, 5)])
        self.assertEqual(1, len([m for m in self.of_list(LIST) if REGION not in m["Subject"]]))
        self.expect_nothing_lost_but_notices()

    def expect_nothing_lost_but_notices(self):
        """Notices arrive among the mail; their Message-IDs are nobody's."""
        ours = {s.message_id for s in self.sent}
        found = self.ids_held() + self.ids_arrived()
        for host in self.hosts:
            host.mta.settle()
        self.assertEqual({one: 1 for one in ours}, {one: n for one, n in found.items() if one in ours})

    def stores(self, i):
        """What the hook of host i was told of stores: who, and what."""
        return {(o["hosts"][0], o["state"]) for o in self.hooked(i) if o["event"] == "store"}

    def test_hosts_that_are_cut_off_tell_by_themselves(self):
        self.shared()
        for host in self.hosts:
            self.one_agent(host)
        parent = self.announce_at(0)
        self.redis.suspend()
        for i in (0, 1):
            self.reply_at(i, f"u{i}@nhs.example", parent)
        place.wait_until(lambda: ("mx1", "degraded") in self.stores(0), "the first host's agent tells", 60)
        place.wait_until(lambda: ("mx2", "degraded") in self.stores(1), "the second's, too, of its own", 60)
        self.assertNotIn(("mx2", "degraded"), self.stores(0))
        self.redis.resume()
        every = {("mx1", "recovered"), ("mx2", "recovered")}
        place.wait_until(lambda: every <= self.stores(0) | self.stores(1), "their recovery is told", 90)
        # History says each of it once, although two processes a host had seen it.
        for i in (0, 1):
            self.hosts[i].breakwater.await_heartbeats()
        history = [(e["host"], e["event"]) for e in self.hosts[0].breakwater.json_lines("events") if e["event"] in ("degraded", "recovered")]
        self.assertEqual(sorted({(h, e) for h in ("mx1", "mx2") for e in ("degraded", "recovered")}), sorted(history))

"""breakwater-agent: whoever is held is told at once, once, and nobody else is; administrators hear of the trip."""

import subprocess
from email import policy
from email.parser import BytesParser

from support import daemon, mails, place

from .base import LIST, Case

ADMIN = "ops@nhs.example"

# The unpacked Postfix has no set-group-id postdrop, so this stands for sendmail(1) and takes the other door, SMTP.
SENDMAIL = """#!/usr/bin/python3
import smtplib, sys
arguments = sys.argv[1:]
assert arguments[:4] == ["-i", "-f", "<>", "--"] and len(arguments) == 5, arguments
with smtplib.SMTP("127.0.0.1", {port}) as smtp:
    smtp.sendmail("", [arguments[4]], sys.stdin.buffer.read())
"""


class Notices(Case):
    def start_agent(self, **notify):
        """breakwater-agent as the daemon's user, looking every second."""
        self.started(sections={"notify": {"every": "1s", "state_file": "", "sendmail": "", "admins": [ADMIN], **notify}},
                     with_daemon=False)
        script = self.scratch / "sendmail"
        script.write_text(SENDMAIL.format(port=self.mta.port))
        script.chmod(0o755)
        self.breakwater.config["notify"].update(sendmail=str(script), state_file=str(self.breakwater.directory / "notified"))
        self.breakwater.write()
        self.breakwater.start()
        self.run_agent()

    def run_agent(self):
        self.agent_log = self.scratch / "agent.log"
        with open(self.agent_log, "ab") as log:
            self.agent = subprocess.Popen([place.program("agent", "breakwater-agent"), "-f", "-c", self.breakwater.config_file],
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(self.stop_agent)
        place.wait_until(lambda: "event=started" in self.agent_text(), "breakwater-agent has started", 10)

    def stop_agent(self):
        place.stop_child(self.agent)

    def agent_text(self):
        return self.agent_log.read_text()

    def told(self, address):
        return [BytesParser(policy=policy.default).parsebytes(m.data) for m in self.sink.of(address)]

    def wait_for(self, address, count):
        place.wait_until(lambda: len(self.told(address)) >= count, f"{count} notices for {address}", 20)

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
        self.assertIn(LIST, notice["Subject"])
        body = notice.get_content()
        self.assertIn("would have reached 40,000 people", body)
        self.assertIn("nicht noch einmal senden", body)
        self.assertIn("4th sender of at most 3", body)
        admin = self.told(ADMIN)[0].get_content()
        self.assertIn("trip: conversation breaker of " + LIST, admin)
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

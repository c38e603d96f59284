"""Through a real Postfix: smtp-source, 20 sessions, messages of 2 KiB; one Postfix a contender, in turns."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

import contenders
import sections
from figures import Failed, Series, in_turns
from support import place, postfix

BARE = "no milter"
SESSIONS = 20
# What was taken in is thrown away at once: the question is what it costs to take it in.
SETTINGS = {"relay_transport": "discard:", "default_transport": "discard:"}
POLICY = "postfwd"


class Instance:
    """A Postfix of its own with one milter, one policy service or nothing in front."""

    def __init__(self, bench, directory, name):
        self.name, self.helper = name, None
        settings = dict(SETTINGS)
        if name == POLICY:
            self.helper = contenders.Postfwd(bench.scratch)
            settings["smtpd_recipient_restrictions"] = (
                f"check_policy_service inet:127.0.0.1:{self.helper.port}, permit_mynetworks, reject_unauth_destination")
        self.mta = postfix.Postfix(directory, 9, milter=name not in (BARE, POLICY), settings=settings)
        if name not in (BARE, POLICY):
            self.mta.milter_socket.parent.chmod(0o755)
            self.helper = bench.make(name, name=f"{name} postfix", socket_path=self.mta.milter_socket)

    def start(self):
        if self.helper is not None:
            self.helper.start()
        self.mta.start()
        return self

    def stop(self):
        self.mta.stop()
        if self.helper is not None:
            self.helper.stop()

    def send(self, count):
        """Seconds for `count` messages."""
        source = self.mta.root / "usr/sbin/smtp-source"
        command = [source, "-s", str(SESSIONS), "-l", "2048", "-m", str(count), "-f", "sender@nhs.example",
                   "-t", "user@nhs.example", f"127.0.0.1:{self.mta.port}"]
        began = time.monotonic()
        done = subprocess.run(command, env=self.mta.environment(), capture_output=True, text=True, timeout=120, check=False)
        seconds = time.monotonic() - began
        if done.returncode != 0 or done.stderr:
            raise Failed(f"{self.name}: smtp-source: {done.stderr.strip()[-300:]}")
        return seconds

    def drain(self):
        """The next one must not pay for what is still queued here."""
        place.wait_until(lambda: not self.mta.queue_ids(), f"{self.name}: Postfix's queue is empty", 60, 0.1)


def memory_directory():
    """Postfix syncs every message it takes in: on a disk that would be all there is to see."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def start_all(bench, where, names, series, instances):
    """Adds to `instances` as they start: the caller stops them, whatever happens."""
    for number, name in enumerate(names):
        if name in bench.absent:
            series.note(name, bench.absent[name])
            continue
        try:
            instance = Instance(bench, where / str(number), name)
        except contenders.NotInstalled as missing:
            series.note(name, f"not installed ({missing})")
            continue
        instances.append(instance)
        instance.start()


def through_postfix(bench):
    """Whole messages through a real Postfix."""
    names = (BARE, sections.LEAN, *sections.OURS, sections.RSPAMD, POLICY)
    series, instances = Series(), []
    bench.have(*names[1:-1])  # to know who is absent
    count = bench.effort.mails

    def run(instance, turn):
        if turn == 0:
            instance.send(count // 4)  # all processes are there
        seconds = instance.send(count)
        instance.drain()
        return {"rate": count / seconds}

    with tempfile.TemporaryDirectory(prefix="bw-postfix-", dir=memory_directory()) as where:
        os.chmod(where, 0o755)
        try:
            start_all(bench, Path(where), names, series, instances)
            in_turns(series, instances, bench.effort.rounds, run)
        finally:
            for instance in instances:
                instance.stop()
    bounds = [sections.Bound(who, "rate", yardstick, True, 1.0)
              for who in sections.OURS for yardstick in (sections.LEAN, sections.RSPAMD, POLICY)]
    yield sections.Row(f"through Postfix, {SESSIONS} sessions, ordinary mail of 2 KiB", "mail", series, bounds)

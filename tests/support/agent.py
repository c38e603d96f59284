"""breakwater-agent of our own, as the daemon's user: what it needs beside the daemon's configuration, start, kill, and its log."""

import os
import pwd
import signal
import subprocess

from . import daemon, place


class Agent:
    """Agent(breakwater, mta).start(); .kill(); .stop(). Writes its settings into the daemon's configuration; nobody is told anything."""

    def __init__(self, breakwater, mta, hold=None, notify=None, name="agent"):
        self.breakwater = breakwater
        self.mta = mta
        self.log = breakwater.directory.parent / f"{name}.log"
        self.child = self.guard = None
        breakwater.config["hold"].update(hold or {})
        breakwater.config.setdefault("notify", {}).update(
            {"every": "1s", "senders": False, "state_file": str(breakwater.directory / "notified"), **(notify or {})})
        breakwater.write()

    def _groups(self):
        """postqueue, not set-group-id here, asks the queue manager through a folder of this group."""
        return [self.mta.group.gr_gid] if hasattr(self.mta, "libraries") else []

    def start(self, *arguments):
        """Returns self once it runs."""
        account = pwd.getpwnam(daemon.USER)
        started = self.log_text().count("event=started")
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen([place.program("agent", "breakwater-agent"), "-f", "-c", self.breakwater.config_file, *arguments],
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                          user=account.pw_uid, group=account.pw_gid, extra_groups=self._groups())
        self.guard = place.Guard(self.child.pid)
        place.wait_until(lambda: self._runs(started), "breakwater-agent has started", 15)
        return self

    def _runs(self, started):
        if self.child.poll() is not None:
            self.guard.leave()
            raise RuntimeError(f"breakwater-agent ended with {self.child.returncode}: {self.log_text()[-2000:]}")
        return self.log_text().count("event=started") > started

    def log_text(self):
        try:
            return self.log.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def kill(self):
        """kill -9."""
        self.guard.leave()
        os.kill(self.child.pid, signal.SIGKILL)
        self.child.wait()
        self.child = None

    def killed(self, seconds=30):
        """Waits until it has killed itself."""
        self.child.wait(seconds)
        self.guard.leave()
        self.child = None

    def stop(self):
        if self.child is None:
            return
        self.guard.leave()
        place.stop_child(self.child)
        self.child = None
        text = self.log_text()
        if any(mark in text for mark in daemon.SANITIZERS):
            raise AssertionError(text[-6000:])

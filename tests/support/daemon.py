"""A breakwaterd of our own: configuration, start, reload, kill, and what breakwaterctl says of it."""

import json
import os
import pwd
import signal
import subprocess

from . import milter_mta, place

DOMAIN = "nhs.example"
CLIENT = "192.0.2.10"      # inside, vouched: authenticates its users itself
PLAIN = "192.0.2.20"       # inside, not vouched
EXPANDER = "192.0.2.30"
LIST_SERVER = "192.0.2.40"
RELAY = "192.0.2.50"
STRANGER = "203.0.113.9"   # outside
USER = "games"             # of base-passwd, unused: the daemon drops its privileges to it where it is started as root

INTERNAL = {
    "domains": [DOMAIN],
    "networks": ["192.0.2.0/24", "127.0.0.0/8"],
    "vouched": [CLIENT],
    "relays": [RELAY],
    "expanders": [EXPANDER],
    "list_servers": [LIST_SERVER],
    "submission_daemons": ["ORIGINATING"],
}

SANITIZERS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer", "runtime error:")


def mail_list(address, size, posters=(), **more):
    """One entry of the section `lists`."""
    return {"address": address, "size": size, **({"posters": list(posters)} if posters else {}), **more}


def _value(value, indent):
    """A Python value in libconfig's syntax: dict a group, list of dicts a list, other lists an array."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}L" if abs(value) > 0x7fffffff else str(value)
    if isinstance(value, dict):
        return "{\n" + _lines(value, indent + 1) + "\t" * indent + "}"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(_value(v, indent + 1) for v in value)
        return f"( {inner} )" if value and isinstance(value[0], dict) else f"[ {inner} ]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _lines(group, indent=0):
    return "".join(f"{chr(9) * indent}{key} = {_value(value, indent)};\n" for key, value in group.items())


def one_secret(scratch, user=None):
    """Of the section `daemon`, for hosts that share a store: the site secret, which the first of them makes."""
    directory = scratch / "site"
    directory.mkdir(exist_ok=True)
    if user:
        os.chown(directory, pwd.getpwnam(user).pw_uid, -1)
    return {"secret_file": str(directory / "secret")}


class Daemon:
    """with Daemon(scratch, lists=[mail_list(…)]) as d: … d.socket, d.ctl("status")

    `settings`: {"huge.conversation.senders": "1"}; `sections`: whole sections of the configuration to change, e.g.
    {"internal": {"vouched": []}}. `mta`: the instance whose queue the CLI releases from.
    """

    def __init__(self, scratch, lists=(), mode="enforce", settings=None, sections=None, socket_path=None, user=None,
                 socket_group=None, mta=None, name="daemon", host="mx1"):
        self.directory = scratch / name
        self.directory.mkdir()
        self.socket = socket_path or self.directory / "milter.sock"
        self.log = self.directory / "log"
        self.config_file = self.directory / "breakwater.conf"
        self.mta = mta
        self.child = None
        self.guard = None
        if user:
            account = pwd.getpwnam(user)
            os.chown(self.directory, account.pw_uid, account.pw_gid)
        self.host = host
        self.config = self._configuration(mode, lists, settings or {}, user, socket_group)
        for section, changes in (sections or {}).items():
            self.config.setdefault(section, {}).update(changes)
        self.write()

    def _configuration(self, mode, lists, settings, user, socket_group):
        """The one place where the tests know the configuration's keys."""
        daemon = {"socket": f"unix:{self.socket}", "pid_file": str(self.directory / "pid"),
                  "secret_file": str(self.directory / "secret"), "bypass_file": str(self.directory / "bypass"),
                  "host": self.host, "log": "stderr", "user": user or "", "group": "", "socket_group": socket_group or ""}
        hold = {"archive": str(self.directory / "archive"), "min_free": 0}  # whatever this machine's disk has left
        if hasattr(self.mta, "sendmail_queue"):
            hold["sendmail_queue"] = str(self.mta.sendmail_queue)
        return {"mode": mode, "daemon": daemon, "hold": hold,
                # Long enough that a loaded machine's disk is no outage.
                "store": {"backend": "embedded", "path": str(self.directory / "store.db"), "busy": "2s"},
                "internal": dict(INTERNAL), "settings": [f"{name} = {value}" for name, value in settings.items()],
                "lists": list(lists)}

    def write(self):
        """Writes .config to the file; the daemon re-reads it with reload()."""
        self.config_file.write_text(_lines({k: v for k, v in self.config.items() if v not in ([], {})}))
        self.config_file.chmod(0o644)

    # -- running it

    def start(self, seconds=20, more=()):
        """Returns self once the socket answers. `more`: further options."""
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen([place.program("daemon", "breakwaterd"), "-c", self.config_file, "-f", *more],
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.guard = place.Guard(self.child.pid)
        try:
            place.wait_until(self._accepts, "breakwaterd accepts on its socket", seconds)
        except AssertionError:
            self.stop()
            raise
        return self

    def _accepts(self):
        if self.child.poll() is not None:
            self.guard.leave()
            raise RuntimeError(f"breakwaterd ended with {self.child.returncode}: {self.log_text()[-2000:]}")
        # A connection alone says little: the socket listens before anybody serves it.
        try:
            with milter_mta.Session(self.socket, timeout=2) as probe:
                probe.negotiate()
            return True
        except (OSError, milter_mta.Gone):
            return False

    @property
    def pid(self):
        return self.child.pid

    def alive(self):
        return self.child is not None and self.child.poll() is None

    def reload(self):
        self.child.send_signal(signal.SIGUSR1)

    def suspend(self):
        """SIGSTOP: there, and silent. Until resume()."""
        self.child.send_signal(signal.SIGSTOP)

    def resume(self):
        self.child.send_signal(signal.SIGCONT)

    def kill(self):
        """kill -9."""
        self.guard.leave()
        self.child.kill()
        self.child.wait()
        self.child = None
        self._sanitizers()

    def killed(self, seconds=30):
        """Waits until it has killed itself (option -k)."""
        place.wait_until(lambda: not self.alive(), "breakwaterd is killed", seconds)
        self.kill()

    def stop(self, seconds=20):
        """SIGTERM; returns the exit status. Raises when a sanitizer had something to say."""
        if self.child is None:
            return None
        self.guard.leave()
        status = place.stop_child(self.child, seconds)
        self.child = None
        self._sanitizers()
        return status

    def end(self):
        """At the end of a test: the quick way, unless a sanitizer wants to look for leaks."""
        if self.child is None:
            return
        if os.environ.get("BW_VARIANT") == "asan":
            self.stop()
        else:
            self.kill()

    def _sanitizers(self):
        text = self.log_text()
        at = min((text.find(m) for m in SANITIZERS if m in text), default=-1)
        if at >= 0:
            raise AssertionError("sanitizer: " + text[at:at + 6000])

    def restart(self):
        self.stop()
        return self.start()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # -- looking at it

    def rss_kib(self):
        """VmRSS of the daemon."""
        with open(f"/proc/{self.pid}/status") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))

    def log_text(self):
        try:
            return self.log.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def _ctl_environment(self):
        return {**os.environ, **(self.mta.environment() if self.mta else {})}

    def run_ctl(self, *arguments):
        """breakwaterctl's CompletedProcess."""
        command = [place.program("cli", "breakwaterctl"), "-c", self.config_file, *map(str, arguments)]
        return subprocess.run(command, env=self._ctl_environment(), capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL)

    def ctl(self, *arguments):
        """Its output; raises when it does not exit 0."""
        done = self.run_ctl(*arguments)
        if done.returncode != 0:
            words = " ".join(map(str, arguments))
            raise RuntimeError(f"breakwaterctl {words}: {done.returncode}: {done.stderr}{done.stdout}")
        return done.stdout

    def json(self, *arguments):
        """The object that `--json` prints."""
        return json.loads(self.ctl("--json", *arguments))

    def json_lines(self, *arguments):
        """The objects of a listing."""
        return [json.loads(line) for line in self.ctl("--json", *arguments).splitlines()]

    def status(self):
        return self.json("status")

    def figures(self):
        """What the store knows: deliveries let pass to lists, messages waiting in the ledger. The daemon writes its
        figures with its heartbeat."""
        self.await_heartbeats()
        status = self.status()
        return {"deliveries": status["deliveries"], "held": status["held"]}

    def await_heartbeats(self):
        """The next two (one may be under way): everything that was so before is in the store, and in its copies."""
        seen = [place.wait_until(self._seen_at, "a first heartbeat of breakwaterd", 15, 0.1)]
        place.wait_until(lambda: self._next_heartbeat(seen), "two heartbeats of breakwaterd", 15, 0.1)

    def _seen_at(self):
        return next((h["seen_at"] for h in self.status()["hosts"] if h["host"] == self.host), None)

    def _next_heartbeat(self, seen):
        at = self._seen_at()
        if at != seen[-1]:
            seen.append(at)
        return len(seen) > 2

    def held(self):
        return self.json_lines("held", "ls")

    def breakers(self):
        return self.json_lines("breaker", "ls")

    def set(self, name, value):
        return self.ctl("--yes", "set", name, value)

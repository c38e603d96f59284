"""Who is measured: null milters, breakwaterd, rspamd. Each on a private Unix socket, each ended with us.

    with NullMilter(scratch, "lean") as c: … c.socket, c.pids()
"""

import os
import signal
import socket
import subprocess

from support import daemon, place

OPEN_LIST = "open-{}@nhs.example"         # 10,000 members; thresholds so high that nothing is ever stopped
OPEN_LISTS = 1000
HELD_LIST = "held@nhs.example"            # 840,000 members, usual thresholds: what is stopped is held
REJECTED_LIST = "rejected@nhs.example"    # the same, what is stopped is rejected
POSTER = "comms@nhs.example"

# Nothing trips on lists of tier large; all counters still count.
OPEN = {"large.gate.fanout": 10**12, "large.conversation.senders": 10000, "large.conversation.replies": "off",
        "large.conversation.day_senders": "off", "large.list.senders": 10000, "large.list.budget": 10**12}
REJECT = {f"@{REJECTED_LIST}.{guard}.action": "reject" for guard in ("conversation", "list")}


class NotInstalled(Exception):
    """A peer that cannot be had here; the table says so."""


def programs():
    """The folder of loadgen and null-milter."""
    return place.build_directory() / "tests" / "bench"


def missing():
    """What has to be built first."""
    wanted = [programs() / "loadgen", programs() / "null-milter", programs() / "bench-directory",
              place.build_directory() / "milter/daemon/breakwaterd"]
    return [str(p) for p in wanted if not p.exists()]


def multiarch(root):
    return ":".join(str(p) for p in root.glob("usr/lib/*-linux-gnu*"))


class Process:
    """A server process: start(), which returns when its Unix socket accepts; stop()."""

    def __init__(self, scratch, name, socket_path=None):
        self.name = name
        self.directory = scratch / name.replace(" ", "-")
        self.directory.mkdir()
        self.path = socket_path or self.directory / "milter.sock"
        self.child = None

    def command(self):
        raise NotImplementedError

    def environment(self):
        return None

    @property
    def socket(self):
        return f"unix:{self.path}"

    def pids(self):
        """All processes of its group: rspamd has several."""
        listing = subprocess.run(["ps", "-e", "-o", "pid=,pgid="], capture_output=True, text=True, check=True).stdout
        rows = [line.split() for line in listing.splitlines()]
        return [int(pid) for pid, group in rows if int(group) == self.child.pid]

    def start(self, seconds=30):
        with open(self.directory / "log", "ab") as log:
            self.child = subprocess.Popen([str(c) for c in self.command()], env=self.environment(), cwd=self.directory,
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.guard = place.Guard(self.child.pid)
        try:
            place.wait_until(self._accepts, f"{self.name} accepts on its socket", seconds)
        except BaseException:
            self.stop()
            raise
        self.path.chmod(0o666)
        return self

    def _accepts(self):
        if self.child.poll() is not None:
            raise RuntimeError(f"{self.name} ended with {self.child.returncode}: {self.log_text()[-1000:]}")
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.path))
                return True
            except OSError:
                return False

    def log_text(self):
        return (self.directory / "log").read_text(errors="replace")

    def stop(self):
        if self.child is None:
            return
        self.guard.leave()
        place.stop_child(self.child, 15)
        self.child = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


class Redis(Process):
    """A private Redis without persistence; not a contender, but what some of them need."""

    def __init__(self, scratch):
        super().__init__(scratch, "redis")
        self.root = place.UNPACKED / "redis" / "root"
        self.path = self.directory / "redis.sock"
        if not self.root.is_dir():
            raise NotInstalled("Redis")

    def command(self):
        return [self.root / "usr/bin/redis-server", "--port", "0", "--unixsocket", self.path, "--save", "", "--appendonly", "no",
                "--dir", self.directory]

    def environment(self):
        return {**os.environ, "LD_LIBRARY_PATH": multiarch(self.root)}

    def calls(self, command):
        """How often Redis has executed `command` so far."""
        done = subprocess.run([self.root / "usr/bin/redis-cli", "-s", self.path, "INFO", "commandstats"], capture_output=True,
                              text=True, check=True, env=self.environment())
        for line in done.stdout.splitlines():
            if line.startswith(f"cmdstat_{command}:calls="):
                return int(line.split("=")[1].split(",")[0])
        return 0


class NullMilter(Process):
    """mode: all, lean, lean+1 (which needs `redis`)."""

    def __init__(self, scratch, mode, redis=None, socket_path=None, name=None):
        super().__init__(scratch, name or f"null {mode}", socket_path)
        self.mode, self.redis = mode, redis

    def command(self):
        also = [self.redis.path] if self.redis else []
        return [programs() / "null-milter", self.mode, self.socket, *also]


class Breakwater:
    """breakwaterd with the lists above, enforcing. `store`: embedded or redis."""

    def __init__(self, scratch, store="embedded", redis=None, socket_path=None, name=None):
        self.name = name or f"breakwater {store}"
        lists = [daemon.mail_list(OPEN_LIST.format(i), 10000) for i in range(OPEN_LISTS)]
        lists += [daemon.mail_list(name, 840000, posters=[f"inside:{POSTER}"]) for name in (HELD_LIST, REJECTED_LIST)]
        self.daemon = daemon.Daemon(scratch, lists=lists, settings={**OPEN, **REJECT}, sections=self._store(store, redis, self.name.replace(" ", "-")),
                                    socket_path=socket_path, name=self.name.replace(" ", "-"))
        if store != "embedded" and not self._understood():
            raise NotInstalled(f"this breakwaterd has no store {store}")

    @staticmethod
    def _store(store, redis, prefix):
        """Each has a site secret of its own, so each has keys of its own."""
        if store == "embedded":
            return None
        return {"store": {"backend": store, "redis_server": f"unix:{redis.path}", "redis_prefix": f"{prefix}:"}}

    def _understood(self):
        """The configuration's loader knows which stores there are."""
        test = [place.program("daemon", "breakwaterd"), "-t", "-c", self.daemon.config_file]
        return subprocess.run(test, capture_output=True, check=False).returncode == 0

    @property
    def socket(self):
        return f"unix:{self.daemon.socket}"

    def pids(self):
        return [self.daemon.pid]

    def start(self):
        self.daemon.start()
        os.chmod(self.daemon.socket, 0o666)
        return self

    def stop(self):
        self.daemon.stop()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


RSPAMD_CONF = """\
options {{ pidfile = "{d}/pid"; filters = []; tempdir = "{d}"; hs_cache_dir = "{d}"; control_socket = "{d}/control mode=0600";
  url_tld = "{d}/tld"; dns {{ nameserver = ["127.0.0.1"]; }} }}
logging {{ type = "console"; level = "error"; }}
lang_detection {{ languages = "{share}/languages"; }}
modules {{ path = "{share}/plugins/ratelimit.lua"; }}
redis {{ servers = "{redis}"; }}
ratelimit {{ rates {{ to = {{ bucket = {{ burst = 100000000; rate = 100000000; }} }} }} }}
worker "rspamd_proxy" {{ bind_socket = "{socket} mode=0666"; milter = yes; timeout = 120s; count = {count};
  upstream "local" {{ default = yes; self_scan = yes; }} }}
"""


class Rspamd(Process):
    """Its ratelimit module and nothing else; limits so high that nothing is stopped. One worker a processor."""

    def __init__(self, scratch, redis, socket_path=None, name="rspamd ratelimit"):
        self.root = place.UNPACKED / "rspamd" / "root"
        if not self.root.is_dir():
            raise NotInstalled("rspamd")
        super().__init__(scratch, name, socket_path)
        self.share = self.root / "usr/share/rspamd"
        # The real list of top-level domains takes 15 s to compile, and limits ask for none.
        (self.directory / "tld").write_text("com\nexample\norg\n")
        (self.directory / "rspamd.conf").write_text(RSPAMD_CONF.format(
            d=self.directory, share=self.share, redis=redis.path, socket=self.path, count=os.cpu_count()))

    def command(self):
        return [self.root / "usr/bin/rspamd", "-f", "-i", "-c", self.directory / "rspamd.conf"]

    def environment(self):
        own = {name: str(self.directory) for name in ("CONFDIR", "LOCAL_CONFDIR", "DBDIR", "RUNDIR", "LOGDIR", "WWWDIR")}
        libraries = f"{self.root / 'usr/lib/rspamd'}:{multiarch(self.root)}"
        return {**os.environ, **own, "LD_LIBRARY_PATH": libraries, "SHAREDIR": str(self.share),
                "PLUGINSDIR": str(self.share / "plugins"), "RULESDIR": str(self.share / "rules"),
                "LUALIBDIR": str(self.share / "lualib")}


class Postfwd:
    """A policy service of Postfix, not a milter: one rule that counts recipients. It goes to the background by itself."""

    RULE = "id=BENCH; action=rate(recipient/100000000/3600/450 4.7.28 too many)\n"

    def __init__(self, scratch, name="postfwd"):
        self.root = place.UNPACKED / "postfwd" / "root"
        if not self.root.is_dir():
            raise NotInstalled("postfwd")
        self.name, self.guard = name, None
        self.directory = scratch / name
        self.directory.mkdir()
        self.directory.chmod(0o777)  # it changes its user
        self.port = place.free_port()
        (self.directory / "rules").write_text(self.RULE)

    def command(self):
        libraries = [self.root / "usr/share/perl5", *self.root.glob("usr/lib/*/perl5/*")]
        return ["perl", "-T", *(f"-I{p}" for p in libraries), self.root / "usr/sbin/postfwd2", "--file", self.directory / "rules",
                "--interface", "127.0.0.1", "--port", self.port, "--user", "nobody", "--group", "nogroup", "--nodns",
                "--noidlestats", "--pidfile", self.directory / "pid"]

    def start(self):
        done = subprocess.run([str(c) for c in self.command()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, timeout=30, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"postfwd: {done.stderr[-500:]}")
        pid_file = self.directory / "pid"
        self.master = int(place.wait_until(lambda: pid_file.exists() and pid_file.read_text(), "postfwd writes its process id"))
        self.guard = place.Guard(self.master)
        place.wait_until(self._accepts, "postfwd accepts")
        return self

    def _accepts(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def stop(self):
        if self.guard is None:
            return
        self.guard.leave()
        self.guard = None
        os.kill(self.master, signal.SIGTERM)
        place.wait_until(lambda: not os.path.exists(f"/proc/{self.master}"), "postfwd ends", 20)

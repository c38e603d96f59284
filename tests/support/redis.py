"""A private Redis with the shipped configuration: the user of conf/redis/breakwater.conf and no other rights."""

import os
import re
import signal
import subprocess
import sysconfig

from . import place

USER, PASSWORD = "breakwater", "correct horse battery staple"


def _libraries(root):
    return os.pathsep.join(str(root / "usr/lib" / name) for name in ("", sysconfig.get_config_var("MULTIARCH") or ""))


class Redis:
    """with Redis(scratch) as r: … r.section() is the configuration's section `store` for a daemon; r.stop(), r.kill(), r.suspend()."""

    def __init__(self, scratch, name="redis", persistent=False, tcp=False, options=()):
        self.root = place.UNPACKED / "redis" / "root"
        self.directory = scratch / name
        self.directory.mkdir()
        self.directory.chmod(0o755)
        self.path = self.directory / "redis.sock"
        self.port = place.free_port() if tcp else 0
        self.persistent = persistent
        self.options = options  # further words of the command line
        self.password_file = self.directory / "password"
        self.child = None
        self.set_password(PASSWORD)

    def set_password(self, password):
        """In both places; Redis reads its own at the next start."""
        self.password_file.write_text(password + "\n")
        self.password_file.chmod(0o644)  # the daemon reads it under its own user
        shipped = (place.ROOT / "conf/redis/breakwater.conf").read_text()
        own, n = re.subn(r"^(user breakwater on) resetpass", rf'\1 ">{password}"', shipped, flags=re.M)
        assert n == 1, "conf/redis/breakwater.conf has no user without a password"
        if not self.persistent:
            own = own.replace("appendonly yes", "appendonly no")
        (self.directory / "redis.conf").write_text(own)

    def environment(self):
        return {**os.environ, "LD_LIBRARY_PATH": _libraries(self.root)}

    def start(self):
        command = [self.root / "usr/bin/redis-server", self.directory / "redis.conf", "--bind", "127.0.0.1", "--port", str(self.port),
                   "--unixsocket", self.path, "--unixsocketperm", "777", "--save", "", "--dir", self.directory, *self.options]
        with open(self.directory / "log", "ab") as log:
            self.child = subprocess.Popen(command, env=self.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          start_new_session=True)
        self.guard = place.Guard(self.child.pid)
        place.wait_until(self._answers, f"Redis answers: {self.directory}/log", 20)
        return self

    def _answers(self):
        if self.child.poll() is not None:
            self.guard.leave()
            raise RuntimeError("redis-server ended: " + (self.directory / "log").read_text()[-2000:])
        return self.call("PING").strip() == "PONG"

    def call(self, *words):
        """The administrator's command; what redis-cli prints."""
        cli = [self.root / "usr/bin/redis-cli", "-s", self.path, *words]
        done = subprocess.run(cli, env=self.environment(), capture_output=True, text=True, check=False, timeout=20)
        return done.stdout

    def info(self, section):
        """INFO's lines as a dict."""
        return dict(line.split(":", 1) for line in self.call("INFO", section).splitlines() if ":" in line)

    def calls(self, command):
        """How often `command` has been executed so far."""
        text = self.info("commandstats").get(f"cmdstat_{command}", "calls=0")
        return int(re.match(r"calls=(\d+)", text).group(1))

    def clients(self):
        """Connections of the user breakwater."""
        return sum(f" user={USER} " in line for line in self.call("CLIENT", "LIST").splitlines())

    def section(self, **more):
        """What breakwater.conf says of it."""
        server = f"127.0.0.1:{self.port}" if self.port else f"unix:{self.path}"
        return {"backend": "redis", "redis_server": server, "redis_user": USER, "redis_password_file": str(self.password_file), **more}

    def suspend(self):
        self.child.send_signal(signal.SIGSTOP)

    def resume(self):
        self.child.send_signal(signal.SIGCONT)

    def kill(self):
        """kill -9."""
        self.guard.leave()
        self.child.kill()
        self.child.wait()
        self.child = None

    def stop(self):
        if self.child is not None:
            self.guard.leave()
            self.resume()
            place.stop_child(self.child)
            self.child = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

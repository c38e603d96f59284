"""breakwater-helper of our own, and one who asks it: orders signed as breakwaterctl signs them, packets as breakwater-agent sends them."""

import fcntl
import hashlib
import hmac
import os
import pwd
import re
import secrets
import socket
import subprocess
import time

from . import daemon, place

PACKET_BYTES = 98304
FILES_MAX = 253  # of a packet
FAULTS = "checked sealed named done noted answered".split()  # bw_helper_fault_name()


def postfix_commands(mta, directory):
    """Postfix's commands as this instance has them: the helper hands on nothing of its environment."""
    directory.mkdir()
    for name in ("postsuper", "postqueue", "postcat", "postconf"):
        script = directory / name
        script.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={mta.libraries} exec {mta.root}/usr/sbin/{name} "$@"\n')
        script.chmod(0o755)
    return directory


class Helper:
    """Helper(breakwater, mta).start(); .ask(…) as the daemon's user; .stop(). Writes its settings into the daemon's configuration."""

    def __init__(self, breakwater, mta, hold=None, name="helper"):
        self.breakwater = breakwater
        self.directory = breakwater.directory.parent / name
        self.directory.mkdir()
        self.socket = self.directory / "socket"
        self.key = self.directory / "order.key"
        self.errors = self.directory / "log"
        self.child = self.guard = None
        settings = {"helper_socket": str(self.socket), "order_key": str(self.key), **(hold or {})}
        if hasattr(mta, "libraries"):
            settings.update(postfix_commands=str(postfix_commands(mta, self.directory / "commands")), postfix_config=[str(mta.config)])
            self.mta = "postfix"
        else:
            settings.update(sendmail_commands=str(mta.commands))
            self.mta = "sendmail"
        breakwater.config["hold"].update(settings)
        breakwater.write()
        self.config = settings.get("postfix_config", [""])[0]

    # -- running it

    def command(self, *arguments):
        return [place.program("agent", "breakwater-helper"), "-f", "-c", self.breakwater.config_file, "-s", self.directory / "state",
                *arguments]

    def start(self, *arguments):
        return self._run(self.command(*arguments))

    def start_as_a_service(self):
        """As systemd starts it by conf/systemd: its socket is there already, and it has the capabilities of the unit and no others."""
        unit = (place.ROOT / "conf/systemd/breakwater-helper.service").read_text()
        names = re.search(r"^CapabilityBoundingSet=(.*)$", unit, re.MULTILINE)[1].split()
        bounds = ",".join(["-all", *("+" + name.removeprefix("CAP_").lower() for name in names)])
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            self.socket.unlink(missing_ok=True)
            listener.bind(str(self.socket))
            os.chown(self.socket, 0, pwd.getpwnam(daemon.USER).pw_gid)
            self.socket.chmod(0o660)
            listener.listen()
            # Its own process id is known to itself alone.
            script = f'LISTEN_PID=$$ LISTEN_FDS=1 exec setpriv --bounding-set {bounds} --no-new-privs -- "$@" 3<&{listener.fileno()}'
            return self._run(["sh", "-c", script, "sh", *self.command()], pass_fds=(listener.fileno(),))

    def _run(self, command, **more):
        with open(self.errors, "ab") as log:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **more)
        self.guard = place.Guard(self.child.pid)
        place.wait_until(self._answers, "breakwater-helper answers", 20)
        return self

    def _answers(self):
        if self.child.poll() is not None:
            self.guard.leave()
            raise RuntimeError(f"breakwater-helper ended with {self.child.returncode}: {self.log_text()}")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
            try:
                probe.connect(str(self.socket))
                return True
            except OSError:
                return False

    def log_text(self):
        return self.errors.read_text(errors="replace")

    def killed(self, seconds=20):
        """Waits until it has killed itself."""
        status = self.child.wait(seconds)
        self.guard.leave()
        self.child = None
        return status

    def stop(self):
        if self.child is None:
            return None
        self.guard.leave()
        status = place.stop_child(self.child)
        self.child = None
        text = self.log_text()
        if any(mark in text for mark in daemon.SANITIZERS):
            raise AssertionError(text[-6000:])
        return status

    # -- orders

    def sign(self, text, key=None):
        key = bytes.fromhex(self.key.read_text().strip()) if key is None else key
        return f"{text}; mac={hmac.new(key, text.encode(), hashlib.sha512).digest()[:32].hex()}"

    def order(self, kind, queue_id, mark_id, at_ms, key=None, **changes):
        """Signed, of this host, for an hour."""
        fields = {"v": "1", "kind": kind, "host": self.breakwater.host, "mta": self.mta, "queue": queue_id, "id": mark_id, "at": at_ms,
                  "until": int(time.time() * 1000) + 3600000, "nonce": secrets.token_hex(16), **changes}
        return self.sign("; ".join(f"{name}={value}" for name, value in fields.items()), key)

    # -- asking

    def client(self, user=daemon.USER):
        return Client(self.socket, user)

    def ask(self, ask, queue_id=None, order=None, user=daemon.USER, files=(), **more):
        """The last packet of the answer; .rows, .files of it as attributes."""
        fields = {"ask": ask, "mta": self.mta, "config": self.config, "queue": queue_id, "order": order, **more}
        with self.client(user) as client:
            return client.ask({name: value for name, value in fields.items() if value}, files)


class Answer(dict):
    rows = ()
    files = ()
    notes = ()


class Client:
    """A connection whose other end sees `user`: it is that user's process that connects."""

    def __init__(self, path, user):
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:
            self._connect_as(path, user, theirs)
        theirs.close()
        _, files, _, _ = socket.recv_fds(ours, 16, 1)
        ours.close()
        os.waitpid(child, 0)
        if not files:
            raise ConnectionRefusedError(f"{user} could not connect to {path}")
        self.socket = socket.socket(fileno=files[0])
        self.socket.settimeout(60)

    @staticmethod
    def _connect_as(path, user, back):
        try:
            account = pwd.getpwnam(user)
            os.setgroups([])
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            connection.connect(str(path))
            socket.send_fds(back, [b"x"], [connection.fileno()])
        finally:
            os._exit(0)

    def send(self, fields, files=()):
        data = fields if isinstance(fields, bytes) else b"".join(f"{k}={v}".encode() + b"\0" for k, v in fields.items())
        socket.send_fds(self.socket, [data], list(files))

    def receive(self):
        """One packet, or None where nobody is there any more."""
        try:
            data, files, _, _ = socket.recv_fds(self.socket, PACKET_BYTES, FILES_MAX)
        except ConnectionResetError:
            return None
        if not data:
            return None
        answer = Answer(field.decode(errors="replace").split("=", 1) for field in data.rstrip(b"\0").split(b"\0"))
        answer.files = files
        return answer

    def ask(self, fields, files=(), go=True):
        self.send(fields, files)
        rows, notes = [], []
        while (answer := self.receive()) is not None:
            if answer["is"] == "note":
                notes.append(answer["queue"])
                self.send({"ask": "go" if go else "stop"})
            elif answer["is"] == "row":
                rows.append(answer)
            else:
                break
        if answer is not None:
            answer.rows, answer.notes = rows, notes
        return answer

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def memfd(data, size=None, sealed=True):
    """What put takes: bytes that nobody can change any more."""
    fd = os.memfd_create("file", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    if size is not None:
        os.truncate(fd, size)
    if sealed:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
    return fd

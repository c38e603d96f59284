"""A complete Sendmail of our own, run from its unpacked package in a private chroot.

The chroot gives it what its host need not have: accounts, a syslog of its own, a name with a dot (it would ask the DNS before
it reads any configuration), and a path to the milter's socket through no folder that others may write to (/tmp is one,
and Sendmail refuses the socket then). Nothing outside the directory is written, no service is started. Needs root.

Its configuration is made with m4 from a .mc that has conf/sendmail/breakwater.mc in it as it is: the example is tested.

Sendmail believes nobody but the network (it has no XCLIENT): who a client is, is the address that it comes from, and
all of 127.0.0.0/8 is ours to come from.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

from . import place

EXAMPLE = place.ROOT / "conf" / "sendmail" / "breakwater.mc"
MILTER_SOCKET = "run/breakwater/milter.sock"  # below the root: where the example looks for it
SUBMISSION_NAME = "MSA"  # {daemon_name} of the second port

MC = """\
divert(0)dnl
include(`{cf}/m4/cf.m4')dnl
VERSIONID(`breakwater: tests')dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `mx.{domain}')dnl
define(`confSERVICE_SWITCH_FILE', `/etc/mail/service.switch')dnl
define(`confPID_FILE', `/run/sendmail.pid')dnl
define(`ALIAS_FILE', `')dnl
define(`QUEUE_DIR', `{queue_dir}')dnl
define(`LOCAL_MAILER_PATH', `/bin/false')dnl
define(`confTO_IDENT', `0')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`confQUEUE_LA', `1000')dnl
define(`confREFUSE_LA', `1000')dnl
define(`SMART_HOST', `relay:[127.0.0.1]')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {sink_port}')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`relay_entire_domain')dnl
RELAY_DOMAIN(`{domain}')dnl
FEATURE(`no_default_msa')dnl
DAEMON_OPTIONS(`Family=inet, Addr=127.0.0.1, Port={port}, Name=MTA, Listen=128')dnl
DAEMON_OPTIONS(`Family=inet, Addr=127.0.0.1, Port={submission}, Name={submission_name}')dnl
{example}
{more}
MAILER_DEFINITIONS
MAILER(`local')dnl
MAILER(`smtp')dnl
"""

ETC = {
    "hosts": "127.0.0.1 mx.{domain} {hostname}\n",  # a name with a dot: Sendmail asks the DNS about all others
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n",
    "passwd": "root:x:0:0::/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\nmail:x:8:8::/:/bin/false\n",
    "group": "root:x:0:\ndaemon:x:1:\nmail:x:8:\nsmmsp:x:9:\n",
    "mail/service.switch": "hosts files\naliases files\n",
}

# "3AM3bJ8O012345*     612 Sun Nov 22 03:37 <u4@nhs.example>"; the mark behind the id says what is being done with it.
LISTED = re.compile(r"^([0-9A-Za-x]{8}\d{6,})[*X?-]*[ (]", re.MULTILINE)


class Syslog:
    """What Sendmail says to syslog: the other end of its /dev/log, kept in a file."""

    def __init__(self, path, file):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._file = file
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def _receive(self):
        with open(self._file, "ab", buffering=0) as out:
            while line := self._socket.recv(16384):
                out.write(line.rstrip(b"\0\n") + b"\n")

    def close(self):
        try:
            self._socket.shutdown(socket.SHUT_RD)  # wakes recv()
        except OSError:
            pass
        self._thread.join(5)
        self._socket.close()


class Sendmail:
    """Sendmail(directory, sink_port).start(); speak SMTP to .port (MTA) or .submission_port (MSA); .stop().

    `more`: further lines of the .mc. `milter=False` leaves breakwater out. `queues`: so many queue directories, each with
    subdirectories qf, df and xf; 0: one without.
    """

    def __init__(self, directory, sink_port, milter=True, domain="nhs.example", more="", queues=0):
        if os.geteuid() != 0:
            raise PermissionError("a private Sendmail needs root: it runs in a chroot")
        self.package = place.UNPACKED / "sendmail" / "root"
        if not self.package.is_dir():
            raise FileNotFoundError(f"{self.package}: run tests/support/packages.sh sendmail")
        self.directory = Path(directory)
        self.root = self.directory / "root"
        self.queue = self.root / "var/spool/mqueue"
        self.queues = queues
        self.commands = self.directory / "commands"
        self.maillog = self.directory / "maillog"
        self.port = place.free_port()
        self.submission_port = place.free_port()
        self.child = self.syslog = None
        self._directories(domain)
        self._programs()
        self._configure(sink_port, milter, domain, more)

    @property
    def milter_socket(self):
        """Where breakwaterd has to listen."""
        return self.root / MILTER_SOCKET

    @property
    def sendmail_queue(self):
        """What breakwater calls hold.sendmail_queue."""
        return self.queue / "q*" if self.queues else self.queue

    # -- making it

    def _directories(self, domain):
        for name in ("etc/mail", "usr/sbin", "run/breakwater", "var/spool", "dev", "tmp"):
            (self.root / name).mkdir(parents=True)
        self.queue.mkdir(mode=0o700)
        for i in range(self.queues):
            for name in ("", "qf", "df", "xf"):
                (self.queue / f"q{i}" / name).mkdir(mode=0o700)
        self.commands.mkdir()
        (self.root / "dev/null").touch()
        for name, text in ETC.items():
            (self.root / "etc" / name).write_text(text.format(domain=domain, hostname=socket.gethostname()))

    def _programs(self):
        """Sendmail, without its set-id bits, and all libraries that it names."""
        program = self.package / "usr/libexec/sendmail/sendmail"
        shutil.copyfile(program, self.root / "usr/sbin/sendmail")
        (self.root / "usr/sbin/sendmail").chmod(0o755)
        ours = ":".join(str(p) for p in self.package.glob("usr/lib/*-linux-*"))
        named = subprocess.run(["ldd", program], env={**os.environ, "LD_LIBRARY_PATH": ours}, capture_output=True, text=True,
                               timeout=60, check=True).stdout
        for path in re.findall(r"(/\S+) \(0x", named):
            # Those of the cache go where the loader looks for the others.
            place_there = "/" + path.removeprefix(str(self.package)).lstrip("/")
            (self.root / place_there[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, self.root / place_there[1:])
            (self.root / place_there[1:]).chmod(0o755)
        # For breakwaterctl: `sendmail` as this instance.
        (self.commands / "sendmail").write_text(f'#!/bin/sh\nexec chroot {self.root} /usr/sbin/sendmail "$@"\n')
        (self.commands / "sendmail").chmod(0o755)

    def _configure(self, sink_port, milter, domain, more):
        cf = self.package / "usr/share/sendmail/cf"
        source = self.root / "etc/mail/sendmail.mc"
        source.write_text(MC.format(cf=cf, domain=domain, sink_port=sink_port, port=self.port, submission=self.submission_port,
                                    submission_name=SUBMISSION_NAME, queue_dir="/var/spool/mqueue" + ("/q*" if self.queues else ""),
                                    example=EXAMPLE.read_text() if milter else "", more=more))
        done = subprocess.run([self.package / "usr/bin/m4", f"-D_CF_DIR_={cf}/", source], capture_output=True, text=True,
                              timeout=60, check=False)
        if done.returncode != 0 or done.stderr:
            raise RuntimeError(f"m4 {source}: {done.stderr}")
        (self.root / "etc/mail/sendmail.cf").write_text(done.stdout)

    def environment(self):
        """For breakwaterctl, which runs `sendmail`."""
        return {"BREAKWATER_SENDMAIL_COMMANDS": str(self.commands)}

    # -- running it

    def start(self):
        """Returns self once both ports answer."""
        self.syslog = Syslog(self.root / "dev/log", self.maillog)
        self.errors = open(self.directory / "errors", "wb")
        self.child = subprocess.Popen([self.commands / "sendmail", "-bD"], stdin=subprocess.DEVNULL, stdout=self.errors,
                                      stderr=self.errors, start_new_session=True)
        self.guard = place.Guard(self.child.pid)
        try:
            for port in (self.port, self.submission_port):
                place.wait_until(lambda p=port: self._greets(p), "Sendmail answers", 20)
        except Exception:
            self.stop()
            raise
        return self

    def _greets(self, port):
        if self.child.poll() is not None:
            raise RuntimeError("Sendmail ended: " + (self.directory / "errors").read_text() + self.log_text()[-2000:])
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=15) as client:
                if client.recv(512).startswith(b"220"):
                    client.sendall(b"QUIT\r\n")
                    return True
        except OSError:
            pass
        return False

    def stop(self):
        """Ends the daemon and, by its process group, the deliveries that it started."""
        if self.child is None:
            return
        self.guard.leave()
        place.stop_child(self.child)
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child = None
        self.errors.close()
        self.syslog.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # -- looking at it

    def command(self, *arguments, check=True):
        """`sendmail ARGUMENTS` on this instance; returns its output."""
        done = subprocess.run([self.commands / "sendmail", *arguments], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"sendmail {' '.join(arguments)}: {done.stderr.strip()}{done.stdout.strip()}")
        return done.stdout

    def mailq(self, quarantined=False):
        """What `mailq`, or `mailq -qQ`, prints."""
        return self.command("-bp", *(["-qQ"] if quarantined else []))

    def held(self):
        """The queue ids of quarantined mail."""
        return set(LISTED.findall(self.mailq(quarantined=True)))

    def waiting(self):
        """The queue ids of all other mail."""
        return set(LISTED.findall(self.mailq()))

    def text_of(self, queue_id):
        """A queued message: its control file (envelope, header fields) and its body."""
        return "".join(path.read_text(errors="replace") for kind in ("hf", "qf", "df") for path in self.queue.rglob(f"{kind}{queue_id}"))

    def file(self, kind, queue_id):
        """The path of one of its files."""
        path, = self.queue.rglob(f"{kind}{queue_id}")
        return path

    def log_text(self):
        try:
            return self.maillog.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def settle(self, seconds=30):
        """Waits until nothing but quarantined mail is queued. Files, not mailq: it leaves out what is not yet complete."""
        place.wait_until(lambda: not [f for f in self.queue.rglob("??*[0-9]") if f.name[:2] in ("qf", "tf", "xf")],
                         "the queue holds nothing but quarantined mail", seconds, 0.1)

"""A complete Postfix of our own, run from its unpacked package under a private directory.

smtpd and cleanup run chrooted, as Debian has them. Nothing outside the directory is written, no service is started and
no account is made: Postfix wants a mail_owner and a setgid_group that share nothing with others, so accounts of
base-passwd that nobody uses today stand in. Needs root (chroot, several users).
"""

import grp
import json
import os
import pwd
import re
import signal
import socket
import subprocess
from pathlib import Path

from . import place

OWNERS = ("uucp", "news", "irc", "list", "lp")
SETGID_GROUPS = ("operator", "dip", "voice", "tape", "fax")
MILTER_SOCKET = "breakwater/milter.sock"  # below the queue directory: the only place a chrooted smtpd can reach
MILTER = f"{{ unix:{MILTER_SOCKET}, connect_timeout=2s, command_timeout=5s, content_timeout=10s, default_action=accept }}"
SUBMISSION_NAME = "ORIGINATING"  # {daemon_name} of the second smtpd

MASTER_CF = """\
127.0.0.1:{port}       inet n - y - 200 smtpd
127.0.0.1:{submission} inet n - y - 200 smtpd
    -o syslog_name=postfix/submission
    -o milter_macro_daemon_name={submission_name}
pickup    unix  n - y 60  1 pickup
cleanup   unix  n - y -   0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - y -   - trivial-rewrite
bounce    unix  - - y -   0 bounce
defer     unix  - - y -   0 bounce
trace     unix  - - y -   0 bounce
verify    unix  - - y -   1 verify
flush     unix  n - y 1000? 0 flush
proxymap  unix  - - n -   - proxymap
proxywrite unix - - n -   1 proxymap
sink      unix  - - y -   - smtp
    -o syslog_name=postfix/sink
lmtp      unix  - - y -   - lmtp
showq     unix  n - y -   - showq
error     unix  - - y -   - error
retry     unix  - - y -   - error
discard   unix  - - y -   - discard
anvil     unix  - - y -   1 anvil
scache    unix  - - y -   1 scache
postlog   unix-dgram n - n - 1 postlogd
"""

SENT = re.compile(r" postfix/sink/smtp\[\d+\]: (\w+): to=<([^>]*)>.* status=sent ")


def _first(names, look_up, what):
    for name in names:
        try:
            return look_up(name)
        except KeyError:
            continue
    raise RuntimeError(f"no account for Postfix's {what}: none of {', '.join(names)} exists")


class Postfix:
    """Postfix(directory, sink_port).start(); speak SMTP to .port (inside) or .submission_port; .stop().

    `settings`: further lines of main.cf, or others' values. `milter=False` leaves breakwater out. `port`: a certain one.
    """

    def __init__(self, directory, sink_port, milter=True, domain="nhs.example", settings=None, port=0):
        if os.geteuid() != 0:
            raise PermissionError("a private Postfix needs root: it chroots and changes users")
        self.root = place.UNPACKED / "postfix" / "root"
        if not self.root.is_dir():
            raise FileNotFoundError(f"{self.root}: run tests/support/packages.sh postfix")
        self.directory = Path(directory)
        self.config = self.directory / "etc"
        self.queue = self.directory / "spool"
        self.maillog = self.directory / "maillog"
        self.port = port or place.free_port()
        self.submission_port = place.free_port()
        self.owner = _first(OWNERS, pwd.getpwnam, "mail_owner")
        self.group = _first(SETGID_GROUPS, grp.getgrnam, "setgid_group")
        self.master = None
        multiarch = [str(p) for p in self.root.glob("usr/lib/*-linux-*")]
        self.libraries = ":".join([str(self.root / "usr/lib/postfix"), *multiarch])
        self._directories()
        self._settings(sink_port, milter, domain, settings or {})

    @property
    def milter_socket(self):
        """Where breakwaterd has to listen."""
        return self.queue / MILTER_SOCKET

    @property
    def milter_group(self):
        """The group that smtpd and cleanup run with: who may write to the socket."""
        return grp.getgrgid(self.owner.pw_gid).gr_name

    # -- making it

    def _directories(self):
        owner, group = self.owner.pw_uid, self.group.gr_gid
        self.config.mkdir(parents=True)
        for name in ("pid", "etc", "breakwater"):
            (self.queue / name).mkdir(parents=True)
        for name in "active bounce corrupt defer deferred flush hold incoming private saved trace".split():
            self._owned(self.queue / name, 0o700, owner, 0)
        self._owned(self.queue / "public", 0o710, owner, group)
        self._owned(self.queue / "maildrop", 0o1730, owner, group)
        self._owned(self.directory / "data", 0o700, owner, 0)

    @staticmethod
    def _owned(path, mode, owner, group):
        path.mkdir()
        os.chown(path, owner, group)
        path.chmod(mode)

    def _settings(self, sink_port, milter, domain, changes):
        lib = self.root / "usr/lib/postfix"
        settings = {
            "compatibility_level": "3.6",
            "queue_directory": self.queue,
            "command_directory": self.root / "usr/sbin",
            "daemon_directory": lib / "sbin",
            "data_directory": self.directory / "data",
            "meta_directory": self.config,
            "shlib_directory": lib,
            "mail_owner": self.owner.pw_name,
            "setgid_group": self.group.gr_name,
            # The libraries lie beside the programs, which master starts with a clean environment.
            "import_environment": f"MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH={self.libraries}",
            "maillog_file": self.maillog,
            "maillog_file_prefixes": self.directory,
            "myhostname": f"mx.{domain}",
            "mydomain": domain,
            "mydestination": "",
            "local_recipient_maps": "",
            "alias_maps": "",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "mynetworks": "127.0.0.0/8",
            "relay_domains": f"{domain}, .{domain}",
            "relay_transport": f"sink:[127.0.0.1]:{sink_port}",
            "default_transport": f"sink:[127.0.0.1]:{sink_port}",
            "smtpd_relay_restrictions": "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination",
            "smtpd_authorized_xclient_hosts": "127.0.0.0/8",
            "smtpd_peername_lookup": "no",
            "smtp_dns_support_level": "disabled",
            "smtp_host_lookup": "native",
            "smtpd_client_connection_count_limit": "0",
            "smtpd_recipient_limit": "1000",
            "default_process_limit": "100",
            "enable_long_queue_ids": "yes",
            "in_flow_delay": "0",
            "biff": "no",
        }
        if milter:
            settings["smtpd_milters"] = MILTER
        settings.update(changes)
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        (self.config / "main.cf").write_text(lines)
        (self.config / "master.cf").write_text(MASTER_CF.format(
            port=self.port, submission=self.submission_port, submission_name=SUBMISSION_NAME))

    # -- running it

    def environment(self):
        """What makes postsuper, postqueue and the like mean this instance."""
        return {"PATH": f"{self.root / 'usr/sbin'}:/usr/sbin:/usr/bin:/sbin:/bin", "MAIL_CONFIG": str(self.config),
                "LD_LIBRARY_PATH": self.libraries}

    def start(self):
        """Returns self once smtpd answers."""
        self.errors = open(self.directory / "master.err", "wb")
        self.master = subprocess.Popen(
            [self.root / "usr/lib/postfix/sbin/master", "-c", self.config, "-d"], env=self.environment(),
            stdin=subprocess.DEVNULL, stdout=self.errors, stderr=self.errors, start_new_session=True)
        self.guard = place.Guard(self.master.pid)
        try:
            place.wait_until(self._started, "Postfix's master starts", 20)
            self._greet()
        except Exception:
            self.stop()
            raise
        return self

    def _started(self):
        if self.master.poll() is not None:
            raise RuntimeError("Postfix's master ended: " + self._complaint())
        return "daemon started" in "".join(self.log_lines())

    def _greet(self):
        """A setting that smtpd does not like shows only with its first client."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=15) as client:
                if client.recv(512).startswith(b"220"):
                    client.sendall(b"QUIT\r\n")
                    return
        except OSError:
            pass
        raise RuntimeError("Postfix's smtpd does not answer: " + self._complaint())

    def _complaint(self):
        return (self.directory / "master.err").read_text() + "".join(self.log_lines()[-5:])

    def stop(self):
        """Ends master and, by its process group, all that it started."""
        if self.master is None:
            return
        self.guard.leave()
        place.stop_child(self.master)
        try:
            os.killpg(self.master.pid, signal.SIGKILL)  # an orphaned child, if any
        except ProcessLookupError:
            pass
        self.errors.close()
        self.master = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # -- looking at it

    def command(self, name, *arguments, check=True):
        """Runs postqueue, postsuper, postcat, postconf … of this instance; returns its output."""
        done = subprocess.run([self.root / "usr/sbin" / name, "-c", self.config, *arguments], env=self.environment(),
                              capture_output=True, text=True, timeout=60)
        if check and done.returncode != 0:
            raise RuntimeError(f"{name} {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def postqueue_json(self):
        """`postqueue -j` as a list of objects."""
        return [json.loads(line) for line in self.command("postqueue", "-j").splitlines()]

    def queue_ids(self, queue=None):
        """The ids of all queued messages, or of those in one queue ("hold", "deferred", …)."""
        return {m["queue_id"] for m in self.postqueue_json() if queue in (None, m["queue_name"])}

    def held(self):
        return self.queue_ids("hold")

    def postsuper(self, *arguments):
        return self.command("postsuper", *arguments)

    def postcat(self, queue_id):
        """The queue file's content (envelope, header and body) as text."""
        return self.command("postcat", "-q", queue_id)

    def log_lines(self):
        try:
            return self.maillog.read_text(errors="replace").splitlines(keepends=True)
        except FileNotFoundError:
            return []

    def sent(self):
        """Queue id and recipient of every copy that the log shows as sent to the sink transport."""
        return [found.groups() for line in self.log_lines() if (found := SENT.search(line))]

    def delivered(self, address):
        """How many copies to `address` the log shows as sent to the sink transport."""
        return sum(1 for _, to in self.sent() if to.lower() == address.lower())

    def settle(self, seconds=30):
        """Waits until nothing but held mail is queued, and the log has said so."""
        place.wait_until(lambda: self.queue_ids() == self.held(), "the queue holds nothing but held mail", seconds, 0.1)
        place.wait_until(lambda: self._log_complete(), "Postfix's log is complete", seconds, 0.1)

    def _log_complete(self):
        """qmgr logs "removed" last; every message it took up has been removed."""
        text = "".join(self.log_lines())
        taken = set(re.findall(r"postfix/qmgr\[\d+\]: (\w+): from=", text))
        removed = set(re.findall(r"postfix/qmgr\[\d+\]: (\w+): removed", text))
        return taken <= removed

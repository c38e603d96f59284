"""Debian's Mailman 3, run from its unpacked package under a private directory: its REST interface alone on a loopback port (Mailman), or
what takes posts and hands them on (Manager)."""

import base64
import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

from . import place

USER, PASSWORD = "restadmin", "restpass"

CONF = """\
[mailman]
layout: here
[paths.here]
var_dir: {directory}/var
bin_dir: {root}/usr/lib/mailman3/bin
[webservice]
hostname: 127.0.0.1
port: {port}
admin_user: {user}
admin_pass: {password}
workers: 1
[mta]
incoming: mailman.mta.null.NullMTA
[logging.root]
path: {directory}/log
"""


class Mailman:
    """with Mailman(scratch) as m: m.add_list("staff@nhs.example", ["ann@nhs.example", …]); m.url"""

    def __init__(self, scratch):
        self.root = place.UNPACKED / "mailman" / "root"
        if not self.root.is_dir():
            raise FileNotFoundError(f"{self.root}: run tests/support/packages.sh mailman")
        self.directory = scratch / "mailman"
        self.directory.mkdir()
        self.port = place.free_port()
        self.child = None
        self.domains = set()
        self.conf = self.directory / "mailman.cfg"
        self.conf.write_text(CONF.format(directory=self.directory, root=self.root, port=self.port, user=USER, password=PASSWORD))
        self.password_file = self.directory / "password"
        self.password_file.write_text(PASSWORD + "\n")
        self.password_file.chmod(0o600)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        """The REST runner only: no queue is looked at, no mail is sent."""
        libraries = self.root / "usr/lib/python3/dist-packages"
        env = {**os.environ, "PYTHONPATH": str(libraries), "PYTHONDONTWRITEBYTECODE": "1"}
        with open(self.directory / "err", "wb") as err:
            self.child = subprocess.Popen([sys.executable, self.root / "usr/lib/mailman3/bin/runner", "-C", self.conf, "-r",
                                           "rest:0:1"], env=env, stdin=subprocess.DEVNULL, stdout=err, stderr=err,
                                          start_new_session=True)
        self.guard = place.Guard(self.child.pid)
        place.wait_until(self._answers, "Mailman's REST interface answers", 60, 0.1)
        return self

    def _answers(self):
        if self.child.poll() is not None:
            raise RuntimeError("Mailman's runner ended: " + (self.directory / "err").read_text()[-2000:])
        try:
            self.ask("GET", "/3.1/system/versions")
            return True
        except urllib.error.URLError:
            return False

    def ask(self, method, path, **values):
        data = urllib.parse.urlencode(values).encode() if values else None
        request = urllib.request.Request(self.url + path, data=data, method=method)
        request.add_header("Authorization", "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def add_list(self, name, members=()):
        domain = name.split("@")[1]
        if domain not in self.domains:
            self.ask("POST", "/3.1/domains", mail_host=domain)
            self.domains.add(domain)
        self.ask("POST", "/3.1/lists", fqdn_listname=name, style_name="private-default")
        for member in members:
            self.ask("POST", "/3.1/members", list_id=name.replace("@", "."), subscriber=member, pre_verified="true",
                     pre_confirmed="true", pre_approved="true", send_welcome_message="false")

    def remove_list(self, name):
        self.ask("DELETE", f"/3.1/lists/{name}")

    def stop(self):
        if self.child is not None:
            self.guard.leave()
            place.stop_child(self.child)
            self.child = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


POSTING = """\
[mta]
smtp_host: 127.0.0.1
smtp_port: {smtp_port}
lmtp_host: 127.0.0.1
lmtp_port: {lmtp_port}
max_recipients: 500
verp_personalized_deliveries: yes
"""


class Manager(Mailman):
    """A list manager that takes posts by LMTP at .lmtp_port and hands them on through `smtp_port`, 500 recipients a transaction; to a list
    that is "individual" one by one, with VERP.

    `lists`: (address, number of members, "bulk" or "individual"); the members are m0@nhs.example and so on.
    """

    RUNNERS = ("lmtp", "in", "pipeline", "out")

    def __init__(self, scratch, smtp_port, lists):
        super().__init__(scratch)
        self.lmtp_port = place.free_port()
        self.lists = lists
        self.children = []
        with open(self.conf, "a") as conf:
            conf.write(POSTING.format(smtp_port=smtp_port, lmtp_port=self.lmtp_port))

    def _environment(self):
        # Compiled once for all runners, and nothing is left in the unpacked package.
        return {**os.environ, "PYTHONPATH": str(self.root / "usr/lib/python3/dist-packages"),
                "PYTHONPYCACHEPREFIX": str(self.directory / "pycache")}

    def start(self):
        words = [",".join(map(str, one)) for one in self.lists]
        seed = place.ROOT / "tests/support/mailman_seed.py"
        done = subprocess.run([sys.executable, "-P", seed, self.conf, self.directory / "var/data/mailman.db", *words], env=self._environment(),
                              capture_output=True, text=True, timeout=180, check=False)
        if done.returncode != 0:
            raise RuntimeError("Mailman's lists: " + done.stderr[-2000:])
        self.errors = open(self.directory / "err", "wb")
        for runner in self.RUNNERS:
            child = subprocess.Popen([sys.executable, self.root / "usr/lib/mailman3/bin/runner", "-C", self.conf, "-r", f"{runner}:0:1"],
                                     env=self._environment(), stdin=subprocess.DEVNULL, stdout=self.errors, stderr=self.errors,
                                     start_new_session=True)
            self.children.append((child, place.Guard(child.pid)))
        place.wait_until(self._takes_posts, "Mailman's LMTP answers", 90, 0.1)
        return self

    def _takes_posts(self):
        for child, _ in self.children:
            if child.poll() is not None:
                raise RuntimeError("Mailman's runner ended: " + (self.directory / "err").read_text()[-2000:])
        try:
            with socket.create_connection(("127.0.0.1", self.lmtp_port), timeout=5) as client:
                return client.recv(512).startswith(b"220")
        except OSError:
            return False

    def waiting(self):
        """Messages in the queues that have a runner; raises when one went wrong."""
        queues = self.directory / "var/queue"
        if any(queues.glob("shunt/*")):
            raise RuntimeError("Mailman gave up: " + (self.directory / "var/logs/mailman.log").read_text()[-2000:])
        return [p.name for runner in self.RUNNERS for p in queues.glob(f"{runner}/*")]

    def stop(self):
        for child, guard in self.children:
            guard.leave()
            place.stop_child(child)
        if self.children:
            self.errors.close()
        self.children = []

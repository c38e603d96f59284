"""Debian's Mailman 3, run from its unpacked package under a private directory: its REST interface alone, on a loopback port."""

import base64
import json
import os
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

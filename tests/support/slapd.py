"""A slapd of our own, run from its unpacked package under a private directory: one database, loopback ports, StartTLS."""

import os
import socket
import subprocess

from . import place

BASE = "dc=nhs,dc=example"
ADMIN = f"cn=admin,{BASE}"
PASSWORD = "correct horse"

CONF = """\
include {root}/etc/ldap/schema/core.schema
include {root}/etc/ldap/schema/cosine.schema
include {root}/etc/ldap/schema/nis.schema
include {root}/etc/ldap/schema/inetorgperson.schema
attributetype ( 1.3.6.1.4.1.32473.1 NAME 'listAddress' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
objectclass ( 1.3.6.1.4.1.32473.2 NAME 'mailList' SUP top AUXILIARY MAY ( mail $ listAddress ) )
modulepath {root}/usr/lib/ldap
moduleload back_mdb
pidfile {directory}/slapd.pid
TLSCertificateFile {directory}/cert.pem
TLSCertificateKeyFile {directory}/key.pem
sizelimit {size_limit}
database mdb
maxsize 67108864
suffix "{base}"
rootdn "cn=root,{base}"
directory {directory}/db
access to attrs=userPassword by anonymous auth by * none
access to * by dn="{admin}" read by {others}
limits dn="{admin}" size={size_limit} size.pr=500 size.prtotal=unlimited
"""

TREE = f"""\
dn: {BASE}
objectClass: organization
objectClass: dcObject
o: NHS
dc: nhs

dn: {ADMIN}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: admin
userPassword: {PASSWORD}

dn: ou=groups,{BASE}
objectClass: organizationalUnit
ou: groups

"""


def person(name):
    return f"uid={name},ou=people,{BASE}"


def group(name, members=(), mail=(), kind="groupOfNames", attribute="member", more=""):
    """One entry in LDIF; `members` are DNs (or user names of a posixGroup)."""
    lines = [f"dn: {group_dn(name)}", f"objectClass: {kind}", "objectClass: mailList", f"cn: {name}"]
    lines += [f"{attribute}: {m}" for m in members] + [f"mail: {m}" for m in mail]
    return "\n".join(lines) + "\n" + more + "\n"


def group_dn(name):
    return f"cn={name},ou=groups,{BASE}"


class Slapd:
    """with Slapd(scratch, ldif) as s: s.uri …"""

    def __init__(self, scratch, ldif, size_limit=500, others="none"):
        self.root = place.UNPACKED / "slapd" / "root"
        if not self.root.is_dir():
            raise FileNotFoundError(f"{self.root}: run tests/support/packages.sh slapd")
        self.directory = scratch / "slapd"
        (self.directory / "db").mkdir(parents=True)
        self.port = place.free_port()
        self.child = None
        multiarch = [str(p) for p in self.root.glob("usr/lib/*-linux-*")]
        self.env = {**os.environ, "LD_LIBRARY_PATH": ":".join(multiarch)}
        self.conf = self.directory / "slapd.conf"
        self.conf.write_text(CONF.format(root=self.root, directory=self.directory, base=BASE, admin=ADMIN, others=others,
                                         size_limit=size_limit))
        self._certificate()
        self._run("slapadd", "-q", "-f", self.conf, "-n", "1", input=TREE + ldif)
        self.password_file = self.directory / "password"
        self.password_file.write_text(PASSWORD + "\n")
        self.password_file.chmod(0o600)

    @property
    def uri(self):
        return f"ldap://127.0.0.1:{self.port}/ou=groups,{BASE}"

    @property
    def certificate(self):
        return self.directory / "cert.pem"

    def _certificate(self):
        done = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                               "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", self.directory / "key.pem",
                               "-out", self.certificate], capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)

    def _run(self, name, *arguments, **more):
        done = subprocess.run([self.root / "usr/sbin" / name, *arguments], env=self.env, capture_output=True, text=True, timeout=60,
                              **more)
        if done.returncode != 0:
            raise RuntimeError(f"{name}: {done.stderr}")

    def start(self):
        with open(self.directory / "log", "wb") as log:
            self.child = subprocess.Popen([self.root / "usr/sbin/slapd", "-f", self.conf, "-d", "0", "-h",
                                           f"ldap://127.0.0.1:{self.port}"], env=self.env, stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=log, start_new_session=True)
        self.guard = place.Guard(self.child.pid)
        place.wait_until(self._answers, "slapd answers", 20)
        return self

    def _answers(self):
        if self.child.poll() is not None:
            raise RuntimeError("slapd ended: " + (self.directory / "log").read_text())
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def stop(self):
        if self.child is not None:
            self.guard.leave()
            place.stop_child(self.child)
            self.child = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

"""`list import` from the real thing: Postfix's tables, Mailman 3, slapd; and from servers that are not what they should be."""

import contextlib
import http.server
import json
import os
import socket
import subprocess
import threading
import time
import unittest

from support import daemon, mailman, mails, place, postfix, slapd

from .base import Case


class Site(unittest.TestCase):
    """A breakwaterd that serves no MTA, and its breakwaterctl."""

    def setUp(self):
        self.scratch = place.Scratch("import")
        self.addCleanup(self.scratch.remove)
        self.breakwater = daemon.Daemon(self.scratch)
        self.addCleanup(self.breakwater.end)
        self.breakwater.start()

    def ctl(self, *words, env=None, seconds=60):
        return subprocess.run([place.program("cli", "breakwaterctl"), "-c", self.breakwater.config_file, *map(str, words)],
                              capture_output=True, text=True, timeout=seconds, env={**os.environ, **(env or {})},
                              stdin=subprocess.DEVNULL)

    def load(self, *words, env=None):
        """A dry run's or an application's JSON."""
        done = self.ctl("--json", "list", "import", *words, env=env)
        self.assertEqual(0, done.returncode, done.stderr)
        return json.loads(done.stdout)

    def sizes(self):
        done = self.ctl("--json", "list", "ls")
        return {o["address"]: o["size"] for o in map(json.loads, done.stdout.splitlines())}

    def refused(self, code, *words, env=None, seconds=60):
        """The sentence of an import that fails, having written nothing."""
        before = self.sizes()
        done = self.ctl("list", "import", *words, "--apply", env=env, seconds=seconds)
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        self.assertEqual(before, self.sizes())
        return done.stderr

    def applied(self, expected, *words, env=None):
        """Shows first, then writes, then finds nothing to do."""
        shown = self.load(*words, env=env)
        self.assertEqual({}, self.sizes())
        self.assertEqual(expected, {c["address"]: c["now"] for c in shown["changes"]})
        written = self.load(*words, "--apply", env=env)
        self.assertEqual((len(expected), 1, 1), (written["written"], written["hosts_alive"], written["hosts_active"]))
        self.assertEqual(expected, self.sizes())
        again = self.load(*words, "--apply", env=env)
        self.assertEqual((0, [], len(expected)), (again["written"], again["changes"], again["unchanged"]))
        self.assertNotIn("hosts_alive", again)  # no version was raised, nobody has anything to acknowledge


class Postmap(Site):
    def setUp(self):
        super().setUp()
        self.postfix = postfix.Postfix(self.scratch / "postfix", 1)
        self.commands = self.postfix.root / "usr/sbin"
        self.env = {"LD_LIBRARY_PATH": self.postfix.libraries}

    def table(self, kind, text, tool="postmap"):
        path = self.scratch / "table"
        path.write_text(text)
        self.postfix.command(tool, f"{kind}:{path}")
        return f"{kind}:{path}"

    def words(self, table):
        return "postmap", table, "--postfix-commands", self.commands, "--postfix-config", self.postfix.config

    def test_aliases(self):
        included = self.scratch / "people"
        included.write_text("u1, u2\nu3@NHS.example\nward\n")
        table = self.table("hash", f"all: \"|/bin/archive all\", :include:{included}\nward: u3, u4,\n u5 (night)\nowner-all: boss\n"
                                   "root: u1\n", "postalias")
        self.applied({"all@nhs.example": 6, "ward@nhs.example": 3}, *self.words(table), env=self.env)
        shown = self.ctl("--json", "list", "show", "all@nhs.example")
        self.assertEqual("boss@nhs.example", json.loads(shown.stdout)["owner"])

    def test_virtual(self):
        table = self.table("btree", "nhs.example anything\nAll@nhs.example a@nhs.example, b@nhs.example\n"
                                    "a@nhs.example x@else.example,\n  y@else.example\nb@nhs.example y@else.example, z@else.example\n"
                                    "@nhs.example nobody@else.example\n")
        self.applied({"all@nhs.example": 3, "a@nhs.example": 2, "b@nhs.example": 2}, *self.words(table), env=self.env)

    def test_big(self):
        people = ", ".join(f"u{i}@else.example" for i in range(30000))
        table = self.table("hash", f"all@nhs.example {people}\nmore@nhs.example all@nhs.example, u0@else.example, v@else.example\n")
        shown = self.load(*self.words(table), env=self.env)
        self.assertEqual({"all@nhs.example": 30000, "more@nhs.example": 30001}, {c["address"]: c["now"] for c in shown["changes"]})
        self.assertEqual(2, shown["surprises"])

    def test_a_cycle_and_no_table(self):
        table = self.table("hash", "a@nhs.example b@nhs.example, x@else.example\nb@nhs.example a@nhs.example, y@else.example\n")
        self.assertIn("a cycle: ", self.refused(1, *self.words(table), env=self.env))
        words = self.words(f"hash:{self.scratch / 'nowhere'}")
        self.assertIn("nowhere.db: No such file or directory (exit status 1)", self.refused(1, *words, env=self.env))
        words = self.words(f"regexp:{self.scratch / 'table'}")  # a type that cannot be listed
        self.assertIn("exit status", self.refused(1, *words, env=self.env))

    def false_postmap(self, script):
        directory = self.scratch / "bin"
        directory.mkdir(exist_ok=True)
        (directory / "postmap").write_text(f"#!/bin/sh\n{script}\n")
        (directory / "postmap").chmod(0o755)
        return directory

    def test_one_that_hangs_is_killed(self):
        directory = self.false_postmap(f"echo $$ >{self.scratch / 'pid'}\nexec sleep 300")
        said = self.refused(1, "postmap", "hash:/x", "--postfix-commands", directory, "--timeout", "1s")
        self.assertIn("no end in time, so it was killed", said)
        pid = int((self.scratch / "pid").read_text())
        self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_one_that_fails_halfway(self):
        directory = self.false_postmap("printf 'all@nhs.example\\ta@x.example, b@x.example\\n'; echo 'fatal: out of luck' >&2; exit 3")
        self.assertIn("fatal: out of luck (exit status 3)", self.refused(1, "postmap", "hash:/x", "--postfix-commands", directory))
        self.assertEqual({}, self.sizes())


class Mailman(Site):
    @classmethod
    def setUpClass(cls):
        cls.place = place.Scratch("mailman")
        cls.addClassCleanup(cls.place.remove)
        cls.mailman = mailman.Mailman(cls.place)
        cls.addClassCleanup(cls.mailman.stop)
        cls.mailman.start()

    def words(self, *more):
        return "mailman", self.mailman.url, "--user", mailman.USER, "--password-file", self.mailman.password_file, *more

    def test_lists_come_grow_and_go(self):
        self.mailman.add_list("staff@nhs.example", [f"u{i}@nhs.example" for i in range(7)])
        self.mailman.add_list("ward@lists.nhs.example", ["u1@nhs.example", "u2@else.example"])
        self.mailman.add_list("empty@nhs.example")
        self.applied({"staff@nhs.example": 7, "ward@lists.nhs.example": 2}, *self.words())
        shown = json.loads(self.ctl("--json", "list", "show", "staff@nhs.example").stdout)
        self.assertEqual(("staff.nhs.example", "staff-owner@nhs.example", "import"),
                         (shown["list_id"], shown["owner"], shown["source"]))
        self.mailman.remove_list("ward@lists.nhs.example")
        self.mailman.add_list("night@nhs.example", ["u1@nhs.example"])
        changes = {c["address"]: (c["change"], c["writes"]) for c in self.load(*self.words())["changes"]}
        self.assertEqual({"night@nhs.example": ("new", True), "ward@lists.nhs.example": ("gone", False)}, changes)
        self.load(*self.words("--apply", "--prune"))
        self.assertEqual({"staff@nhs.example": 7, "night@nhs.example": 1}, self.sizes())

    def test_a_wrong_password(self):
        wrong = self.scratch / "wrong"
        wrong.write_text("guess\n")
        wrong.chmod(0o600)
        said = self.refused(77, "mailman", self.mailman.url, "--user", mailman.USER, "--password-file", wrong)
        self.assertIn("refuses this user and password (HTTP 401)", said)
        self.assertNotIn("guess", said)


class Answers(http.server.BaseHTTPRequestHandler):
    """What `server.answer(path)` says: (status, bytes)."""

    def do_GET(self):
        self.server.paths.append(self.path)
        status, body = self.server.answer(self.path)
        self.send_response(status)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.send_header("Content-Length", str(self.server.claims or len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_):
        pass


class Impostors(Site):
    """Servers that answer something else than Mailman does."""

    def serve(self, answer, claims=None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        server.answer, server.paths, server.claims, server.daemon_threads = answer, [], claims, True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.server = server
        return f"http://127.0.0.1:{server.server_address[1]}"

    @staticmethod
    def page(lists, total):
        entries = [{"fqdn_listname": name, "list_id": name.replace("@", "."), "member_count": size} for name, size in lists]
        return 200, json.dumps({"start": 0, "total_size": total, **({"entries": entries} if entries else {})}).encode()

    def test_pages(self):
        lists = [(f"l{i}@nhs.example", i + 1) for i in range(1203)]
        url = self.serve(lambda path: self.page(lists[(int(path.split("=")[-1]) - 1) * 500:][:500], len(lists)))
        self.applied(dict(lists), "mailman", url)
        self.assertEqual([f"/3.1/lists?count=500&page={page}" for page in (1, 2, 3)], self.server.paths[:3])

    def test_what_is_refused(self):
        half = self.page([("a@nhs.example", 5)], 2)[1]
        cases = (
            (1, (500, b"<html>boom</html>"), "/3.1/lists?count=500&page=1: the server answers HTTP 500 instead of 200"),
            (1, (302, b""), "the server answers HTTP 302 instead of 200"),
            (1, (200, b"<html>\x1b[2J<body>Postorius"), "is no page of Mailman's lists, but begins with \"<html> [2J<body>Postorius\""),
            (1, (200, b'["a", "list"]'), "is no page of Mailman's lists"),
            (1, (200, b'{"total_size": "many"}'), "is no page of Mailman's lists"),
            (1, (200, half[:-10]), "is no page of Mailman's lists"),
            (1, (200, half), "a@nhs.example is there twice: the lists changed while they were read"),
            (1, self.page([], 3), "0 of 3 lists came, then none"),
            (1, self.page([("a@nhs.example", -1)], 1), "a@nhs.example: its member_count is missing or out of range"),
            (1, self.page([("a@nhs.example", 10**12)], 1), "a@nhs.example: its member_count is missing or out of range"),
            (1, self.page([("nobody", 3)], 1), "a list's fqdn_listname is \"nobody\", which is no address"),
            (1, self.page([], 10**9), "1000000000 lists are more than an import takes"),
        )
        for code, answer, sentence in cases:
            with self.subTest(sentence):
                said = self.refused(code, "mailman", self.serve(lambda _, answer=answer: answer))
                self.assertIn(sentence, said)
                self.assertNotIn("\x1b", said)

    def test_one_that_closes_in_the_middle(self):
        self.assertIn("/3.1/lists?count=500&page=1: ", self.refused(1, "mailman", self.serve(lambda _: (200, b"{"), claims=1000)))

    def test_one_that_never_ends(self):
        body = b" " * (40 << 20)
        self.assertIn("answers with more than 32 MiB", self.refused(1, "mailman", self.serve(lambda _: (200, body))))

    def test_one_that_is_slow(self):
        url = self.serve(lambda _: (time.sleep(3), (200, b"{}"))[1])
        self.assertIn("no answer in time", self.refused(1, "mailman", url, "--timeout", "1s"))

    def test_nobody_there(self):
        self.assertIn("page=1: ", self.refused(1, "mailman", f"http://127.0.0.1:{place.free_port()}"))


PEOPLE = [slapd.person(f"u{i}") for i in range(6)]
GROUPS = (slapd.group("doctors", PEOPLE[:3], ["doctors@nhs.example"])
          + slapd.group("nurses", PEOPLE[2:5], ["Nurses@nhs.example", "carers@nhs.example"], "groupOfUniqueNames", "uniqueMember")
          + slapd.group("staff", [slapd.group_dn("doctors"), "CN=Nurses, ou=Groups,DC=nhs,dc=example", slapd.group_dn("night")],
                        ["staff@nhs.example"])
          + slapd.group("night", [slapd.group_dn("rota")])  # no address: no list, but its members count
          + slapd.group("rota", ["u5", "u0", "extra"], ["rota@nhs.example"], "posixGroup", "memberUid", "gidNumber: 700\n"))
SIZES = {"doctors@nhs.example": 3, "nurses@nhs.example": 3, "carers@nhs.example": 3, "staff@nhs.example": 7,
         "rota@nhs.example": 3}


class Ldap(Site):
    def server(self, ldif, **more):
        server = slapd.Slapd(self.scratch, ldif, **more)
        self.addCleanup(server.stop)
        return server.start()

    def words(self, server, query="", *more):
        return ("ldap", server.uri + query, "--user", slapd.ADMIN, "--password-file", server.password_file, *more)

    def test_groups_within_groups(self):
        server = self.server(GROUPS)
        self.applied(SIZES, *self.words(server))
        # The same groups by another question are the same sizes; a filter leaves the others' members unknown.
        shown = self.load(*self.words(server, "?mail?sub?(cn=staff)"))
        self.assertEqual([("staff@nhs.example", 3)], [(c["address"], c["now"]) for c in shown["changes"]])

    def test_start_tls(self):
        server = self.server(GROUPS)
        self.assertIn("StartTLS failed", self.refused(1, *self.words(server, "", "--start-tls")))  # nobody vouches for the certificate
        self.applied(SIZES, *self.words(server, "", "--start-tls", "--ca-file", server.certificate))

    def test_more_groups_than_a_page(self):
        ldif = "".join(slapd.group(f"g{i}", PEOPLE[:1 + i % 5], [f"g{i}@nhs.example"]) for i in range(1103))
        server = self.server(ldif, size_limit=600, others="read")
        self.assertEqual(1103, self.load(*self.words(server))["lists"])
        # Whoever may not see all of them gets none: half a directory is no directory.
        said = self.refused(1, "ldap", server.uri)
        self.assertIn("the server gives a part of the groups only", said)

    def test_what_is_refused(self):
        cycle = (slapd.group("a", [slapd.group_dn("b"), PEOPLE[0]], ["a@nhs.example"])
                  + slapd.group("b", [slapd.group_dn("c")], ["b@nhs.example"])
                  + slapd.group("c", [slapd.group_dn("a")], ["c@nhs.example"]))
        server = self.server(cycle)
        said = self.refused(1, *self.words(server))
        self.assertIn(f"{slapd.group_dn('a')}: a cycle: ", said)
        self.assertIn(" -> ".join(slapd.group_dn(n) for n in "abca"), said)
        wrong = self.scratch / "wrong"
        wrong.write_text("guess\n")
        wrong.chmod(0o600)
        said = self.refused(77, "ldap", server.uri, "--user", slapd.ADMIN, "--password-file", wrong)
        self.assertIn("cannot log in: Invalid credentials", said)
        nowhere = server.uri.replace("ou=groups", "ou=nowhere")
        said = self.refused(1, "ldap", nowhere, "--user", slapd.ADMIN, "--password-file", server.password_file)
        self.assertIn("No such object", said)
        self.assertIn("Bad search filter", self.refused(1, *self.words(server, "?mail?sub?(cn=")))

    def test_servers_that_close_or_are_silent(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            closing = threading.Thread(target=lambda: [listener.accept()[0].close() for _ in range(2)], daemon=True)
            closing.start()
            said = self.refused(1, "ldap", f"ldap://127.0.0.1:{listener.getsockname()[1]}/{slapd.BASE}")
            self.assertIn("Can't contact LDAP server", said)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            said = self.refused(1, "ldap", f"ldap://127.0.0.1:{silent.getsockname()[1]}/{slapd.BASE}", "--timeout", "1s")
            self.assertIn("Timed out", said)
        said = self.refused(1, "ldap", f"ldap://127.0.0.1:{place.free_port()}/{slapd.BASE}")
        self.assertIn("Can't contact LDAP server", said)

    def test_a_server_that_dies_while_it_answers(self):
        """A relay in front of slapd passes so many bytes on, then closes."""
        server = self.server("".join(slapd.group(f"g{i}", PEOPLE, [f"g{i}@nhs.example"]) for i in range(60)))
        with Relay(server.port, 3000) as relay:
            uri = server.uri.replace(str(server.port), str(relay.port))
            said = self.refused(1, "ldap", uri, "--user", slapd.ADMIN, "--password-file", server.password_file)
        self.assertIn("the connection is lost: Can't contact LDAP server", said)


class Relay:
    def __init__(self, port, most):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.to, self.most = port, most

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def _serve(self):
        client, _ = self.listener.accept()
        server = socket.create_connection(("127.0.0.1", self.to))
        threading.Thread(target=self._pass, args=(client, server, 1 << 30), daemon=True).start()
        self._pass(server, client, self.most)
        for end in (client, server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    @staticmethod
    def _pass(source, sink, most):
        with contextlib.suppress(OSError):
            while most > 0 and (data := source.recv(512)):
                sink.sendall(data)
                most -= len(data)


class Surprise(Case):
    """The NHS case: a list that is local in everybody's mind, and of which an import says 30,000."""

    def test_its_next_post_is_held_until_somebody_confirms_it(self):
        self.started(lists=())
        people = self.scratch / "people"
        people.write_text("".join(f"u{i}\n" for i in range(30000)))
        aliases = self.scratch / "aliases"
        aliases.write_text("croydon: ann, bob\n")
        self.import_(aliases)
        post = self.accepted(self.send("ann@nhs.example", "croydon@nhs.example", mails.post("ann@nhs.example", "croydon@nhs.example")))
        self.assertNotIn(post, self.mta.held())
        aliases.write_text(f"croydon: ann, bob, :include:{people}\n")
        self.import_(aliases)
        self.breakwater.ctl("poster", "add", "croydon@nhs.example", "ann@nhs.example")
        held = self.post()
        self.assertIn(held, self.mta.held())
        self.breakwater.ctl("list", "confirm", "croydon@nhs.example")
        self.assertNotIn(self.post(), self.mta.held())
        self.import_(aliases)
        self.assertNotIn(self.post(), self.mta.held())

    def import_(self, aliases):
        self.breakwater.ctl("list", "import", "aliases", str(aliases), "--apply")

    def post(self):
        return self.accepted(self.send("ann@nhs.example", "croydon@nhs.example", mails.post("ann@nhs.example", "croydon@nhs.example")))

"""TLS to Redis: what is trusted, who is asked for a certificate, and a build that has none."""

import subprocess

from support import daemon, mails, place, redis

from .base import HUGE, LISTS, Case

NAME = "redis.nhs.example"


def built_with_tls():
    """What CMake found: hiredis_ssl beside hiredis."""
    return "HIREDIS_SSL_FOUND:INTERNAL=1" in (place.build_directory() / "CMakeCache.txt").read_text()


class Authority:
    """Certificates below one of our own: authority.ca, authority.make("redis", "subjectAltName = DNS:…")."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir()
        self.ca, self.key = directory / "ca.pem", directory / "ca.key"
        self.openssl("req", "-x509", "-subj", "/CN=our authority", "-days", "2", *self.new_key(self.key), "-out", self.ca)

    @staticmethod
    def new_key(path):
        return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path

    @staticmethod
    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=30)

    def make(self, name, extension="subjectAltName = DNS:nobody.example"):
        """The paths of a certificate and its key."""
        cert, key, request, more = (self.directory / f"{name}.{end}" for end in ("pem", "key", "csr", "ext"))
        more.write_text(extension + "\n")
        self.openssl("req", "-subj", f"/CN={name}", *self.new_key(key), "-out", request)
        self.openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.key, "-CAcreateserial", "-days", "2",
                     "-extfile", more, "-out", cert)
        return cert, key


class Tls(Case):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.scratch / "authority")

    def redis_with_tls(self, clients="no"):
        cert, key = self.authority.make("redis", f"subjectAltName = DNS:{NAME}, IP:127.0.0.1")
        self.port = place.free_port()
        self.redis = redis.Redis(self.scratch, options=(
            "--tls-port", str(self.port), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", self.authority.ca,
            "--tls-auth-clients", clients)).start()
        self.addCleanup(self.redis.stop)

    def section(self, **more):
        own = {"redis_server": f"127.0.0.1:{self.port}", "redis_tls": True, "redis_tls_ca": str(self.authority.ca),
               "redis_deadline": "1s", **more}
        return {**self.redis.section(), **own}

    def daemon_with(self, name="daemon", **more):
        self.breakwater = daemon.Daemon(self.scratch, lists=LISTS, name=name, sections={"store": self.section(**more)})
        self.addCleanup(self.breakwater.end)
        return self.breakwater

    def checked(self, **more):
        """breakwaterd -t."""
        self.daemon_with(**more)
        command = [place.program("daemon", "breakwaterd"), "-t", "-c", self.breakwater.config_file]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)

    def fails_with(self, sentence, **more):
        """It starts alone, says why, and does not join."""
        self.daemon_with(**more).start()
        place.wait_until(lambda: sentence in self.breakwater.log_text(), f"{sentence}: {self.breakwater.log_text()}", 10)
        self.assertNotIn("event=recovered ", self.breakwater.log_text())

    def works(self):
        self.announce()
        before = self.redis.calls("evalsha")
        words = self.replies([f"u{i}" for i in range(1, 6)], self.announce())
        self.assertEqual("hold", words[-1], words)
        self.assertGreater(self.redis.calls("evalsha"), before)
        self.assertNotIn("event=degraded ", self.breakwater.log_text())


if built_with_tls():
    class Secured(Tls):
        def test_by_address(self):
            self.redis_with_tls()
            self.assertEqual(0, self.checked().returncode)
            self.breakwater.start()
            self.works()

        def test_by_name_and_much_at_once(self):
            """A directory that fills the socket's buffers many times over, in both directions."""
            self.redis_with_tls()
            self.daemon_with(redis_tls_name=NAME).start()
            lists = self.scratch / "lists.csv"
            lists.write_text("".join(f"l{i}@nhs.example,{i + 1}\n" for i in range(20000)))
            self.breakwater.ctl("--yes", "list", "import", "csv", lists, "--apply", "--force")
            self.assertIn("20,000", self.breakwater.ctl("list", "show", "l19999@nhs.example"))
            self.works()

        def test_with_a_certificate_of_our_own(self):
            self.redis_with_tls(clients="yes")
            cert, key = self.authority.make("mx1")
            self.daemon_with(redis_tls_certificate=str(cert), redis_tls_key=str(key)).start()
            self.works()

        def test_without_the_certificate_that_redis_wants(self):
            self.redis_with_tls(clients="yes")
            self.fails_with("certificate required")

        def test_another_name(self):
            self.redis_with_tls()
            self.fails_with("its certificate is refused: hostname mismatch", redis_tls_name="other.nhs.example")

        def test_another_authority(self):
            self.redis_with_tls()
            self.fails_with("its certificate is refused", redis_tls_ca=str(Authority(self.scratch / "other").ca))

        def test_no_tls_at_the_other_end(self):
            self.redis_with_tls()
            plain = redis.Redis(self.scratch, name="plain", tcp=True).start()
            self.addCleanup(plain.stop)
            self.fails_with("is this its port for TLS?", redis_server=f"127.0.0.1:{plain.port}")

        def test_redis_stopped_in_the_handshake(self):
            self.redis_with_tls()
            self.redis.suspend()
            self.fails_with("no TLS within")
            ordinary = self.send("a@nhs.example", "b@nhs.example", mails.post("a@nhs.example", "b@nhs.example"))
            self.assertEqual(("accept", "data"), (ordinary.action, ordinary.stage))
            self.expect("hold", self.send("u@nhs.example", HUGE, mails.post("u@nhs.example", HUGE)))
            self.redis.resume()
            place.wait_until(lambda: "event=recovered " in self.breakwater.log_text(), "recovered", 10)

        def test_killed_and_back(self):
            self.redis_with_tls()
            self.daemon_with().start()
            self.redis.kill()
            place.wait_until(lambda: "event=degraded " in self.breakwater.log_text(), "degraded", 10)
            self.redis.start()
            place.wait_until(lambda: "event=recovered " in self.breakwater.log_text(), "recovered", 10)

    class Refused(Tls):
        """By breakwaterd -t, before anything is asked."""

        def test_files_and_contradictions(self):
            self.redis_with_tls()
            cert, _ = self.authority.make("mx1")
            (self.scratch / "empty").write_text("")
            cases = (({"redis_tls_ca": "/nonexistent"}, "store.redis_tls_ca /nonexistent"),
                     ({"redis_tls_ca": str(self.scratch / "empty")}, "store.redis_tls_ca"),
                     ({"redis_tls_certificate": str(cert)}, "belong together"),
                     ({"redis_tls_certificate": str(cert), "redis_tls_key": str(self.authority.key)}, "store.redis_tls_key"),
                     ({"redis_server": f"unix:{self.redis.path}"}, "a Unix socket needs none"))
            for i, (more, sentence) in enumerate(cases):
                with self.subTest(sentence=sentence):
                    done = self.checked(name=f"case{i}", **more)
                    self.assertEqual(1, done.returncode, done)
                    self.assertIn(sentence, done.stderr)
else:
    class Without(Tls):
        def test_it_is_refused_with_the_reason(self):
            self.redis_with_tls()
            done = self.checked()
            self.assertEqual(1, done.returncode, done)
            self.assertIn("built without TLS", done.stderr)
            with self.assertRaisesRegex(RuntimeError, "built without TLS"):
                self.breakwater.start()

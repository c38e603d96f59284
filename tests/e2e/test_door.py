"""The shipped examples of conf/postfix: a second smtpd for huge lists, whose milter has default_action=tempfail."""

import re
import unittest

from support import daemon, mails, place, postfix, sink, smtp

PUBLIC = "all-staff@nhs.example"
DOOR = "all-staff@door.nhs.example"
EXPANDED = "all-staff@lists.nhs.example"
POSTER = "comms@nhs.example"
COLLEAGUE = "bob@nhs.example"
MAPS = {
    "breakwater-door-aliases": f"{PUBLIC} {DOOR}\n",
    "breakwater-door-access": f"door.nhs.example REJECT write to the public address\n{PUBLIC} insiders\n",
    "breakwater-door-lists": f"{DOOR} {EXPANDED}\n",
    "sender-logins": "",
}


def example(name):
    return (place.ROOT / "conf" / "postfix" / name).read_text()


def uncommented(text):
    """Without the comment marks of settings: "#" and no blank, or "#" and an indented option."""
    return re.sub(r"^#(?=\S|    -o)", "", text, flags=re.MULTILINE)


def between(text, start, end="\\Z"):
    return re.search(f"{start}.*?(?={end})", text, flags=re.MULTILINE | re.DOTALL).group(0)


class Door(unittest.TestCase):
    def setUp(self):
        self.scratch = place.Scratch("door")
        self.addCleanup(self.scratch.remove)
        self.sink = sink.Sink()
        self.addCleanup(self.sink.close)
        self.mta = postfix.Postfix(self.scratch / "postfix", self.sink.port, milter=False,
                                   settings={"mynetworks": "127.0.0.0/8, 192.0.2.0/24"})
        self.addCleanup(self.mta.stop)
        self.breakwater = daemon.Daemon(
            self.scratch, lists=[daemon.mail_list(DOOR, 40000, posters=[f"inside:{POSTER}"])],
            socket_path=self.mta.milter_socket, user=daemon.USER, socket_group=self.mta.milter_group, mta=self.mta,
            sections={"internal": {"vouched": ["127.0.0.1"]}})
        self.addCleanup(self.breakwater.end)
        self.install()
        self.breakwater.start()
        self.mta.start()

    def install(self):
        """The examples as they are, but for folders and port."""
        port = str(place.free_port())
        main = between(example("main.cf"), "^breakwater = ", "^# A client may give")
        door = uncommented(between(example("main.cf"), "^#breakwater_door = "))
        services = uncommented(between(example("master.cf"), "^#door "))
        for name, lines in (("main.cf", main + door), ("master.cf", services)):
            text = lines.replace("/etc/postfix", str(self.mta.config)).replace("10026", port)
            with open(self.mta.config / name, "a", encoding="utf-8") as file:
                file.write("\n" + text)
        for name, lines in {**MAPS, "breakwater-door-transport": f"door.nhs.example door:[127.0.0.1]:{port}\n"}.items():
            (self.mta.config / name).write_text(lines)
            self.mta.command("postmap", f"hash:{self.mta.config / name}")

    def send(self, sender, to, address=daemon.CLIENT):
        return smtp.deliver(self.mta.port, sender, [to], mails.render(mails.post(sender, to)), address=address)

    def deferred(self):
        return self.mta.queue_ids("deferred")

    def test_judged_once(self):
        self.assertEqual(250, self.send(POSTER, PUBLIC).code)
        self.mta.settle()
        self.assertEqual(1, self.mta.delivered(EXPANDED))
        verdicts = [line for line in self.breakwater.log_text().splitlines() if "event=verdict" in line]
        self.assertEqual(1, len(verdicts), verdicts)
        self.assertIn(f"identity=inside:{POSTER}", verdicts[0])
        self.assertIn("action=accept", verdicts[0])

    def test_held_at_the_door(self):
        self.assertEqual(250, self.send("u1@nhs.example", PUBLIC).code)
        self.mta.settle()
        self.assertEqual(0, self.mta.delivered(EXPANDED))
        self.assertEqual(1, len(self.mta.held()))

    def test_nothing_passes_without_breakwaterd(self):
        self.breakwater.kill()
        self.assertEqual(250, self.send("u1@nhs.example", PUBLIC).code)
        self.assertEqual(250, self.send("u1@nhs.example", COLLEAGUE).code)
        place.wait_until(lambda: self.mta.delivered(COLLEAGUE) == 1, "the colleague has his mail", 20)
        place.wait_until(self.deferred, "the post waits", 20)
        self.assertEqual(0, self.mta.delivered(EXPANDED))
        self.breakwater.start()
        self.mta.command("postqueue", "-f")
        place.wait_until(self.mta.held, "the post is judged", 20)
        self.mta.settle()
        self.assertEqual(0, self.mta.delivered(EXPANDED))

    def test_no_way_around(self):
        self.assertEqual(554, self.send("u1@nhs.example", DOOR).code)
        self.assertEqual(554, self.send("x@elsewhere.example", PUBLIC, address=daemon.STRANGER).code)
        self.assertEqual([], self.mta.postqueue_json())

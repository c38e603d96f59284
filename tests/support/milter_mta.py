"""An MTA's side of the milter protocol, well-behaved or not.

    with Session(socket) as s:
        verdict = s.message(sender="a@nhs.example", rcpts=["list@nhs.example"], headers=[("Subject", "x")])
        assert verdict.action == "hold"

Steps and replies are left out as the milter negotiated, as Postfix and Sendmail do. Every step can also be taken by
itself (mail(), rcpt(), …), and send() puts any bytes on the wire.
"""

import dataclasses
import itertools
import socket
import struct
import threading

from . import milter_wire as wire


_queue_ids = itertools.count(1)


class Gone(Exception):
    """The milter closed the connection, or answered what no milter may."""


@dataclasses.dataclass
class Verdict:
    action: str                # accept, hold, throttle, reject, discard
    stage: str                 # the step that brought it: "connect" … "eom"
    text: str = ""             # the reply, "550 5.7.28 …"
    quarantine: str = ""       # the reason given
    added: list = dataclasses.field(default_factory=list)    # (name, value) of headers added
    deleted: list = dataclasses.field(default_factory=list)  # recipients deleted
    other: list = dataclasses.field(default_factory=list)    # (command, data) of other changes

    def header(self, name):
        return next((v for n, v in self.added if n.lower() == name.lower()), None)


class Session:
    def __init__(self, path, client="192.0.2.10", hostname="client.nhs.example", helo="client.nhs.example",
                 daemon_name="mx.nhs.example", actions=wire.ALL_ACTIONS, steps=wire.ALL_STEPS, timeout=15):
        self.client, self.hostname, self.helo_name, self.daemon_name = client, hostname, helo, daemon_name
        self.offer = (wire.VERSION, actions, steps)
        self.asked_actions = self.asked_steps = None
        self.macro_names = dict(wire.MACROS)
        self.macros = {"j": "mx.nhs.example", "v": "Postfix 3.7.11", "{daemon_name}": daemon_name,
                       "{daemon_addr}": "127.0.0.1", "_": f"{hostname} [{client}]"}
        self.over = None  # the verdict that came before the end of the message
        self.connected = False
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(str(path))
        self._buffer = bytearray()

    # -- the wire

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Gone(str(error)) from error

    def command(self, name, data=b""):
        self.send(wire.packet(wire.COMMAND[name], data))

    def _take(self, count):
        while len(self._buffer) < count:
            try:
                part = self.sock.recv(65536)
            except ConnectionError as error:
                raise Gone(str(error)) from error
            if not part:
                raise Gone("closed")
            self._buffer += part
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def answer(self):
        """One packet of the milter: (command byte, data)."""
        length = struct.unpack(">I", self._take(4))[0]
        if not 1 <= length <= 1 << 20:
            raise Gone(f"a packet of {length} bytes")
        data = self._take(length)
        return data[:1], data[1:]

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.quit()
        except (Gone, OSError):
            pass
        self.close()

    # -- steps: each returns the step's Verdict when it ends the message, else None

    def negotiate(self):
        self.command("negotiate", struct.pack(">III", *self.offer))
        command, data = self.answer()
        if command != b"O":
            raise Gone(f"negotiation answered with {command!r}")
        _, self.asked_actions, self.asked_steps, wanted = wire.negotiated(data)
        self.macro_names.update(wanted)
        return self

    def asks(self, step):
        return not self.asked_steps & wire.NO_STEP.get(step, 0)

    def replies(self, step):
        return not self.asked_steps & wire.NO_REPLY.get(step, 0)

    def macro_packet(self, step, also=None):
        """Sent even when none of them has a value, as Postfix does."""
        values = {**self.macros, **(also or {})}
        pairs = [t for n in self.macro_names.get(step, "").split() if values.get(n) is not None for t in (n, values[n])]
        return wire.packet(b"D", wire.COMMAND[step] + wire.strings(*pairs))

    def step(self, name, data=b"", also=None):
        # As Postfix and Sendmail do: macros go out even for a step that the milter declined.
        macros = self.macro_packet(name, also) if name in self.macro_names else b""
        if not self.asks(name):
            self.send(macros)
            return None
        self.send(macros + wire.packet(wire.COMMAND[name], data))
        return self._final(name) if self.replies(name) else None

    def _final(self, stage):
        """Reads on to the answer that ends a step; gathers changes on the way."""
        verdict = Verdict("accept", stage)
        while True:
            command, data = self.answer()
            if command in wire.FINAL:
                return self._end(verdict, wire.FINAL[command], data)
            self._change(verdict, command, data)

    @staticmethod
    def _change(verdict, command, data):
        if command == b"q":
            verdict.quarantine = wire.split(data)[0]
        elif command in b"hi":
            name, value = wire.split(data if command == b"h" else data[4:])
            verdict.added.append((name, value))
        elif command == b"-":
            verdict.deleted.append(wire.split(data)[0])
        elif command in (b"+", b"2", b"b", b"e", b"m"):
            verdict.other.append((command, data))
        elif command != b"p":
            raise Gone(f"unknown answer {command!r}")

    @staticmethod
    def _end(verdict, word, data):
        if word in ("continue", "skip"):
            if verdict.stage != "eom":
                return None
            word = "accept"
        if word == "replycode":
            verdict.text = wire.split(data)[0]
            word = "throttle" if verdict.text.startswith("4") else "reject"
        if word == "accept" and verdict.quarantine:
            word = "hold"
        verdict.action = word
        return verdict

    def connect(self):
        self.connected = True
        return self.step("connect", wire.strings(self.hostname) + wire.address(self.client))

    def helo(self):
        return self.step("helo", wire.strings(self.helo_name))

    def mail(self, sender, *parameters, also=None):
        return self.step("mail", wire.strings(f"<{sender}>", *parameters), also)

    def rcpt(self, recipient):
        path = f"<{recipient}>"
        return self.step("rcpt", wire.strings(path), {"{rcpt_addr}": recipient})

    def rcpts(self, recipients, macros=True):
        """Many RCPT: packets are sent in large pieces when the milter answers none of them."""
        if self.replies("rcpt"):
            for recipient in recipients:
                if (verdict := self.rcpt(recipient)) is not None:
                    return verdict
            return None
        if self.asks("rcpt"):
            self._bulk(recipients, macros)
        return None

    def _bulk(self, recipients, macros):
        piece = bytearray()
        wanted = macros and self.macro_names.get("rcpt")
        for recipient in recipients:
            if wanted:
                piece += self.macro_packet("rcpt", {"{rcpt_addr}": recipient})
            piece += wire.packet(b"R", wire.strings(f"<{recipient}>"))
            if len(piece) > 1 << 18:
                self.send(bytes(piece))
                piece.clear()
        self.send(bytes(piece))

    def data(self):
        return self.step("data")

    def header(self, name, value):
        return self.step("header", wire.strings(name, value))

    def eoh(self):
        return self.step("eoh")

    def body(self, chunk):
        """False when the milter wants no more of it (SMFIR_SKIP counts as that)."""
        if not self.asks("body"):
            return None
        self.command("body", chunk)
        if not self.replies("body"):
            return None
        command, data = self.answer()
        if command == b"s":
            return "skip"
        if command not in wire.FINAL:
            raise Gone(f"unknown answer {command!r}")
        return self._end(Verdict("accept", "body"), wire.FINAL[command], data)

    def eom(self, queue_id=None):
        self.send(self.macro_packet("eom", {"i": queue_id} if queue_id else None) + wire.packet(b"E"))
        return self._final("eom")

    def abort(self):
        self.command("abort")

    def quit(self):
        self.command("quit")

    # -- whole messages

    def open(self):
        """Negotiation, connect and helo, once a session."""
        if self.connected:
            return None
        if self.asked_steps is None:
            self.negotiate()
        return self.connect() or self.helo()

    def prepare(self, sender, rcpts, headers=(), body=b"", auth=None, parameters=(), queue_id=None):
        """Everything up to the end of the message, or to an earlier verdict, which is then kept in .over."""
        self.macros["i"] = queue_id or f"4Zq{next(_queue_ids):09}z1"
        login = {"{auth_authen}": auth, "{auth_type}": "PLAIN"} if auth else None
        self.over = (self.open() or self.mail(sender, *parameters, also=login) or self.rcpts(rcpts) or self.data()
                     or self._content(headers, body))
        return self

    def _content(self, headers, body):
        for name, value in headers:
            if (verdict := self.header(name, value)) is not None:
                return verdict
        verdict = self.eoh()
        for start in range(0, len(body), 65535):
            verdict = verdict or self.body(body[start:start + 65535])
            if verdict:
                break
        return None if verdict == "skip" else verdict

    def finish(self):
        """The verdict on what prepare() sent."""
        if self.over is None:
            return self.eom()
        verdict, self.over = self.over, None
        if verdict.stage not in ("connect", "helo"):
            self.abort()  # as Postfix does: the milter's transaction ends, the message goes on without it
        return verdict

    def message(self, sender, rcpts, **parts):
        return self.prepare(sender, rcpts, **parts).finish()


def message(path, sender, rcpts, client="192.0.2.10", daemon_name="mx.nhs.example", **parts):
    """One message over a connection of its own."""
    with Session(path, client=client, daemon_name=daemon_name) as session:
        return session.message(sender, rcpts, **parts)


class Storm:
    """Messages brought to just before their end, each on a socket of its own, then released at once.

        storm = Storm(path, [dict(sender=…, rcpts=…, headers=…), …])
        verdicts = storm.release()

    `path` may be several: the messages go to them in turn.
    """

    def __init__(self, path, messages, client="192.0.2.10"):
        paths = itertools.cycle(path if isinstance(path, (list, tuple)) else [path])
        self.sessions = []
        try:
            for parts in messages:
                session = Session(next(paths), client=client)
                self.sessions.append(session)
                session.prepare(**parts)
        except BaseException:
            self.close()
            raise

    def release(self):
        """One thread a socket waits at a barrier; the verdicts come in the order of the messages."""
        verdicts = [None] * len(self.sessions)
        barrier = threading.Barrier(len(self.sessions))

        def finish(i):
            barrier.wait(30)
            try:
                verdicts[i] = self.sessions[i].finish()
            except (Gone, OSError) as error:
                verdicts[i] = error

        threads = [threading.Thread(target=finish, args=(i,)) for i in range(len(self.sessions))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.close()
        return verdicts

    def close(self):
        for session in self.sessions:
            session.__exit__()

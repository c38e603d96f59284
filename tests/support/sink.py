"""An SMTP server on loopback that takes everything, keeps the messages and counts recipients."""

import collections
import socket
import threading
import time

Received = collections.namedtuple("Received", "at sender recipients data")

KEEP_BYTES = 256 * 1024  # of each message; the rest is read and dropped


def _path_of(argument):
    """"<a@b> SIZE=1" -> "a@b"."""
    start, end = argument.find("<"), argument.find(">")
    return argument[start + 1:end] if 0 <= start < end else argument.split()[0]


class Sink:
    """with Sink() as sink: relay to sink.port; then sink.messages, sink.count("list@nhs.example"). `port`: one that a sink had before."""

    def __init__(self, port=0):
        self.messages = []
        self.recipients = collections.Counter()
        self.parameters = {}  # of each recipient's last RCPT, a set of words
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        # shutdown() wakes accept(); close() alone does not.
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()
        self._thread.join(5)

    def count(self, address):
        """How many copies `address` was sent."""
        with self._lock:
            return self.recipients[address.lower()]

    def of(self, address):
        """The messages that `address` was sent, in the order of arrival."""
        with self._lock:
            return [m for m in self.messages if address.lower() in m.recipients]

    def _serve(self):
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _talk(self, peer):
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with peer, peer.makefile("rb", 65536) as lines:
            try:
                self._dialogue(peer, lines)
            except OSError:
                pass

    def _dialogue(self, peer, lines):
        sender, recipients = "", []
        peer.sendall(b"220 sink ESMTP\r\n")
        while line := lines.readline(4096):
            verb, _, argument = line.decode("latin-1").strip().partition(" ")
            verb = verb.upper()
            answer = "250 ok"
            if verb == "EHLO":
                answer = "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-DSN\r\n250 SIZE 0"
            elif verb == "MAIL":
                sender, recipients = _path_of(argument), []
            elif verb == "RCPT":
                recipients.append(_path_of(argument).lower())
                self.parameters[recipients[-1]] = set(argument.partition(">")[2].split())
            elif verb == "DATA":
                peer.sendall(b"354 go on\r\n")
                self._keep(sender, recipients, self._data(lines))
            elif verb == "QUIT":
                peer.sendall(b"221 bye\r\n")
                return
            peer.sendall(answer.encode() + b"\r\n")

    @staticmethod
    def _data(lines):
        kept = bytearray()
        while (line := lines.readline(65536)) not in (b".\r\n", b""):
            if len(kept) < KEEP_BYTES:
                kept += line[1:] if line.startswith(b".") else line
        return bytes(kept)

    def _keep(self, sender, recipients, data):
        with self._lock:
            self.messages.append(Received(time.time(), sender, tuple(recipients), data))
            self.recipients.update(recipients)

"""The milter protocol, version 6, on the wire: packets and constants.

After libmilter's mfdef.h. A packet is a 32-bit length (of command and data), a command byte, data; strings end in NUL.
"""

import struct

VERSION = 6

# What the MTA lets the milter do (SMFIF_*).
ACTIONS = {"addheader": 0x1, "changebody": 0x2, "addrcpt": 0x4, "delrcpt": 0x8, "changeheader": 0x10, "quarantine": 0x20,
           "changefrom": 0x40, "addrcpt_par": 0x80, "setsymlist": 0x100}
ALL_ACTIONS = 0x1FF

# What the milter may decline: steps (SMFIP_NO*) and replies (SMFIP_NR_*).
NO_STEP = {"connect": 0x1, "helo": 0x2, "mail": 0x4, "rcpt": 0x8, "body": 0x10, "header": 0x20, "eoh": 0x40,
           "unknown": 0x100, "data": 0x200}
NO_REPLY = {"header": 0x80, "connect": 0x1000, "helo": 0x2000, "mail": 0x4000, "rcpt": 0x8000, "data": 0x10000,
            "unknown": 0x20000, "eoh": 0x40000, "body": 0x80000}
SKIP, RCPT_REJECTED, LEADING_SPACE = 0x400, 0x800, 0x100000
ALL_STEPS = 0x1FFFFF

COMMAND = {"negotiate": b"O", "macros": b"D", "connect": b"C", "helo": b"H", "mail": b"M", "rcpt": b"R", "data": b"T",
           "header": b"L", "eoh": b"N", "body": b"B", "eom": b"E", "abort": b"A", "quit": b"Q", "next": b"K",
           "unknown": b"U"}

# Answers that end a step, and what they mean for the message.
FINAL = {b"c": "continue", b"a": "accept", b"r": "reject", b"t": "throttle", b"d": "discard", b"y": "replycode",
         b"s": "skip", b"f": "connfail", b"4": "shutdown"}

# Stages of SMFIC_OPTNEG's macro lists (SMFIM_*), in the order of their numbers.
MACRO_STAGES = ("connect", "helo", "mail", "rcpt", "data", "eom", "eoh")

# What Postfix sends when the milter asks for nothing else (milter_*_macros of postconf(5)).
MACROS = {"connect": "j {daemon_name} {daemon_addr} v _",
          "helo": "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}",
          "mail": "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}",
          "rcpt": "i {rcpt_addr} {rcpt_host} {rcpt_mailer}", "data": "i", "eoh": "i", "eom": "i"}


def packet(command, data=b""):
    return struct.pack(">I", len(data) + 1) + command + data


def octets(text):
    """Bytes as they are; text as UTF-8, with surrogates for bytes that are none."""
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def strings(*texts):
    return b"".join(octets(t) + b"\0" for t in texts)


def split(data):
    """b"a\\0b\\0" -> ["a", "b"]."""
    return [part.decode("utf-8", "surrogateescape") for part in data.split(b"\0")[:-1]]


def address(ip, port=40000):
    """The data of a connect packet after the host's name."""
    if ip is None:
        return b"U"
    return (b"6" if ":" in ip else b"4") + struct.pack(">H", port) + strings(ip)


def negotiated(data):
    """(version, actions, steps, {stage: macro names}) out of the milter's answer."""
    version, actions, steps = struct.unpack(">III", data[:12])
    wanted, rest = {}, data[12:]
    while len(rest) > 4:
        stage = struct.unpack(">I", rest[:4])[0]
        names, _, rest = rest[4:].partition(b"\0")
        wanted[MACRO_STAGES[stage]] = names.decode()
    return version, actions, steps, wanted

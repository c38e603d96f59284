"""Mail as people write it: announcements, replies and a word between two colleagues."""

import itertools
import os

_number = itertools.count(1)
_run = f"{os.getpid():x}"


def message_id(domain="client.nhs.example"):
    """A Message-ID never used before in this run."""
    return f"<{next(_number)}.{_run}@{domain}>"


def post(sender, to, subject="Update", own_id=None, **more):
    """The header of a new post, as (name, value) pairs; `more` adds fields: reply_to="…" makes Reply-To."""
    to = [to] if isinstance(to, str) else to
    fields = [("From", sender), ("To", ", ".join(to)), ("Subject", subject), ("Date", "Mon, 14 Nov 2016 08:29:00 +0000"),
              ("Message-ID", own_id or message_id()), ("MIME-Version", "1.0"), ("Content-Type", "text/plain; charset=utf-8")]
    return fields + [(name.replace("_", "-").title(), value) for name, value in more.items()]


def reply(sender, to, parent, subject="Re: Update", root=None, **more):
    """A reply to the message with id `parent` in the thread of `root`."""
    references = parent if root in (None, parent) else f"{root} {parent}"
    return post(sender, to, subject, in_reply_to=parent, references=references, **more)


def value(fields, name):
    return next(v for n, v in fields if n.lower() == name.lower())


def render(fields, text="Please see below.\r\n"):
    """The message as SMTP sends it."""
    return ("".join(f"{n}: {v}\r\n" for n, v in fields) + "\r\n" + text).encode("utf-8", "surrogateescape")

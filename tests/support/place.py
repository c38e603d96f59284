"""Where things are, and small helpers that everything else here needs."""

import atexit
import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UNPACKED = Path(os.environ.get("BW_UNPACKED", ROOT / "build" / "unpacked"))

def build_directory():
    """The build tree under test: BW_BUILD, else the release preset's."""
    return Path(os.environ.get("BW_BUILD", ROOT / "build" / "release")).resolve()


def program(folder, name):
    """The path of a program that was built, e.g. program("daemon", "breakwaterd")."""
    path = build_directory() / "milter" / folder / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is not built (BW_BUILD says where the build tree is)")
    return path


class Scratch:
    """A private directory: short, because a socket's path has 107 bytes, and open to pass, because MTAs drop privileges.

    It vanishes at the end; BW_KEEP=1 in the environment keeps it and says where it is.
    """

    def __init__(self, name="test"):
        self.path = Path(tempfile.mkdtemp(prefix=f"bw-{name}-"))
        self.path.chmod(0o755)
        atexit.register(self.remove)  # for runs that are broken off

    def __truediv__(self, name):
        return self.path / name

    def remove(self):
        atexit.unregister(self.remove)
        if os.environ.get("BW_KEEP"):
            print(f"kept: {self.path}", flush=True)
            return
        shutil.rmtree(self.path, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


def free_port():
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_sql(path, statement):
    """Changes an embedded store behind everybody's back: what a disk, a backup or an old file may do to it."""
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as store, store:
        store.execute(statement)


def rows_of(path, statement):
    """What an embedded store holds, row by row."""
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as store:
        return store.execute(statement).fetchall()


class Late(AssertionError):
    """Something did not happen in time."""


def wait_until(condition, what, seconds=10.0, pause=0.02):
    """Waits until condition() is true and returns its value; raises Late with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Late(f"not within {seconds:g} s: {what}")
        time.sleep(pause)


class Guard:
    """Ends a process group when we are gone, however we went. (PDEATHSIG does not outlive a change of user.)"""

    def __init__(self, group):
        order = 'read -r _; kill -s TERM -- "-$1"; kill -s CONT -- "-$1"'  # CONT: a stopped one would not hear it
        self._watcher = subprocess.Popen(["sh", "-c", order, "guard", str(group)], start_new_session=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def leave(self):
        self._watcher.kill()
        self._watcher.wait()
        self._watcher.stdin.close()


def stop_child(child, seconds=15.0):
    """Ends a process that the caller started: SIGTERM, and SIGKILL for one that does not listen. Returns its status."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
    return child.wait()

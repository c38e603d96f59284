"""Compares what a program prints with a stored file: compare.py PROGRAM FILE. With BW_GOLDEN_UPDATE=1 the file is written anew."""

import difflib
import os
import pathlib
import subprocess
import sys


def main():
    program, name = sys.argv[1:]
    stored = pathlib.Path(name)
    done = subprocess.run([program, name], capture_output=True, timeout=120, stdin=subprocess.DEVNULL)
    made = done.stdout.decode("utf-8", "backslashreplace")
    if done.returncode != 0:
        sys.exit(f"{program} {name}: exit status {done.returncode}\n{done.stderr.decode(errors='replace')}")
    if os.environ.get("BW_GOLDEN_UPDATE"):
        stored.write_text(made)
        return
    was = stored.read_text()
    if was == made:
        return
    sys.stdout.writelines(difflib.unified_diff(was.splitlines(True), made.splitlines(True), f"{name} (stored)", f"{name} (now)"))
    sys.exit("differs; if that is meant, BW_GOLDEN_UPDATE=1 stores it")


main()

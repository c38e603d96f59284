#!/usr/bin/env python3
"""breakwaterctl refuses broken scenarios: exit code 2, the sentence of the file's first line on stderr, nothing on stdout."""
import subprocess
import sys


def check(program, path):
    with open(path, encoding="utf-8") as file:
        mark, _, expected = file.readline().rstrip("\n").partition("# error: ")
    if mark or not expected:
        return "no '# error: ' in its first line"
    done = subprocess.run([program, "simulate", "--scenario", path], capture_output=True, text=True, timeout=60)
    if done.returncode != 2:
        return f"exit code {done.returncode}, not 2"
    if done.stdout:
        return f"something was played: {done.stdout[:80]!r}"
    if f"{path}:{expected}"[:400] not in done.stderr:
        return f"expected {expected!r}, got {done.stderr!r}"
    return None


def main():
    program, paths = sys.argv[1], sys.argv[2:]
    failures = [(path, why) for path in paths if (why := check(program, path))]
    for path, why in failures:
        print(f"{path}: {why}")
    print(f"{len(paths)} files, {len(failures)} not refused as they should")
    return 1 if failures or not paths else 0


sys.exit(main())

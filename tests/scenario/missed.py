#!/usr/bin/env python3
"""An expectation that is not met: exit code 1, and a line with file, line, what was expected, and the verdict's own sentence."""
import json
import os
import subprocess
import sys
import tempfile

HEAD = "internal n.example\nlist all@n.example size 4000\nat 0s post from=a@n.example to=all@n.example\n"
STORM = "at 1m reply from=u[1-12]@n.example to=all@n.example "

# What stands in line 4, and what the miss has to say.
CASES = [
    ("expect accept", ["message 11 of 12", "reply from u11@n.example at 1m", "expected accept, got hold guard=conversation breaker=open event=trip",
                       "conversation: 11th sender of at most 10 in 60 min to all@n.example (4,000 members)"]),
    ("expect first 11 accept then hold", ["message 11 of 12", "expected accept, got hold"]),
    ("expect first 9 accept then hold", ["message 10 of 12", "expected hold, got accept"]),
    ("expect first 10 accept then hold guard=list", ["expected hold guard=list, got hold guard=conversation"]),
    ("expect first 10 accept then hold event=trip", ["message 12 of 12", "expected hold event=trip, got hold guard=conversation breaker=open event=none"]),
    ("expect first 10 accept breaker=open then hold", ["message 1 of 12", "expected accept breaker=open, got accept guard=none breaker=closed"]),
    ("expect first 10 accept then redirect to=b@n.example", ["expected redirect to=b@n.example, got hold guard=conversation"]),
    ("expect first 10 tag then hold", ["expected tag, got accept"]),
]


def play(program, path, *more):
    return subprocess.run([program, "simulate", "--scenario", path, *more], capture_output=True, text=True, timeout=60)


def check(program, path, line, wanted):
    with open(path, "w", encoding="utf-8") as file:
        file.write(HEAD + STORM + line + "\n")
    text, as_json = play(program, path), play(program, path, "--json")
    if (text.returncode, as_json.returncode) != (1, 1):
        return [f"exit codes {text.returncode} and {as_json.returncode}, not 1"]
    misses = [miss["text"] for miss in json.loads(as_json.stdout)["misses"]]
    if not misses or not misses[0].startswith(f"{path}:4: "):
        return [f"no file and line in {misses[:1]}"]
    return [f"no {part!r} in {misses[0]!r}" for part in wanted if part not in misses[0]] + [
        f"the text does not say {miss!r}" for miss in misses[:1] if miss not in text.stdout + text.stderr
    ]


def main():
    program = sys.argv[1]
    failures = 0
    with tempfile.TemporaryDirectory() as directory:
        for line, wanted in CASES:
            for why in check(program, os.path.join(directory, "missed.storm"), line, wanted):
                print(f"{line}: {why}")
                failures += 1
    print(f"{len(CASES)} scenarios, {failures} failures")
    return 1 if failures else 0


sys.exit(main())

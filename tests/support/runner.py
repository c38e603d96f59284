"""Builds the variants, runs the suites, adds up, and ends with one line: `N passed, N failed`.

Counted are the individual tests of ctest and of the Python suites. A skipped test, a suite without tests and a build
that fails count as failed. BW_BUILDS: where the build trees go (default build/).
"""

import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILDS = Path(os.environ.get("BW_BUILDS", ROOT / "build")).resolve()
JOBS = str(os.cpu_count() or 1)
SUITE_SECONDS = 1200
SIDE_BY_SIDE = ("e2e",)

# What may be chosen, in order: (name, preset, suites). "ctest:REGEX" runs the ctest tests whose names match;
# "python:FOLDER[:MODULES]" runs tests/FOLDER/test_MODULE.py; "demo:…" runs make demo's script with these variables.
# Memory is measured in the release build alone: sanitizers keep freed memory. TSan takes what has threads.
SUITES = (
    ("unit", "release", ("ctest:.",)),
    ("protocol", "release", ("python:protocol",)),
    ("e2e", "release", ("python:e2e",)),
    ("demo", "release", ("demo:", "demo:SIZE=123456 REPLIERS=37", "demo:STORE=redis")),
    ("clang", "clang", ("ctest:.",)),
    ("asan", "asan", ("ctest:.", "python:protocol:dialogue misbehave malformed storm counting crash lua")),
    ("tsan", "tsan", ("ctest:^(unit|contract)/", "python:protocol:dialogue storm crash shared redis_faults")),
)
# Chosen by name alone: the first is part of "unit" already, the second runs for as long as FUZZ_SECONDS says.
EXTRA = (
    ("lint", "release", ("ctest:^lint/",)),
    ("fuzz", "fuzz", ("ctest:^fuzz/",)),
    ("scale", "release", ("python:e2e:scale_held",)),
)

# G_SLICE: GLib's own allocator locks with futexes that TSan does not see.
REPORTS = {
    "asan": {"ASAN_OPTIONS": "detect_leaks=1:exitcode=99", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"},
    "tsan": {"TSAN_OPTIONS": f"exitcode=66:suppressions={ROOT}/tests/support/tsan.supp", "G_SLICE": "always-malloc"},
}


class Sum:
    def __init__(self):
        self.passed = self.failed = 0
        self.notes = []

    def add(self, what, passed, failed):
        if passed + failed == 0:
            failed = 1
            what += " (no test ran)"
        self.passed += passed
        self.failed += failed
        if failed:
            self.notes.append(f"{what}: {failed} failed")


def say(text):
    print(text, flush=True)


def run(command, **more):
    """The exit status; output goes where ours goes."""
    child = subprocess.Popen([str(c) for c in command], cwd=ROOT, stdin=subprocess.DEVNULL, **more)
    try:
        return child.wait(SUITE_SECONDS)
    except subprocess.TimeoutExpired:
        say(f"stopped after {SUITE_SECONDS} s: {' '.join(map(str, command))}")
        child.terminate()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        return -1


def build(preset):
    tree = BUILDS / preset
    say(f"== build {preset}")
    return (run(["cmake", "--preset", preset, "-B", tree, "-Wno-dev", "--log-level=WARNING"], stdout=subprocess.DEVNULL) == 0
            and run(["cmake", "--build", tree, "-j", JOBS, "--", "--quiet"]) == 0)


def environment(preset):
    return {**os.environ, **REPORTS.get(preset, {}), "BW_BUILD": str(BUILDS / preset), "BW_VARIANT": preset,
            "PYTHONDONTWRITEBYTECODE": "1"}


def ctest(preset, pattern):
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        run(["ctest", "--test-dir", BUILDS / preset, "-R", pattern, "-j", JOBS, "--output-on-failure", "--timeout", "300",
             "--output-junit", report.name], env=environment(preset))
        try:
            suite = xml.etree.ElementTree.parse(report.name).getroot()
        except (OSError, xml.etree.ElementTree.ParseError):
            return 0, 1
    ran = int(suite.get("tests"))
    passed = sum(1 for case in suite.iter("testcase") if case.get("status") == "run")
    return passed, ran - passed


def as_root(command, env):
    """Postfix needs root; sudo is asked only by who is not."""
    if os.geteuid() == 0:
        return command
    kept = [f"{name}={value}" for name, value in env.items() if name.startswith(("BW_", "PYTHON", "SIZE", "REPLIERS", "STORE"))]
    return ["sudo", "env", *kept, *command]


def python(preset, folder, modules):
    """Classes that wait for MTAs most of the time run side by side; what looks at races and memory runs alone."""
    if folder not in SIDE_BY_SIDE:
        return python_part(preset, folder, modules)
    listed = subprocess.run([sys.executable, "-B", "tests/support/unit.py", "--list", folder, *modules], cwd=ROOT, env=environment(preset),
                            stdout=subprocess.PIPE, text=True, check=False)
    if listed.returncode != 0:
        return 0, 1
    with concurrent.futures.ThreadPoolExecutor(int(JOBS)) as pool:
        parts = list(pool.map(lambda name: python_part(preset, folder, [name]), listed.stdout.split()))
    return sum(passed for passed, _ in parts), sum(failed for _, failed in parts)


def python_part(preset, folder, modules):
    env = environment(preset)
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        command = [sys.executable, "-B", "tests/support/unit.py", report.name, folder, *modules]
        run(as_root(command, env) if folder == "e2e" else command, env=env)
        try:
            result = json.loads(Path(report.name).read_text())
        except (OSError, ValueError):
            return 0, 1
    return result["passed"], result["failed"]


def demo(preset, variables):
    env = environment(preset)
    env.update(pair.split("=") for pair in variables.split())
    ok = run(as_root([sys.executable, "-B", "tests/demo/demo.py"], env), env=env) == 0
    return int(ok), int(not ok)


def run_suite(preset, suite):
    kind, _, rest = suite.partition(":")
    if kind == "ctest":
        return ctest(preset, rest)
    if kind == "demo":
        return demo(preset, rest)
    folder, _, modules = rest.partition(":")
    return python(preset, folder, modules.split())


def main(chosen):
    usual = [name for name, _, _ in SUITES]
    known = ["all", *usual, *(name for name, _, _ in EXTRA)]
    if unknown := [c for c in chosen if c not in known]:
        say(f"tests/run: unknown suite '{unknown[0]}'; known: {' '.join(known)}")
        return 2
    chosen = chosen + usual if not chosen or "all" in chosen else chosen
    total, built, start = Sum(), {}, time.monotonic()
    for name, preset, suites in SUITES + EXTRA:
        if name not in chosen:
            continue
        if preset not in built:
            built[preset] = build(preset)
            if not built[preset]:
                total.add(f"build {preset}", 0, 1)
        for suite in suites:
            say(f"== {name}: {suite} ({preset})")
            total.add(f"{name} {suite}", *(run_suite(preset, suite) if built[preset] else (0, 1)))
    for note in total.notes:
        say(f"failed: {note}")
    say(f"== {time.monotonic() - start:.0f} s")
    say(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))

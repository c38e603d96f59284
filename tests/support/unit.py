"""Runs one folder of unittest modules: unit.py REPORT FOLDER [MODULE[.CLASS] ...]; one line a test; sums go to REPORT as JSON.

A test counts once, however many of its parts fail; a skipped one has failed. unit.py --list FOLDER [MODULE ...] prints the classes that
there are, a line each; a module that cannot be loaded is one line, and fails when it is run.
"""

import faulthandler
import json
import os
import signal
import sys
import time
import unittest
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
TEST_SECONDS = 300  # then the tracebacks of all threads are shown and the run ends


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.passed, self.failed = 0, set()
        self._start = 0.0

    def startTest(self, test):
        super().startTest(test)
        self._start = time.monotonic()
        faulthandler.dump_traceback_later(TEST_SECONDS, exit=True)

    def stopTest(self, test):
        faulthandler.cancel_dump_traceback_later()
        if test.id() not in self.failed:
            self.passed += 1
        self._line("failed" if test.id() in self.failed else "ok", test.id())
        super().stopTest(test)

    def _line(self, word, name):
        print(f"{word:6} {time.monotonic() - self._start:7.2f} s  {name}", flush=True)

    def _fail(self, test, text):
        self.failed.add(test.id())
        print(f"{test.id()}\n{text}", flush=True)

    def addError(self, test, err):
        super().addError(test, err)
        self._fail(test, self.errors[-1][1])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._fail(test, self.failures[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._fail(test, f"{subtest.id()}\n{self._exc_info_to_string(err, test)}")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._fail(test, f"skipped: {reason}")

    def addUnexpectedSuccess(self, test):
        self._fail(test, "unexpected success")


def load(folder, modules):
    loader = unittest.TestLoader()
    names = [f"{folder}.test_{m}" for m in modules]
    if names:
        return loader.loadTestsFromNames(names)
    return loader.discover(str(TESTS / folder), top_level_dir=str(TESTS))


def classes(suite):
    """MODULE.CLASS of every test, each once, in the order of the suite."""
    found = {}
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            found.update(dict.fromkeys(classes(test)))
            continue
        *_, module, name, _ = test.id().split(".")
        # unittest's own stand-in for a module that cannot be loaded ends with the module's name.
        found[f"{module.removeprefix('test_')}.{name}" if name != "_FailedTest" else test.id().rpartition("test_")[2]] = None
    return list(found)


def main(report, folder, *modules):
    sys.path.insert(0, str(TESTS))
    if report == "--list":
        print("\n".join(classes(load(folder, modules))))
        return 0
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # unittest lets KeyboardInterrupt alone pass
    result = Result()
    try:
        load(folder, modules).run(result)
    except KeyboardInterrupt:
        print(f"{folder}: broken off", flush=True)
        return 130
    sums = {"passed": result.passed, "failed": len(result.failed)}
    if report != "-":
        Path(report).write_text(json.dumps(sums))
    print(f"{folder}: {sums['passed']} passed, {sums['failed']} failed", flush=True)
    return 1 if result.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

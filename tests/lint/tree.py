"""The source tree as the lints see it: which files there are, and their code without comments and strings."""

import pathlib
import re
import sys

FOLDERS = ("milter", "include", "tests", "conf", "docs", "cmake")
SKIPPED = {"build", "scratch", "samples", "__pycache__"}  # samples: mail as others wrote it


def files(root, folders=FOLDERS, suffixes=None):
    """All files below the folders (and, for FOLDERS, those at the root), sorted; `suffixes` such as {".c", ".h"}."""
    found = [p for p in root.iterdir() if p.is_file()] if folders is FOLDERS else []
    for folder in folders:
        found += [p for p in (root / folder).rglob("*") if p.is_file()]
    for path in sorted(found):
        inside = path.relative_to(root)
        if not SKIPPED & set(inside.parts) and (suffixes is None or path.suffix in suffixes):
            yield path


def lines(path):
    """(number, text) of a text file; nothing of a binary one."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return []
    return list(enumerate(text.splitlines(), 1))


_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def code(path):
    """(number, text) of C code, with comments gone and strings emptied."""

    def blank(match):
        token = match.group(0)
        newlines = "\n" * token.count("\n")
        return newlines if token.startswith("/") else token[0] + newlines + token[0]

    return list(enumerate(_TOKEN.sub(blank, path.read_text(encoding="utf-8")).splitlines(), 1))


def run(check):
    """Runs a lint over the tree named on the command line: one line a problem, exit status 1 if there is any."""
    root = pathlib.Path(sys.argv[1]).resolve()
    problems = check(root, *sys.argv[2:])
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems")
    sys.exit(1 if problems else 0)

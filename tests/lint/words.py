"""Words and calls that have no place here: loose ends, the builder's own paths, calls that a library must not make."""

import re

import tree

# Loose ends, written so that this file does not find itself.
LOOSE_ENDS = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b")
IN_CODE_ONLY = re.compile(r"\b(?:stub|place" r"holder|not implemented)\b", re.IGNORECASE)

LIBRARIES = r"milter/(?:base|mail|policy|store|directory|config|engine|filter|simulate|import)/"
PROGRAMS = r".*-main\.c$"  # a small program that stands in a library's folder

# (call, where it is forbidden, where it is allowed all the same, why)
CALLS = [
    (r"(?:str|str[n]?c)(?:cpy|cat)|sprintf|vsprintf|gets|strtok", r"milter/", None, "bounds nothing; use slices and buffers"),
    (r"ato[il]+|strtol+|strtoul+|sscanf", r"milter/", r"milter/base/", "is lenient; use bw_parse_*"),
    (r"system|popen", r"milter/", None, "starts a shell"),
    (r"exit|_exit|abort", LIBRARIES, PROGRAMS, "ends a process that is not a library's to end"),
    (r"syslog|perror", LIBRARIES, PROGRAMS, "logs; lower layers return struct bw_why"),
    (r"clock_gettime|gettimeofday|time", LIBRARIES, r"milter/base/clock\.c", "reads the clock; time is an argument"),
]
CALL_PATTERNS = [(re.compile(rf"(?<![\w.>])(?:{name})\s*\("), where, allowed, why) for name, where, allowed, why in CALLS]


def builder_paths(root):
    """Absolute paths that only this build knows: the tree itself and the directory it stands in, unless that is a
    directory every system has."""
    paths = {str(root)}
    if len(root.parent.parts) > 1 and str(root.parent) not in ("/usr/src", "/srv", "/opt", "/home", "/root", "/tmp", "/usr"):
        paths.add(str(root.parent) + "/")
    return sorted(paths)


def text_problems(root):
    paths = builder_paths(root)
    for path in tree.files(root):
        inside = path.relative_to(root).as_posix()
        for number, text in tree.lines(path):
            if LOOSE_ENDS.search(text):
                yield f"{inside}:{number}: a loose end: {text.strip()[:80]}"
            if inside.startswith(("milter/", "include/")) and IN_CODE_ONLY.search(text):
                yield f"{inside}:{number}: unfinished: {text.strip()[:80]}"
            if inside.startswith(("milter/", "include/", "conf/")) and "/tmp/" in text:
                yield f"{inside}:{number}: a fixed name in a directory that everybody writes to"
            for leak in paths:
                if leak in text:
                    yield f"{inside}:{number}: the path of this build, {leak}"


def call_problems(root):
    for path in tree.files(root, ("milter",), {".c", ".h"}):
        inside = path.relative_to(root).as_posix()
        for number, text in tree.code(path):
            for pattern, where, allowed, why in CALL_PATTERNS:
                match = pattern.search(text)
                if match and re.match(where, inside) and not (allowed and re.match(allowed, inside)):
                    yield f"{inside}:{number}: {match.group(0)}) {why}"


def check(root):
    return [*text_problems(root), *call_problems(root)]


if __name__ == "__main__":
    tree.run(check)

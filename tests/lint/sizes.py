"""Sizes that keep code readable: files, headers, functions, nesting.

Function lengths come from universal-ctags (first to last line, braces included).
"""

import re
import subprocess

import tree

FILE_LINES = 600
HEADER_LINES = 150
FUNCTION_LINES = 80
MEDIAN_LINES = 18
NINETIETH_LINES = 45
NESTING = 4

CONTROL = re.compile(r"^(\t+)(?:\} else )?(?:if|for|while|switch|do)\b")


def file_problems(root):
    for path in tree.files(root, ("milter", "include", "tests"), {".c", ".h", ".py", ".sh", ".lua"}):
        limit = HEADER_LINES if path.suffix == ".h" else FILE_LINES
        count = len(tree.lines(path))
        if count > limit:
            yield f"{path.relative_to(root)}: {count} lines, at most {limit}"


def functions(paths):
    """(path, name, lines) of every function."""
    if not paths:
        return []
    output = subprocess.run(["ctags", "--languages=C", "--kinds-C=f", "--fields=+ne", "--sort=no", "-f", "-", *paths],
                            check=True, capture_output=True, text=True).stdout
    found = []
    for row in output.splitlines():
        fields = row.split("\t")
        numbers = dict(f.split(":", 1) for f in fields if re.fullmatch(r"(line|end):\d+", f))
        if len(numbers) == 2:
            found.append((fields[1], fields[0], int(numbers["end"]) - int(numbers["line"]) + 1))
    return found


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def function_problems(root):
    paths = [str(p) for p in tree.files(root, ("milter", "tests"), {".c", ".h"})]
    found = functions(paths)
    for path, name, count in found:
        if count > FUNCTION_LINES:
            yield f"{path.removeprefix(str(root) + '/')}: {name}() has {count} lines, at most {FUNCTION_LINES}"
    ours = [count for path, _, count in found if path.startswith(f"{root}/milter/")]
    if not ours:
        yield "no function found: nothing was checked"
        return
    median, ninetieth = percentile(ours, 0.5), percentile(ours, 0.9)
    print(f"{len(ours)} functions in milter/: median {median} lines, 90th percentile {ninetieth}, longest {max(ours)}")
    if median > MEDIAN_LINES or ninetieth > NINETIETH_LINES:
        yield f"functions: median {median} (at most {MEDIAN_LINES}), 90th percentile {ninetieth} (at most {NINETIETH_LINES})"


def nesting_problems(root):
    for path in tree.files(root, ("milter",), {".c", ".h"}):
        for number, text in tree.code(path):
            match = CONTROL.match(text)
            if match and len(match.group(1)) > NESTING:
                yield f"{path.relative_to(root)}:{number}: nested more than {NESTING} deep"


def check(root):
    return [*file_problems(root), *function_problems(root), *nesting_problems(root)]


if __name__ == "__main__":
    tree.run(check)

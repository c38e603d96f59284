"""The policy library is pure: built plainly, its objects need nothing from outside but mem* and assert.

Arguments: the tree, a C compiler, nm, and the library's sources as CMake knows them (separated by semicolons).
"""

import pathlib
import re
import subprocess
import tempfile

import tree

ALLOWED = re.compile(r"mem\w+|__assert_fail|_GLOBAL_OFFSET_TABLE_")


def compile_plainly(root, compiler, sources, folder):
    """No sanitizer, no fortified or protected variants: the symbols of the code itself."""
    objects = []
    for source in sources:
        path = root / "milter" / "policy" / source
        target = pathlib.Path(folder) / (path.stem + ".o")
        subprocess.run(
            [compiler, "-std=c17", "-O2", "-fno-stack-protector", "-U_FORTIFY_SOURCE", f"-I{root}/include",
             f"-I{path.parent}", "-c", str(path), "-o", str(target)],
            check=True)
        objects.append(str(target))
    return objects


def symbols(nm, objects):
    """(defined, undefined) names over all objects together."""
    output = subprocess.run([nm, "-g", *objects], check=True, capture_output=True, text=True).stdout
    defined, undefined = set(), set()
    for line in output.splitlines():
        fields = line.split()
        if len(fields) == 3:
            defined.add(fields[2])
        elif len(fields) == 2 and fields[0] in ("U", "w"):
            undefined.add(fields[1])
    return defined, undefined


def check(root, compiler, nm, sources):
    with tempfile.TemporaryDirectory() as folder:
        objects = compile_plainly(root, compiler, sources.split(";"), folder)
        defined, undefined = symbols(nm, objects)
    problems = [f"libbw_policy needs {name}" for name in sorted(undefined - defined) if not ALLOWED.fullmatch(name)]
    problems += [f"libbw_policy exports {name}, not bw_..." for name in sorted(defined) if not name.startswith("bw_")]
    if "bw_policy_judge" not in defined:
        problems.append("libbw_policy does not define bw_policy_judge: nothing was checked")
    return problems


if __name__ == "__main__":
    tree.run(check)

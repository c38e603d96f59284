"""The lints against small trees with one fault each: every rule must be able to fail.

Arguments: a C compiler and nm (default: cc and nm of the path).
"""

import pathlib
import sys
import tempfile
import unittest

import includes
import sizes
import symbols
import words

TOOLS = ["cc", "nm"]


class Tree(unittest.TestCase):
    """A scratch tree; `write` puts a file into it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve() / "tree"
        for name in ("milter", "include", "tests", "conf", "docs", "cmake"):
            (self.root / name).mkdir(parents=True)

    def write(self, path, text):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def expect(self, problems, *parts):
        problems = list(problems)
        self.assertEqual(len(problems), len(parts), problems)
        for problem, part in zip(problems, parts):
            self.assertIn(part, problem)


class Includes(Tree):
    def check(self, path, include, *parts):
        self.write(path, f"#include {include}\n")
        self.expect(includes.check(self.root), *parts)

    def test_allowed(self):
        for path, include in [
            ("milter/engine/judge.c", '"bw/policy.h"'),
            ("milter/directory/snapshot.c", '"bw/settings.h"'),
            ("milter/daemon/main.c", '"bw/filter.h"'),
            ("milter/cli/main.c", '"bw/simulate.h"'),
            ("milter/simulate/play.c", '"bw/session.h"'),
            ("milter/store/sqlite.c", "<sqlite3.h>"),
            ("milter/filter/milter.c", "<libmilter/mfapi.h>"),
            ("milter/mail/init.c", "<gmime/gmime.h>"),
            ("milter/config/loader.c", "<libconfig.h>"),
            ("include/bw/engine.h", '"bw/store.h"'),
        ]:
            self.check(path, include)

    def test_forbidden(self):
        for path, include, part in [
            ("milter/policy/judge.c", '"bw/store.h"', "module policy must not see"),
            ("milter/policy/judge.c", '"bw/mail.h"', "module policy must not see"),
            ("milter/mail/text.c", '"bw/policy.h"', "module mail must not see"),
            ("milter/base/err.c", '"bw/mail.h"', "module base must not see"),
            ("milter/store/store.c", '"bw/policy.h"', "module store must not see"),
            ("milter/directory/pool.c", '"bw/policy.h"', "module directory must not see"),
            ("milter/engine/judge.c", '"bw/session.h"', "module engine must not see"),
            ("milter/simulate/play.c", '"bw/filter.h"', "module simulate must not see"),
            ("milter/simulate/play.c", '"bw/cli.h"', "module simulate must not see"),
            ("milter/daemon/main.c", '"bw/simulate.h"', "module daemon must not see"),
            ("milter/cli/main.c", '"bw/filter.h"', "module cli must not see"),
            ("include/bw/verdict.h", '"bw/policy.h"', "module base must not see"),
            ("include/bw/err.h", '"bw/nobody.h"', "belongs to no module"),
            ("include/bw/nobody.h", '"bw/err.h"', "belongs to no known module"),
            ("milter/policy/judge.c", '"../store/internal.h"', "neither bw/"),
            ("milter/policy/judge.c", '"missing.h"', "neither bw/"),
            ("milter/engine/judge.c", "<libmilter/mfapi.h>", "may only be seen"),
            ("milter/store/store.c", "<sqlite3.h>", "may only be seen"),
            ("milter/store/sqlite.c", "<hiredis/hiredis.h>", "may only be seen"),
            ("milter/config/keys.c", "<libconfig.h>", "may only be seen"),
            ("milter/engine/judge.c", "<gmime/gmime.h>", "may only be seen"),
            ("milter/filter/session.c", "<glib.h>", "may only be seen"),
        ]:
            with self.subTest(path=path, include=include):
                self.check(path, include, part)
                (self.root / path).unlink()


class Sizes(Tree):
    def setUp(self):
        super().setUp()
        self.write("milter/base/fine.c", "int fine(void)\n{\n\treturn 0;\n}\n")

    def test_fine(self):
        self.write("milter/base/full.c", "\n" * 600)
        self.write("include/bw/full.h", "\n" * 150)
        self.write("milter/base/long.c", "int f(void)\n{\n" + "\tg();\n" * 77 + "}\n")
        self.write("milter/base/many.c", "".join(f"int f{i}(void)\n{{\n}}\n" for i in range(20)))
        self.expect(sizes.check(self.root))

    def test_files(self):
        self.write("milter/base/full.c", "\n" * 601)
        self.write("include/bw/full.h", "\n" * 151)
        self.expect(sizes.check(self.root), "full.h: 151 lines", "full.c: 601 lines")

    def test_functions(self):
        self.write("milter/base/long.c", "int f(void)\n{\n" + "\tg();\n" * 78 + "}\n")
        self.write("milter/base/many.c", "".join(f"int f{i}(void)\n{{\n}}\n" for i in range(20)))
        self.expect(sizes.check(self.root), "f() has 81 lines")

    def test_median(self):
        self.write("milter/base/many.c", "".join(f"int f{i}(void)\n{{\n" + "\tg();\n" * 17 + "}\n" for i in range(9)))
        self.expect(sizes.check(self.root), "median 20 (at most 18)")

    def test_nesting(self):
        deep = "".join("\t" * i + "if (x) {\n" for i in range(1, 6))
        self.write("milter/base/deep.c", "int f(void)\n{\n" + deep + "}\n")
        self.expect(sizes.check(self.root), "deep.c:7: nested")

    def test_nothing(self):
        (self.root / "milter/base/fine.c").unlink()
        self.expect(sizes.check(self.root), "nothing was checked")


class Words(Tree):
    def test_fine(self):
        self.write("milter/base/fine.c", "/* strcpy( and exit( are words here */\nint runtime(void);\nconst char *s = \"system(x)\";\n")
        self.write("milter/base/clock.c", "int f(void)\n{\n\treturn clock_gettime(0, 0);\n}\n")
        self.write("milter/daemon/main.c", "int f(void)\n{\n\texit(1);\n}\n")
        self.expect(words.check(self.root))

    def test_text(self):
        for path, text, part in [
            ("README.md", "TO" "DO: more", "a loose end"),
            ("docs/a.md", "see " + str(self.root) + "/x", "the path of this build"),
            ("milter/base/a.c", "/* a st" "ub */", "unfinished"),
            ("conf/a.conf", "/tmp/socket", "a fixed name"),
            ("cmake/x.cmake", "# FIX" "ME", "a loose end"),
        ]:
            with self.subTest(path=path):
                self.write(path, text + "\n")
                found = list(words.check(self.root))
                self.assertTrue(found and part in found[0], found)
                (self.root / path).unlink()

    def test_calls(self):
        for path, call, part in [
            ("milter/cli/a.c", "strcpy(a, b)", "bounds nothing"),
            ("milter/cli/a.c", "sprintf(a, b)", "bounds nothing"),
            ("milter/mail/a.c", "atoi(b)", "lenient"),
            ("milter/cli/a.c", "system(b)", "a shell"),
            ("milter/store/a.c", "exit(1)", "ends a process"),
            ("milter/engine/a.c", "syslog(1)", "logs"),
            ("milter/engine/a.c", "time(NULL)", "reads the clock"),
        ]:
            with self.subTest(call=call):
                self.write(path, f"int f(void)\n{{\n\t{call};\n}}\n")
                self.expect(words.check(self.root), part)
                (self.root / path).unlink()


class Symbols(Tree):
    PURE = "#include <string.h>\nint bw_policy_judge(char *p);\nint bw_policy_judge(char *p)\n{\n\tmemset(p, 0, 5000);\n\treturn 0;\n}\n"

    def check(self, text, *parts):
        self.write("milter/policy/judge.c", text)
        self.expect(symbols.check(self.root, *TOOLS, "judge.c"), *parts)

    def test_pure(self):
        self.check(self.PURE)

    def test_impure(self):
        self.check(self.PURE + "int printf(const char *, ...);\nint bw_x(void);\nint bw_x(void)\n{\n\treturn printf(\"%d\", 1);\n}\n",
                   "needs printf")
        self.check(self.PURE + "int other(void);\nint other(void)\n{\n\treturn 0;\n}\n", "exports other")
        self.check("int bw_x;\n", "nothing was checked")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        TOOLS = sys.argv[1:]
    unittest.main(argv=sys.argv[:1])

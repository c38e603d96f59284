"""Direction of dependence: who may include what.

A folder of milter/ is a module. A header of include/bw/ belongs to one module and obeys its rules. Foreign headers are
seen by as few files as possible.
"""

import re

import tree

# Headers that one module shows to the others.
OWNER = {
    "base": "arena breaker clock err hash logline mark nearest order orders parse seal slice verdict words",
    "mail": "mail",
    "policy": "policy settings",
    "store": "counting records store store-guarded store-redis",
    "directory": "directory",
    "config": "config",
    "engine": "engine envelope room stores world",
    "filter": "session",
    "milter": "filter",  # the front end on libmilter; same folder as the session, but no simulation links it
    "simulate": "mbox simulate",
    "import": "import",
    "agent": "agent flare helper mta pace",
    "cli": "cli",
}
MODULE_OF = {f"{name}.h": module for module, names in OWNER.items() for name in names.split()}

# What each module may see besides itself: modules, or single headers.
ENGINE_SEES = {"base", "mail", "policy", "store", "config", "directory"}
MAY_SEE = {
    "base": set(),
    "mail": {"base"},
    "policy": {"base"},
    "store": {"base"},
    "directory": {"base", "settings.h"},
    "config": {"base", "settings.h", "directory", "mail"},
    "engine": ENGINE_SEES,
    "filter": ENGINE_SEES | {"engine", "milter"},
    "milter": ENGINE_SEES | {"engine", "filter"},
    "simulate": ENGINE_SEES | {"engine", "filter"},
    "import": {"base", "records.h"},  # the CLI alone links it: the daemon carries neither libcurl nor libldap
    "daemon": ENGINE_SEES | {"engine", "filter", "milter"},
    "agent": {"base", "mail", "store", "directory", "config", "settings.h", "stores.h"},
    "cli": ENGINE_SEES | {"engine", "filter", "simulate", "import", "agent"},
}

# Foreign headers: which of our files may include them.
FOREIGN = {
    r"libmilter/": r"milter/filter/",
    r"hiredis": r"milter/store/redis",
    r"openssl/": r"milter/store/redis-tls",
    r"sqlite3\.h": r"milter/store/sqlite",
    r"libconfig": r"milter/config/loader",
    r"gmime/|glib": r"milter/mail/",
    r"idn2\.h": r"milter/mail/",
    r"sodium": r"milter/base/",
    r"zstd\.h": r"milter/agent/archive",
    r"jansson\.h": r"milter/(cli|simulate|agent)/|milter/import/mailman",
    r"curl/": r"milter/import/fetch",
    r"ldap\.h": r"milter/import/ldap",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def module_of_file(inside):
    """The module of a path relative to the root, or None for a header nobody owns."""
    if inside.parts[0] == "milter":
        return inside.parts[1]
    return MODULE_OF.get(inside.name)


def foreign_problem(inside, header):
    for pattern, allowed in FOREIGN.items():
        if re.match(pattern, header) and not re.match(allowed, inside.as_posix()):
            return f"<{header}> may only be seen by {allowed}"
    return None


def our_problem(module, header):
    name = header.removeprefix("bw/")
    owner = MODULE_OF.get(name)
    if owner is None:
        return f'"{header}" belongs to no module: add it to OWNER in tests/lint/includes.py'
    if owner == module or owner in MAY_SEE[module] or name in MAY_SEE[module]:
        return None
    return f"module {module} must not see {header} of module {owner}"


def include_problem(path, inside, module, quote, header):
    if quote == "<":
        return foreign_problem(inside, header)
    if header.startswith("bw/"):
        return our_problem(module, header)
    if "/" in header or not (path.parent / header).is_file():
        return f'"{header}" is neither bw/... nor a header of the same folder'
    return None


def check(root):
    problems = []
    for path in tree.files(root, ("milter", "include"), {".c", ".h"}):
        inside = path.relative_to(root)
        module = module_of_file(inside)
        if module not in MAY_SEE:
            problems.append(f"{inside}: belongs to no known module")
            continue
        for number, text in tree.lines(path):
            match = INCLUDE.match(text)
            problem = match and include_problem(path, inside, module, *match.groups())
            if problem:
                problems.append(f"{inside}:{number}: {problem}")
    return problems


if __name__ == "__main__":
    tree.run(check)

"""The table: a block a row, a line a contender."""

import dataclasses


@dataclasses.dataclass
class Column:
    title: str
    figure: str
    form: str
    scale: float = 1.0
    of: str = ""  # a ratio to this contender, with its spread


LEAN = "null lean"
COLUMNS = {
    "speed": [Column("messages/s", "rate", "{:,.0f}"), Column("of lean", "rate", "{:.2f}", of=LEAN),
              Column("p50 ms", "p50_us", "{:.2f}", 0.001), Column("p99 ms", "p99_us", "{:.2f}", 0.001),
              Column("p99 of lean", "p99_us", "{:.2f}", of=LEAN), Column("CPU us", "cpu_us_per_message", "{:.0f}")],
    "cost": [Column("messages/s", "rate", "{:,.0f}"), Column("p50 ms", "p50_us", "{:.2f}", 0.001),
             Column("p99 ms", "p99_us", "{:.2f}", 0.001), Column("CPU us", "cpu_us_per_message", "{:,.0f}"),
             Column("CPU of lean", "cpu_us_per_message", "{:.2f}", of=LEAN)],
    "growth": [Column("messages/s", "rate", "{:,.0f}"), Column("of 10 lists", "rate", "{:.2f}", of="10 lists"),
               Column("p99 ms", "p99_us", "{:.2f}", 0.001), Column("CPU us", "cpu_us_per_message", "{:,.0f}"),
               Column("CPU of 10 lists", "cpu_us_per_message", "{:.2f}", of="10 lists")],
    "memory": [Column("started KiB", "start_kib", "{:,.0f}"), Column("500 idle KiB", "idle_kib", "{:,.0f}"),
               Column("of lean", "idle_kib", "{:.2f}", of=LEAN), Column("KiB each", "each_kib", "{:.1f}"),
               Column("peak +KiB, 84 RCPT", "few_kib", "{:,.0f}"),
               Column("many RCPT", "many_kib", "{:,.0f}"),
               Column("growth KiB", "growth_kib", "{:,.0f}")],
    "mail": [Column("messages/s", "rate", "{:,.0f}"), Column("of lean", "rate", "{:.2f}", of=LEAN),
             Column("of no milter", "rate", "{:.2f}", of="no milter")],
    "directory": [Column("load ms", "load_ms", "{:,.0f}"), Column("MiB", "one_kib", "{:.0f}", 1 / 1024),
                  Column("all looked up", "looked_kib", "{:.0f}", 1 / 1024), Column("peak of a swap", "swap_peak_kib", "{:.0f}", 1 / 1024),
                  Column("a change ms", "change_ms", "{:.1f}"), Column("look-ups/s", "hits", "{:,.0f}"),
                  Column("of no list/s", "misses", "{:,.0f}")],
}
FIGURE_WORDS = {"rate": "messages/s", "p99_us": "p99", "cpu_us_per_message": "CPU", "idle_kib": "500 idle", "growth_kib": "growth KiB",
                "swap_peak_kib": "peak of a swap, KiB,", "change_ms": "the longest of five changes, ms,"}


def cell(series, name, column):
    if not column.of:
        return column.form.format(series.spread(name, column.figure).median * column.scale)
    ratio = series.ratio(name, column.of, column.figure)
    if ratio is None:
        return "-"
    if name == column.of:
        return "1"
    return " ".join([column.form.format(ratio.median), f"({column.form.format(ratio.low)}..{column.form.format(ratio.high)})"])


def judged(row, name):
    """What is asked of this contender here: (text, holds) each; a bound whose yardstick was not measured says nothing."""
    for bound in row.bounds:
        spread = measured(row, name, bound) if bound.who == name else None
        if spread is None:
            continue
        holds = spread.median >= bound.value if bound.least else spread.median <= bound.value
        sign, times = ">=" if bound.least else "<=", f" x {bound.yardstick}" if bound.yardstick else ""
        yield f"{FIGURE_WORDS[bound.figure]} {sign} {bound.value:g}{times}: {spread.median:.2f}", holds


def measured(row, name, bound):
    if not bound.yardstick:
        return row.series.spread(name, bound.figure)
    return row.series.ratio(name, bound.yardstick, bound.figure)


def aligned(lines):
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        first, *rest = (text.ljust(w) if i == 0 else text.rjust(w) for i, (text, w) in enumerate(zip(line, widths)))
        yield "  " + "   ".join([first, *rest]).rstrip()


def block(row):
    """The lines of one row."""
    columns = COLUMNS[row.kind]
    names = list(row.series.runs)
    lines = [["", *(c.title for c in columns)]]
    lines += [[name, *(cell(row.series, name, c) for c in columns)] for name in names]
    yield row.title
    yield from aligned(lines)
    for name, text in row.series.notes.items():
        yield f"  {name}: {text}"
    if row.note:
        yield f"  {row.note}"
    for name in names:
        for text, holds in judged(row, name):
            yield f"  {'holds         ' if holds else 'DOES NOT HOLD '} {name}: {text}"


def raw(row):
    """For --json: every run as it was."""
    return {"title": row.title, "kind": row.kind, "runs": row.series.runs, "notes": row.series.notes,
            "bounds": [{"who": name, "text": text, "holds": holds} for name in row.series.runs for text, holds in judged(row, name)]}


def failed(row):
    """Contenders that are here but could not be measured."""
    return [name for name, text in row.series.notes.items() if not text.startswith("not installed")]


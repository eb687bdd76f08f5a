#!/usr/bin/env python3
"""Draws the charts of the README from the figures of the benches.

    cargo bench --features axum,websocket --bench overhead
    cargo bench --features axum,websocket --bench depth
    benches/chart/chart.py --record target/criterion   # writes figures.json, then draws
    benches/chart/chart.py                             # draws from figures.json
    benches/chart/chart.py --check                     # fails if a chart is not that of figures.json

figures.json has the medians in nanoseconds, by group and case. Figures of one run only are
comparable, so that --record replaces all of them.
"""

import json
import pathlib
import sys
from xml.sax.saxutils import escape

HERE = pathlib.Path(__file__).parent
FIGURES = HERE / "figures.json"

# Each chart: its file, its title, and its rows: the label, the group and the case. Rows that start
# with a star are the layer's.
CHARTS = [
    (
        "nothing-raised",
        "Nothing raised: time of one request",
        [
            ("bare service", "nothing raised", "bare"),
            ("*ExceptionLayer", "nothing raised", "ExceptionLayer"),
            ("*... with five handlers", "nothing raised", "ExceptionLayer, five handlers"),
            ("CatchPanicLayer", "nothing raised", "CatchPanicLayer"),
            ("HandleErrorLayer", "nothing raised", "HandleErrorLayer"),
        ],
    ),
    (
        "not-found",
        "A 404: time of one request",
        [
            ("*returned", "returned", "ExceptionLayer"),
            ("*attached", "attached", "ExceptionLayer"),
            ("*raise_async", "raised async", "ExceptionLayer"),
            ("HandleErrorLayer", "returned", "HandleErrorLayer"),
            ("*a handler replies Json", "returned", "ExceptionLayer, a handler replies"),
            ("*raise, unwinding", "unwound", "ExceptionLayer, raised"),
        ],
    ),
    (
        "depth",
        "A 404 from boxed async calls deep: time of one request",
        [
            (f"{star}{way}, {calls} deep", f"boxed, depth {calls}", case)
            for calls in (1, 10, 100)
            for star, way, case in [
                ("", "returned", "returned"),
                ("*", "raise_async", "raise_async"),
                ("*", "raise", "raise, unwinding"),
            ]
        ],
    ),
]

# Text, muted text, the layer's bars, other bars. The background is the page's.
THEMES = {
    "light": ("#1f2328", "#59636e", "#0969da", "#afb8c1"),
    "dark": ("#f0f6fc", "#9198a1", "#4493f8", "#59636e"),
}

WIDTH, LABELS, VALUES, ROW, TOP = 720, 210, 80, 28, 44


def record(criterion):
    """Reads the medians that criterion has left."""
    figures = {}
    for path in sorted(pathlib.Path(criterion).glob("*/*/new/benchmark.json")):
        case = json.loads(path.read_text())
        median = json.loads((path.parent / "estimates.json").read_text())["median"]
        name = case["function_id"] or case["value_str"]
        figures.setdefault(case["group_id"], {})[name] = round(median["point_estimate"], 1)
    return figures


def shown(nanoseconds):
    if nanoseconds < 1000:
        return f"{nanoseconds:.0f} ns"
    return f"{nanoseconds / 1000:.1f} µs"


def draw(title, rows, theme, figures):
    text, muted, own, other = THEMES[theme]
    rows = [(label, figures[group][case]) for label, group, case in rows]
    scale = (WIDTH - LABELS - VALUES) / max(value for _, value in rows)
    height = TOP + ROW * len(rows) + 8
    summary = ", ".join(f"{label.lstrip('*')} {shown(value)}" for label, value in rows)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"',
        '  font-family="system-ui, sans-serif" font-size="14">',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(summary)}</desc>",
        f'<text x="0" y="20" fill="{text}" font-weight="600">{escape(title)}</text>',
    ]
    for index, (label, value) in enumerate(rows):
        is_own, label = label.startswith("*"), label.lstrip("*")
        top = TOP + ROW * index
        width = max(value * scale, 1)
        lines += [
            f'<text x="{LABELS - 10}" y="{top + 15}" fill="{text}" text-anchor="end">'
            f"{escape(label)}</text>",
            f'<rect x="{LABELS}" y="{top}" width="{width:.1f}" height="20" rx="2"'
            f' fill="{own if is_own else other}"/>',
            f'<text x="{LABELS + width + 8:.1f}" y="{top + 15}" fill="{muted}">'
            f"{shown(value)}</text>",
        ]
    return "\n".join([*lines, "</svg>", ""])


def main(arguments):
    if arguments[:1] == ["--record"]:
        figures = record(arguments[1])
        FIGURES.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    figures = json.loads(FIGURES.read_text())
    stale = []
    for file, title, rows in CHARTS:
        for theme in THEMES:
            path = HERE / f"{file}-{theme}.svg"
            drawn = draw(title, rows, theme, figures)
            if arguments == ["--check"]:
                if not path.exists() or path.read_text() != drawn:
                    stale.append(path.name)
            else:
                path.write_text(drawn)
    if stale:
        sys.exit("not the chart of figures.json: " + ", ".join(stale))


main(sys.argv[1:])

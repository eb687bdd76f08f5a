#!/usr/bin/env python3
"""Draws the charts of the README from what the benches print.

    cargo bench --features axum,websocket --bench overhead > overhead.txt
    cargo bench --bench depth > depth.txt
    benches/chart/chart.py --record overhead.txt depth.txt   # writes figures.json, then draws
    benches/chart/chart.py                                   # draws from figures.json
    benches/chart/chart.py --check                # fails if a chart is not that of figures.json

figures.json has the medians in nanoseconds, by case. Figures of one run only are comparable, so
that --record replaces all of them.
"""

import json
import pathlib
import re
import sys
from xml.sax.saxutils import escape

HERE = pathlib.Path(__file__).parent
FIGURES = HERE / "figures.json"

# Each chart: its file, its title, and its rows: the label and the case. Rows that start with a star
# are the layer's.
CHARTS = [
    (
        "nothing-raised",
        "Nothing raised: time of one request",
        [
            ("bare service", "bare"),
            ("*ExceptionLayer", "plain"),
            ("*... with five handlers", "five handlers"),
            ("*... and observer, WebSockets", "configured"),
            ("CatchPanicLayer", "CatchPanicLayer"),
            ("HandleErrorLayer", "HandleErrorLayer"),
        ],
    ),
    (
        "not-found",
        "A 404: time of one request",
        [
            ("*returned", "returned"),
            ("*attached", "attached"),
            ("*raise_async", "raised async"),
            ("HandleErrorLayer", "rendered by axum"),
            ("*a handler replies Json", "a handler replies"),
            ("HandleErrorLayer, the same", "the same reply by axum"),
            ("*raise, unwinding", "raised, unwinding"),
        ],
    ),
    (
        "depth",
        "A 404 from boxed async calls deep: time of one request",
        [
            (f"{star}{way}, {calls} deep", f"boxed, {calls} deep, {way}")
            for calls in (1, 10, 100)
            for star, way in [("", "returned"), ("*", "raise_async"), ("*", "raise")]
        ],
    ),
]

# Text, muted text, the layer's bars, other bars. The background is the page's.
THEMES = {
    "light": ("#1f2328", "#59636e", "#0969da", "#afb8c1"),
    "dark": ("#f0f6fc", "#9198a1", "#4493f8", "#59636e"),
}

WIDTH, LABELS, VALUES, ROW, TOP = 720, 225, 80, 28, 44


def record(outputs):
    """Reads the medians that benches have printed."""
    lines = [line for path in outputs for line in pathlib.Path(path).read_text().splitlines()]
    cases = [re.fullmatch(r"(\S.*?) +(\d+\.\d)", line) for line in lines]
    return {case[1]: float(case[2]) for case in cases if case}


def shown(nanoseconds):
    if nanoseconds < 1000:
        return f"{nanoseconds:.0f} ns"
    return f"{nanoseconds / 1000:.1f} µs"


def draw(title, rows, theme, figures):
    text, muted, own, other = THEMES[theme]
    rows = [(label, figures[case]) for label, case in rows]
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
        figures = record(arguments[1:])
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

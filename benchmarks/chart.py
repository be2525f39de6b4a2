"""The peers as a bar chart in SVG, for the README. Logarithmic, for there are five powers of ten in it."""

import math
import statistics
from collections.abc import Sequence
from html import escape

from benchmarks.results import PeerResult
from benchmarks.table import duration

_WIDTH, _LEFT, _RIGHT = 820, 210, 90
_ROW, _BAR, _TOP, _BOTTOM = 46, 15, 64, 40
_FONT = 'font-family="system-ui, sans-serif" font-size="13"'
_SERIES = ((1, "1 targeted user", "#2f6f4f"), (1000, "1,000 targeted users", "#8fbc9f"))
_LABELS = {
    10: "10 ns",
    100: "100 ns",
    1e3: "1 µs",
    1e4: "10 µs",
    1e5: "100 µs",
    1e6: "1 ms",
    1e7: "10 ms",
    1e8: "0.1 s",
}


def chart(results: Sequence[PeerResult], *, python: str) -> str:
    """Return an SVG of what the packages take from a user to a value.

    Args:
        results: The packages; those without samples are left out.
        python: The version of Python that they were measured with.
    """
    medians = {
        result.package: {users: statistics.median(samples) for users, samples in result.nanoseconds.items()}
        for result in results
        if result.nanoseconds
    }
    values = [value for by_users in medians.values() for value in by_users.values()]
    low, high = 1, math.ceil(math.log10(max(values)))
    height = _TOP + _ROW * len(medians) + _BOTTOM
    bottom = height - _BOTTOM

    def x(value: float) -> float:
        return _LEFT + (math.log10(value) - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    title = f"Time from a user to a value, CPython {escape(python)}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" {_FONT}>',
        f"<title>{title}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="24" font-size="15" font-weight="600" fill="#222">{title} (logarithmic)</text>',
    ]
    for index, (_, label, colour) in enumerate(_SERIES):
        left = 16 + 170 * index
        parts.append(f'<rect x="{left}" y="36" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{left + 18}" y="47" fill="#444">{label}</text>')
    for power in range(low, high + 1):
        at = x(10.0**power)
        parts.append(f'<line x1="{at:.1f}" y1="{_TOP}" x2="{at:.1f}" y2="{bottom}" stroke="#ddd"/>')
        label = _LABELS.get(10**power, f"1e{power} ns")
        parts.append(f'<text x="{at:.1f}" y="{bottom + 18}" text-anchor="middle" fill="#666">{label}</text>')
    for row, (package, by_users) in enumerate(medians.items()):
        y = _TOP + _ROW * row + 6
        parts.append(f'<text x="{_LEFT - 10}" y="{y + 20}" text-anchor="end" fill="#222">{escape(package)}</text>')
        for index, (users, _, colour) in enumerate(_SERIES):
            if users in by_users:
                end, top = x(by_users[users]), y + index * (_BAR + 2)
                width = end - _LEFT
                parts.append(
                    f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>'
                    f'<text x="{end + 5:.1f}" y="{top + 12}" font-size="12" fill="#444">'
                    f"{duration(by_users[users])}</text>"
                )
    return "\n".join([*parts, "</svg>", ""])

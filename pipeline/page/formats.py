"""How a page writes numbers: one function for each kind, by the name that templates use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from pipeline.records import exact_decimal, fix_digits

NOTHING = "–"
"""What is written where there is no number."""

_BLANK = "\N{NO-BREAK SPACE}"
_MORE_DIGITS = 3


def format_value(value: float | None, how: str) -> str:
    """Return a number as a reader sees it; a dash for None.

    Parameters
    ----------
    value : float or int or None
    how : str
        One of `FORMATS`.
    """
    return NOTHING if value is None else FORMATS[how](value)


def _bare_percent(share: float) -> str:
    return _shorten(100 * exact_decimal(share), digits=1, ends=(0, 100))


def _percent(share: float) -> str:
    return f"{_bare_percent(share)}{_BLANK}%"


def _count(value: float) -> str:
    return f"{value:,}"


def _number(value: float) -> str:
    return _shorten(exact_decimal(value), digits=3, ends=(0, 1)).replace("-", "−")


def _decision(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _short(value: float) -> str:
    """Write a setting, such as C, as it was given."""
    return f"{value:.4g}".replace("-", "−")


def _bare_points(value: float) -> str:
    return f"{100 * value:+.2f}".replace("-", "−")


def _points(value: float) -> str:
    return f"{_bare_points(value)}{_BLANK}points"


def _spread(value: float) -> str:
    return f"±{_BLANK}{100 * value:.1f}"


def _seconds(value: float) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}{_BLANK}s"


def _shorten(value: Decimal, *, digits: int, ends: tuple[int, int]) -> str:
    """Write a number with so many digits, or a few more if they tell it from nothing or all."""
    for more in range(_MORE_DIGITS):
        shown = fix_digits(value, digits + more)
        if float(shown) not in ends or value in ends:
            return shown
    return fix_digits(value, digits + _MORE_DIGITS)


FORMATS: Mapping[str, Callable[[Any], str]] = {
    "percent": _percent,
    "bare": _bare_percent,
    "count": _count,
    "number": _number,
    "decision": _decision,
    "short": _short,
    "points": _points,
    "bare_points": _bare_points,
    "spread": _spread,
    "seconds": _seconds,
}

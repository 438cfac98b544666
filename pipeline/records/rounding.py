"""How shares are rounded wherever they are written, so that one number never looks like two."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

_CERTAIN_DIGITS = 12


def exact_decimal(value: float) -> Decimal:
    """Return a number without what the binary system added to it after the twelfth decimal."""
    return Decimal(repr(round(float(value), _CERTAIN_DIGITS)))


def fix_digits(value: Decimal, digits: int) -> str:
    """Write a number with so many decimals, halves rounded up as readers do."""
    if not value.is_finite():
        return str(value)
    return f"{value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):f}"


def write_percent(share: float, digits: int = 1) -> str:
    """Write a share in percent, without the sign."""
    return fix_digits(100 * exact_decimal(share), digits)

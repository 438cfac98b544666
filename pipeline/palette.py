"""The colours of classes, the same in pages and figures."""

from __future__ import annotations

CLASS_COLOURS = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9"),
    *("#d55e00", "#7b4fa3", "#8a8a00", "#8c564b", "#6b7280"),
)
"""Ten that are told apart on white, also by the colour-blind as far as ten can be.

The first six are of M. Okabe and K. Ito, "Color universal design", 2008,
https://jfly.uni-koeln.de/color/.
"""

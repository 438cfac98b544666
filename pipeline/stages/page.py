"""Write the pages about a fit and about several: each one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.artifacts import load_model, save_page
from pipeline.durable import write_file
from pipeline.errors import CacheLockedError, ClassifierError
from pipeline.page import render_comparison, render_page
from pipeline.ranking import CommonRows, store_of
from pipeline.records import OnProgress
from pipeline.showing.comparison import gather_comparison
from pipeline.showing.content import gather_page
from pipeline.showing.evidence import read_evidence
from pipeline.showing.explaining import OpenMaps


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page that was written.

    Attributes
    ----------
    path : Path
    n_bytes : int
    notes : tuple of str
        What is missing from it.
    """

    path: Path
    n_bytes: int
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {"path": str(self.path), "n_bytes": self.n_bytes, "notes": list(self.notes)}


def write_page(
    folder: Path,
    *,
    to: Path | None = None,
    compute_maps: Sequence[str] = ("pca",),
    find_maps: Sequence[str] = (),
    open_maps: OpenMaps | None = None,
    notes: Sequence[str] = (),
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
    notes : sequence of str
        What else to say in the page.
    on_progress : callable, optional
        Called with (pictures read, pictures in all).

    Raises
    ------
    ClassifierError, CacheError
        If the fit or its store cannot be read, or the page cannot be written.
    """
    evidence = read_evidence(folder)
    classifier, unexplained = None, ""
    if open_maps is not None:
        try:
            classifier = load_model(folder, force=True).classifier
        except ClassifierError as exc:
            unexplained = f"The mistakes are not explained: {exc}"
    content = gather_page(
        evidence,
        compute_maps=compute_maps,
        find_maps=find_maps,
        classifier=classifier,
        open_maps=open_maps,
        on_progress=on_progress,
    )
    said = [*content.notes, *([unexplained] if unexplained else []), *notes]
    html = render_page(replace(content, notes=tuple(said)))
    try:
        path = save_page(folder, html) if to is None else _write(to, html)
    except CacheLockedError:
        raise
    except OSError as exc:
        raise ClassifierError(
            f"The page could not be written to {to or folder}: {exc}. Name another place: "
            "report --html --to FILE."
        ) from exc
    return Page(path=path, n_bytes=len(html.encode()), notes=tuple(content.notes))


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
    ClassifierError
        If it cannot be written.
    """
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


def _write(to: Path, html: str) -> Path:
    write_file(to, html.encode())
    return to

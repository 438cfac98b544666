"""Write a fit as one file that takes photos and gives probabilities, and check what it answers."""

from __future__ import annotations

import contextlib
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

from pipeline import __version__, durable
from pipeline.artifacts import LoadedModel, read_report
from pipeline.backbones.network import Network
from pipeline.classifiers import fold, write_head
from pipeline.errors import ClassifierError, ConfigError, PipelineError
from pipeline.images import PAD_COLOUR, resizes_tall_first
from pipeline.model_card import CardFacts, render_card
from pipeline.model_places import card_path, check_place, list_files
from pipeline.predicting.settling import Predictor
from pipeline.records import Head, ModelExport, OnProgress, Recipe, Report, SelfCheck
from pipeline.self_check import (
    TOLERANCE,
    CheckRows,
    Run,
    check_answers,
    check_values,
    read_check_rows,
)

FORMAT, FORMAT_VERSION = "transfer-values model", 1
OUTPUTS = {"probability": "probabilities", "score": "scores"}
_HINT = (
    "The file's resizing is another grey level than Pillow's here and there, and few training "
    "images make a classifier that sensitive: with --tolerance you say how far off is near enough. "
    "If a class is another one, or the difference is large, please report it."
)
_LIBRARIES = ("keras", "tensorflow", "scikit-learn", "numpy", "pillow", "openvino")


class MakeFile(Protocol):
    """`backbones.formats.make_file`: writes a network from photos to answers, and loads it."""

    def __call__(
        self,
        network: Network,
        recipe: Recipe,
        head: Head,
        path: Path,
        *,
        format_name: str,
        about: Mapping[str, Any],
        margin: tuple[int, int, int],
        tall_first: bool,
    ) -> Run:
        """Return what runs the file at `path`."""
        ...


def export_model(
    predictor: Predictor,
    to: Path,
    format_name: str,
    make_file: MakeFile | None,
    *,
    check: bool = True,
    tolerance: float = TOLERANCE,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> ModelExport:
    """Write a fit as a file, with a card beside it; it is there checked, or not at all.

    Parameters
    ----------
    predictor : Predictor
        Of a fit.
    to : Path
        See `choose_place`.
    format_name : str
        One of `EXPORTS`.
    make_file : callable or None
        `backbones.formats.make_file`; not needed for npz.
    check : bool
        Compare its answers with those of predict on images of the store.
    tolerance : float
        How far a probability may be off there, above 0 and up to 1.
    overwrite : bool
        Replace what is there.
    on_progress : callable, optional
        Called with (images compared, images in all).

    Raises
    ------
    ConfigError, BackboneError, ClassifierError
        If this fit cannot be written so.
    PipelineError
        If something is in the way, or cannot be written, or the file answers otherwise than
        predict. Nothing is left then, and what was there stays.
    """
    started = time.perf_counter()
    if not 0 < tolerance <= 1:
        raise ConfigError(f"--tolerance must lie above 0 and be 1 at most. Got: {tolerance}.")
    check_place(to, format_name, overwrite=overwrite)
    model = _fit_of(predictor)
    head = fold(model.classifier, n_classes=len(predictor.class_names))
    if format_name == "npz" and not head.is_linear:
        raise ClassifierError(
            f"--format npz is the matrix of a linear classifier, which {predictor.clf} is not. "
            "Take --format keras, onnx, openvino or tflite."
        )
    rows = None
    if check:
        geometries = () if format_name == "npz" else predictor.job.geometries
        rows = read_check_rows(
            model, predictor.store, predictor.score, geometries, tolerance=tolerance
        )
    report = read_report(model.folder, model.info)
    about = describe_file(predictor, head, report)
    with _folder_beside(to) as folder:
        path = folder / to.name
        if format_name == "npz":
            score = write_head(path, head, about)
            checked = None if rows is None else check_values(rows, score, hint=_HINT)
        else:
            if make_file is None:
                raise TypeError("a network needs what writes it")
            run = make_file(
                predictor.job.network,
                predictor.job.recipe,
                head,
                path,
                format_name=format_name,
                about=about,
                margin=PAD_COLOUR,
                tall_first=resizes_tall_first(),
            )
            checked = _check(rows, run, predictor.job.recipe, on_progress)
        files = list_files(path, format_name)
        n_bytes = sum(file.stat().st_size for file in files)
        facts = CardFacts(
            file=to.name,
            format=format_name,
            n_bytes=n_bytes,
            check=checked,
            kept=head.kept,
            source=_name_weights(predictor.job.network),
            image_sizes=predictor.job.network.image_sizes,
        )
        card = card_path(path)
        card.write_text(render_card(report, about, facts), encoding="utf-8")
        _put_in_place([*reversed(files), card], to.parent, last=path)
    return ModelExport(
        format=format_name,
        files=list_files(to, format_name),
        card=card_path(to),
        fit=model.folder,
        n_bytes=n_bytes,
        output=str(about["output"]),
        check=checked,
        kept=head.kept,
        seconds=time.perf_counter() - started,
    )


def _fit_of(predictor: Predictor) -> LoadedModel:
    if predictor.model is None:
        raise ConfigError("What is exported is a fit. Run: fit")
    return predictor.model


def describe_file(predictor: Predictor, head: Head, report: Report) -> dict[str, Any]:
    """Return what a file is told of itself, as JSON values."""
    info = _fit_of(predictor).info
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "version": __version__,
        "class_names": list(predictor.class_names),
        "input": "uint8 RGB, 0-255, (batch, height, width, 3), of any height and width",
        "output": OUTPUTS[head.kind],
        "dataset": info["dataset"],
        "model": info["model"],
        "clf": info["clf"],
        "accuracy": report.accuracy,
        "n_test": report.n_test,
        "recipe": dict(info["recipe"]),
        "content_sha256": info["content_sha256"],
        "fit": _fit_of(predictor).folder.name,
        "created": info["created"],
        "versions": dict(_find_versions()),
    }


def _find_versions() -> Iterator[tuple[str, str]]:
    yield "transfer-values", __version__
    yield "python", platform.python_version()
    for name in _LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            yield name, version(name)


def _name_weights(network: Network) -> tuple[tuple[str, str, str], ...]:
    """Return name, kind and origin of each backbone's weights."""
    found = []
    for part in network.parts:
        pretrained = part.spec.pretrained
        origin = pretrained.package or pretrained.url if part.weights.kind == "imagenet" else ""
        found.append((part.spec.name, part.weights.kind, origin or ""))
    return tuple(found)


def _check(
    rows: CheckRows | None, run: Run, recipe: Recipe, on_progress: OnProgress | None
) -> SelfCheck | None:
    if rows is None:
        return None
    hints = []
    if recipe.precision != "float32":
        hints.append(
            f"the transfer values were computed in {recipe.precision}: --precision float32"
        )
    if recipe.dtype != "float32":
        hints.append(f"they were stored as {recipe.dtype}: --dtype float32")
    hint = (
        f"The file computes in float32, and {'; '.join(hints)}. Extract and fit again so."
        if hints
        else _HINT
    )
    return check_answers(rows, run, hint=hint, on_progress=on_progress)


@contextmanager
def _folder_beside(to: Path) -> Iterator[Path]:
    """Make a folder in which files wait to be checked; it goes, whatever happens."""
    folder = durable.partial_path(to)
    try:
        durable.make_folder(folder)
        yield folder
    except OSError as exc:
        raise PipelineError(
            f"Cannot write {to}: {exc.strerror or exc}. Nothing was left there: make room, or give "
            "another --to, then run this again."
        ) from exc
    finally:
        with contextlib.suppress(OSError):
            durable.remove(folder)


def _put_in_place(files: list[Path], folder: Path, *, last: Path) -> None:
    """Move checked files to their places, flushed; the one that is loaded comes last."""
    for file in files:
        durable.sync(file)
    for file in sorted(files, key=lambda file: file == last):
        durable.rename(file, folder / file.name)
    durable.sync(folder)

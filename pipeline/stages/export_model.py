"""Write a fit as one file that takes photos and gives probabilities, and check what it answers."""

from __future__ import annotations

import contextlib
import json
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline import __version__, durable
from pipeline.artifacts import LoadedModel, read_report
from pipeline.backbones.network import Network
from pipeline.classifiers import fold
from pipeline.config import EXPORTS, check_choice
from pipeline.errors import ClassifierError, ConfigError, PipelineError
from pipeline.images import PAD_COLOUR, resizes_tall_first
from pipeline.model_card import CardFacts, render_card
from pipeline.predicting.settling import Predictor
from pipeline.records import Head, ModelExport, OnProgress, Recipe, Report, SelfCheck
from pipeline.self_check import CheckRows, Run, Score, check_answers, check_values, read_check_rows

FORMAT, FORMAT_VERSION = "transfer-values model", 1
OUTPUTS = {"probability": "probabilities", "score": "scores"}
_HINT = "That is a fault of this program: please report it."
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


def choose_format(format_name: str | None, to: Path | None) -> str:
    """Return the format that is asked for, or that the file's name says.

    Raises
    ------
    ConfigError
        If there is no such format, or the name says another one.
    """
    by_suffix = {suffix: name for name, suffix in EXPORTS.items()}
    if format_name is None:
        return by_suffix.get(to.suffix.lower(), "keras") if to is not None else "keras"
    check_choice("--format", format_name, tuple(EXPORTS))
    return format_name


def choose_place(to: Path | None, format_name: str, info: Mapping[str, Any]) -> Path:
    """Return the file to write: by default called like the data set and the classifier."""
    if to is not None:
        return to
    return Path(f"{info['dataset']}-{info['clf']}{EXPORTS[format_name]}")


def check_place(to: Path, format_name: str, *, overwrite: bool) -> None:
    """Refuse a place that cannot be written to, before any work is done.

    Raises
    ------
    ConfigError
        If the name does not end as the format's must.
    PipelineError
        If something is there that must not be replaced.
    """
    suffix = EXPORTS[format_name]
    if to.suffix != suffix:
        raise ConfigError(
            f"--format {format_name} makes a file whose name ends in {suffix}: --to "
            f"{to.with_suffix(suffix)}, not {to}."
        )
    for path in (*list_files(to, format_name), card_path(to)):
        if path.is_dir() or (path.is_symlink() and not path.exists()):
            raise PipelineError(f"{path} is there already and is no file. Give another --to.")
        if path.exists() and not overwrite:
            raise PipelineError(f"{path} is there already. Give another --to, or --overwrite.")


def list_files(to: Path, format_name: str) -> tuple[Path, ...]:
    """Return the files that a format is, the one to load first: OpenVINO's are two."""
    return (to, to.with_suffix(".bin")) if format_name == "openvino" else (to,)


def card_path(to: Path) -> Path:
    """Return where the model card of a file lies."""
    return to.with_name(f"{to.name}.md")


def export_model(
    predictor: Predictor,
    to: Path,
    format_name: str,
    make_file: MakeFile | None,
    *,
    check: bool = True,
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
        rows = read_check_rows(model, predictor.store, predictor.score, geometries)
    report = read_report(model.folder, model.info)
    about = describe_file(predictor, head, report)
    with _folder_beside(to) as folder:
        path = folder / to.name
        if format_name == "npz":
            score = _write_npz(path, head, about)
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


def _write_npz(path: Path, head: Head, about: Mapping[str, Any]) -> Score:
    """Write the one matrix of a linear classifier, and return what computes with what was written.

    Nothing in it is pickled: names and recipe are text.
    """
    (layer,) = head.layers
    np.savez(
        path,
        weights=layer.weights,  # type: ignore[union-attr]
        constants=layer.constants,  # type: ignore[union-attr]
        class_names=np.array(json.dumps(about["class_names"])),
        about=np.array(json.dumps(about)),
    )
    with np.load(path, allow_pickle=False) as file:
        weights, constants = file["weights"], file["constants"]

    def run(values: NDArray[Any]) -> NDArray[np.float64]:
        scores = values.astype(np.float64) @ weights + constants
        if head.kind == "score":
            return np.asarray(scores)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    return run


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

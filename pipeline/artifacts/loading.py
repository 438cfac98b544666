"""Unpickling a fit's classifier, and whether transfer values are of the kind that it takes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib

from pipeline.artifacts.description import MODEL, REDO_HINT, read_info
from pipeline.artifacts.reading import read_vouched
from pipeline.errors import ArtifactTamperedError, ClassifierError, FeatureMismatchError
from pipeline.gates import describe_gate
from pipeline.records import flatten_recipe
from pipeline.views import count_views

# Which images the values are of; everything else in a recipe decides what a value means.
_IMAGES = "manifest_digest"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedModel:
    """A classifier that was read back.

    Attributes
    ----------
    folder : Path
    classifier : scikit-learn Pipeline
    info : mapping
        The content of model.json: ``clf class_names recipe key content_sha256 config …``.
    """

    folder: Path
    classifier: Any
    info: Mapping[str, Any]

    @property
    def n_views(self) -> int:
        """Views of an image in a row of its recipe; the classifier takes their average."""
        return count_views(self.info["recipe"])


def load_model(folder: Path, *, force: bool = False) -> LoadedModel:
    """Unpickle a fit's classifier, if its bytes are the ones that were written.

    Parameters
    ----------
    folder : Path
    force : bool
        Load it although another scikit-learn wrote it, or it did not reach what was demanded of
        it. Never overrides a hash that is wrong.

    Raises
    ------
    ClassifierNotFoundError
        If there is no fit in `folder`.
    ArtifactTamperedError
        If a file is not what was written, in which case nothing was unpickled, or if the
        classifier is another one than model.json describes.
    ClassifierError
        If another version of scikit-learn wrote it, or it is marked as not usable.
    """
    info = read_info(folder)
    _check_usable(folder, info, force=force)
    content = read_vouched(folder, MODEL, info)
    written, here = info["versions"]["scikit-learn"], version("scikit-learn")
    if written != here and not force:
        raise ClassifierError(
            f"{folder} was fitted with scikit-learn {written}, here is {here}: its classifier may "
            "answer differently or not at all. Run fit again, or use --force."
        )
    classifier = _unpickle(folder, content, written=written, force=force)
    _check_described(folder, classifier, info)
    return LoadedModel(folder=folder, classifier=classifier, info=info)


def _check_usable(folder: Path, info: Mapping[str, Any], *, force: bool) -> None:
    missed = [describe_gate(gate) for gate in info["gates"] if not gate["met"]]
    if missed and not force:
        raise ClassifierError(
            f"{folder} is not usable: {'; '.join(missed)}. Fit a better one, run the same fit with "
            "a lower demand, or use --force."
        )


def _unpickle(folder: Path, content: bytes, *, written: str, force: bool) -> Any:
    with warnings.catch_warnings():
        if force:  # scikit-learn's InconsistentVersionWarning says what --force accepted
            warnings.simplefilter("ignore")
        try:
            return joblib.load(io.BytesIO(content))
        except Exception as exc:  # unpickling other versions' objects raises anything
            raise ClassifierError(
                f"{folder / MODEL}, written by scikit-learn {written}, cannot be unpickled here: "
                f"{type(exc).__name__}: {exc}. {REDO_HINT}"
            ) from exc


def _check_described(folder: Path, classifier: Any, info: Mapping[str, Any]) -> None:
    width = getattr(classifier, "n_features_in_", None)
    known = set(getattr(classifier, "classes_", ()))
    n_classes = len(info["class_names"])
    if width != info["n_features"] or not known or not known <= set(range(n_classes)):
        raise ArtifactTamperedError(
            f"{folder / MODEL} is not the classifier that model.json describes: expected "
            f"{info['n_features']} features and {n_classes} classes, found {width} features and "
            f"classes {sorted(map(str, known))[:5]}. {REDO_HINT}"
        )


def check_features(model: LoadedModel, recipe: Mapping[str, Any]) -> None:
    """Refuse transfer values that were made by another recipe than a classifier's.

    Parameters
    ----------
    model : LoadedModel
    recipe : mapping
        `Recipe.to_dict()` of the values; which images they are of does not matter.

    Raises
    ------
    FeatureMismatchError
        With every field that differs.
    """
    fitted_on, found = flatten_recipe(model.info["recipe"]), flatten_recipe(recipe)
    differences = [
        f"{name}: {fitted_on.get(name)!r}, not {found.get(name)!r}"
        for name in sorted({*fitted_on, *found} - {_IMAGES})
        if fitted_on.get(name) != found.get(name)
    ]
    if differences:
        raise FeatureMismatchError(
            f"The classifier in {model.folder} takes transfer values of another recipe: "
            f"{'; '.join(differences)}. Extract with the settings it was fitted on, or run fit on "
            "these values."
        )

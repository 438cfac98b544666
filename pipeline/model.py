"""A fit as an object: images in, answers out; what `pipeline predict` does, for Python."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts import newest_fit
from pipeline.backbones.engine import Engine
from pipeline.backbones.specs import name_model
from pipeline.datasets import name_dataset
from pipeline.datasets.given import list_given
from pipeline.errors import ClassifierError, ConfigError, ImageDecodeError
from pipeline.extraction.job import ExtractJob
from pipeline.images import GivenImage
from pipeline.opening import open_engine
from pipeline.predicting.answering import score_rows
from pipeline.predicting.computing import compute_values
from pipeline.predicting.settling import PROBABILITY, Predictor, check_one_fit, settle_fit
from pipeline.records import Answer, Status
from pipeline.stages.doubt import Doubt, find_doubt
from pipeline.stages.predict import predict

Images: TypeAlias = GivenImage | Sequence[GivenImage]
"""One image or several: paths, folders of images, and uint8 RGB arrays (height, width, 3)."""


def load(
    fit: str | Path | None = None,
    *,
    dataset: str | None = None,
    model: str | None = None,
    clf: str | None = None,
    cache_dir: str | Path = "cache",
    weights: str | None = None,
    device: str | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    force: bool = False,
    reject: bool = False,
    reject_by: str | None = None,
    keep: float | None = None,
    coverage: float | None = None,
) -> Model:
    """Read a fit back, ready to answer about images.

    Nothing is written, and the network is opened with the first image.

    Parameters
    ----------
    fit : str or Path, optional
        A folder made by `fit`; the newest of the cache by default.
    dataset, model, clf : str, optional
        Of which the newest fit is taken, if none is named.
    cache_dir : str or Path
    weights : str, optional
        Where the network's weights lie now, if not where they lay at the extraction.
    device : str, optional
        "auto", "cpu", "gpu" or "gpu:N"; as at the extraction by default.
    batch_size, workers : int, optional
    force : bool
        Use it although another scikit-learn wrote it, or it missed what was demanded of it.
    reject : bool
        Call images unknown that are unlike the training images; see `find_doubt`, also for the
        next two.
    reject_by : str, optional
    keep : float, optional
    coverage : float, optional
        Also give sets of classes, which hold the right one for this share of images.

    Returns
    -------
    Model

    Raises
    ------
    ClassifierNotFoundError, ArtifactTamperedError, ClassifierError
        If there is no such fit, or it cannot be used.
    FeatureMismatchError
        If the transfer values would be of another recipe here than the fit's.
    WeightsNotFoundError, BackboneError, ConfigError
        If its network cannot be run as asked.

    Examples
    --------
    >>> import pipeline
    >>> model = pipeline.load()  # doctest: +SKIP
    >>> model.predict(["photo.jpg"], topk=3)[0].classes  # doctest: +SKIP
    ('cat', 'dog')
    """
    cache = Path(cache_dir)
    if fit is not None:
        check_one_fit(fit, dataset=dataset, model=model, clf=clf)
    folder = (
        Path(fit)
        if fit is not None
        else newest_fit(
            cache,
            dataset=dataset and name_dataset(dataset),
            model=model and name_model(model),
            clf=clf,
        )
    )
    predictor = settle_fit(
        folder,
        cache_dir=cache,
        weights=weights,
        device=device,
        batch_size=batch_size,
        workers=workers,
        force=force,
    )
    doubt = find_doubt(predictor, reject=reject, reject_by=reject_by, keep=keep, coverage=coverage)
    return Model(predictor, doubt)


class Model:
    """A fit and its network. May be used from several threads, which then take turns.

    Parameters
    ----------
    predictor : Predictor
    doubt : Doubt, optional
        See `load`.

    Attributes
    ----------
    class_names : tuple of str
        In the order of the columns of `predict_proba`.
    has_probabilities : bool
        Whether the classifier has probabilities; decision scores otherwise.
    fit : Path
        The folder of the fit.
    """

    def __init__(self, predictor: Predictor, doubt: Doubt | None = None) -> None:
        self._predictor = predictor
        self._doubt = doubt or Doubt()
        self._engine: Engine | None = None
        self._engine_size: int | None = None
        self._turn = threading.Lock()
        self.class_names = predictor.class_names
        self.has_probabilities = predictor.kind == PROBABILITY
        self.fit = Path(predictor.source)

    def __repr__(self) -> str:
        classes = f"{len(self.class_names):,} classes"
        return f"Model({self._predictor.job.recipe.model} + {self._predictor.clf}, {classes})"

    def predict(self, images: Images, *, topk: int = 1) -> list[Answer]:
        """Return an answer about each image, in their order.

        Parameters
        ----------
        images : str, Path, uint8 ndarray of shape (height, width, 3), or a sequence of them
            Of a folder all images, in the order of their names. Arrays are RGB, 0-255.
        topk : int
            Classes an answer, the most probable first.

        Returns
        -------
        list of Answer
            Of an image that cannot be used, the answer has a reason, and no classes.

        Raises
        ------
        ConfigError
            If something given is neither a path nor such an array.
        DatasetError
            If a path is not there, when it is given by itself or as one of a sequence.
        """
        given = list_images(images)
        paths = ["" if isinstance(image, np.ndarray) else str(image) for image in given]
        with self._turn:
            parts = predict(
                self._predictor,
                given,
                self._open,
                paths=paths,
                topk=topk,
                rejection=self._doubt.rejection,
                sets=self._doubt.sets,
            )
            return [answer for part in parts for answer in part.answers]

    def predict_proba(self, images: Images) -> NDArray[np.floating]:
        """Return the probability of each class.

        Parameters
        ----------
        images
            As of `predict`.

        Returns
        -------
        float ndarray of shape (n_images, n_classes)
            In the order of `class_names`.

        Raises
        ------
        ClassifierError
            If the classifier has no probabilities.
        ImageDecodeError
            If an image cannot be used.
        ConfigError, DatasetError
            As `predict`.
        """
        if not self.has_probabilities:
            raise ClassifierError(
                f"{self.fit} has decision scores and no probabilities. Take predict, or run fit "
                "again with a classifier that has some, as logreg."
            )
        return self._score(images)

    def _score(self, images: Images) -> NDArray[np.floating]:
        given = list_images(images)
        found = []
        with self._turn:
            for part in compute_values(self._predictor.job, given, self._open):
                bad = np.flatnonzero(part.status != Status.OK)
                if len(bad):
                    row, status = part.start + int(bad[0]), Status(part.status[bad[0]])
                    image = given[row]
                    named = f"image {row}" if isinstance(image, np.ndarray) else f"{str(image)!a}"
                    raise ImageDecodeError(
                        f"{named} cannot be used: {status.reason}. Take it out, or call predict, "
                        "which says so of each image.",
                        reason=int(status),
                    )
                found.append(score_rows(self._predictor, part.values, part.status == Status.OK))
        return np.concatenate(found)

    def _open(self, job: ExtractJob) -> Engine:
        """Open the network, or return the one that is open and takes batches of this size."""
        if self._engine is None or self._engine_size != job.fitting:
            self._engine = None  # where the memory is short, no two of them fit
            self._engine = open_engine(job, keep=False)
            self._engine_size = job.fitting
            if job.fitting is not None:
                self._predictor = replace(self._predictor, job=job)
        return self._engine


def list_images(images: Images) -> list[GivenImage]:
    """Return what was given as a list: folders as their images, arrays checked.

    Raises
    ------
    ConfigError
        If something is neither a path nor a uint8 RGB array.
    DatasetError
        If there is no such path, or nothing at all.
    """
    each = [images] if _is_one(images) else images
    found: list[GivenImage] = []
    for number, image in enumerate(each):  # type: ignore[arg-type]
        if isinstance(image, str | os.PathLike):
            found += list_given([os.fspath(image)], read_list=bytes).paths
        else:
            found.append(_check_array(image, number))
    if not found:
        raise ConfigError("There are 0 images; expected at least 1 path or array.")
    return found


def _is_one(images: Images) -> bool:
    if isinstance(images, np.ndarray):
        return images.dtype.kind not in "OU" and images.ndim < 4  # else of paths, or of images
    return not isinstance(images, Iterable) or isinstance(images, str | bytes | os.PathLike)


def _check_array(image: object, number: int) -> NDArray[np.uint8]:
    if not isinstance(image, np.ndarray):
        raise ConfigError(
            "Images are given as paths or as uint8 RGB arrays: of Pillow's, "
            f'np.asarray(image.convert("RGB")). Got, as image {number}: '
            f"{type(image).__name__} {image!r:.80}."
        )
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ConfigError(
            "An image given as an array is RGB, uint8 of shape (height, width, 3), 0-255. Got, as "
            f"image {number}: {image.dtype} of shape {image.shape}."
        )
    return image

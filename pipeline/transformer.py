"""Transfer values as a scikit-learn transformer over the paths of images."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from pipeline.backbones.engine import Engine
from pipeline.config import ExtractConfig, check_choice
from pipeline.datasets.loose import list_files
from pipeline.errors import (
    ConfigError,
    EmptyDatasetError,
    FeatureMismatchError,
    ImageDecodeError,
)
from pipeline.loose import LooseValues, read_values
from pipeline.opening import open_engine
from pipeline.records import Recipe, Status

ON_ERROR = ("raise", "nan")
_DEFAULTS = ExtractConfig()
_MOST_NAMED = 5


class TransferValues(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Map paths of images to what a headless pretrained CNN makes of the images.

    Values that are in the cache are read from there, whether `extract` or this class put them
    there and whatever the file is called now: images are known by their content. All others are
    computed, once, and kept. So a cross-validation or a grid search computes each image once, also
    in parallel (`n_jobs`): processes that want the same values wait for each other.

    Give it many paths at once rather than one at a time: every call asks the whole cache.

    Parameters
    ----------
    model : str
        Name of the backbone, as of `extract --model`; `a+b` joins two.
    image_size : int, optional
        Side of the square that goes into the network, in pixels; by default the network's own.
    resize : str, optional
        `crop`, `squash` or `pad`; by default the network's own.
    layers : sequence of str
        Take the values of these layers instead of the last one's.
    pooling : str
        `avg`, `max` or `none`.
    weights : str or Path
        `imagenet`, `random`, or the path of a weights file.
    augment : str
        `none`, or `hflip`: the mean of an image's values and of its mirror image's.
    precision : str
        `float32`, `bfloat16` or `auto`.
    dtype : str
        How values are kept on the disk: `float32` or `float16`.
    device : str
        `auto`, `cpu`, `gpu` or `gpu:N`.
    batch_size : int, optional
        Images to go through the network at once.
    workers : int, optional
        Decoding threads.
    cache_dir : str or Path
    on_error : str
        `raise` an ImageDecodeError if an image cannot be used, or make its row `nan`.

    Attributes
    ----------
    n_features_out_ : int
        Transfer values an image.
    recipe_ : dict
        What decided about the values when this was fitted: backbones, pooling, augment.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from pipeline import TransferValues
    >>> classifier = make_pipeline(TransferValues(), StandardScaler(), LogisticRegression())
    >>> cross_val_score(classifier, paths, labels)  # doctest: +SKIP
    """

    _open_engine: ClassVar[Callable[..., Engine]] = staticmethod(open_engine)

    def __init__(
        self,
        *,
        model: str = _DEFAULTS.model,
        image_size: int | None = _DEFAULTS.image_size,
        resize: str | None = _DEFAULTS.resize,
        layers: Sequence[str] = _DEFAULTS.layers,
        pooling: str = _DEFAULTS.pooling,
        weights: str | Path = _DEFAULTS.weights,
        augment: str = _DEFAULTS.augment,
        precision: str = _DEFAULTS.precision,
        dtype: str = _DEFAULTS.dtype,
        device: str = _DEFAULTS.device,
        batch_size: int | None = _DEFAULTS.batch_size,
        workers: int | None = _DEFAULTS.workers,
        cache_dir: str | Path = str(_DEFAULTS.cache_dir),
        on_error: str = "raise",
    ) -> None:
        self.model = model
        self.image_size = image_size
        self.resize = resize
        self.layers = layers
        self.pooling = pooling
        self.weights = weights
        self.augment = augment
        self.precision = precision
        self.dtype = dtype
        self.device = device
        self.batch_size = batch_size
        self.workers = workers
        self.cache_dir = cache_dir
        self.on_error = on_error

    def fit(self, X: Any, y: Any = None) -> TransferValues:  # noqa: ARG002 - scikit-learn's
        """Put the transfer values of images into the cache; nothing is learned from them.

        Parameters
        ----------
        X : array-like of str or Path of shape (n_samples,)
        y : ignored

        Returns
        -------
        TransferValues
            Itself.

        Raises
        ------
        ConfigError
            A ValueError: if a parameter has no such value, or X is not a sequence of paths.
        ImageDecodeError
            If an image cannot be used, unless `on_error` is `nan`.
        EmptyDatasetError
            If no image can be used and it is not known how many values a row has.
        BackboneError, CacheError
            If the network cannot be run, or the cache not be used.
        """
        self._fit(X)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> NDArray[np.float32]:  # noqa: ARG002
        """Do as `fit` and `transform`, but read the images' files only once."""
        return self._fit(X).values

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Return the transfer values of images.

        Parameters
        ----------
        X : array-like of str or Path of shape (n_samples,)

        Returns
        -------
        float32 ndarray of shape (n_samples, n_features_out_)
            In the order of X, where a path may stand more than once. With `on_error="nan"` a row
            of NaN where an image cannot be used.

        Raises
        ------
        NotFittedError
        FeatureMismatchError
            If the values would be others than those this was fitted for: a parameter was changed,
            or the weights are others here.
        ConfigError, ImageDecodeError, BackboneError, CacheError
            As `fit`.
        """
        check_is_fitted(self)
        read = self._read(X)
        found = _describe(read.recipe)
        if found != self.recipe_:
            changed = ", ".join(name for name in found if found[name] != self.recipe_[name])
            raise FeatureMismatchError(
                f"TransferValues would give other values than those it was fitted for: {changed} "
                "differ. Fit it again, or take back what changed (parameters, or the weights)."
            )
        if not read.values.shape[1]:  # no store knows how many there are, but `fit` did
            return np.full((len(read.values), self.n_features_out_), np.nan, np.float32)
        return read.values

    @property
    def _n_features_out(self) -> int:
        """What `get_feature_names_out` counts up to."""
        n_features: int = self.n_features_out_
        return n_features

    def __sklearn_tags__(self) -> Tags:
        """Say that X is a sequence of paths, which scikit-learn cannot make up."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _fit(self, X: Any) -> LooseValues:
        read = self._read(X)
        if not read.values.shape[1]:
            raise EmptyDatasetError(
                f"None of the {len(read.status)} files in X is a usable image, so it is not known "
                "how many values a row has. Give at least one image that can be read."
            )
        self.n_features_out_ = read.values.shape[1]
        self.recipe_ = _describe(read.recipe)
        return read

    def _read(self, X: Any) -> LooseValues:
        config = self._make_config()
        paths = check_paths(X)
        files = list_files(paths, cache_dir=config.cache_dir)
        # Before anything is computed: a folder that was misspelt should not cost an hour.
        self._check(paths, np.where(files.is_readable, Status.OK, Status.UNREADABLE))
        read = read_values(config, files, self._open_engine)
        self._check(paths, read.status)
        return read

    def _make_config(self) -> ExtractConfig:
        check_choice("on_error", self.on_error, ON_ERROR)
        if isinstance(self.layers, str):
            raise ConfigError(f"layers must be a sequence of names. Got: {self.layers!r}.")
        return ExtractConfig(
            model=self.model,
            image_size=self.image_size,
            resize=self.resize,
            layers=tuple(self.layers),
            pooling=self.pooling,
            weights=os.fspath(self.weights),
            augment=self.augment,
            precision=self.precision,
            dtype=self.dtype,
            device=self.device,
            batch_size=self.batch_size,
            workers=self.workers,
            cache_dir=Path(self.cache_dir),
        )

    def _check(self, paths: Sequence[str], status: NDArray[np.integer[Any]]) -> None:
        bad = np.flatnonzero(status != Status.OK)
        if not len(bad) or self.on_error == "nan":
            return
        named = [f"  {paths[row]!a}: {Status(status[row]).reason}" for row in bad[:_MOST_NAMED]]
        more = [f"  and {len(bad) - _MOST_NAMED:,} more"] if len(bad) > _MOST_NAMED else []
        listed = "\n".join([*named, *more])
        raise ImageDecodeError(
            f"{len(bad):,} of the {len(paths):,} images in X cannot be used:\n{listed}\nTake them "
            'out, or make their rows NaN with TransferValues(on_error="nan").',
            reason=int(status[bad[0]]),
        )


def check_paths(X: Any) -> list[str]:
    """Return what scikit-learn calls X as a list of paths.

    Raises
    ------
    ConfigError
        If it is not a sequence of paths, is empty, or holds what no file can be called.
    """
    if isinstance(X, str | bytes | os.PathLike):
        raise ConfigError(f"X must be a sequence of paths. Got one path; write [{X!r}].")
    if hasattr(X, "__array__"):
        X = np.asarray(X)
    shape = getattr(X, "shape", None)
    if shape is not None and len(shape) != 1:
        raise ConfigError(
            f"X must be a sequence of paths, of shape (n_samples,). Got an array of shape {shape}. "
            "Of a table take the one column with the paths."
        )
    if not isinstance(X, Iterable):
        raise ConfigError(f"X must be a sequence of paths. Got: {type(X).__name__}.")
    paths = [_check_path(item, row) for row, item in enumerate(X)]
    if not paths:
        raise ConfigError("X has 0 samples; expected at least 1 path.")
    return paths


def _check_path(item: Any, row: int) -> str:
    path = os.fspath(item) if isinstance(item, str | os.PathLike) else None
    if not isinstance(path, str):
        raise ConfigError(
            f"X must hold paths, as str or Path. Got in row {row}: {type(item).__name__} "
            f"{item!r:.80}."
        )
    if not path or "\0" in path:
        raise ConfigError(f"X must hold paths of files. Got in row {row}: {path!r:.80}.")
    return str(path)


def _describe(recipe: Recipe) -> dict[str, Any]:
    """Return what must stay as it was fitted; precision and decoder may follow the machine."""
    said = recipe.to_dict()
    return {name: said[name] for name in ("backbones", "pooling", "augment")}

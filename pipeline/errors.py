"""The errors a user can meet.

PipelineError                         exit 1
  ConfigError(ValueError)             exit 2
  DatasetError     EmptyDatasetError · ImageDecodeError · DownloadError
  CacheError       CacheNotFoundError · CacheMismatchError · CacheIncompleteError
                   CacheCorruptError · CacheLockedError
  BackboneError    WeightsNotFoundError · OutOfMemoryError · FinetuneError
  ClassifierError  ClassifierNotFoundError · FeatureMismatchError · ArtifactTamperedError

A message says what is wrong, where, what was expected, what was found, and what to do next.
`cli` prints a PipelineError without a traceback; anything else is a bug and keeps its own.
"""

from __future__ import annotations

from functools import partial
from typing import Any


class PipelineError(Exception):
    """Base of every error that is about the user's input, files or machine."""

    exit_code = 1


class ConfigError(PipelineError, ValueError):
    """A setting has a value that cannot be used."""

    exit_code = 2


class DatasetError(PipelineError):
    """A data set cannot be read as a labelled set of images."""


class EmptyDatasetError(DatasetError):
    """No image, or no usable image, was found."""


class ImageDecodeError(DatasetError):
    """One image cannot be decoded; `reason` is a `records.Status` value."""

    def __init__(self, message: str, *, reason: int) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:  # an error of a worker process is pickled
        return partial(type(self), reason=self.reason), self.args


class DownloadError(DatasetError):
    """A file could not be fetched, or is not the file that was promised."""


class CacheError(PipelineError):
    """A transfer-value store cannot be used."""


class CacheNotFoundError(CacheError):
    """There is no store where one was asked for."""


class CacheMismatchError(CacheError):
    """A store was made by another recipe than the one asked for."""


class CacheIncompleteError(CacheError):
    """A store's extraction has not finished."""


class CacheCorruptError(CacheError):
    """A store's content is not what was committed to it."""


class CacheLockedError(CacheError):
    """Another process is writing the store."""


class BackboneError(PipelineError):
    """A backbone cannot be built or run as asked."""


class WeightsNotFoundError(BackboneError):
    """The pretrained weights are neither on this machine nor downloadable."""


class OutOfMemoryError(BackboneError):
    """A batch of `batch_size` images does not fit into the memory; a smaller one may."""

    def __init__(self, message: str, *, batch_size: int) -> None:
        super().__init__(message)
        self.batch_size = batch_size

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), batch_size=self.batch_size), self.args


class FinetuneError(BackboneError):
    """A network cannot be trained further, or what came of it cannot be kept or read."""


class ClassifierError(PipelineError):
    """A classifier cannot be fitted or used."""


class ClassifierNotFoundError(ClassifierError):
    """There is no fit where one was asked for."""


class FeatureMismatchError(ClassifierError):
    """The features are not of the kind the classifier was fitted on."""


class ArtifactTamperedError(ClassifierError):
    """A fit's files are not the bytes that its model.json vouches for."""

"""What one fit did and how well, as the commands print it and as metrics.json has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one fit did and how well: the content of metrics.json, numbers as JSON has them.

    Attributes
    ----------
    dataset, model, clf : str
    key, store : str
        Of the transfer values that were classified: the recipe's key, the store's file name.
    root : str
        Folder that the paths of `mistakes` count from.
    recipe : mapping
        What decided the transfer values; see `Recipe`.
    n_found, n_train, n_test, n_unused : int
        Images; n_found = n_train + n_test + n_unused + the sum of `skipped`. Unused are those
        that a limit of training images a class left out.
    skipped : mapping of str to int
        Images that have no transfer values, by reason.
    oddities : mapping of str to int
        Images that have, although they were unusual, by what was; one may count twice.
    split : str
        How the test rows were chosen.
    class_names : tuple of str
    confusion_matrix : tuple of tuple of int, of shape (n_classes, n_classes)
        Rows are the true classes, columns the predicted ones.
    accuracy, balanced_accuracy, macro_f1 : float
        On the test rows, 0-1.
    log_loss, calibration_error : float or None
        Of the probabilities on the test rows; None where the classifier has none.
    roc_auc, average_precision : float or None
        0-1, on the test rows: of each class's score against all others, the mean over the classes
        that some test rows are of and some are not. None if there is no such class.
    calibration : tuple of mapping
        ``low high n confidence accuracy`` of the answers in each filled bin of their probability:
        what `calibration_error` is made of. Empty where the classifier has no probabilities.
    loss_curve : mapping or None
        ``loss validation_accuracy best_epoch`` of an mlp's training: the loss on the training rows
        in each epoch, its penalty included; the accuracy, 0-1, after each epoch on training rows
        that were held out, None if none were; the epoch, counted from 1, whose weights stayed.
        None for other classifiers.
    intervals : mapping of str to list of float
        95 % intervals of ``accuracy balanced_accuracy macro_f1 log_loss calibration_error``, None
        where there is none. See `pipeline.metrics` for what each is.
    per_class : tuple of mapping
        ``name precision precision_ci recall recall_ci f1 roc_auc average_precision n_test n_train``
        of each class, in class order; a ratio with nothing to divide by is None, and so is its
        interval.
    baselines : tuple of mapping
        ``name accuracy accuracy_ci n_train n_test`` of what the classifier should beat: the most
        frequent class, a colour histogram, and k nearest neighbours.
    twins : mapping or None
        Test images that have a twin in training, and what that is worth; see `pipeline.twins`.
        None if it was not looked for.
    confused_pairs : tuple of mapping
        ``true predicted count``, most frequent first.
    mistakes : tuple of mapping
        ``path true predicted score`` of the wrong answers given with most confidence.
    score_kind : str
        "probability", or "decision" where the classifier has none.
    tuning : mapping or None
        ``parameter scoring n_folds n_rows values means stds best extended``: accuracy in
        cross-validation on the training rows, or on a part of them that was held out, for each
        value that was tried. None if none was.
    cv : mapping or None
        ``n_folds mean std scores accuracy accuracy_ci n_images``: cross-validation on the training
        rows, with whatever tuning there is done anew in each fold.
    label_errors : tuple of mapping
        ``path label suggested score`` of training images that, by classifiers that had not seen
        them, rather belong to another class; the most suspect first.
    n_label_errors : int or None
        How many there are in all; None if no image was predicted by a classifier that had not
        seen it.
    learning_curve : mapping or None
        Accuracy by the number of training images, and what more would bring; see
        `pipeline.learning_curve`.
    gates : tuple of mapping
        ``name least found met`` of what was demanded of the fit.
    tune_seconds, fit_seconds : float
        The tuning, and the last fit alone: without reading the transfer values.
    predict_seconds : float
        Classifying all test rows.
    settings : mapping
        `FitConfig.to_dict()`, and in ``used`` the parameters that the classifier was fitted with.
    notes : tuple of str
        Sentences on what a reader could stumble over.
    """

    dataset: str
    model: str
    clf: str
    key: str
    store: str
    root: str
    recipe: Mapping[str, Any]
    n_found: int
    n_train: int
    n_test: int
    n_unused: int
    skipped: Mapping[str, int]
    oddities: Mapping[str, int]
    split: str
    class_names: tuple[str, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    log_loss: float | None
    calibration_error: float | None
    roc_auc: float | None
    average_precision: float | None
    calibration: tuple[Mapping[str, Any], ...]
    loss_curve: Mapping[str, Any] | None
    intervals: Mapping[str, Any]
    baselines: tuple[Mapping[str, Any], ...]
    twins: Mapping[str, Any] | None
    per_class: tuple[Mapping[str, Any], ...]
    confused_pairs: tuple[Mapping[str, Any], ...]
    mistakes: tuple[Mapping[str, Any], ...]
    score_kind: str
    tuning: Mapping[str, Any] | None
    cv: Mapping[str, Any] | None
    label_errors: tuple[Mapping[str, Any], ...]
    n_label_errors: int | None
    learning_curve: Mapping[str, Any] | None
    gates: tuple[Mapping[str, Any], ...]
    tune_seconds: float
    fit_seconds: float
    predict_seconds: float
    settings: Mapping[str, Any]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Report:
        """Rebuild a report from `to_dict`, also after a way through JSON."""
        rebuilt: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in fields.items()
        }
        rebuilt["confusion_matrix"] = tuple(tuple(row) for row in fields["confusion_matrix"])
        return cls(**rebuilt)

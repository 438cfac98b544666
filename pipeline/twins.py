"""Twins: test images that the classifier has, all but the same, been trained on.

An exact copy has the same bytes. A near-duplicate (saved anew, scaled, mirrored, cropped,
brightened) has other bytes but much the same transfer values: it is found by the cosine of their
standardised values. Standardised, because the cosine of the bare values depends on how alike the
images of a data set are: at 0.90 it takes every one of scikit-learn's 1,797 digits for another's
twin, although it sorts the pairs of CIFAR-10 a little better. All rows together set the scale, test
rows, too: nothing is fitted on it, and few training rows would set it badly.

`TWIN_COSINE` was chosen with EfficientNet-Lite0's averages. Of near-duplicates made from real
pictures it finds:

======================  ==============================  ====================================
made by                 700 photos of cats and dogs     800 CIFAR-10 pictures, 32 × 32
======================  ==============================  ====================================
JPEG of quality 60      100.0 %                         0.9 %: 32 × 32 pixels do not survive
resizing to 80 %        100.0 %                         81.3 %
mirroring               100.0 %                         99.5 %
cropping 95 %           100.0 %                         97.3 %
brightening by 20 %     99.7 %                          96.5 %
======================  ==============================  ====================================

Without made ones it reports 1 pair among the 1,399 photos of cats and dogs (cosine 0.98; the next
has 0.74), 72 among 12,000 CIFAR-10 pictures, and 70 among the digits, all of the same digit. By
eye, on a contact sheet, about 61 of CIFAR-10's 72 show the same picture or its neighbour in a
series, the others the same model of car or aeroplane, or the same breed of dog. At 0.85 it is 43 of
45, but resized ones are found at 56 % only; at 0.75 it is 89 of 164. Other backbones and other
kinds of images have other distributions: look at the pairs.

References
----------
B. Barz and J. Denzler, "Do we train on test data? Purging CIFAR of near-duplicates", Journal of
Imaging 6 (2020) 41: 3.3 % of CIFAR-10's test images have a near-duplicate in training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import FeatureMismatchError
from pipeline.records import OnProgress

TWIN_COSINE = 0.80
"""Two rows whose standardised values have at least this cosine are near-duplicates."""

TEST_CHUNK = 2048
TRAIN_CHUNK = 4096
"""Rows that are compared at once: 32 MB of cosines, and 32 MB of values for d = 1,280."""

Features = NDArray[np.floating]
Floats = NDArray[np.float32]
Hashes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Twins:
    """The training row that is most like each test row.

    Attributes
    ----------
    nearest : intp ndarray of shape (n_test,)
        Number of the training row; the first exact copy where there is one. -1 if no row trains.
    cosine : float32 ndarray of shape (n_test,)
        Of the standardised values, -1 to 1; 1 for an exact copy.
    exact : bool ndarray of shape (n_test,)
        Whether the nearest row has the same bytes.
    threshold : float
        The cosine from which on a row is a twin.
    """

    nearest: NDArray[np.intp]
    cosine: Floats
    exact: NDArray[np.bool_]
    threshold: float

    @property
    def twin(self) -> NDArray[np.bool_]:
        """Whether each test row has a twin among the training rows: bool, of shape (n_test,)."""
        return self.exact | (self.cosine >= self.threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakPrice:
    """What twins add to the accuracy.

    Attributes
    ----------
    n, n_correct : int
        All test rows, and those that were answered rightly.
    n_without, n_correct_without : int
        The same of the test rows that have no twin.
    """

    n: int
    n_correct: int
    n_without: int
    n_correct_without: int

    @property
    def accuracy(self) -> float | None:
        """Share of right answers, 0-1; None without test rows."""
        return self.n_correct / self.n if self.n else None

    @property
    def accuracy_without(self) -> float | None:
        """Share of right answers on rows without a twin, 0-1; None if there are none."""
        return self.n_correct_without / self.n_without if self.n_without else None

    @property
    def price(self) -> float | None:
        """How much of the accuracy is owed to twins; None if no test row is without one."""
        if self.accuracy is None or self.accuracy_without is None:
            return None
        return self.accuracy - self.accuracy_without


def find_twins(
    features_test: Features,
    features_train: Features,
    *,
    sha256_test: Hashes,
    sha256_train: Hashes,
    threshold: float = TWIN_COSINE,
    on_progress: OnProgress | None = None,
) -> Twins:
    """Find the training row that is most like each test row.

    Every pair is compared, in chunks: beside its arguments this holds about 100 MB for rows of
    1,280 values. A row of which all values are the mean has cosine 0 with all others.

    Parameters
    ----------
    features_test : float ndarray of shape (n_test, n_features)
    features_train : float ndarray of shape (n_train, n_features)
    sha256_test : uint8 ndarray of shape (n_test, 32)
    sha256_train : uint8 ndarray of shape (n_train, 32)
    threshold : float
        -1 to 1.
    on_progress : callable
        Takes (done, total), in pairs of rows.

    Raises
    ------
    FeatureMismatchError
        If the rows of the two sides have different lengths.
    """
    if features_test.shape[1] != features_train.shape[1]:
        raise FeatureMismatchError(
            f"Twins are looked for in transfer values of one kind: the test rows have "
            f"{features_test.shape[1]:,} values, the training rows {features_train.shape[1]:,}. "
            "Take both from the same store."
        )
    nearest, cosine = _nearest_rows(features_test, features_train, on_progress)
    copy = _first_copies(sha256_test, sha256_train)
    exact = copy >= 0
    return Twins(
        nearest=np.where(exact, copy, nearest),
        cosine=np.where(exact, np.float32(1), cosine),
        exact=exact,
        threshold=threshold,
    )


def leak_price(twin: NDArray[np.bool_], correct: NDArray[np.bool_]) -> LeakPrice:
    """Compare the accuracy on all test rows with that on the rows that have no twin.

    Parameters
    ----------
    twin : bool ndarray of shape (n_test,)
        Whether a row has a twin; see `Twins.twin`.
    correct : bool ndarray of shape (n_test,)
        Whether it was answered rightly.
    """
    return LeakPrice(
        n=len(correct),
        n_correct=int(correct.sum()),
        n_without=int((~twin).sum()),
        n_correct_without=int(correct[~twin].sum()),
    )


def describe_twins(
    twins: Twins,
    correct: NDArray[np.bool_],
    *,
    test: NDArray[np.intp],
    train: NDArray[np.intp],
    paths: Sequence[str],
    labels: NDArray[np.integer],
    interval: Callable[[int, int], tuple[float, float]],
    limit: int = 20,
) -> dict[str, Any]:
    """Return what a report says of the twins, as JSON values.

    Parameters
    ----------
    twins : Twins
    correct : bool ndarray of shape (n_test,)
        Whether each test row was answered rightly.
    test, train : intp ndarray of shape (n_test,) and (n_train,)
        Numbers of the rows in the table that has these `paths` and `labels`.
    paths : sequence of str
    labels : integer ndarray of shape (n_samples,)
    interval : callable
        Takes (n_correct, n) and returns both ends of the accuracy's interval.
    limit : int
        How many pairs are listed.

    Returns
    -------
    dict
        ``threshold n_exact n_near n_without accuracy_without accuracy_without_ci price pairs``,
        with None for what is unknown because every test row has a twin. A pair is ``test train
        cosine exact same_label``, paths for the rows; exact copies come first, then the highest
        cosine.
    """
    price = leak_price(twins.twin, correct)
    known = price.n_without > 0
    rows = np.flatnonzero(twins.twin)
    first = rows[np.lexsort((-twins.cosine[rows], ~twins.exact[rows]))][:limit]
    return {
        "threshold": float(twins.threshold),
        "n_exact": int(twins.exact.sum()),
        "n_near": int((twins.twin & ~twins.exact).sum()),
        "n_without": price.n_without,
        "accuracy_without": price.accuracy_without,
        "accuracy_without_ci": (
            list(interval(price.n_correct_without, price.n_without)) if known else None
        ),
        "price": price.price,
        "pairs": [
            {
                "test": paths[test[row]],
                "train": paths[train[twins.nearest[row]]],
                "cosine": float(twins.cosine[row]),
                "exact": bool(twins.exact[row]),
                "same_label": bool(labels[test[row]] == labels[train[twins.nearest[row]]]),
            }
            for row in first
        ],
    }


def _nearest_rows(
    test: Features, train: Features, on_progress: OnProgress | None
) -> tuple[NDArray[np.intp], Floats]:
    nearest = np.full(len(test), -1, np.intp)
    cosine = np.full(len(test), -1, np.float32)
    shift, scale = _standardisation(test, train)
    done, total = 0, len(test) * len(train)
    for begin, some_train in _unit_chunks(train, shift, scale, TRAIN_CHUNK):
        for start, some_test in _unit_chunks(test, shift, scale, TEST_CHUNK):
            cosines = some_test @ some_train.T
            best = cosines.argmax(axis=1)
            found = np.take_along_axis(cosines, best[:, None], axis=1)[:, 0]
            rows = slice(start, start + len(some_test))
            better = found > cosine[rows]
            nearest[rows][better] = begin + best[better]
            cosine[rows][better] = found[better]
            done += cosines.size
            if on_progress is not None:
                on_progress(done, total)
    return nearest, np.clip(cosine, -1, 1)


def _standardisation(test: Features, train: Features) -> tuple[Floats, Floats]:
    """Return the mean of each value over all rows, and 1 / its standard deviation."""
    n, d = len(test) + len(train), train.shape[1]
    total, squares = np.zeros(d), np.zeros(d)
    for rows in (*_chunks(test, TEST_CHUNK), *_chunks(train, TRAIN_CHUNK)):
        total += rows.sum(axis=0, dtype=np.float64)
    mean = total / max(n, 1)
    for rows in (*_chunks(test, TEST_CHUNK), *_chunks(train, TRAIN_CHUNK)):
        squares += np.square(rows - mean).sum(axis=0)
    deviation = np.sqrt(squares / max(n, 1))
    # What is constant but for rounding would otherwise be blown up to count as much as the rest.
    counts = deviation > 1e-6 * deviation.max(initial=0)
    scale = np.divide(1, deviation, out=np.zeros(d), where=counts)
    return mean.astype(np.float32), scale.astype(np.float32)


def _unit_chunks(
    features: Features, shift: Floats, scale: Floats, size: int
) -> Iterator[tuple[int, Floats]]:
    """Yield standardised rows of length 1, and the number of the first of them."""
    for k, rows in enumerate(_chunks(features, size)):
        unit = (rows.astype(np.float32) - shift) * scale
        length = np.sqrt(np.einsum("ij,ij->i", unit, unit))
        unit /= np.maximum(length, np.finfo(np.float32).tiny)[:, None]
        yield k * size, unit


def _chunks(features: Features, size: int) -> Iterator[Features]:
    for start in range(0, len(features), size):
        yield features[start : start + size]


def _first_copies(test: Hashes, train: Hashes) -> NDArray[np.intp]:
    """Return, for each test row, the first training row that has the same bytes; -1 for none."""
    place: dict[bytes, int] = {}
    for row, digest in enumerate(train):
        place.setdefault(digest.tobytes(), row)
    return np.array([place.get(digest.tobytes(), -1) for digest in test], np.intp)

"""Which of so many sorted numbers is the threshold: order statistics, without any distribution."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95


def tolerance_rank(n: int, keep: float, *, confidence: float = CONFIDENCE) -> int | None:
    """Return which of n sorted numbers at least a share of all others like them stays below.

    The r-th smallest has a share of at least `keep` below it with the probability that a binomial
    variable of n draws with chance `keep` is less than r.

    Parameters
    ----------
    n : int
        Numbers, drawn independently from one distribution, whichever that is.
    keep : float
        0-1.
    confidence : float
        How probable it is to be that the share is reached.

    Returns
    -------
    int or None
        1 to n; None if n is too small for even the largest.

    References
    ----------
    S. S. Wilks, "Determination of sample sizes for setting tolerance limits", Annals of
    Mathematical Statistics 12 (1941) 91-96.
    """
    below = np.cumsum(np.exp(_log_binomial(n, keep)))[:n]
    ranks = np.flatnonzero(below >= confidence)
    return int(ranks[0]) + 1 if len(ranks) else None


def _log_binomial(n: int, chance: float) -> NDArray[np.float64]:
    """Return the logarithms of the probabilities of 0 to n successes."""
    ways = [math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(n + 1)]
    k = np.arange(n + 1)
    logarithms: NDArray[np.float64] = (
        np.array(ways) + k * math.log(chance) + (n - k) * math.log1p(-chance)
    )
    return logarithms


def conformal_rank(n: int, coverage: float) -> int | None:
    """Return which of n sorted scores a new one does not exceed with a probability of `coverage`.

    Parameters
    ----------
    n : int
        Scores that are exchangeable with the new one.
    coverage : float
        0-1.

    Returns
    -------
    int or None
        1 to n; None if n is too small.

    References
    ----------
    H. Papadopoulos, K. Proedrou, V. Vovk, A. Gammerman, "Inductive confidence machines for
    regression", ECML 2002.
    """
    rank = math.ceil((n + 1) * coverage * (1 - 1e-12))  # 20 * 0.95 is 19, not 19.000000000000004
    return max(rank, 1) if rank <= n else None

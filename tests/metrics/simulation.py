"""Classifiers whose accuracy is known, because their answers are drawn."""

import numpy as np


def coverage(ends, truth):
    """Return the share of intervals, of shape (n, 2), that hold the truth."""
    ends = np.asarray(ends)
    return float(((ends[:, 0] <= truth) & (truth <= ends[:, 1])).mean())


def correlated_hits(share, *, n_units, size, correlation, rng):
    """Draw hits of shape (n_units, size): a row repeats its unit's draw, or has its own."""
    own, shared = rng.random((n_units, size)), rng.random((n_units, 1))
    # Two rows both follow the unit with probability `correlation`.
    return np.where(rng.random((n_units, size)) < np.sqrt(correlation), shared, own) < share


def draw_answers(weights, recalls, *, n, rng):
    """Draw y_true and y_pred; the wrong answers are spread evenly over the other classes."""
    n_classes = len(weights)
    y_true = rng.choice(n_classes, n, p=weights)
    hit = rng.random(n) < np.asarray(recalls)[y_true]
    wrong = (y_true + rng.integers(1, n_classes, n)) % n_classes
    return y_true, np.where(hit, y_true, wrong)


def answer_shares(weights, recalls):
    """Return the confusion matrix that `draw_answers` tends to, as shares of all rows."""
    n_classes = len(weights)
    shares = np.tile((1 - np.asarray(recalls, float))[:, None] / (n_classes - 1), n_classes)
    np.fill_diagonal(shares, recalls)
    return shares * np.asarray(weights)[:, None]


def draw_probabilities(n, *, n_classes, sharpness, temperature, rng):
    """Draw what a classifier says, and the probabilities that the true classes are drawn from.

    Both are of shape (n, n_classes); above a temperature of 1 the classifier is overconfident.
    """
    logits = rng.standard_normal((n, n_classes)) * sharpness
    return softmax(logits), softmax(logits / temperature)


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def draw_labels(probabilities, rng):
    below = probabilities.cumsum(axis=1) < rng.random((len(probabilities), 1))
    return np.minimum(below.sum(axis=1), probabilities.shape[1] - 1)

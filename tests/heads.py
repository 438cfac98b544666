"""Heads as NumPy computes them, layer by layer, to compare classifiers and networks with."""

import numpy as np

from pipeline.records import DenseLayer, KernelLayer


def run_head(head, values):
    for layer in head.layers:
        values = _run(layer, np.asarray(values, np.float64))
    return values


def _run(layer, values):
    if isinstance(layer, DenseLayer):
        return _activate(values @ layer.weights + layer.constants, layer.activation)
    scaled = values * layer.scale + layer.shift
    if isinstance(layer, KernelLayer):
        return _run_kernel(layer, scaled)
    unit = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
    nearest = np.argsort(-(unit @ layer.training.T), axis=1)[:, : layer.n_neighbours]
    return layer.votes[nearest].sum(axis=1)


def _activate(values, activation):
    if activation == "relu":
        return np.maximum(values, 0)
    if activation == "softmax":
        powers = np.exp(values - values.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
    return values


def _run_kernel(layer, scaled):
    distances = ((scaled[:, None, :] - layer.support[None]) ** 2).sum(axis=2)
    decisions = np.exp(-layer.gamma * distances) @ layer.weights + layer.constants
    if layer.n_known == 2:
        return np.hstack([decisions, -decisions])
    votes = np.zeros((len(scaled), layer.n_known))
    confidence = np.zeros_like(votes)
    for column, (i, j) in enumerate(layer.pairs):
        won = decisions[:, column] >= 0
        votes[won, i] += 1
        votes[~won, j] += 1
        confidence[:, i] += decisions[:, column]
        confidence[:, j] -= decisions[:, column]
    return votes + confidence / (3 * (np.abs(confidence) + 1))

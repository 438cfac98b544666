"""Fits a store, or made rows, in a process of little memory: see `test_streaming`."""

import json
import resource
import sys
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.cache import read_samples, stream_features
from pipeline.streaming import fit_stream, network


def made_blocks(order=None, *, n_blocks, width):
    """Two classes that differ in their mean, one after the other, in blocks of 256 rows."""
    noise = np.random.default_rng(0).normal(size=(256, width)).astype(np.float32)
    for number in range(n_blocks) if order is None else order:
        values = np.roll(noise, int(number), axis=0)
        values[:, :4] += 3 * (number >= n_blocks // 2)
        yield slice(256 * int(number), 256 * int(number) + 256), values


def limit_data(extra):
    """Leave `extra` bytes to what this process has already, and return the limit."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    taken = int(status.split("VmData:")[1].split()[0]) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (taken + extra, taken + extra))
    return taken + extra


def main(clf, extra, source):
    network.PATIENCE = 2  # epochs enough to see what memory they take
    if source.startswith("made:"):
        n_blocks, width = (int(part) for part in source.split(":")[1:])
        blocks = partial(made_blocks, n_blocks=n_blocks, width=width)
        labels = np.arange(256 * n_blocks) // (128 * n_blocks)
        rows = np.flatnonzero(np.arange(len(labels)) % 10)
        n_bytes = len(labels) * width * 4
        limit = limit_data(int(extra))
    else:
        limit = limit_data(int(extra))
        samples = read_samples(Path(source))
        blocks, labels = partial(stream_features, Path(source)), samples.labels
        rows = np.flatnonzero(np.arange(len(labels)) % 10)
        n_bytes = len(labels) * samples.n_features * 4
    fitted = fit_stream(clf, blocks, labels, rows, tune=not source.startswith("made:"))
    right = 0
    for span, values in blocks():
        right += int((fitted.classifier.predict(values) == labels[span]).sum())
    whole = "fits"
    try:
        np.ones(n_bytes // 4, np.float32)
    except MemoryError:
        whole = "does not fit"
    told = {"accuracy": right / len(labels), "whole": whole, "limit": limit, "n_bytes": n_bytes}
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Where a network can be cut, so that what lies before the cut is computed once for each image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from pipeline.backbones.quiet_keras import keras
from pipeline.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graph:
    """The operations of a network and what each of them takes.

    Attributes
    ----------
    operations : tuple of keras.Operation
        Each after all that it takes.
    parents : mapping of int to tuple of int
        Places in `operations`, by place.
    """

    operations: tuple[Any, ...]
    parents: dict[int, tuple[int, ...]]

    def follow(self, starts: set[int]) -> set[int]:
        """Return some operations and all that depend on them, by place."""
        found = set(starts)
        for place in range(len(self.operations)):  # after its parents
            if place not in found and any(parent in found for parent in self.parents[place]):
                found.add(place)
        return found


def read_graph(model: keras.Model) -> Graph:
    """Return the graph of a functional model of which no operation is used twice."""
    operations = tuple(model.operations)
    place = {id(operation): k for k, operation in enumerate(operations)}
    parents = {}
    for k, operation in enumerate(operations):
        tensors = keras.tree.flatten(operation.input)
        makers = [tensor._keras_history.operation for tensor in tensors]
        # An input layer is said to take what it gives.
        parents[k] = tuple(place[id(maker)] for maker in makers if maker is not operation)
    return Graph(operations=operations, parents=parents)


def find_cut(model: keras.Model, first: int) -> tuple[str, ...]:
    """Return the layers whose output is all that the trained part of a network depends on.

    Of two ways the one that keeps fewer numbers an image is taken: the outputs that cross into
    the trained part, or the last single output that everything trained depends on alone.

    Parameters
    ----------
    model : keras.Model
        From `build_bare`.
    first : int
        Number of the first layer that trains.

    Returns
    -------
    tuple of str
        Names; empty if there is no such place, or nothing worth keeping before it.

    Raises
    ------
    ConfigError
        If no layer from there on has weights.
    """
    graph = read_graph(model)
    trained = {id(layer) for layer in model.layers[first:] if layer.weights}
    if not trained:
        raise ConfigError(
            f"--unfreeze-from: no layer from {model.layers[first].name} on has weights. Name an "
            "earlier layer."
        )
    places = {k for k, operation in enumerate(graph.operations) if id(operation) in trained}
    tail = graph.follow(places)
    ways = [cut for cut in (_cross_into(graph, tail), _find_neck(graph, tail)) if cut]
    if not ways:
        return ()
    best = min(ways, key=lambda cut: sum(_width(graph.operations[k]) for k in cut))
    return tuple(graph.operations[k].name for k in best)


def _cross_into(graph: Graph, tail: set[int]) -> list[int] | None:
    crossing = sorted({parent for k in tail for parent in graph.parents[k] if parent not in tail})
    return crossing if all(_can_be_kept(graph, k) for k in crossing) else None


def _find_neck(graph: Graph, tail: set[int]) -> list[int] | None:
    """Return the last operation before the tail through which everything goes."""
    for place in range(min(tail) - 1, -1, -1):
        behind = graph.follow({place}) - {place}
        enough = behind | {place}
        if (
            tail <= behind
            and all(parent in enough for k in behind for parent in graph.parents[k])
            and _can_be_kept(graph, place)
        ):
            return [place]
    return None


def _can_be_kept(graph: Graph, place: int) -> bool:
    """Whether extract can take an operation's output by its name, and that saves any work."""
    operation = graph.operations[place]
    has_work = any(
        graph.operations[k].weights
        for k in _ancestors(graph, place)
        if isinstance(graph.operations[k], keras.layers.Layer)
    )
    is_layer = isinstance(operation, keras.layers.Layer)
    return is_layer and has_work and len(operation.output.shape) in (2, 4)


def _ancestors(graph: Graph, place: int) -> set[int]:
    found, waiting = {place}, [place]
    while waiting:
        for parent in graph.parents[waiting.pop()]:
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found


def _width(operation: Any) -> int:
    return math.prod(operation.output.shape[1:])

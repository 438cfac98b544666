"""One network from photos of any size to class probabilities: all that `predict` does, in a graph.

Resizing, preprocessing, backbones, mirror images, pooling and the classifier are Keras's own
layers and operations alone, so that every format can be read without this package.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.backbones.headless import build_network, global_settings
from pipeline.backbones.network import Network
from pipeline.backbones.pillow_resize import resize_like_pillow
from pipeline.backbones.quiet_keras import keras
from pipeline.records import BackboneRecipe, DenseLayer, Head, KernelLayer, Layer, NeighbourLayer

INPUT = "images"
OUTPUTS = {"probability": "probabilities", "score": "scores"}


def build_whole_model(
    network: Network,
    recipes: Sequence[BackboneRecipe],
    head: Head,
    *,
    margin: tuple[int, int, int],
    tall_first: bool,
) -> keras.Model:
    """Build a network that takes photos as they are decoded, in float32.

    Parameters
    ----------
    network : Network
    recipes : sequence of BackboneRecipe
        How an image becomes what each part of the network takes.
    head : Head
        Of the classifier.
    margin, tall_first
        As for `resize_like_pillow`.

    Returns
    -------
    keras.Model
        From uint8 (b, H, W, 3), RGB 0-255, of any height and width, to float32 (b, n_classes):
        probabilities, 0-1, or scores where the classifier has none.

    Raises
    ------
    ConfigError, BackboneError
        As `build_network`, and as `resize_like_pillow`.
    """
    backbones = build_network(network)
    with global_settings("float32"):
        images = keras.Input((None, None, 3), dtype="uint8", name=INPUT)
        squares: dict[BackboneRecipe, Any] = {}
        for recipe in map(_geometry_of, recipes):
            if recipe not in squares:
                squares[recipe] = resize_like_pillow(
                    images, recipe, margin=margin, tall_first=tall_first
                )
        values = backbones([squares[_geometry_of(recipe)] for recipe in recipes])
        if network.views == 2:
            # The classifier takes the average of image and mirror image.
            halves = keras.ops.split(values, 2, axis=1)
            values = (halves[0] + halves[1]) / 2
        for layer in head.layers[:-1]:
            values = _apply(layer, values, name=None)
        answers = _apply(head.layers[-1], values, name=OUTPUTS[head.kind])
        model = keras.Model(images, answers, name="transfer_values")
        model(np.zeros((1, 8, 8, 3), np.uint8))  # Keras exports no model that was never called
        return model


def _geometry_of(recipe: BackboneRecipe) -> BackboneRecipe:
    """Strip a recipe of what does not matter to the image that its backbone takes."""
    return BackboneRecipe(
        model="",
        weights_sha256="",
        layers=(),
        input_size=recipe.input_size,
        resize=recipe.resize,
        crop_fraction=recipe.crop_fraction,
        interpolation=recipe.interpolation,
        preprocessing="",
    )


def _apply(layer: Layer, values: Any, *, name: str | None) -> Any:
    if isinstance(layer, DenseLayer):
        return _apply_dense(layer, values, name)
    answers = (
        _apply_kernel(layer, values)
        if isinstance(layer, KernelLayer)
        else _apply_neighbours(layer, values)
    )
    return keras.layers.Activation("linear", name=name)(answers) if name else answers


def _apply_dense(layer: DenseLayer, values: Any, name: str | None) -> Any:
    dense = keras.layers.Dense(layer.weights.shape[1], activation=layer.activation, name=name)
    answers = dense(values)
    dense.set_weights([layer.weights.astype("float32"), layer.constants.astype("float32")])
    return answers


def _linear(values: Any, weights: Any, constants: Any) -> Any:
    return _apply_dense(DenseLayer(weights=weights, constants=constants), values, None)


def _scale(layer: KernelLayer | NeighbourLayer, values: Any) -> Any:
    return values * layer.scale.astype("float32") + layer.shift.astype("float32")


def _apply_kernel(layer: KernelLayer, values: Any) -> Any:
    """Return the scores of an SVM's classes, (b, n_known).

    Two classes have scores -s and s; of more, the pairs vote, and how sure they are breaks ties.

    References
    ----------
    scikit-learn, `sklearn.utils.multiclass._ovr_decision_function`.
    """
    ops = keras.ops
    scaled = _scale(layer, values)
    squares = (layer.support**2).sum(axis=1)
    # |x - v|² = |x|² - 2 x·v + |v|², in which the last two are one layer.
    distances = _linear(scaled, -2.0 * layer.support.T, squares) + ops.sum(
        ops.square(scaled), axis=1, keepdims=True
    )
    kernel = ops.exp(ops.maximum(distances, 0.0) * -layer.gamma)
    decisions = _linear(kernel, layer.weights, layer.constants)
    if layer.n_known == 2:
        return ops.concatenate([decisions, 0.0 - decisions], axis=1)
    first, second = (_memberships(layer, place) for place in (0, 1))
    won = ops.cast(decisions >= 0.0, "float32")
    votes = ops.matmul(won, first) + ops.matmul(1.0 - won, second)
    confidence = ops.matmul(decisions, first - second)
    return votes + confidence / (3.0 * (ops.abs(confidence) + 1.0))


def _memberships(layer: KernelLayer, place: int) -> Any:
    """Return which class stands at a place of each pair, float32 (n_pairs, n_known)."""
    matrix = np.zeros((len(layer.pairs), layer.n_known), "float32")
    for row, pair in enumerate(layer.pairs):
        matrix[row, pair[place]] = 1.0
    return matrix


def _apply_neighbours(layer: NeighbourLayer, values: Any) -> Any:
    """Return the shares of the classes among the nearest training images, (b, n_classes)."""
    ops = keras.ops
    scaled = _scale(layer, values)
    length = ops.sqrt(ops.sum(ops.square(scaled), axis=1, keepdims=True))
    unit = scaled / ops.maximum(length, 1e-30)
    # All of unit length: the nearest is the one at the smallest angle.
    cosines = _linear(unit, layer.training.T, np.zeros(len(layer.training)))
    places = ops.top_k(cosines, layer.n_neighbours)[1]
    return ops.sum(ops.take(layer.votes.astype("float32"), places, axis=0), axis=1)

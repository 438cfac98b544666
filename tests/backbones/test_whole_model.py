import numpy as np
import pytest

from pipeline.backbones.headless import build_network
from pipeline.backbones.network import Network, Part
from pipeline.backbones.specs import get_spec
from pipeline.backbones.weights import resolve_weights
from pipeline.backbones.whole_model import build_whole_model
from pipeline.classifiers import class_scores, fold
from pipeline.images import PAD_COLOUR, resizes_tall_first
from pipeline.records import BackboneRecipe, DenseLayer, Head
from pipeline.views import average_views
from tests.backbones.test_pillow_resize import by_pillow, noise
from tests.classifiers.test_folding import fit_on
from tests.feature_tables import make_table

EARLY = "stem_activation"


def part_of(size, model="efficientnet-lite0"):
    spec = get_spec(model)
    weights = resolve_weights(spec, "random")
    return Part(spec=spec, weights=weights, image_size=size, layers=(EARLY,))


def recipe_of(part, resize="crop"):
    return BackboneRecipe(
        model=part.spec.name,
        weights_sha256="",
        layers=part.layers,
        input_size=part.image_size,
        resize=resize,
        crop_fraction=1.0,
        interpolation="bicubic",
        preprocessing=part.spec.preprocessing,
    )


def linear(n_features, n_classes=3):
    weights = np.random.default_rng(1).normal(size=(n_features, n_classes)) * 5
    layer = DenseLayer(weights=weights, constants=np.arange(3) / 10, activation="softmax")
    return Head(layers=(layer,), kind="probability")


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("sizes", "mirrored", "views"), [((32,), False, 1), ((32,), True, 1), ((32, 48), True, 2)]
)
def test_it_answers_as_pillow_the_network_and_the_classifier_do(sizes, mirrored, views):
    models = ("efficientnet-lite0", "efficientnet-lite1")
    parts = tuple(part_of(size, model) for size, model in zip(sizes, models, strict=False))
    network = Network(parts=parts, mirrored=mirrored, views=views)
    recipes = [recipe_of(part) for part in parts]
    head = linear(32 * len(parts))
    whole = build_whole_model(
        network, recipes, head, margin=PAD_COLOUR, tall_first=resizes_tall_first()
    )
    image = noise((70, 51))
    squares = [by_pillow(image, recipe)[None] for recipe in recipes]
    values = average_views(build_network(network)(squares).numpy(), n_views=views)
    expected = softmax(values @ head.layers[0].weights + head.layers[0].constants)
    found = whole(image[None]).numpy()
    assert whole.output_names == ["probabilities"]
    np.testing.assert_allclose(found, expected, atol=2e-3)  # a pixel may be a grey level off


@pytest.mark.parametrize(("clf", "n_classes"), [("svm", 2), ("svm", 4), ("knn", 3), ("mlp", 2)])
def test_classifiers_of_several_layers_answer_the_same(clf, n_classes):
    part = part_of(32)
    network = Network(parts=(part,))
    rows = np.stack([by_pillow(noise((32, 32), seed), recipe_of(part)) for seed in range(40)])
    # Brighter and darker classes, so that there is something to learn.
    labels = np.repeat(np.arange(n_classes), 40 // n_classes + 1)[:40].astype(np.int32)
    images = (rows // (1 + labels[:, None, None, None])).astype(np.uint8)
    values = build_network(network)([images]).numpy()
    table = make_table(features=values, labels=labels)
    fitted = fit_on(table, clf)
    whole = build_whole_model(
        network,
        [recipe_of(part)],
        fold(fitted, n_classes=n_classes),
        margin=PAD_COLOUR,
        tall_first=True,
    )
    expected = class_scores(fitted, values, n_classes=n_classes)
    np.testing.assert_allclose(whole(images).numpy(), expected, atol=1e-4)

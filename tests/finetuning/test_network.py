import numpy as np
import pytest

from pipeline.backbones.headless import build_bare
from pipeline.backbones.quiet_keras import keras
from pipeline.backbones.specs import get_spec
from pipeline.backbones.weights import resolve_weights
from pipeline.config import FinetuneConfig
from pipeline.errors import FinetuneError
from pipeline.finetuning import exporting
from pipeline.finetuning.choosing import find_first
from pipeline.finetuning.distorting import make_distortions
from pipeline.finetuning.exporting import pack_weights
from pipeline.finetuning.graph import find_cut
from pipeline.finetuning.network import compile_trainee, make_trainee

SPEC = get_spec("efficientnet-lite0")
SIDE = 32


def make(config=None, *, caching=True, n_classes=3):
    config = config or FinetuneConfig(dropout=0.0)
    backbone = build_bare(SPEC, resolve_weights(SPEC, "random"), image_size=SIDE)
    first = find_first([layer.name for layer in backbone.layers], config.unfreeze_from)
    cut = find_cut(backbone, first) if caching else ()
    trainee = make_trainee(
        backbone, SPEC, config, first=first, cut=cut, n_classes=n_classes, seed=1
    )
    compile_trainee(trainee.model, config, n_steps=10, on_gpu=False)
    return trainee


def train_once(trainee):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (6, SIDE, SIDE, 3), np.uint8)
    x = images
    if trainee.cut_shapes:
        x = rng.normal(size=(6, *trainee.cut_shapes[0])).astype(np.float32)
    trainee.model.train_on_batch(x, np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]])


def arrays_of(backbone):
    return {
        f"{layer.name}/{variable.name}": np.array(variable)
        for layer in backbone.layers
        for variable in layer.weights
    }


class TestTrainee:
    @pytest.mark.parametrize("caching", [True, False])
    def test_frozen_weights_and_the_statistics_of_all_stay_bit_for_bit(self, caching):
        trainee = make(caching=caching)
        before = arrays_of(trainee.backbone)
        train_once(trainee)
        after = arrays_of(trainee.backbone)
        trains = {layer.name for layer in trainee.layers if layer.trains}
        for name, array in before.items():
            layer, _, variable = name.partition("/")
            stays = layer not in trains or variable.startswith("moving_")
            assert np.array_equal(array, after[name]) == stays, name

    def test_it_says_which_layers_train(self):
        layers = make().layers
        trains = [layer.name for layer in layers if layer.trains]
        assert trains == [
            "block7a_expand_conv",
            "block7a_expand_bn",
            "block7a_dwconv",
            "block7a_bn",
            "block7a_project_conv",
            "block7a_project_bn",
            "top_conv",
            "top_bn",
            "logits",
        ]
        assert sum(layer.n_parameters for layer in layers) == SPEC.n_parameters + 1280 * 3 + 3
        (dense,) = (layer for layer in layers if layer.name == "logits")
        assert (dense.kind, dense.shape, dense.n_parameters) == ("Dense", (3,), 1280 * 3 + 3)

    def test_the_head_has_the_layers_that_are_asked_for(self):
        trainee = make(FinetuneConfig(head=(8, 4), batch_norm=True, dropout=0.5))
        kinds = [type(layer).__name__ for layer in trainee.model.layers[-10:]]
        block = ["Dense", "BatchNormalization", "ReLU", "Dropout"]
        assert kinds == ["GlobalAveragePooling2D", *block, *block, "Dense"]
        assert [layer.shape for layer in trainee.layers[-5:]] == [(8,), (8,), (4,), (4,), (3,)]
        assert trainee.model.output.shape == (None, 3)

    def test_both_ways_compute_the_same(self):
        whole, behind = make(caching=False), make()
        images = np.random.default_rng(1).integers(0, 255, (4, SIDE, SIDE, 3), np.uint8)
        pixels = (images.astype(np.float32) - 127) / 128
        backbone = behind.backbone
        maps = keras.Model(backbone.input, backbone.get_layer("block6d_add").output)(pixels)
        np.testing.assert_allclose(
            behind.model.predict_on_batch(np.asarray(maps)),
            whole.model.predict_on_batch(images),
            rtol=1e-4,
            atol=1e-5,
        )

    def test_mixed_precision_computes_in_bfloat16_and_keeps_float32(self):
        config = FinetuneConfig(mixed_precision=True, dropout=0.0)
        backbone = build_bare(
            SPEC, resolve_weights(SPEC, "random"), image_size=SIDE, precision="bfloat16"
        )
        first = find_first([layer.name for layer in backbone.layers], "last-block")
        trainee = make_trainee(
            backbone, SPEC, config, first=first, cut=("block6d_add",), n_classes=3, seed=1
        )
        compile_trainee(trainee.model, config, n_steps=10, on_gpu=False)
        train_once(trainee)
        assert backbone.get_layer("top_conv").compute_dtype == "bfloat16"
        assert {array.dtype for array in backbone.get_weights()} == {np.dtype("float32")}
        assert trainee.model.output.dtype == "float32"

    def test_the_learning_rate_falls_along_a_cosine(self):
        config = FinetuneConfig(learning_rate=0.1, optimizer="sgd", dropout=0.0)
        model = make(config).model
        assert float(model.optimizer.learning_rate) == pytest.approx(0.1)
        model.optimizer.iterations.assign(10)
        assert float(model.optimizer.learning_rate) == pytest.approx(0.0, abs=1e-9)


class TestDistortions:
    IMAGES = np.random.default_rng(0).integers(0, 255, (8, SIDE, SIDE, 3)).astype(np.float32)

    @pytest.mark.parametrize("kind", ["hflip", "shift", "zoom", "rotate", "colour"])
    def test_each_changes_images_while_training_and_none_otherwise(self, kind):
        x = self.IMAGES
        for layer in make_distortions([kind], seed=3):
            np.testing.assert_array_equal(np.asarray(layer(x, training=False)), x)
            changed = np.asarray(layer(x, training=True))
            assert not np.array_equal(changed, x)
            assert changed.min() >= 0
            assert changed.max() <= 255
        assert changed.shape == x.shape

    def test_a_seed_draws_the_same(self):
        def draw():
            return [
                np.asarray(f(self.IMAGES, training=True))
                for f in make_distortions(["shift"], seed=3)
            ]

        np.testing.assert_array_equal(draw(), draw())

    def test_they_stand_in_front_of_the_network_that_sees_whole_images(self):
        config = FinetuneConfig(augment=("hflip", "zoom"), dropout=0.0)
        names = [type(layer).__name__ for layer in make(config, caching=False).model.layers]
        assert names.index("RandomFlip") < names.index("RandomZoom") < names.index("_AsInInference")


class TestPackWeights:
    def test_what_is_packed_is_loaded_as_a_weights_file(self, tmp_path):
        trainee = make()
        train_once(trainee)
        path = tmp_path / "tuned.weights.h5"
        path.write_bytes(pack_weights(trainee.backbone, SPEC, image_size=SIDE))
        again = build_bare(SPEC, resolve_weights(SPEC, str(path)), image_size=SIDE)
        expected = arrays_of(trainee.backbone)
        found = arrays_of(again)
        assert found.keys() == expected.keys()
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array, err_msg=name)

    def test_what_reads_back_otherwise_is_not_kept(self, monkeypatch):
        trainee = make()

        def shuffled(spec, weights, **settings):
            model = build_bare(spec, weights, **settings)
            model.get_layer("top_bn").gamma.assign_add([1.0] * 1280)
            return model

        monkeypatch.setattr(exporting, "build_bare", shuffled)
        with pytest.raises(FinetuneError, match="other ones after they are read back"):
            pack_weights(trainee.backbone, SPEC, image_size=SIDE)

    def test_weights_that_are_not_finite_are_not_kept(self):
        trainee = make()
        trainee.backbone.get_layer("top_bn").gamma.assign([np.nan] * 1280)
        with pytest.raises(FinetuneError, match="not finite numbers"):
            pack_weights(trainee.backbone, SPEC, image_size=SIDE)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        "vgg16",
        "resnet50v2",
        "inception_v3",
        "densenet121",
        "mobilenet_v2",
        "mobilenet_v3_small",
        "nasnet_mobile",
        "efficientnet_b0",
        "efficientnet_v2_b0",
        "convnext_tiny",
        "xception",
    ],
)
def test_weights_of_each_family_are_read_back(model):
    spec = get_spec(model)
    side = max(96, spec.smallest_size)
    backbone = build_bare(spec, resolve_weights(spec, "random"), image_size=side)
    assert len(pack_weights(backbone, spec, image_size=side)) > 4 * spec.n_parameters

"""What is known about every backbone before a network is built: plain data, light to import.

`tests/backbones/test_specs.py` compares every figure below with Keras itself.

References
----------
VGG: arXiv 1409.1556 · ResNet: 1512.03385 · ResNetV2: 1603.05027 · Inception-v3: 1512.00567 ·
Inception-ResNet-v2: 1602.07261 · Xception: 1610.02357 · DenseNet: 1608.06993 · MobileNet:
1704.04861 · MobileNetV2: 1801.04381 · MobileNetV3: 1905.02244 · NASNet: 1707.07012 ·
EfficientNet: 1905.11946 · EfficientNetV2: 2104.00298 · ConvNeXt: 2201.03545.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from pipeline.backbones.pretrained import PRETRAINED_FILES, PretrainedFile
from pipeline.errors import ConfigError

DEFAULT_RESIZE = "crop"
DEFAULT_CROP_FRACTION = 1.0
DEFAULT_INTERPOLATION = "bicubic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """How 0-255 RGB pixels become what a network was trained on.

    x = channels(pixel); x = x / scale; x = x - mean; x = x / std, in this order and in float32,
    a step of None left out. The order is that of Keras's `preprocess_input`, so that the values
    are the same bit for bit.
    """

    channels: str = "RGB"
    scale: float | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None


PREPROCESSINGS: dict[str, Preprocessing] = {
    # -1 to 1.
    "tf": Preprocessing(scale=127.5, mean=(1.0, 1.0, 1.0)),
    # BGR minus ImageNet's mean pixel, not scaled: how the Caffe originals were trained.
    "caffe": Preprocessing(channels="BGR", mean=(103.939, 116.779, 123.68)),
    # Standardised by ImageNet's mean and deviation of the 0-1 pixel.
    "torch": Preprocessing(scale=255.0, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    # 0-255 as it is: the network begins with a scaling layer of its own.
    "none": Preprocessing(),
    # EfficientNet-Lite's `mean_rgb` 127 and `stddev_rgb` 128.
    "lite": Preprocessing(mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneSpec:
    """A headless network and all that its transfer values depend on.

    Attributes
    ----------
    name : str
        The canonical name, which is what a recipe stores.
    constructor : str
        Name in `keras.applications`, or of the model in `efficientnet_lite`.
    input_size, smallest_size : int
        Side of the square input in pixels: what the network was trained on, and what it can
        still be run on.
    preprocessing : str
        Key of `PREPROCESSINGS`.
    width : int
        Transfer values an image with average pooling and no `--layer`.
    n_parameters : int
        Of the network without its top.
    pretrained : PretrainedFile
        The ImageNet weights.
    resize, crop_fraction, interpolation : str, float, str
        How an image of another size becomes a square one.
    """

    name: str
    constructor: str
    input_size: int
    smallest_size: int
    preprocessing: str
    width: int
    n_parameters: int
    pretrained: PretrainedFile
    resize: str = DEFAULT_RESIZE
    crop_fraction: float = DEFAULT_CROP_FRACTION
    interpolation: str = DEFAULT_INTERPOLATION

    @property
    def is_lite(self) -> bool:
        """Whether this is one of the EfficientNet-Lite, which Keras Applications lacks."""
        return self.preprocessing == "lite"

    @property
    def pools_inside(self) -> bool:
        """Whether the network goes on after the pooling: ConvNeXt normalises its values there."""
        return self.constructor.startswith("ConvNeXt")

    @property
    def megabytes(self) -> float:
        """Rough size of the headless float32 weights, in units of 10^6 bytes."""
        return self.n_parameters * 4 / 1e6


# name, constructor, input size, smallest size, preprocessing, width, parameters without the top
_TABLE: tuple[tuple[str, str, int, int, str, int, int], ...] = (
    ("efficientnet-lite0", "EfficientNetLite0", 224, 32, "lite", 1280, 3_413_024),
    ("efficientnet-lite1", "EfficientNetLite1", 240, 32, "lite", 1280, 4_189_344),
    ("efficientnet-lite2", "EfficientNetLite2", 260, 32, "lite", 1280, 4_869_168),
    ("vgg16", "VGG16", 224, 32, "caffe", 512, 14_714_688),
    ("vgg19", "VGG19", 224, 32, "caffe", 512, 20_024_384),
    ("resnet50", "ResNet50", 224, 32, "caffe", 2048, 23_587_712),
    ("resnet101", "ResNet101", 224, 32, "caffe", 2048, 42_658_176),
    ("resnet152", "ResNet152", 224, 32, "caffe", 2048, 58_370_944),
    ("resnet50v2", "ResNet50V2", 224, 32, "tf", 2048, 23_564_800),
    ("resnet101v2", "ResNet101V2", 224, 32, "tf", 2048, 42_626_560),
    ("resnet152v2", "ResNet152V2", 224, 32, "tf", 2048, 58_331_648),
    ("inception_v3", "InceptionV3", 299, 75, "tf", 2048, 21_802_784),
    ("inception_resnet_v2", "InceptionResNetV2", 299, 75, "tf", 1536, 54_336_736),
    ("xception", "Xception", 299, 71, "tf", 2048, 20_861_480),
    ("densenet121", "DenseNet121", 224, 32, "torch", 1024, 7_037_504),
    ("densenet169", "DenseNet169", 224, 32, "torch", 1664, 12_642_880),
    ("densenet201", "DenseNet201", 224, 32, "torch", 1920, 18_321_984),
    ("mobilenet", "MobileNet", 224, 32, "tf", 1024, 3_228_864),
    ("mobilenet_v2", "MobileNetV2", 224, 32, "tf", 1280, 2_257_984),
    ("mobilenet_v3_small", "MobileNetV3Small", 224, 32, "none", 576, 939_120),
    ("mobilenet_v3_large", "MobileNetV3Large", 224, 32, "none", 960, 2_996_352),
    ("nasnet_mobile", "NASNetMobile", 224, 32, "tf", 1056, 4_269_716),
    ("nasnet_large", "NASNetLarge", 331, 32, "tf", 4032, 84_916_818),
    ("efficientnet_b0", "EfficientNetB0", 224, 32, "none", 1280, 4_049_571),
    ("efficientnet_b1", "EfficientNetB1", 240, 32, "none", 1280, 6_575_239),
    ("efficientnet_b2", "EfficientNetB2", 260, 32, "none", 1408, 7_768_569),
    ("efficientnet_b3", "EfficientNetB3", 300, 32, "none", 1536, 10_783_535),
    ("efficientnet_b4", "EfficientNetB4", 380, 32, "none", 1792, 17_673_823),
    ("efficientnet_b5", "EfficientNetB5", 456, 32, "none", 2048, 28_513_527),
    ("efficientnet_b6", "EfficientNetB6", 528, 32, "none", 2304, 40_960_143),
    ("efficientnet_b7", "EfficientNetB7", 600, 32, "none", 2560, 64_097_687),
    ("efficientnet_v2_b0", "EfficientNetV2B0", 224, 32, "none", 1280, 5_919_312),
    ("efficientnet_v2_b1", "EfficientNetV2B1", 240, 32, "none", 1280, 6_931_124),
    ("efficientnet_v2_b2", "EfficientNetV2B2", 260, 32, "none", 1408, 8_769_374),
    ("efficientnet_v2_b3", "EfficientNetV2B3", 300, 32, "none", 1536, 12_930_622),
    ("efficientnet_v2_s", "EfficientNetV2S", 384, 32, "none", 1280, 20_331_360),
    ("efficientnet_v2_m", "EfficientNetV2M", 480, 32, "none", 1280, 53_150_388),
    ("efficientnet_v2_l", "EfficientNetV2L", 480, 32, "none", 1280, 117_746_848),
    ("convnext_tiny", "ConvNeXtTiny", 224, 32, "none", 768, 27_820_128),
    ("convnext_small", "ConvNeXtSmall", 224, 32, "none", 768, 49_454_688),
    ("convnext_base", "ConvNeXtBase", 224, 32, "none", 1024, 87_566_464),
    ("convnext_large", "ConvNeXtLarge", 224, 32, "none", 1536, 196_230_336),
    ("convnext_xlarge", "ConvNeXtXLarge", 224, 32, "none", 2048, 348_147_968),
)

_SPECS: dict[str, BackboneSpec] = {
    name: BackboneSpec(
        name=name,
        constructor=constructor,
        input_size=input_size,
        smallest_size=smallest_size,
        preprocessing=preprocessing,
        width=width,
        n_parameters=n_parameters,
        pretrained=PRETRAINED_FILES[name],
    )
    for name, constructor, input_size, smallest_size, preprocessing, width, n_parameters in _TABLE
}


def _bare(name: str) -> str:
    """Strip a name of what people spell differently: case, hyphens, underscores, spaces."""
    return name.casefold().replace("-", "").replace("_", "").replace(" ", "")


_CANONICAL = {_bare(name): name for name in _SPECS}


def all_specs() -> tuple[BackboneSpec, ...]:
    """Return every backbone, the embedded ones first, then Keras's family by family."""
    return tuple(_SPECS.values())


def get_spec(name: str) -> BackboneSpec:
    """Return the backbone of a name, however it is spelt.

    Parameters
    ----------
    name : str
        `InceptionV3`, `inception-v3` and `inception_v3` are the same.

    Returns
    -------
    BackboneSpec

    Raises
    ------
    ConfigError
        When no backbone is called so; the message has the closest names.
    """
    canonical = _CANONICAL.get(_bare(name))
    if canonical is not None:
        return _SPECS[canonical]
    close = difflib.get_close_matches(_bare(name), _CANONICAL, n=3)
    hint = f" Did you mean {', '.join(_CANONICAL[match] for match in close)}?" if close else ""
    raise ConfigError(
        f"--model {name!r} is not a known backbone.{hint}"
        f" `pipeline models` lists all {len(_SPECS)}."
    )


def get_specs(names: str) -> tuple[BackboneSpec, ...]:
    """Return the backbones of "vgg16" or of "vgg16+resnet50".

    Raises
    ------
    ConfigError
        When one is not known, or is named twice.
    """
    specs = tuple(get_spec(name) for name in names.split("+"))
    if len(set(specs)) < len(specs):
        raise ConfigError(f"--model {names!r} names a backbone twice. Name each once.")
    return specs


def name_model(names: str) -> str:
    """Return the canonical name of one backbone or of several: "VGG16+resnet-50" is theirs."""
    return "+".join(spec.name for spec in get_specs(names))

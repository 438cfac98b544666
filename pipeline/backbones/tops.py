"""Whole networks with their own 1,000-class top: their weights files, and how large they are.

Those of Keras Applications are Keras's own files, with the hashes that Keras checks after a
download; MobileNet and MobileNetV2 have none. The files of EfficientNet-Lite hold both.
"""

from __future__ import annotations

from dataclasses import replace

from pipeline.backbones.pretrained import PretrainedFile
from pipeline.backbones.specs import BackboneSpec

N_CLASSES = 1000
_KERAS_URL = "https://storage.googleapis.com/tensorflow/keras-applications/"
_EFFICIENTNET_URL = "https://storage.googleapis.com/keras-applications/"


def top_spec(spec: BackboneSpec) -> BackboneSpec:
    """Return a backbone as it is with its top: other weights, more parameters, 1,000 values.

    Parameters
    ----------
    spec : BackboneSpec
        Without its top.
    """
    if spec.is_lite:
        # A layer of 1,000 classes behind the averages.
        return replace(
            spec, width=N_CLASSES, n_parameters=spec.n_parameters + (spec.width + 1) * N_CLASSES
        )
    n_parameters, (name, url), digest = _TOPS[spec.name]
    published = PretrainedFile(name=name, url=url, digest=digest)
    return replace(spec, width=N_CLASSES, n_parameters=n_parameters, pretrained=published)


def _keras_file(path: str, *, saved_as: str | None = None) -> tuple[str, str]:
    return saved_as or path.rpartition("/")[2], _KERAS_URL + path


def _tf_kernels(path: str) -> tuple[str, str]:
    return _keras_file(f"{path}_weights_tf_dim_ordering_tf_kernels.h5")


def _efficientnet(name: str) -> tuple[str, str]:
    return name, _EFFICIENTNET_URL + name


# Parameters with the top; name on this machine and address; MD5 or SHA-256.
_TOPS: dict[str, tuple[int, tuple[str, str], str | None]] = {
    "vgg16": (138_357_544, _tf_kernels("vgg16/vgg16"), "64373286793e3c8b2b4e3219cbf3544b"),
    "vgg19": (143_667_240, _tf_kernels("vgg19/vgg19"), "cbe5617147190e668d6c5d5026f83318"),
    "resnet50": (25_636_712, _tf_kernels("resnet/resnet50"), "2cb95161c43110f7111970584f804107"),
    "resnet101": (44_707_176, _tf_kernels("resnet/resnet101"), "f1aeb4b969a6efcfb50fad2f0c20cfc5"),
    "resnet152": (60_419_944, _tf_kernels("resnet/resnet152"), "100835be76be38e30d865e96f2aaae62"),
    "resnet50v2": (
        25_613_800,
        _tf_kernels("resnet/resnet50v2"),
        "3ef43a0b657b3be2300d5770ece849e0",
    ),
    "resnet101v2": (
        44_675_560,
        _tf_kernels("resnet/resnet101v2"),
        "6343647c601c52e1368623803854d971",
    ),
    "resnet152v2": (
        60_380_648,
        _tf_kernels("resnet/resnet152v2"),
        "a49b44d1979771252814e80f8ec446f9",
    ),
    "inception_v3": (
        23_851_784,
        _tf_kernels("inception_v3/inception_v3"),
        "9a0d58056eeedaa3f26cb7ebd46da564",
    ),
    "inception_resnet_v2": (
        55_873_736,
        _tf_kernels("inception_resnet_v2/inception_resnet_v2"),
        "e693bd0210a403b3192acc6073ad2e96",
    ),
    "xception": (22_910_480, _tf_kernels("xception/xception"), "0a58e3b7378bc2990ea3b43d5981f1f6"),
    "densenet121": (
        8_062_504,
        _tf_kernels("densenet/densenet121"),
        "9d60b8095a5708f2dcce2bca79d332c7",
    ),
    "densenet169": (
        14_307_880,
        _tf_kernels("densenet/densenet169"),
        "d699b8f76981ab1b30698df4c175e90b",
    ),
    "densenet201": (
        20_242_984,
        _tf_kernels("densenet/densenet201"),
        "1ceb130c1ea1b78c3bf6114dbdfd8807",
    ),
    "mobilenet": (4_253_864, _keras_file("mobilenet/mobilenet_1_0_224_tf.h5"), None),
    "mobilenet_v2": (
        3_538_984,
        _keras_file("mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5"),
        None,
    ),
    "mobilenet_v3_small": (
        2_554_968,
        _keras_file("mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float.h5"),
        "8768d4c2e7dee89b9d02b2d03d65d862",
    ),
    "mobilenet_v3_large": (
        5_507_432,
        _keras_file("mobilenet_v3/weights_mobilenet_v3_large_224_1.0_float.h5"),
        "59e551e166be033d707958cf9e29a6a7",
    ),
    "nasnet_mobile": (
        5_326_716,
        _keras_file("nasnet/NASNet-mobile.h5", saved_as="nasnet_mobile.h5"),
        "020fb642bf7360b370c678b08e0adf61",
    ),
    "nasnet_large": (
        88_949_818,
        _keras_file("nasnet/NASNet-large.h5", saved_as="nasnet_large.h5"),
        "11577c9a518f0070763c2b964a382f17",
    ),
    "efficientnet_b0": (
        5_330_571,
        _efficientnet("efficientnetb0.h5"),
        "902e53a9f72be733fc0bcb005b3ebbac",
    ),
    "efficientnet_b1": (
        7_856_239,
        _efficientnet("efficientnetb1.h5"),
        "1d254153d4ab51201f1646940f018540",
    ),
    "efficientnet_b2": (
        9_177_569,
        _efficientnet("efficientnetb2.h5"),
        "b15cce36ff4dcbd00b6dd88e7857a6ad",
    ),
    "efficientnet_b3": (
        12_320_535,
        _efficientnet("efficientnetb3.h5"),
        "ffd1fdc53d0ce67064dc6a9c7960ede0",
    ),
    "efficientnet_b4": (
        19_466_823,
        _efficientnet("efficientnetb4.h5"),
        "18c95ad55216b8f92d7e70b3a046e2fc",
    ),
    "efficientnet_b5": (
        30_562_527,
        _efficientnet("efficientnetb5.h5"),
        "ace28f2a6363774853a83a0b21b9421a",
    ),
    "efficientnet_b6": (
        43_265_143,
        _efficientnet("efficientnetb6.h5"),
        "165f6e37dce68623721b423839de8be5",
    ),
    "efficientnet_b7": (
        66_658_687,
        _efficientnet("efficientnetb7.h5"),
        "8c03f828fec3ef71311cd463b6759d99",
    ),
    "efficientnet_v2_b0": (
        7_200_312,
        _keras_file("efficientnet_v2/efficientnetv2-b0.h5"),
        "21ecbf6da12460d5c40bb2f29ceb2188",
    ),
    "efficientnet_v2_b1": (
        8_212_124,
        _keras_file("efficientnet_v2/efficientnetv2-b1.h5"),
        "069f0534ff22adf035c89e2d9547a9dc",
    ),
    "efficientnet_v2_b2": (
        10_178_374,
        _keras_file("efficientnet_v2/efficientnetv2-b2.h5"),
        "424e49f28180edbde1e94797771950a7",
    ),
    "efficientnet_v2_b3": (
        14_467_622,
        _keras_file("efficientnet_v2/efficientnetv2-b3.h5"),
        "1f1fc43bd98a6e4fd8fdfd551e02c7a0",
    ),
    "efficientnet_v2_s": (
        21_612_360,
        _keras_file("efficientnet_v2/efficientnetv2-s.h5"),
        "e1d88a8495beba45748fedd0cecbe016",
    ),
    "efficientnet_v2_m": (
        54_431_388,
        _keras_file("efficientnet_v2/efficientnetv2-m.h5"),
        "a3bf6aa3276309f4fc6a34aa114c95cd",
    ),
    "efficientnet_v2_l": (
        119_027_848,
        _keras_file("efficientnet_v2/efficientnetv2-l.h5"),
        "27e6d408b53c7ebc868fefa357689935",
    ),
    "convnext_tiny": (
        28_589_128,
        _keras_file("convnext/convnext_tiny.h5"),
        "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
    ),
    "convnext_small": (
        50_223_688,
        _keras_file("convnext/convnext_small.h5"),
        "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c",
    ),
    "convnext_base": (
        88_591_464,
        _keras_file("convnext/convnext_base.h5"),
        "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6",
    ),
    "convnext_large": (
        197_767_336,
        _keras_file("convnext/convnext_large.h5"),
        "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6",
    ),
    "convnext_xlarge": (
        350_196_968,
        _keras_file("convnext/convnext_xlarge.h5"),
        "c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee",
    ),
}

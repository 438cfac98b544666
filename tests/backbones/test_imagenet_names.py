from pipeline.backbones.imagenet_names import imagenet_classes, imagenet_ids
from tests.test_imports import loaded_by


def test_the_class_names_are_imagenets():
    names = imagenet_classes()
    assert len(names) == 1000
    assert names[0].startswith("tench")
    assert names[281].startswith("tabby")
    assert names[999].startswith("toilet tissue")


def test_no_two_classes_are_called_the_same():
    assert len(set(imagenet_classes())) == 1000
    assert imagenet_classes()[134] == "crane, bird"
    assert imagenet_classes()[517] == "crane, machine"


def test_the_numbers_are_wordnets():
    assert imagenet_ids()[1] == "n01443537"
    assert len(set(imagenet_ids())) == 1000


def test_the_names_are_light_to_import():
    assert loaded_by("import pipeline.backbones.imagenet_names, pipeline.backbones.tops") == set()

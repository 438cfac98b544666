import numpy as np

from pipeline.splits import find_units
from pipeline.splits.units import holds_several, number_images
from tests.feature_tables import hashes

SHA256 = hashes([0, 1, 1, 2, 3, 4, 4])
GROUP = np.array([7, 7, 8, -1, 9, -1, 9], np.int32)


def test_units_join_copies_and_groups_transitively():
    units = find_units(SHA256[:5], GROUP[:5])
    assert units[0] == units[1] == units[2]
    assert len({units[0], units[3], units[4]}) == 3


def test_a_unit_is_called_after_its_first_image():
    image, units = number_images(SHA256), find_units(SHA256, GROUP)
    assert all(unit == image[units == unit].min() for unit in units)


def test_only_a_group_makes_a_unit_of_different_images():
    image, units = number_images(SHA256), find_units(SHA256, GROUP)
    assert holds_several(image, units).tolist() == [True] * 3 + [False] + [True] * 3
    assert not holds_several(image, find_units(SHA256, np.full(7, -1, np.int32))).any()

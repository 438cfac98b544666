"""Networks are freed after each test; third-party warnings that are not ours are let through."""

from pathlib import Path

import pytest

from tests.backbones.conftest import KERAS_READS_A_VARIABLE


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(KERAS_READS_A_VARIABLE))

"""Every numbered fault that docs/reliability.md lists has a test that carries its number."""

import re

import pytest

from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "reliability.md").read_text(encoding="utf-8")
LISTED = dict(re.findall(r"^\| (\d+) \| (.+?) \|", PAGE, flags=re.MULTILINE))


def test_the_list_is_whole():
    assert [int(number) for number in LISTED] == list(range(1, 58))


@pytest.mark.parametrize("number", LISTED)
def test_a_test_carries_the_number(number):
    name = re.compile(rf"def test_fault_(?:\d\d_)*{int(number):02}_")
    sources = (REPOSITORY / "tests").rglob("test_*.py")
    assert any(name.search(source.read_text(encoding="utf-8")) for source in sources)

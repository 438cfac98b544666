import json

import pytest

from pipeline.page.document import encode_json

HOSTILE = ("</script><!--", "a & b", "\u2028\u2029", "<b>", "ü🙂")


@pytest.mark.parametrize("text", HOSTILE)
def test_json_can_stand_in_a_script_and_says_the_same(text):
    encoded = encode_json({"text": [text]})
    assert not set(encoded) & set("<>&\u2028\u2029")
    assert json.loads(encoded) == {"text": [text]}


def test_what_json_has_no_number_for_is_refused():
    with pytest.raises(ValueError, match="JSON compliant"):
        encode_json([float("nan")])

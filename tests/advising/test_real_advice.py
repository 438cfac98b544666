"""What is said of images that the network was trained for, and of images that it was not."""

import json

import pytest

from tests.test_cli import run


def ask(folder, *words):
    done = run("advise", "--json", "--quiet", *words, cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_drawn_digits_are_unlike_photos(tmp_path):
    advice = ask(tmp_path)
    assert (advice["case"], advice["size"], advice["likeness"]) == (3, "small", "different")
    assert "--layer block6a_expand_activation" in advice["steps"][0]["command"]


@pytest.mark.slow
def test_cats_and_dogs_are_what_the_network_was_trained_for(tmp_path, real_data):
    advice = ask(tmp_path, "--dataset", str(real_data / "cats-and-dogs"), "--limit", "400")
    assert advice["likeness"] == "similar"
    assert advice["steps"][0]["command"].split()[1] == "run"

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from typer.main import get_command

from pipeline.advising.recommending import advise_by
from pipeline.cli import app
from pipeline.config import ExtractConfig
from tests.advising.made_probes import make_counts, make_probed

EARLY = "block4_pool"
SIZES = {
    "small": make_counts(n_train=1_000, median=250),
    "between": make_counts(n_train=3_000, median=250),
    "large": make_counts(n_train=8_000, median=800),
}
PROBES = {
    "similar": make_probed(0.9, 0.8),
    "different": make_probed(0.8, 0.9),
    "unknown": make_probed(0.9, 0.9),
}


def advise(size, likeness, config=None):
    return advise_by(
        config or ExtractConfig(dataset="pets", model="vgg16"),
        SIZES[size],
        PROBES[likeness] if isinstance(likeness, str) else likeness,
        dataset="pets",
        model="vgg16",
        early=EARLY,
        reused=False,
    )


@pytest.mark.parametrize(
    ("size", "likeness", "case", "first"),
    [
        ("small", "similar", 1, "pipeline run --dataset pets --model vgg16"),
        ("large", "similar", 2, "pipeline finetune --dataset pets --model vgg16 "
         "--unfreeze-from last-block"),
        ("small", "different", 3, f"pipeline run --dataset pets --model vgg16 --layer {EARLY}"),
        ("large", "different", 4, "pipeline finetune --dataset pets --model vgg16 "
         f"--unfreeze-from {EARLY}"),
        ("between", "similar", None, "pipeline run --dataset pets --model vgg16"),
        ("large", "unknown", None, "pipeline run --dataset pets --model vgg16"),
    ],
)  # fmt: skip
def test_each_case_has_its_command(size, likeness, case, first):
    advice = advise(size, likeness)
    assert (advice.case, advice.size, advice.likeness) == (case, size, likeness)
    assert advice.steps[0].command == first


def test_nothing_is_trained_where_little_is_to_be_gained():
    advice = advise("large", make_probed(0.995, 0.9))
    assert advice.case == 2
    assert [step.command for step in advice.steps] == ["pipeline run --dataset pets --model vgg16"]
    assert "there is little that training the network could add" in advice.reasons[-1]


def test_where_no_layer_tells_the_classes_apart_the_images_are_to_be_looked_at():
    advice = advise("large", make_probed(0.25, 0.26))
    assert advice.case is None
    assert "Look at the images and their labels first" in advice.steps[0].why


def test_in_doubt_more_images_may_be_tried_if_there_are_more():
    (more,) = [step.command for step in advise("large", "unknown").steps[2:]]
    assert "advise" in more
    assert "--limit 8000" in more
    assert len(advise("small", "unknown").steps) == 2


def list_steps():
    few = replace(make_probed(), late=None, early=None, difference=None)
    for size in SIZES:
        for likeness in (*PROBES, few, make_probed(0.25, 0.25), make_probed(0.995, 0.9)):
            yield from advise(size, likeness).steps


def test_every_command_is_one_that_there_is():
    commands = get_command(app).commands
    steps = list(list_steps())
    assert len(steps) > 20
    for step in steps:
        program, name, *flags = shlex.split(step.command)
        assert program == "pipeline"
        commands[name].make_context(name, flags)  # which refuses what it does not know


def test_commands_are_about_the_same_images_and_network():
    config = ExtractConfig(
        dataset="/my photos/pets",
        model="vgg16",
        data_dir=Path("elsewhere"),
        cache_dir=Path("my cache"),
        image_size=150,
        weights="random",
    )
    for step in advise("between", "different", config).steps:
        words = shlex.split(step.command)
        assert words[words.index("--dataset") + 1] == "/my photos/pets"
        assert words[words.index("--cache-dir") + 1] == "my cache"
        assert words[words.index("--image-size") + 1] == "150"
        assert words[words.index("--weights") + 1] == "random"
        assert "--data-dir" not in words  # only names are looked for there
    named = replace(config, dataset="digits")
    assert "--data-dir elsewhere" in advise("small", "similar", named).steps[0].command

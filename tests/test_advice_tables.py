from pathlib import Path

from pipeline.advice_tables import render_advice
from pipeline.advising.recommending import advise_by
from pipeline.config import ExtractConfig
from tests.advising.made_probes import make_counts, make_probed

LONG = "/photos/" + "very-long-name/" * 12


def rendered(*, dataset="pets", width=60, encoding="utf-8", **probed):
    advice = advise_by(
        ExtractConfig(dataset=dataset, model="vgg16", cache_dir=Path("elsewhere")),
        make_counts(n_train=8_000, median=800),
        make_probed(**probed),
        dataset="pets",
        model="vgg16",
        early="block4_pool",
        reused=False,
    )
    return render_advice(advice, width=width, encoding=encoding).plain


def test_the_case_its_evidence_and_its_command_are_there():
    text = rendered()
    assert "Case 2 of 4: many images, like those the network was trained on" in text
    assert "last layer     90.0 % [88.0, 92.0]  64 values" in text
    assert "earlier layer  80.0 % [78.0, 82.0]  64 values  block4_pool" in text
    assert (
        "\n  pipeline finetune --dataset pets --model vgg16 --cache-dir elsewhere "
        "--unfreeze-from last-block\n" in text
    )


def test_what_cannot_be_told_is_said_to_be_so():
    text = rendered(early=0.9)
    assert "Case" not in text
    assert (
        "Between the cases: many images, whether like those the network was trained on cannot be "
        "told" in text
    )


def test_sentences_are_folded_and_commands_are_not():
    lines = rendered(dataset=LONG).splitlines()
    commands = [line for line in lines if "pipeline " in line]
    assert len(commands) == 2
    assert all(LONG in line for line in commands)
    assert all(len(line) <= 60 for line in lines if line.startswith("- "))


def test_what_an_encoding_lacks_is_escaped():
    assert "/K\\xe4se" in rendered(dataset="/Käse", encoding="ascii")

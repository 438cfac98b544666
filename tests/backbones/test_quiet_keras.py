import os
import subprocess
import sys

import pytest

from pipeline.backbones import quiet_keras
from pipeline.backbones.quiet_keras import without_chatter

RUN_A_NETWORK = """
import numpy as np
from pipeline.backbones.engines import open_engine
from pipeline.backbones.network import Network
from pipeline.backbones.specs import get_spec
from pipeline.backbones.weights import resolve_weights
spec = get_spec("mobilenet_v3_small")
for engine in ("openvino", "keras"):
    network = Network.of(spec, resolve_weights(spec, "random"), image_size=32)
    opened = open_engine(network, device="cpu", engine=engine)
    print(opened.infer((np.zeros((1, 32, 32, 3), np.uint8),)).shape)
"""


def test_chatter_is_dropped_and_everything_else_is_passed_on(capfd):
    with without_chatter():
        os.write(2, b"I0000 port.cc:153] oneDNN custom operations are on. You may see\n")
        os.write(2, b"F0000 something went really wrong\n")
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err.splitlines() == [
        "F0000 something went really wrong",
        "afterwards",
    ]


@pytest.mark.parametrize("has_driver", [False, True])
def test_what_is_wrong_with_a_gpu_is_said_where_there_is_one(
    capfd, monkeypatch, tmp_path, has_driver
):
    driver = tmp_path / "version"
    if has_driver:
        driver.touch()
    monkeypatch.setattr(quiet_keras, "NVIDIA_DRIVER", driver)
    with without_chatter():
        os.write(2, b"E0000 cuda_platform.cc:52] failed call to cuInit: UNKNOWN ERROR (303)\n")
    assert bool(capfd.readouterr().err) == has_driver


def test_an_error_inside_does_not_swallow_what_was_written(capfd):
    def load():
        with without_chatter():
            os.write(2, b"the reason\n")
            raise ImportError("no such library")

    with pytest.raises(ImportError, match="no such library"):
        load()
    assert capfd.readouterr().err == "the reason\n"


def test_running_a_network_leaves_stderr_clean_and_writes_no_settings_elsewhere(tmp_path):
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("TF_", "KERAS"))
    }
    ran = subprocess.run(
        [sys.executable, "-c", RUN_A_NETWORK],
        env={**environment, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.stderr == ""
    assert ran.stdout.split("\n") == ["(1, 576)", "(1, 576)", ""]

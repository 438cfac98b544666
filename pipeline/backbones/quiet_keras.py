"""The one place that imports Keras: without TensorFlow's start-up chatter on stderr.

TensorFlow's libraries write two lines about oneDNN while they are loaded, before any of their
log settings take effect, so they are taken from the file descriptor itself. Every other line
that appears there, an error above all, is passed on.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.backbones.precision import NVIDIA_DRIVER
from pipeline.backbones.weights import keras_models_dir
from pipeline.machine import find_version

_CHATTER = (
    b"All log messages before absl::InitializeLog()",
    b"oneDNN custom operations are on",
    b"This TensorFlow binary is optimized to use available CPU instructions",
    b"To enable the following instructions",
    b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU",
)
# Where there is no NVIDIA driver nobody expects a GPU; where there is one, these say what is wrong.
_CHATTER_WITHOUT_DRIVER = (b"Could not find cuda drivers", b"failed call to cuInit")


@contextmanager
def without_chatter() -> Iterator[None]:
    """Hold back what is written to file descriptor 2 and pass on all but the known chatter."""
    chatter = _CHATTER if NVIDIA_DRIVER.exists() else _CHATTER + _CHATTER_WITHOUT_DRIVER
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held_back:
        stderr = os.dup(2)
        os.dup2(held_back.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            held_back.seek(0)
            for line in held_back:
                if not any(words in line for words in chatter):
                    os.write(2, line)


# Without it Keras reads keras.json from, and downloads to, the world-writable /tmp/.keras wherever
# the home folder cannot be written.
os.environ.setdefault("KERAS_HOME", str(keras_models_dir().parent))
# 2 hides TensorFlow's notes and warnings, not its errors; a user's own setting stands.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
with without_chatter():
    import keras


def keras_versions() -> dict[str, str]:
    """Return the versions of Keras and of the backend that it computes with, by name."""
    backend = keras.config.backend()
    return {"keras": keras.__version__, backend: find_version(backend) or "unknown"}


__all__ = ["keras", "keras_versions", "without_chatter"]

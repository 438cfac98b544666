"""2,000 damaged images, through an extraction in a process of its own: a codec may crash it."""

import json
import subprocess
import sys

from tests.conftest import REPOSITORY

COUNT = 2_000
SEED = 20
MOST_MEGABYTES = 600
"""For the whole process: a header that was made to claim 100 megapixels takes up to 400."""


def test_fault_36_damaged_images_crash_nothing_and_the_counts_add_up(real_data, tmp_path):
    words = (real_data / "cats-and-dogs", tmp_path, COUNT, SEED)
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.mutations", *map(str, words)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    outcome = json.loads(done.stdout)
    assert outcome["found"] == COUNT
    assert outcome["found"] == outcome["cached"] + sum(outcome["skipped"].values())
    assert outcome["rows"] == outcome["cached"]
    assert outcome["finite"]
    assert 0 <= outcome["lowest"] <= outcome["highest"] <= 1
    # Neither is the damage too small to be seen nor so large that nothing is decoded.
    assert COUNT // 5 < outcome["cached"] < COUNT * 4 // 5, outcome
    assert outcome["megabytes"] < MOST_MEGABYTES

"""Random kills of the real command with the real network on real photographs."""

import random
import shutil
import subprocess
import sys
import time

import pytest

from pipeline.cache import list_store_paths, verify_store
from tests.faults.harness import files_of

N_KILLS = 100
# 62,720 values an image: blocks of 32 images and 8 MB, so that most of the time is spent writing.
SETTINGS = ("--pooling", "none", "--limit", "640", "--quiet")


def count_commits(cache_dir):
    return len(list(cache_dir.glob("*/*.zarr/commit/c/*")))


@pytest.mark.slow
def test_fault_02_a_hundred_random_kills_leave_no_bad_block(real_data, tmp_path):
    moments, cache_dir = random.Random(0), tmp_path / "cache"
    command = [
        *(sys.executable, "-m", "pipeline", "extract", *SETTINGS),
        *("--dataset", str(real_data / "cats-and-dogs"), "--cache-dir", str(cache_dir)),
    ]
    started = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    longest = time.monotonic() - started
    expected = files_of(cache_dir)
    shutil.rmtree(cache_dir)
    n_kills = n_finished = n_blocks = n_with_store = 0
    while n_kills < N_KILLS or n_finished == 0:
        # Every other kill comes while blocks are written, the others at any moment.
        committed = count_commits(cache_dir) + 1 if n_kills % 2 else 0
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            while committed and run.poll() is None and count_commits(cache_dir) < committed:
                time.sleep(0.02)
            try:
                last = 1.5 if committed else longest
                _, errors = run.communicate(timeout=moments.uniform(0, last))
                assert run.returncode == 0, errors
                n_finished += 1
                found = files_of(cache_dir)
                assert [n for n in {**found, **expected} if found.get(n) != expected.get(n)] == []
                shutil.rmtree(cache_dir)
            except subprocess.TimeoutExpired:
                run.kill()
                n_kills += 1
        for store in list_store_paths(cache_dir):
            verification = verify_store(store)
            assert verification.is_sound, verification.problems
            n_blocks += verification.n_committed
            n_with_store += 1
    print(
        f"{n_kills} kills, {n_with_store} of them with a store there; {n_blocks} committed blocks "
        f"hashed again, none bad; {n_finished} stores finished, each byte-identical"
    )

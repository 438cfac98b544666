import numpy as np
import pytest

from pipeline.extraction.stream import plan_batches


def plan(blocks, missing, size):
    is_missing = np.zeros(100, np.bool_)
    is_missing[list(missing)] = True
    rows = [np.arange(first, last) for first, last in blocks]
    return [batch.tolist() for batch in plan_batches(rows, is_missing, size)]


def test_blocks_of_which_nothing_is_there_make_batches_of_their_own():
    assert plan([(0, 5), (5, 10)], range(10), 4) == [[0, 1, 2, 3], [4], [5, 6, 7, 8], [9]]


def test_what_is_missing_of_several_blocks_is_one_batch():
    assert plan([(0, 8), (8, 16), (16, 24)], [1, 9, 17, 23], 4) == [[1, 9, 17, 23]]


def test_a_full_batch_does_not_wait_for_the_end():
    assert plan([(0, 8), (8, 16)], [1, 2, 3, 9, 10], 2) == [[1, 2], [3, 9], [10]]


@pytest.mark.parametrize("size", [1, 3, 4, 100])
def test_a_whole_block_between_partial_ones_keeps_the_order(size):
    batches = plan([(0, 4), (4, 8), (8, 12)], [1, 4, 5, 6, 7, 9], size)
    assert [row for batch in batches for row in batch] == [1, 4, 5, 6, 7, 9]
    assert max(map(len, batches)) <= size
    # The whole block is computed in the same batches as in a run that has only it to do.
    assert [b for b in batches if b[0] in range(4, 8)] == plan([(4, 8)], range(4, 8), size)


def test_nothing_to_do_is_no_batch():
    assert plan([(0, 4)], [], 4) == []
    assert plan([], [], 4) == []

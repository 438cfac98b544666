import numpy as np
import pytest

from pipeline.finetuning.feeding import Feed, balance_classes, shuffle


class Counted:
    """Gives the number of each row, and of its view, as what a network takes."""

    def __init__(self, n_views=1, blocks=1, blocks_at_once=2):
        self.n_views = n_views
        self.blocks_at_once = blocks_at_once
        self._blocks = blocks

    def take(self, rows, view):
        return (np.stack([rows, view], axis=1).astype(np.float32),)

    def pools(self, rows):
        return np.array_split(rows, self._blocks)


ROWS = np.arange(100, 123)
LABELS = (ROWS % 3).astype(np.int32)


def make_feed(source=None, **settings):
    settings = {"n_classes": 3, "batch_size": 5, "shuffled": True, **settings}
    return Feed(source or Counted(), ROWS, LABELS, **settings)


def epoch_of(feed):
    batches = [feed[k] for k in range(len(feed))]
    feed.on_epoch_end()
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]


class TestFeed:
    def test_each_epoch_has_every_image_once_with_its_class(self):
        feed = make_feed()
        assert len(feed) == 5
        for _ in range(2):
            x, y, weights = epoch_of(feed)
            assert sorted(x[:, 0]) == ROWS.tolist()
            assert np.array_equal(y.argmax(axis=1), x[:, 0] % 3)
            assert y.sum(axis=1).tolist() == [1.0] * 23
            assert weights.tolist() == [1.0] * 23

    def test_epochs_differ_and_a_rerun_goes_on_with_the_same_ones(self):
        feed = make_feed(seed=7)
        epochs = [epoch_of(feed)[0] for _ in range(3)]
        assert not np.array_equal(epochs[0], epochs[1])
        later = make_feed(seed=7, epoch=2)
        assert np.array_equal(epoch_of(later)[0], epochs[2])
        assert not np.array_equal(epoch_of(make_feed(seed=8))[0], epochs[0])

    def test_validation_images_come_as_they_are(self):
        feed = make_feed(Counted(n_views=2), shuffled=False)
        x, _, _ = epoch_of(feed)
        assert x[:, 0].tolist() == ROWS.tolist()
        assert not x[:, 1].any()

    def test_a_view_is_drawn_anew_in_each_epoch(self):
        feed = make_feed(Counted(n_views=2))
        first, second = epoch_of(feed)[0], epoch_of(feed)[0]
        views = [dict(zip(x[:, 0], x[:, 1], strict=True)) for x in (first, second)]
        assert {0.0, 1.0} == set(views[0].values())
        assert views[0] != views[1]

    def test_rare_classes_count_more(self):
        weights = balance_classes(np.array([0, 0, 0, 1], np.int32), n_classes=3)
        assert weights.tolist() == pytest.approx([4 / 6, 4 / 2, 0])
        feed = make_feed(class_weights=np.array([1, 2, 3], np.float32))
        x, _, given = epoch_of(feed)
        assert np.array_equal(given, x[:, 0] % 3 + 1)


class TestShuffle:
    def test_rows_of_a_few_blocks_are_mixed_and_no_others(self):
        rows = np.arange(40)
        order = shuffle(Counted(blocks=8, blocks_at_once=2), rows, np.random.default_rng(0))
        assert sorted(order) == rows.tolist()
        for first in range(0, 40, 10):  # two blocks of five rows each
            assert len(set(order[first : first + 10] // 5)) == 2
        assert not np.array_equal(order[:10], np.sort(order[:10]))

    def test_without_blocks_all_are_mixed(self):
        order = shuffle(Counted(), np.arange(40), np.random.default_rng(0))
        assert sorted(order) == list(range(40))
        assert len(set(order[:10] // 5)) > 2

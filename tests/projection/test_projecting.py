import sys
from contextlib import nullcontext
from types import ModuleType

import numpy as np
import pytest
from sklearn.manifold import TSNE, trustworthiness

from pipeline.errors import ClassifierError, ConfigError
from pipeline.projection import METHODS, is_available, project, tsne, umap
from tests.feature_tables import make_table

ALWAYS = ("pca", "tsne")


@pytest.fixture(scope="module")
def clouds():
    """300 rows of 3 classes far apart, in 20 dimensions."""
    return make_table(n_per_class=100, n_features=20, spread=0.5)


def same_class_nearest(points, labels):
    """Return how often a point's nearest other point is of its class."""
    distances = np.square(points[:, None] - points).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    return np.mean(labels[distances.argmin(axis=1)] == labels)


@pytest.mark.parametrize("method", ALWAYS)
def test_neighbours_stay_neighbours(method, clouds):
    found = project(clouds.features, method=method, random_state=0)
    assert found.points.dtype == np.float32
    assert found.points.shape == (300, 2)
    assert same_class_nearest(found.points, clouds.labels) > 0.95
    assert trustworthiness(clouds.features, found.points) > {"pca": 0.75, "tsne": 0.9}[method]
    assert set(found.versions) == {"scikit-learn"}


@pytest.mark.parametrize("method", ALWAYS)
def test_the_same_seed_makes_the_same_map_and_leaves_the_rows_alone(method):
    X = make_table(n_per_class=70, n_features=700).features  # large enough to be randomised
    before = X.copy()
    one, two = (project(X, method=method, random_state=2**40).points for _ in range(2))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(X, before)


class TestPca:
    def test_is_the_projection_on_the_two_widest_directions(self, clouds):
        found = project(clouds.features, method="pca", random_state=0)
        centred = clouds.features.astype(np.float64) - clouds.features.mean(axis=0)
        variances, directions = np.linalg.eigh(centred.T @ centred)
        expected = centred @ directions[:, [-1, -2]]
        np.testing.assert_allclose(np.abs(found.points), np.abs(expected), atol=1e-4)
        shares = variances[[-1, -2]] / variances.sum()
        assert found.explained == pytest.approx(shares, rel=1e-5)

    def test_has_the_same_signs_whatever_the_seed_and_the_order_of_the_rows(self):
        X = make_table(n_per_class=70, n_features=700).features
        points = project(X, method="pca", random_state=0).points
        other = project(X, method="pca", random_state=1).points
        np.testing.assert_allclose(points, other, atol=1e-3)
        turned = project(X[::-1].copy(), method="pca", random_state=0).points[::-1]
        np.testing.assert_allclose(points, turned, atol=1e-3)
        mirrored = project(-X, method="pca", random_state=0).points
        np.testing.assert_allclose(points, -mirrored, atol=1e-3)

    def test_does_not_mind_values_far_from_0(self, clouds):
        points = project(clouds.features, method="pca", random_state=0).points
        far = project(clouds.features + 1000, method="pca", random_state=0).points
        np.testing.assert_allclose(points, far, atol=0.01)

    def test_alone_explains_shares_of_the_variance(self, clouds):
        assert project(clouds.features[:20], method="tsne", random_state=0).explained is None


def test_tsne_unfolds_from_the_plane_of_the_widest_directions():
    # A long bent tube: from a random start it ends up torn and tangled.
    rng = np.random.default_rng(0)
    along = np.sort(rng.random(400))
    X = np.column_stack([20 * along, 3 * np.cos(5 * along), rng.normal(size=(400, 6)) * 0.3])
    plane = project(X.astype(np.float32), method="pca", random_state=0).points
    points = project(X.astype(np.float32), method="tsne", random_state=0).points
    for k in range(2):
        assert np.corrcoef(plane[:, k], points[:, k])[0, 1] > 0.9


@pytest.mark.parametrize(("n", "limits"), [(300, [(1, "openmp")]), (3000, [])])
def test_few_rows_get_one_thread(monkeypatch, n, limits):
    asked = []

    def limit(*settings):
        asked.append(settings)
        return nullcontext()

    monkeypatch.setattr(tsne, "threadpool_limits", limit)
    monkeypatch.setattr(TSNE, "fit_transform", lambda self, values: values[:, :2])
    project(make_table(n_per_class=n // 3).features, method="tsne", random_state=0)
    assert asked == limits


class TestTinyInputs:
    @pytest.mark.parametrize("method", ALWAYS)
    @pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 12])
    @pytest.mark.parametrize("width", [1, 2, 60])
    def test_every_row_gets_a_point(self, method, n, width):
        X = np.random.default_rng(0).normal(size=(n, width)).astype(np.float32)
        points = project(X, method=method, random_state=0).points
        assert points.shape == (n, 2)
        assert np.isfinite(points).all()
        assert len(np.unique(points[:, 0])) == n

    @pytest.mark.parametrize("method", ALWAYS)
    def test_two_rows_lie_on_a_line(self, method):
        X = np.array([[0, 0, 3], [0, 4, 0]], np.float32)
        points = project(X, method=method, random_state=0).points
        assert np.linalg.norm(points[0] - points[1]) == pytest.approx(5)
        assert points[:, 1].tolist() == [0, 0]

    @pytest.mark.parametrize("method", ALWAYS)
    @pytest.mark.parametrize("n", [1, 2, 5, 40])
    def test_rows_that_are_all_the_same_lie_in_one_place(self, method, n):
        X = np.full((n, 7), 0.1, np.float32)
        found = project(X, method=method, random_state=0)
        assert not found.points.any()
        assert found.explained == ((0, 0) if method == "pca" else None)

    @pytest.mark.parametrize("method", ALWAYS)
    def test_copies_of_some_rows_do_no_harm(self, method, clouds):
        X = np.repeat(clouds.features[::50], 10, axis=0)
        points = project(X, method=method, random_state=0).points
        assert np.isfinite(points).all()
        assert same_class_nearest(points, np.repeat(clouds.labels[::50], 10)) > 0.9

    def test_columns_that_never_change_add_nothing(self, clouds):
        wide = np.hstack([clouds.features, np.full((300, 5), 7, np.float32)])
        found = project(wide, method="pca", random_state=0)
        expected = project(clouds.features, method="pca", random_state=0)
        np.testing.assert_allclose(found.points, expected.points, atol=1e-4)
        assert found.explained == pytest.approx(expected.explained)

    def test_what_float32_rounds_away_is_no_direction(self):
        line = np.outer(np.arange(9), np.array([0.1, 0.7, 0.3])).astype(np.float32)
        found = project(line, method="pca", random_state=0)
        assert not found.points[:, 1].any()
        assert found.explained == (pytest.approx(1), 0)


class TestRefused:
    def test_what_is_no_method(self):
        with pytest.raises(
            ConfigError, match=r"no map by 'lle'\. Expected one of: pca, tsne, umap"
        ):
            project(np.eye(5, dtype=np.float32), method="lle", random_state=0)
        assert not is_available("lle")

    def test_no_rows(self):
        with pytest.raises(ClassifierError, match="no row"):
            project(np.zeros((0, 5), np.float32), method="pca", random_state=0)

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_values_that_are_not_finite(self, bad):
        X = np.eye(5, dtype=np.float32)
        X[2, 3] = bad
        with pytest.raises(ClassifierError, match=r"Row 2 of .* not finite"):
            project(X, method="pca", random_state=0)

    def test_umap_where_it_is_not_installed(self, monkeypatch):
        monkeypatch.setattr(umap, "is_installed", lambda: False)
        assert not is_available("umap")
        with pytest.raises(
            ConfigError, match=r"needs the package umap-learn.*pip install umap-learn"
        ):
            project(np.eye(5, dtype=np.float32), method="umap", random_state=0)


class TestUmap:
    @pytest.fixture
    def asked(self, monkeypatch):
        """A stand-in for umap-learn, and what it was asked."""
        asked = []

        class Reducer:
            def __init__(self, **settings):
                asked.append(settings)

            def fit_transform(self, values):
                asked.append(values)
                return values[:, :2].astype(np.float64)

        module = ModuleType("umap")
        module.UMAP = Reducer
        monkeypatch.setitem(sys.modules, "umap", module)
        monkeypatch.setattr(umap, "is_installed", lambda: True)
        monkeypatch.setattr("pipeline.projection.projecting.version", lambda name: f"{name} 1")
        return asked

    def test_gets_reduced_rows_their_plane_and_the_seed(self, asked, clouds):
        found = project(clouds.features, method="umap", random_state=5)
        settings, values = asked
        assert values.shape == (300, 20)
        np.testing.assert_array_equal(settings["init"], values[:, :2])
        assert (settings["random_state"], settings["n_neighbors"]) == (5, 15)
        assert found.points.dtype == np.float32
        assert found.explained is None
        assert found.versions["umap-learn"] == "umap-learn 1"

    def test_has_no_more_neighbours_than_there_are_rows(self, asked, clouds):
        project(clouds.features[:6], method="umap", random_state=0)
        assert asked[0]["n_neighbors"] == 5

    def test_of_a_line_starts_anywhere(self, asked):
        project(np.arange(9, dtype=np.float32)[:, None], method="umap", random_state=0)
        assert asked[0]["init"] == "random"

    @pytest.mark.skipif(not umap.is_installed(), reason="needs umap-learn")
    @pytest.mark.parametrize("n", [4, 5, 300])
    def test_neighbours_stay_neighbours(self, clouds, n):
        rows = np.linspace(0, 299, n).astype(int)
        one, two = (project(clouds.features[rows], method="umap", random_state=3) for _ in "ab")
        np.testing.assert_array_equal(one.points, two.points)
        assert np.isfinite(one.points).all()
        if n == 300:
            assert same_class_nearest(one.points, clouds.labels) > 0.95


def test_every_method_has_a_name():
    assert METHODS == ("pca", "tsne", "umap")

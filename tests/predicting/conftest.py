import pytest

from tests.made_fits import make_fit, save_photos


@pytest.fixture(scope="session")
def fitted(tmp_path_factory):
    """A folder with photos of three colours, extracted and fitted; and the folder of the fit."""
    folder = tmp_path_factory.mktemp("fitted")
    save_photos(folder / "photos")
    return folder, make_fit(folder)

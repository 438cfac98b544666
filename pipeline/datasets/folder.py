"""Read a folder's layout: class folders, given splits, or Kaggle's flat `cat.0.jpg`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.datasets.listing import SPLIT_NAMES, Listing, Row, describe_ignored
from pipeline.datasets.scan import Tree, begins_like_image, looks_like_image, scan_folder
from pipeline.errors import DatasetError, EmptyDatasetError
from pipeline.records import Split

BESIDE = "beside the class folders"
LOOSE = "loose image beside the class folders"
NO_IMAGES = "in a folder without images"
UNLABELLED = "without a label"

LAYOUTS = """\
  root/<class>/…                        one folder for each class
  root/train/<class>/…  root/test/…     a given split (train or training, val, valid, validation
                                        or dev, test or testing)
  root/cat.0.jpg  root/dog.0.jpg        Kaggle's flat names, the class before the first dot
  labels.csv or labels.jsonl            with the columns file_name and label"""

# Kaggle's dogs-vs-cats: cat.0.jpg ... dog.12499.jpg; its unlabelled test images are 1.jpg, 2.jpg.
_KAGGLE_NAME = re.compile(r"(?P<label>[^./]+)\.\d+\.[^./]+")
_TEST_FOLDER = re.compile(r"test(ing)?\d*", re.IGNORECASE)


def read_folder(root: Path) -> Listing:
    """List the labelled files of a folder.

    A folder whose only sub-folder holds the classes is unwrapped: the listing's root is then
    that sub-folder, so moving the wrapper away does not make another data set.

    Parameters
    ----------
    root : Path
        Resolved.

    Raises
    ------
    EmptyDatasetError
        If there is no file that could be an image.
    DatasetError
        If the images carry no label that can be seen.
    """
    tree = scan_folder(root)
    if not _hold_image(root, tree.files):
        raise EmptyDatasetError(_describe_empty(root, tree))
    ignored = tree.ignored.copy()
    base, rows = _read_level(root, "", tree.files, ignored)
    relative = tuple(row._replace(path=row.path[len(base) :]) for row in rows)
    return Listing(root / base, relative, +ignored)


def _read_level(
    root: Path, base: str, files: Iterable[str], ignored: Counter[str]
) -> tuple[str, list[Row]]:
    """Find the level that holds the classes; return its prefix and the rows below it."""
    folders, loose = _group_by_folder(base, files)
    classes = _drop_folders_without_images(root, folders, ignored)
    flat = _is_kaggle_flat(loose)
    if not classes or (flat and all(_is_unlabelled_test(root, base, *c) for c in classes.items())):
        ignored[UNLABELLED] += sum(map(len, classes.values()))
        return base, _read_flat(root, base, loose, Split.NONE, ignored)
    splits = _given_splits(root, base, classes, ignored)
    if len(splits) == 1:
        # A lone train/ is a wrapper: with nothing to set it against, no split was given.
        name = next(iter(splits))
        _count_loose(loose, ignored)
        return _read_level(root, f"{base}{name}/", splits[name], ignored)
    if splits:
        _count_loose(loose, ignored)
        return base, _read_splits(root, base, splits, ignored)
    if len(classes) == 1:
        name, inside = next(iter(classes.items()))
        if flat:
            raise DatasetError(_describe_folder_and_flat(root, base, name, loose))
        if not any(map(looks_like_image, loose)) and _is_wrapper(root, f"{base}{name}/", inside):
            ignored[BESIDE] += len(loose)
            return _read_level(root, f"{base}{name}/", inside, ignored)
    _count_loose(loose, ignored)
    return base, _label_by_folder(classes, Split.NONE)


def _count_loose(loose: Iterable[str], ignored: Counter[str]) -> None:
    ignored.update(LOOSE if looks_like_image(path) else BESIDE for path in loose)


def _is_unlabelled_test(root: Path, base: str, name: str, files: Iterable[str]) -> bool:
    """Tell whether a folder is Kaggle's test/ or test1/, whose images come without labels."""
    return bool(_TEST_FOLDER.fullmatch(name)) and not _holds_labels(root, f"{base}{name}/", files)


def _group_by_folder(base: str, files: Iterable[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Sort files into the folders directly below `base`, and those that lie loose in it."""
    folders: dict[str, list[str]] = {}
    loose = []
    for path in files:
        name, slash, _ = path[len(base) :].partition("/")
        if slash:
            folders.setdefault(name, []).append(path)
        else:
            loose.append(path)
    return folders, loose


def _drop_folders_without_images(
    root: Path, folders: Mapping[str, list[str]], ignored: Counter[str]
) -> dict[str, list[str]]:
    kept = {}
    for name, files in sorted(folders.items()):
        if _hold_image(root, files):
            kept[name] = files
        else:
            ignored[NO_IMAGES] += len(files)
    return kept


def _hold_image(root: Path, files: Iterable[str]) -> bool:
    """Tell by the names whether any file may be an image; by the content if no name says so."""
    files = list(files)
    return any(map(_may_be_image, files)) or _any_begins_like_image(root, files)


def _any_begins_like_image(root: Path, files: Iterable[str]) -> bool:
    return any(begins_like_image(f"{root}/{path}") for path in files)


def _may_be_image(path: str) -> bool:
    """Files without an extension count: to lose a whole class over its names would be worse."""
    return looks_like_image(path) or "." not in path.rpartition("/")[2]


def _given_splits(
    root: Path, base: str, folders: Mapping[str, list[str]], ignored: Counter[str]
) -> dict[str, list[str]]:
    """Return the folders that are a given split, or nothing where they are classes."""
    splits = {
        name: files
        for name, files in folders.items()
        if name.lower() in SPLIT_NAMES and _holds_labels(root, f"{base}{name}/", files)
    }
    if not splits:
        if all(name.lower() in SPLIT_NAMES for name in folders):
            files = [path for inside in folders.values() for path in inside]
            raise DatasetError(_describe_unlabelled(root, base, files))
        return {}
    rest = {name: files for name, files in folders.items() if name not in splits}
    unlabelled = [n for n, files in rest.items() if _is_unlabelled_test(root, base, n, files)]
    strangers = [name for name in rest if name not in unlabelled]
    if strangers:
        inside = {name: _names_inside(f"{base}{name}/", folders[name]) for name in folders}
        alike = any(
            len(inside[s]) > 1 and inside[s] == inside[n] for s in splits for n in strangers
        )
        unclear = any(name.lower() in SPLIT_NAMES for name in strangers)
        if len(splits) > 1 or unlabelled or alike or unclear:
            raise DatasetError(_describe_mixed(root, base, sorted(splits), strangers))
        return {}
    ignored[UNLABELLED] += sum(len(folders[name]) for name in unlabelled)
    return splits


def _names_inside(base: str, files: Iterable[str]) -> frozenset[str]:
    """Return the names of the folders directly below `base`; empty beside loose images."""
    folders, loose = _group_by_folder(base, files)
    return frozenset() if any(map(looks_like_image, loose)) else frozenset(folders)


def _holds_labels(root: Path, base: str, files: Iterable[str]) -> bool:
    """Tell whether the level below `base` has class folders or Kaggle's names."""
    folders, loose = _group_by_folder(base, files)
    return _is_kaggle_flat(loose) or any(_hold_image(root, inside) for inside in folders.values())


def _is_wrapper(root: Path, base: str, files: Iterable[str]) -> bool:
    """Tell whether the only folder there is holds the classes, and is not a class itself."""
    folders, loose = _group_by_folder(base, files)
    if _is_kaggle_flat(loose):
        return True
    if not folders or any(map(looks_like_image, loose)):
        return False
    return not _any_begins_like_image(root, loose)


def _is_kaggle_flat(paths: Iterable[str]) -> bool:
    images = [path.rpartition("/")[2] for path in paths if looks_like_image(path)]
    return 2 * sum(map(bool, map(_KAGGLE_NAME.fullmatch, images))) > len(images)


def _read_splits(
    root: Path, base: str, splits: Mapping[str, list[str]], ignored: Counter[str]
) -> list[Row]:
    rows: list[Row] = []
    for name, files in splits.items():
        split = SPLIT_NAMES[name.lower()]
        folders, loose = _group_by_folder(f"{base}{name}/", files)
        classes = _drop_folders_without_images(root, folders, ignored)
        if classes:
            _count_loose(loose, ignored)
            rows += _label_by_folder(classes, split)
        else:
            rows += _read_flat(root, base, loose, split, ignored)
    return rows


def _label_by_folder(classes: Mapping[str, list[str]], split: Split) -> list[Row]:
    return [Row(path, name, split) for name, files in classes.items() for path in files]


def _read_flat(
    root: Path, base: str, files: list[str], split: Split, ignored: Counter[str]
) -> list[Row]:
    if not _is_kaggle_flat(files):
        raise DatasetError(_describe_unlabelled(root, base, files))
    rows = []
    for path in files:
        match = _KAGGLE_NAME.fullmatch(path.rpartition("/")[2])
        if match and looks_like_image(path):
            rows.append(Row(path, match["label"], split))
        else:
            ignored[UNLABELLED if looks_like_image(path) else BESIDE] += 1
    return rows


def _describe_empty(root: Path, tree: Tree) -> str:
    passed = describe_ignored(tree.ignored)
    others = f"{len(tree.files)} other files" if tree.files else ""
    seen = ", ".join(filter(None, (passed, others))) or "nothing"
    return (
        f"No image in {root}. Found there: {seen}. Expected one of these layouts:\n{LAYOUTS}\n"
        "Put images there, or try the embedded data set: --dataset digits."
    )


def _describe_mixed(root: Path, base: str, splits: list[str], strangers: list[str]) -> str:
    return (
        f"{root / base} holds a given split ({', '.join(splits)}) and, beside it, folders with "
        f"images that are none: {', '.join(strangers[:5])}. Expected one of these layouts:\n"
        f"{LAYOUTS}\nGive each part of the split one folder for each class, move what belongs to "
        "none away, or give a CSV with a split column: --dataset labels.csv."
    )


def _describe_folder_and_flat(root: Path, base: str, name: str, loose: list[str]) -> str:
    return (
        f"{root / base} holds one folder with images, {name!a}, and {len(loose)} files beside it "
        f"that have a class in their name, such as {loose[0]!a}. Expected the one or the other. "
        "Move the folder or the files away."
    )


def _describe_unlabelled(root: Path, base: str, files: list[str]) -> str:
    images = sum(map(looks_like_image, files))
    example = ascii(next((p for p in files if looks_like_image(p)), files[0]))
    tables = sorted(p.name for p in root.iterdir() if p.suffix.lower() in (".csv", ".jsonl"))
    hint = f"\nThere is a table here; try --dataset {root / tables[0]}" if tables else ""
    return (
        f"{root / base} holds {images} images whose class cannot be seen, such as {example}. "
        f"Expected one of these layouts:\n{LAYOUTS}{hint}"
    )

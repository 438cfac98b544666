"""Read a folder's layout: class folders, given splits, or Kaggle's flat `cat.0.jpg`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.datasets.listing import SPLIT_NAMES, Listing, Row, describe_ignored
from pipeline.datasets.scan import Tree, looks_like_image, scan_folder
from pipeline.errors import DatasetError, EmptyDatasetError
from pipeline.records import Split

BESIDE = "beside the class folders"
NO_IMAGES = "in a folder without images"
UNLABELLED = "without a label"

LAYOUTS = """\
  root/<class>/…                        one folder for each class
  root/train/<class>/…  root/test/…     a given split (train, val or validation, test)
  root/cat.0.jpg  root/dog.0.jpg        Kaggle's flat names, the class before the first dot
  labels.csv or labels.jsonl            with the columns file_name and label"""

# Kaggle's dogs-vs-cats: cat.0.jpg ... dog.12499.jpg; its unlabelled test images are 1.jpg, 2.jpg.
_KAGGLE_NAME = re.compile(r"(?P<label>[^./]+)\.\d+\.[^./]+")
_TEST_FOLDER = re.compile(r"test\d*", re.IGNORECASE)


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
    if not any(_may_be_image(path) for path in tree.files):
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
    classes = _drop_folders_without_images(folders, ignored)
    inside_folders = sum(map(len, classes.values()))
    if not classes or (_is_kaggle_flat(loose) and len(loose) > inside_folders):
        ignored[UNLABELLED] += inside_folders
        return base, _read_flat(root, base, loose, Split.NONE, ignored)
    splits = _given_splits(root, base, classes, ignored)
    if len(splits) == 1:
        # A lone train/ is a wrapper: with nothing to set it against, no split was given.
        name = next(iter(splits))
        ignored[BESIDE] += len(loose)
        return _read_level(root, f"{base}{name}/", splits[name], ignored)
    if splits:
        ignored[BESIDE] += len(loose)
        return base, _read_splits(root, base, splits, ignored)
    if len(classes) == 1 and not any(map(looks_like_image, loose)):
        name, inside = next(iter(classes.items()))
        if _is_wrapper(f"{base}{name}/", inside):
            ignored[BESIDE] += len(loose)
            return _read_level(root, f"{base}{name}/", inside, ignored)
    ignored[BESIDE] += len(loose)
    return base, _label_by_folder(classes, Split.NONE)


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
    folders: Mapping[str, list[str]], ignored: Counter[str]
) -> dict[str, list[str]]:
    kept = {}
    for name, files in sorted(folders.items()):
        if any(map(_may_be_image, files)):
            kept[name] = files
        else:
            ignored[NO_IMAGES] += len(files)
    return kept


def _may_be_image(path: str) -> bool:
    """Files without an extension count: to lose a whole class over its names would be worse."""
    return looks_like_image(path) or "." not in path.rpartition("/")[2]


def _given_splits(
    root: Path, base: str, folders: Mapping[str, list[str]], ignored: Counter[str]
) -> dict[str, list[str]]:
    """Return the folders that are a given split, or nothing where they are classes."""
    labelled = {n: f for n, f in folders.items() if _holds_labels(f"{base}{n}/", f)}
    splits = {n: f for n, f in labelled.items() if n.lower() in SPLIT_NAMES}
    rest = [n for n in folders if n not in splits]
    if all(n.lower() in SPLIT_NAMES for n in folders) and not splits:
        raise DatasetError(
            _describe_unlabelled(root, base, [p for f in folders.values() for p in f])
        )
    has_train = any(SPLIT_NAMES[n.lower()] is Split.TRAIN for n in splits)
    if not has_train and rest:
        return {}
    # Kaggle's test images come without labels, in test/ or test1/.
    unlabelled = [n for n in rest if n not in labelled and _TEST_FOLDER.fullmatch(n)]
    strangers = [n for n in rest if n not in unlabelled]
    if strangers and (len(splits) > 1 or unlabelled):
        raise DatasetError(
            f"{root / base} holds a given split ({', '.join(sorted(splits))}) and, beside it, "
            f"folders with images that are none: {', '.join(strangers[:5])}. Expected only train, "
            "val, valid, validation and test. Move the others away, or give a CSV with a split "
            "column: --dataset labels.csv."
        )
    if strangers:
        return {}
    ignored[UNLABELLED] += sum(len(folders[name]) for name in unlabelled)
    return splits


def _holds_labels(base: str, files: Iterable[str]) -> bool:
    """Tell whether the level below `base` has class folders or Kaggle's names."""
    folders, loose = _group_by_folder(base, files)
    return any(any(map(_may_be_image, f)) for f in folders.values()) or _is_kaggle_flat(loose)


def _is_wrapper(base: str, files: Iterable[str]) -> bool:
    """Tell whether the only folder there is holds the classes, and is not a class itself."""
    _, loose = _group_by_folder(base, files)
    return _is_kaggle_flat(loose) or not any(map(looks_like_image, loose))


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
        classes = _drop_folders_without_images(folders, ignored)
        if classes:
            ignored[BESIDE] += len(loose)
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


def _describe_unlabelled(root: Path, base: str, files: list[str]) -> str:
    images = sum(map(looks_like_image, files))
    example = ascii(next((p for p in files if looks_like_image(p)), files[0]))
    tables = sorted(p.name for p in root.iterdir() if p.suffix.lower() in (".csv", ".jsonl"))
    hint = f"\nThere is a table here; try --dataset {root / tables[0]}" if tables else ""
    return (
        f"{root / base} holds {images} images whose class cannot be seen, such as {example}. "
        f"Expected one of these layouts:\n{LAYOUTS}{hint}"
    )

import gzip
import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from pipeline.datasets.archives import unpack, unpack_into
from pipeline.errors import DatasetError


def make_zip(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def make_tar(path: Path, *members: tuple[str, bytes], mode: str = "w:gz", **fields) -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(content))
    return path


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def assert_nothing_left(tmp_path: Path, archive: Path) -> None:
    assert sorted(tmp_path.iterdir()) == [archive]


MEMBERS = (("PetImages/Cat/1.jpg", b"cat"), ("PetImages/Dog/2.jpg", b"dog"))


@pytest.mark.parametrize("mode", ["zip", "w", "w:gz", "w:bz2", "w:xz"])
def test_archives_are_told_by_their_content(tmp_path, mode):
    path = tmp_path / "archive.bin"
    archive = make_zip(path, *MEMBERS) if mode == "zip" else make_tar(path, *MEMBERS, mode=mode)
    counts: list[int] = []
    out = unpack(archive, tmp_path / "out", on_progress=counts.append)
    assert files_in(out) == dict(MEMBERS)
    assert counts == [1, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive.bin", "out"]


def test_permission_bits_are_dropped(tmp_path):
    umask = os.umask(0o022)
    try:
        info = tarfile.TarInfo("x/run.sh")
        info.mode = 0o6777
        with tarfile.open(tmp_path / "a.tar", "w") as archive:
            archive.addfile(info, io.BytesIO(b""))
        out = unpack(tmp_path / "a.tar", tmp_path / "out")
    finally:
        os.umask(umask)
    assert stat.S_IMODE((out / "x/run.sh").stat().st_mode) == 0o644


def test_names_that_are_not_utf8(tmp_path):
    name = os.fsdecode(b"cat/caf\xe9.jpg")
    with tarfile.open(tmp_path / "a.tar", "w", errors="surrogateescape") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO(b""))
    assert list(files_in(unpack(tmp_path / "a.tar", tmp_path / "out"))) == [name]


def test_folders_in_the_archive_are_fine(tmp_path):
    archive = make_zip(tmp_path / "a.zip", ("cat/", b""), ("cat/1.jpg", b"x"))
    assert files_in(unpack(archive, tmp_path / "out")) == {"cat/1.jpg": b"x"}


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_flipped_byte_is_noticed(tmp_path, mode):
    archive = make_tar(tmp_path / "a.tar", ("1.jpg", os.urandom(100_000)), mode=mode)
    data = bytearray(archive.read_bytes())
    data[50_000] ^= 0xFF
    archive.write_bytes(data)
    with pytest.raises(DatasetError, match="is not a whole archive"):
        unpack(archive, tmp_path / "out")
    assert_nothing_left(tmp_path, archive)


EVIL_NAMES = ["../evil.jpg", "cat/../../evil.jpg", "/evil.jpg", "..\\evil.jpg", "C:\\evil.jpg"]


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("name", EVIL_NAMES)
def test_fault_43_nothing_is_written_outside(tmp_path, kind, name):
    path = tmp_path / "evil.bin"
    members = (("cat/1.jpg", b"good"), (name, b"evil"))
    archive = make_zip(path, *members) if kind == "zip" else make_tar(path, *members)
    with pytest.raises(DatasetError, match=r"evil\.jpg' would be written outside"):
        unpack(archive, tmp_path / "sub" / "out")
    assert list((tmp_path / "sub").iterdir()) == []
    assert not list(tmp_path.rglob("evil.jpg"))


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE],
)
def test_fault_43_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    archive = make_tar(
        tmp_path / "evil.tar", ("cat/1.jpg", b""), mode="w", type=kind, linkname="../../etc/passwd"
    )
    with pytest.raises(DatasetError, match=r"'cat/1\.jpg' is a link, a device or sparse"):
        unpack(archive, tmp_path / "out")
    assert_nothing_left(tmp_path, archive)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_fault_43_links_and_devices_in_a_zip_are_refused(tmp_path, kind):
    info = zipfile.ZipInfo("cat/1.jpg")
    info.external_attr = (kind | 0o777) << 16
    archive = make_zip(tmp_path / "evil.zip", (info, b"/etc/passwd"))
    with pytest.raises(DatasetError, match=r"'cat/1\.jpg' is a link or a device"):
        unpack(archive, tmp_path / "out")
    assert_nothing_left(tmp_path, archive)


def test_an_encrypted_zip_is_refused(tmp_path):
    archive = make_zip(tmp_path / "evil.zip", ("cat/1.jpg", b"secret"))
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1  # the flag of the central directory
    archive.write_bytes(data)
    with pytest.raises(DatasetError, match=r"'cat/1\.jpg' is encrypted"):
        unpack(archive, tmp_path / "out")


def test_a_name_that_comes_twice_is_refused(tmp_path):
    archive = make_tar(tmp_path / "evil.tar", ("cat/1.jpg", b"a"), ("cat/./1.jpg", b"b"))
    with pytest.raises(DatasetError, match=r"is there twice"):
        unpack(archive, tmp_path / "out")
    assert_nothing_left(tmp_path, archive)


def test_a_file_that_is_also_a_folder_is_refused(tmp_path):
    archive = make_tar(tmp_path / "evil.tar", ("cat", b"a"), ("cat/1.jpg", b"b"))
    with pytest.raises(DatasetError, match=r"'cat/1\.jpg' (is there twice|lies below a file)"):
        unpack(archive, tmp_path / "out")
    assert_nothing_left(tmp_path, archive)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_fault_43_a_bomb_is_refused(tmp_path, kind):
    path = tmp_path / "bomb.bin"
    zeros = (("zeros.jpg", bytes(50_000_000)),)
    archive = make_zip(path, *zeros) if kind == "zip" else make_tar(path, *zeros)
    assert archive.stat().st_size < 100_000
    with pytest.raises(DatasetError, match="passes the limit on unpacked bytes"):
        unpack(archive, tmp_path / "out", max_bytes=1_000_000)
    assert_nothing_left(tmp_path, archive)


def test_fault_43_the_limit_is_on_all_files_together(tmp_path):
    members = [(f"{i}.jpg", bytes(600)) for i in range(3)]
    archive = make_zip(tmp_path / "a.zip", *members)
    assert len(files_in(unpack(archive, tmp_path / "fits", max_bytes=1800))) == 3
    with pytest.raises(DatasetError, match=r"'2\.jpg' passes the limit"):
        unpack(archive, tmp_path / "out", max_bytes=1799)


def test_fault_43_too_many_files_are_refused(tmp_path):
    archive = make_zip(tmp_path / "a.zip", *((f"{i}.jpg", b"") for i in range(11)))
    with pytest.raises(DatasetError, match="holds more than 10 files"):
        unpack(archive, tmp_path / "out", max_files=10)
    assert_nothing_left(tmp_path, archive)


def test_fault_43_too_many_folders_are_refused(tmp_path):
    archive = make_tar(
        tmp_path / "a.tar", *((f"{i}", b"") for i in range(11)), mode="w", type=tarfile.DIRTYPE
    )
    with pytest.raises(DatasetError, match="holds more than 10 files"):
        unpack(archive, tmp_path / "out", max_files=10)
    assert_nothing_left(tmp_path, archive)


def write_zeros(path: Path, kind: bytes, gigabytes: int) -> Path:
    """Write a compressed tar whose last member is zeros: ten gigabytes are ten megabytes."""
    info = tarfile.TarInfo("zeros.jpg")
    info.type, info.size = kind, gigabytes * 10**9
    zeros = gzip.compress(bytes(10**8))
    with path.open("wb") as file:
        file.write(
            gzip.compress(tarfile.TarInfo("empty.jpg").tobuf() + info.tobuf(tarfile.GNU_FORMAT))
        )
        for _ in range(gigabytes * 10):
            file.write(zeros)
        file.write(gzip.compress(bytes(10240)))
    return path


def test_fault_43_ten_gigabytes_of_zeros_in_a_tar(tmp_path):
    archive = write_zeros(tmp_path / "bomb.tgz", tarfile.REGTYPE, 10)
    assert archive.stat().st_size < 15e6
    with pytest.raises(DatasetError, match=r"'zeros\.jpg' passes the limit on unpacked bytes"):
        unpack_into(archive, tmp_path)
    assert not (tmp_path / "zeros.jpg").exists()


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_fault_43_a_name_of_ten_gigabytes_is_not_read_into_memory(tmp_path, kind):
    archive = write_zeros(tmp_path / "bomb.tgz", kind, 10)
    with pytest.raises(DatasetError, match=r"a header of 10,000,000,000 bytes"):
        unpack(archive, tmp_path / "out")
    assert_nothing_left(tmp_path, archive)


def test_fault_43_ten_gigabytes_in_a_zip_are_refused_before_the_first_is_written(tmp_path):
    archive = make_zip(tmp_path / "bomb.zip", *((f"{i}.jpg", b"0") for i in range(5)))
    data = bytearray(archive.read_bytes())
    place = 0
    while (place := data.find(b"PK\1\2", place) + 1) > 0:  # the central directory's entries
        data[place + 23 : place + 27] = (2 * 10**9).to_bytes(4, "little")
    archive.write_bytes(data)
    calls: list[int] = []
    with pytest.raises(DatasetError, match=r"'4\.jpg' passes the limit on unpacked bytes"):
        unpack(archive, tmp_path / "out", on_progress=calls.append)
    assert calls == []
    assert_nothing_left(tmp_path, archive)


@pytest.mark.parametrize("content", [b"", b"<html>not an archive</html>", b"\x1f\x8b broken"])
def test_what_is_no_archive_is_said(tmp_path, content):
    archive = tmp_path / "a.zip"
    archive.write_bytes(content)
    with pytest.raises(DatasetError, match="is not a whole archive"):
        unpack(archive, tmp_path / "out")
    assert_nothing_left(tmp_path, archive)


def test_an_archive_that_is_cut_off(tmp_path):
    archive = make_tar(tmp_path / "a.tgz", ("1.jpg", os.urandom(100_000)))
    archive.write_bytes(archive.read_bytes()[:50_000])
    with pytest.raises(DatasetError, match="is not a whole archive"):
        unpack(archive, tmp_path / "out")
    assert_nothing_left(tmp_path, archive)


def test_a_damaged_member_is_noticed(tmp_path):
    archive = make_zip(tmp_path / "a.zip", ("1.jpg", b"A" * 10))
    data = bytearray(archive.read_bytes())
    position = data.index(b"PK\1\2") + 16  # the checksum in the central directory
    data[position] ^= 1
    archive.write_bytes(data)
    with pytest.raises(DatasetError, match="is not a whole archive: Bad CRC-32"):
        unpack(archive, tmp_path / "out")

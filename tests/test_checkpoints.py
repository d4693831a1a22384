"""A training that is killed goes on where it was, and ends as if nothing had happened."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import transfer
from transfer import cache, quiet

quiet.import_tensorflow()

from transfer.errors import OptionError  # noqa: E402
from transfer.learning import checkpoints, training  # noqa: E402
from transfer.learning.fit_states import FitState, as_bytes, from_bytes  # noqa: E402
from transfer.settings import Schedule  # noqa: E402

LAYERS = [
    {"conv": 4, "stride": 2}, {"normalise": "batch"}, {"activation": "relu"}, {"pool": 4}, {"flatten": True},
    {"dropout": 0.3},
]  # fmt: skip
TUNED = [{"conv": 4}, {"activation": "relu"}, {"pool": 4}, {"flatten": True}, {"dense": 8}, {"activation": "tanh"}]

# One process that loads TensorFlow and runs nothing; each training is a process of its own that comes from it. Three
# kill themselves: in an epoch, while they write, and when all epochs are done.
KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
import transfer
from transfer import quiet
quiet.import_tensorflow()
from transfer.learning import checkpoints, methods, training
from transfer.runs import kept_results

data, folder, layers = sys.argv[1], Path(sys.argv[2]), eval(sys.argv[3])

def kill(*given, **named):
    os.kill(os.getpid(), signal.SIGKILL)

def kill_in_an_epoch():
    def begin(self, batch, logs=None):
        kill() if len(self.rows) == 2 and batch == 1 else None
    training._Watch.on_train_batch_begin = begin

def kill_while_writing():
    written = []
    def as_bytes(state):
        written.append(as_usual(state))
        return written[-1] if len(written) < 2 else kill()
    as_usual, checkpoints.as_bytes, checkpoints.SHARE = checkpoints.as_bytes, as_bytes, 1e9

def kill_at_the_end():
    methods.judge = kill

def train(name, disturb, cache):
    os.environ["TRANSFER_CACHE"] = str(folder / cache)
    disturb()
    images = transfer.load_images(data)
    kept_results.keep = lambda result, place: np.savez(folder / name, *result.model.get_weights())
    result = kept_results.train_once(
        images, transfer.split(images), None, "scratch", layers=layers, image_size=32, epochs=6, batch_size=16
    )
    (folder / f"{name}.txt").write_text(" ".join(result.notes) + f" {len(result.history)} epochs")

for number, (disturb, cache) in enumerate([
    (kill_in_an_epoch, "one"), (kill_while_writing, "one"), (kill_at_the_end, "one"), (bool, "one"), (bool, "two"),
]):
    if not (child := os.fork()):
        train(str(number), disturb, cache)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_killed_at_three_moments_it_ends_with_the_same_weights(digits_folder, tmp_path):
    words = [sys.executable, "-c", KILLED, str(digits_folder), str(tmp_path), repr(LAYERS)]
    root = Path(__file__).parent.parent
    said = subprocess.run(words, cwd=root, capture_output=True, text=True, timeout=300)
    assert said.stdout.split() == ["-9", "-9", "-9", "0", "0"], said.stderr
    assert "went on behind epoch 6" in (tmp_path / "3.txt").read_text()
    assert "went on" not in (tmp_path / "4.txt").read_text()
    resumed, undisturbed = (np.load(tmp_path / f"{number}.npz") for number in (3, 4))
    assert len(resumed.files) == len(undisturbed.files) > 4
    assert all(np.array_equal(resumed[name], undisturbed[name]) for name in resumed.files)
    assert not [path for path in (tmp_path / "one" / "checkpoints").iterdir()]


class Killed(BaseException):
    """In place of a signal."""


@pytest.fixture
def killed_in(monkeypatch):
    """A function that lets a training end in an epoch, counted from 1, or no more; every epoch is kept."""
    ends = training._Watch.on_epoch_begin
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)

    def kill(number=None):
        def begins(self, epoch, logs=None):
            if epoch + 1 == number:
                raise Killed
            ends(self, epoch, logs)

        monkeypatch.setattr(training._Watch, "on_epoch_begin", begins)

    return kill


def broken_off(killed_in, number, *given, **options):
    killed_in(number)
    with pytest.raises(Killed):
        transfer.train(*given, **options)
    killed_in(None)


def kept():
    return cache.kept("checkpoints")


def same_weights(one, other):
    return all(map(np.array_equal, one.model.get_weights(), other.model.get_weights()))


def test_fine_tuning_goes_on_and_what_it_chose_is_the_same(digits, killed_in):
    given = (*digits, transfer.convnet(32, TUNED), "finetune")
    options = dict(epochs=4, share=1.0, learning_rate=3e-3)
    undisturbed = transfer.train(*given, **options)
    broken_off(killed_in, 3, *given, **options)
    assert len(kept()) == 1
    result = transfer.train(*given, **options)
    assert "finetune went on behind epoch 2, where it had been broken off" in result.notes
    assert "finetune" in result.cached
    assert result.history == undisturbed.history
    assert result.metrics == undisturbed.metrics
    assert same_weights(result, undisturbed)
    assert not kept()


def test_what_was_begun_otherwise_is_told_and_stays(digits, killed_in, capsys):
    images, split = digits
    network = transfer.convnet(32, LAYERS)
    broken_off(killed_in, 2, images, split, network, "scratch", epochs=2, batch_size=16)
    fewer = transfer.limit_training(split, images.labels, 5)
    for given, options, said in (
        ((split, network), {"epochs": 1, "batch_size": 16}, "epochs 2"),
        ((fewer, network), {"epochs": 2, "batch_size": 16}, "another split"),
    ):
        transfer.train(images, *given, "scratch", **options)
        told = f"note: a scratch of this DATA was broken off with {said}; that waits for the same again"
        assert told in capsys.readouterr().err
    assert len(kept()) == 1


def test_a_checkpoint_that_is_damaged_or_old_counts_for_nothing(digits, killed_in):
    given = (*digits, transfer.convnet(32, LAYERS), "scratch")
    for number, damage in enumerate((b"", b"PK\3\4 nothing", None)):
        options = {"epochs": 2, "seed": number}
        broken_off(killed_in, 2, *given, **options)
        (place,) = kept()
        if damage is None:
            os.utime(place, (0, 0))
        else:
            (place / checkpoints.STATE).write_bytes(damage)
            (place / cache.MANIFEST).write_text(json.dumps(cache._states(place)))
        result = transfer.train(*given, **options)
        assert not any("broken off" in note for note in result.notes)
        assert not kept()


def test_a_state_is_the_same_from_a_file():
    arrays = {"network": [np.arange(6.0).reshape(2, 3)], "optimizer": [np.int64(3)], "best": []}
    state = FitState(Schedule(2, 3, 4, 1e-3, None), [{"epoch": 1, "loss": 0.1}], False, {"best": float("inf")}, arrays)
    again = from_bytes(as_bytes(state))
    assert (again.schedule, again.rows, again.over, again.stopping) == tuple(vars(state).values())[:4]
    np.testing.assert_array_equal(again.arrays["network"][0], arrays["network"][0])
    assert again.arrays["best"] == []


def test_where_the_cache_cannot_be_written_or_another_process_trains_the_same_nothing_is_kept(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRANSFER_CACHE", str(tmp_path / "file"))
    with checkpoints.checkpoint(checkpoints.place_of({"phase": "scratch"}), {"phase": "scratch"}, "data") as kept:
        kept.keep(None, True)
        assert kept.state is None


def test_what_is_trained_by_hand_until_it_is_saved_is_still_there(digits, monkeypatch):
    ends = training._Watch.on_epoch_end

    def stops(self, epoch, logs=None):
        if epoch == 1 and not hasattr(training, "stopped_once"):
            monkeypatch.setattr(training, "stopped_once", True, raising=False)
            raise KeyboardInterrupt
        ends(self, epoch, logs)

    monkeypatch.setattr(training._Watch, "on_epoch_end", stops)
    given = (*digits, transfer.convnet(32, LAYERS), "scratch")
    stopped = transfer.train(*given, epochs=3)
    assert (stopped.stopped_by_hand, len(kept())) == (True, 1)
    result = transfer.train(*given, epochs=3)
    assert (result.stopped_by_hand, len(result.history), len(kept())) == (False, 3, 0)


def test_a_rate_that_blows_up_is_lowered_from_the_state_before(digits):
    network = transfer.convnet(32, LAYERS[:-1])
    result = transfer.train(*digits, network, "scratch", epochs=3, learning_rate=1e3)
    (note,) = [note for note in result.notes if "its learning rate was lowered" in note]
    assert note.startswith("the loss of scratch was no number or far off")
    assert len(result.history) == 3
    assert result.history[-1]["lowered_rate"] < 1e3
    assert result.options["learning_rate"] == 1e3  # a repetition does the same
    assert not any("far too high" in note for note in result.notes)


def test_a_batch_that_tensorflow_has_no_room_for_is_halved_and_said(digits, monkeypatch, tensorflow):
    tried, fit_network = [], training.fit_network

    def fit(model, batches, *given):
        tried.append(batches.batch_size)
        if batches.batch_size > 10:
            raise tensorflow.errors.ResourceExhaustedError(None, None, "no memory")
        return fit_network(model, batches, *given)

    monkeypatch.setattr(training, "fit_network", fit)
    network = transfer.convnet(32, LAYERS)
    result = transfer.train(*digits, network, "scratch", epochs=1, batch_size=40)
    assert tried == [40, 20, 10]
    told = [note.split() for note in result.notes if "at once are too many for the memory: a step takes" in note]
    assert [(words[0], words[-1]) for words in told] == [("40", "20"), ("20", "10")]
    assert result.options["batch_size"] == 10
    monkeypatch.setattr(training, "fit_network", lambda *given: fit(None, SimpleNamespace(batch_size=99)))
    with pytest.raises(OptionError, match="a picture of 32 px is too much for the memory; give a smaller `image_size`"):
        transfer.train(*digits, network, "scratch", epochs=1, batch_size=4)

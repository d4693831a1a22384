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
from transfer.learning import checkpoints, training, watching, whole_fits  # noqa: E402
from transfer.learning.fit_states import FitState, as_bytes  # noqa: E402
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
from transfer.learning import checkpoints, methods, watching
from transfer.runs import kept_results

data, folder, layers = sys.argv[1], Path(sys.argv[2]), eval(sys.argv[3])

def kill(*given, **named):
    os.kill(os.getpid(), signal.SIGKILL)

def kill_in_an_epoch():
    def begin(self, batch, logs=None):
        kill() if len(self.rows) == 2 and batch == 1 else None
    watching.Watch.on_train_batch_begin = begin

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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no processes like that")
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


def kept():
    return cache.kept("checkpoints")


def stops(self, epoch, logs=None):
    if epoch == 2:
        raise KeyboardInterrupt


@pytest.mark.parametrize("share", [1.0, 0.5])  # in each step through all layers, and on maps that are kept
def test_stopped_by_hand_fine_tuning_goes_on_and_is_the_same(digits, monkeypatch, share):
    given = (*digits, transfer.convnet(32, TUNED), "finetune")
    options = dict(epochs=4, share=share, learning_rate=3e-3)
    undisturbed = transfer.train(*given, **options)
    with monkeypatch.context() as stopping:
        stopping.setattr(watching.Watch, "on_epoch_begin", stops)
        assert transfer.train(*given, **options).stopped_by_hand
    assert len(kept()) == 1
    result = transfer.train(*given, **options)
    assert "finetune went on behind epoch 2, where it had been broken off" in result.notes
    assert "finetune" in result.cached
    assert (result.history, result.metrics) == (undisturbed.history, undisturbed.metrics)
    assert all(map(np.array_equal, result.model.get_weights(), undisturbed.model.get_weights()))
    assert not kept()


def test_a_fit_on_kept_maps_begins_anew_where_they_have_no_room_any_more(digits, monkeypatch, capsys):
    given = (*digits, transfer.convnet(32, TUNED), "finetune")
    with monkeypatch.context() as stopping:
        stopping.setattr(watching.Watch, "on_epoch_begin", stops)
        assert transfer.train(*given, epochs=3, share=0.5).stopped_by_hand
    monkeypatch.setattr("transfer.learning.kept_maps.fits", lambda size: False)
    assert transfer.train(*given, epochs=3, share=0.5).cached == ["features"]
    assert "was broken off with crops 4; that waits for the same again" in " ".join(capsys.readouterr().err.split())


ARRAYS = {"network": [np.arange(6.0).reshape(2, 3)], "optimizer": [np.int64(3)], "best": []}
STATE = FitState(Schedule(2, 3, 4, 1e-3, None), [{"epoch": 1, "loss": 0.1}], False, {"best": float("inf")}, ARRAYS)
ASKED = {"phase": "scratch", "other pictures": "0123", "epochs": 2}


def begun(asked=ASKED, data="mine"):
    """Where something was kept of a fit that was broken off."""
    place = checkpoints.place_of(asked)
    with checkpoints.checkpoint(place, asked, data) as checkpoint:
        checkpoint.keep(STATE, True)
    return place


def test_a_state_is_the_same_from_a_file():
    again = checkpoints.read(begun())
    assert (again.schedule, again.rows, again.over, again.stopping) == tuple(vars(STATE).values())[:4]
    np.testing.assert_array_equal(again.arrays["network"][0], ARRAYS["network"][0])
    assert again.arrays["best"] == []


@pytest.mark.parametrize("content", [b"", b"PK\3\4 nothing", as_bytes(STATE)[:-40]])
def test_a_checkpoint_that_is_damaged_counts_for_nothing(content):
    place = begun()
    (place / checkpoints.STATE).write_bytes(content)
    assert checkpoints.read(place) is None
    (place / cache.MANIFEST).write_text(json.dumps(cache._states(place)))  # as if it had been written so
    assert checkpoints.read(place) is None


def test_what_was_begun_otherwise_is_told(digits, capsys, monkeypatch):
    begun()
    assert checkpoints.others(ASKED, "mine") == {}
    assert checkpoints.others(ASKED, "another folder") == {}
    assert checkpoints.others({**ASKED, "phase": "finetune"}, "mine") == {}
    other = {**ASKED, "other pictures": "4567", "epochs": 3, "keras": "4"}
    differing = checkpoints.others(other, "mine")
    assert differing == {"other pictures": "0123", "epochs": 2, "keras": None}
    monkeypatch.setattr(whole_fits, "others", lambda *given: differing)
    monkeypatch.setattr(training, "fit_network", lambda *given: [])
    transfer.train(*digits, transfer.convnet(32, TUNED), "scratch")
    said = "a scratch of this DATA was broken off with other pictures, epochs 2 and keras None; that waits for the same"
    assert said in " ".join(capsys.readouterr().err.split())


def test_old_ones_are_swept(digits):
    place = begun()
    os.utime(place, (0, 0))
    begun({**ASKED, "epochs": 5})
    assert len(kept()) == 1
    assert place not in kept()


def test_what_costs_much_time_is_not_kept_after_every_epoch(monkeypatch):
    wrote = []
    monkeypatch.setattr(checkpoints, "as_bytes", lambda state: wrote.append(state) or b"")
    with checkpoints.checkpoint(checkpoints.place_of(ASKED), ASKED, "mine") as checkpoint:
        for _ in range(50):
            checkpoint.keep(STATE, False)
        assert len(wrote) < 50
        checkpoint.keep(STATE, True)
        number = len(wrote)
        monkeypatch.setattr(checkpoints, "LONGEST", 0.0)
        checkpoint.keep(STATE, False)
        assert len(wrote) == number + 1


def test_where_the_cache_cannot_be_written_nothing_is_kept(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRANSFER_CACHE", str(tmp_path / "file"))
    assert checkpoints.read(begun()) is None


def test_a_rate_that_blows_up_is_lowered_from_the_state_before(digits):
    network = transfer.convnet(32, LAYERS[:-1])
    result = transfer.train(*digits, network, "scratch", epochs=2, learning_rate=10.0)
    (note,) = [note for note in result.notes if "its learning rate was lowered" in note]
    assert note.startswith("the loss of scratch was no number or far off")
    assert len(result.history) == 2
    assert result.history[-1]["lowered_rate"] < 10.0
    assert result.options["learning_rate"] == 10.0  # a repetition does the same
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

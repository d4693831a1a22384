"""A training that is killed goes on where it was, and ends as if nothing had happened."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import transfer
from transfer import cache, quiet

quiet.import_tensorflow()

from transfer.errors import OptionError  # noqa: E402
from transfer.learning import checkpoints, methods, training  # noqa: E402
from transfer.learning.fit_states import FitState, as_bytes, from_bytes  # noqa: E402
from transfer.networks import needed_memory  # noqa: E402
from transfer.runs import kept_results  # noqa: E402
from transfer.settings import Schedule  # noqa: E402

LAYERS = [
    {"conv": 4, "stride": 2}, {"normalise": "batch"}, {"activation": "relu"}, {"pool": 4}, {"flatten": True},
    {"dropout": 0.3},
]  # fmt: skip
TUNED = [{"conv": 4}, {"activation": "relu"}, {"pool": 4}, {"flatten": True}, {"dense": 8}, {"activation": "tanh"}]

# One process that loads TensorFlow and runs nothing; each training is a process of its own that comes from it. The first
# three kill themselves: in an epoch, while they write, and when all epochs are done.
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

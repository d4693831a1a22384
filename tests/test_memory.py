"""What can never fit into the memory is refused by its size, before any of it is taken."""

import resource

import pytest
from typer.testing import CliRunner

import transfer
from transfer import cli, memory, quiet

quiet.import_tensorflow()

from transfer.errors import LayerError, OptionError  # noqa: E402
from transfer.networks import scratch  # noqa: E402
from transfer.networks.features import extract_features  # noqa: E402
from transfer.networks.needed_memory import fitting_batch  # noqa: E402


@pytest.fixture(autouse=True)
def nothing_taken():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB


@pytest.fixture
def machine(monkeypatch):
    """A function that sets how much memory there is, in bytes."""
    return lambda size: monkeypatch.setattr(memory, "machine_memory", lambda: size)


def test_the_memory_of_this_machine_is_known():
    assert memory.machine_memory() is None or memory.machine_memory() > 100_000_000


def test_where_nothing_tells_nothing_is_refused(machine):
    machine(None)
    memory.require_memory("all", 10**15, "")


@pytest.mark.parametrize("command", ["train", "compare"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--image-size", "20000"), "`image_size=20000`, 32 pictures at once, needs 154 GB of memory or more, and this "
         "machine has 16; give a smaller one"),
        (("--head", "mlp", "--hidden", "1000000000"), "`hidden=1000000000`, 3,000,000,000 weights, needs 48 GB of "
         "memory or more, and this machine has 16; give fewer units"),
    ],
)  # fmt: skip
def test_the_command_line_refuses_it_at_the_door(machine, command, words, said):
    machine(16 * 10**9)
    error = CliRunner().invoke(cli.app, [command, "nowhere", *words]).exception
    assert (type(error), str(error)) == (OptionError, said)


def test_a_head_and_layers_of_a_size_that_nobody_has(digits):
    network = scratch.dense_network(32, (64,))
    with pytest.raises(OptionError, match=r"the head, 67,000,000,000 weights, needs 1,072 GB of memory or more"):
        transfer.train(*digits, network, head="mlp", hidden=(10**9,))
    for row in ({"dense": 10**9}, {"conv": 10**10}):
        with pytest.raises(LayerError, match=r"layer 0, .*: this layer, [\d,]+ weights, needs [\d,]+ GB of memory"):
            scratch.convnet(32, [row])


def test_pictures_that_are_too_large_at_once(digits, machine):
    images, split = digits
    network = scratch.convnet(32, [{"conv": 8}, {"flatten": True}])
    machine(4 * 32 * 2 * (32 * 32 * 8) - 1)  # what the last layer takes and gives
    with pytest.raises(OptionError, match=r"32 pictures of 32 pixels at once needs .*; give a smaller `image_size`"):
        extract_features(network, images)
    extract_features(network, images, range(31))
    machine(4 * 32 * 3 * (32 * 32 * 8))  # without the pictures themselves, and the logits
    result = transfer.train(images, split, network, "scratch", batch_size=32, epochs=1)
    assert "32 pictures at once are too many for the memory: a step takes 16" in result.notes
    assert result.options["batch_size"] == 16
    machine(4 * 2 * (32 * 32 * 8))
    with pytest.raises(OptionError, match=r"with a picture of 32 pixels at once needs .*a smaller `image_size`$"):
        fitting_batch(network, 32, 100, 32)

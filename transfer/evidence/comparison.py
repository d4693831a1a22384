"""Several methods on the same split, and how sure their differences are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import keras
import numpy as np

from transfer.data.folders import LabelledImages
from transfer.data.splits import Split
from transfer.evidence.preparation import prepare
from transfer.learning.checkpoints import until_kept
from transfer.learning.methods import train
from transfer.learning.options import TrainingOptions, options_from, options_of_method
from transfer.learning.results import Result, in_short
from transfer.names import COMPARED, check_methods
from transfer.networks import scratch
from transfer.runs.kept_results import keep, take_up
from transfer.statistics.choosing import Choice, choose
from transfer.statistics.differences import Answers, in_words, paired_differences
from transfer.statistics.intervals import units


class Comparison(dict[str, Result]):
    """Results by method name, in the order they were asked for."""

    def __repr__(self) -> str:
        return f"Comparison({', '.join(f'{name}: {in_short(result.metrics)}' for name, result in self.items())})"

    @property
    def chosen(self) -> Choice:
        """The method to take, and why, by the validation part; the test part chooses nothing.

        By the accuracy, or the balanced one where `optimise` asks for what each class counts in alike.
        """
        answers = {name: result.predictions.of("validation") for name, result in self.items()}
        first = next(iter(self.values()))
        images, alike = first.images, first.options.get("optimise") in ("balanced", "f1")
        shared = sorted(set.intersection(*(set(indices.tolist()) for indices, _ in answers.values())))
        right = {}
        for name, (indices, probabilities) in answers.items():
            answered = dict(zip(indices.tolist(), probabilities.argmax(axis=1)))
            right[name] = np.array([answered[i] == images.labels[i] for i in shared], bool)
        labels = images.labels[shared] if alike else None
        return choose(right, units(len(shared), images.groups_of(shared)), _cheapest_first(self), labels)

    @property
    def best(self) -> str:
        """The name of the method that is `chosen`."""
        return self.chosen.method

    @property
    def differences(self) -> list[dict]:
        """One dict a pair, see `differences.paired_differences`.

        A picture that one of them could not read counts for neither.
        """
        return paired_differences({name: _answers(result) for name, result in self.items()})

    def shared_weights(self) -> dict[str, int] | None:
        """Weights of the convnet's convolutions, and what dense layers between the same maps would need."""
        if "scratch" not in self:
            return None
        rows = [row for row in scratch.describe_layers(self["scratch"].model) if row.kind == "Conv2D"]
        return {"shared": sum(r.parameters for r in rows), "dense": sum(r.dense_parameters for r in rows)}

    def in_words(self) -> list[str]:
        """What the comparison says: each pair, and how much the convnet saves by sharing weights."""
        said = in_words(self.differences)
        if weights := self.shared_weights():
            said.append(
                f"the convnet from scratch shares {weights['shared']:,} weights over all positions; "
                f"dense layers between the same maps would need {weights['dense']:,}"
            )
        return said


def compare(
    images: LabelledImages,
    split: Split,
    backbone: keras.Model | str | None = None,
    methods: Sequence[str] = COMPARED,
    options: TrainingOptions | None = None,
    **changed,
) -> Comparison:
    """Train with each method on the same pictures and compare the answers in pairs.

    A method that is done is kept in the cache until `save_run` writes the comparison: one that was
    broken off goes on where it stopped. A training that was stopped by hand is not kept.

    Args:
        images: from `load_images`.
        split: from `split`.
        backbone: for `frozen` and `finetune`, see `train`.
        methods: of `frozen`, `finetune`, `scratch` (a convnet) and `dense` (a plain dense network on
            pixels).
        options, changed: of `train`, for all methods, but that no head is trained once more at the end, and that
            `epochs` and `learning_rate` are of the others where `frozen` is one of several.

    Returns:
        A dict of `Result` by method name, with `differences`, and the method that is `chosen`.

    Raises:
        OptionError: no method, or an option that cannot be used.
        UnknownNameError: no such method, backbone or option.
    """
    check_methods(methods, COMPARED)
    options = replace(options_from(options, changed), refit=False)
    shared = prepare(images, split, backbone, options)
    if options.layers is not None and "scratch" in methods:
        # A layer that cannot be is refused before the other methods are trained.
        scratch.convnet(shared.size, options.layers)
    own = replace(options, weights=None, features=None, image_size=shared.size)  # of a network without backbone
    given = options.beside_network()
    dense = scratch.dense_layers()
    dense_labels = {"backbone": "dense_network", "weights": "none", "layers": dense}
    trainings = {
        "frozen": (shared.network, "frozen", options_of_method(given, "frozen", methods), shared.labels),
        "finetune": (shared.network, "finetune", given, shared.labels),
        "scratch": (None, "scratch", own, None),
        "dense": (None, "scratch", replace(own, layers=dense), dense_labels),
    }
    comparison = Comparison()
    for name in methods:
        place = shared.unfinished(name, options_of_method(options, name, methods))
        done = take_up(place, images, split)
        if done is None:
            network, method, chosen, labels = trainings[name]
            with until_kept():
                done = train(images, split, network, method, chosen, pictures=shared.pictures, labels=labels)
                keep(done, place)
        comparison[name] = done
    return comparison


def _cheapest_first(names: Iterable[str]) -> list[str]:
    """In the order of `COMPARED`; other names come last, as they were given."""
    return sorted(names, key=lambda name: COMPARED.index(name) if name in COMPARED else len(COMPARED))


def _answers(result: Result) -> Answers:
    indices, probabilities = result.predictions.of("test")
    groups = result.images.groups_of(indices)
    return Answers(indices, result.images.labels[indices], probabilities.argmax(axis=1), groups)

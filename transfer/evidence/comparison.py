"""Several methods on the same split, and how sure their differences are."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from transfer.data.folders import LabelledImages
from transfer.data.splits import Split
from transfer.evidence.preparation import prepare
from transfer.learning.methods import train
from transfer.learning.results import Result, best_of, in_short
from transfer.method_names import COMPARED, check_methods
from transfer.networks import scratch
from transfer.runs.kept_results import keep, take_up
from transfer.statistics.differences import Answers, in_words, paired_differences


class Comparison(dict[str, Result]):
    """Results by method name, in the order they were asked for."""

    def __repr__(self) -> str:
        return f"Comparison({', '.join(f'{name}: {in_short(result.metrics)}' for name, result in self.items())})"

    @property
    def best(self) -> str:
        """The method with the highest accuracy on the validation part; the test part chooses nothing."""
        return best_of({name: result.validation for name, result in self.items()})

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
        if len(self) > 1 and self[self.best].validation["accuracy"] is None:
            said.append(f"no validation pictures to choose by: {self.best}, the first method, stands for the others")
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
    *,
    image_size: int | None = None,
    weights: str | None = None,
    fit: str = "crop",
    seed: int = 0,
    layers: Sequence[dict] | None = None,
    **options,
) -> Comparison:
    """Train with each method on the same pictures and compare the answers in pairs.

    A method that is done is kept in the cache until `save_run` writes the comparison: one that was
    broken off goes on where it stopped. A training that was stopped by hand is not kept.

    Args:
        images: from `load_images`.
        split: from `split`.
        backbone, image_size, weights: for `frozen` and `finetune`, see `train`.
        methods: of `frozen`, `finetune`, `scratch` (a convnet) and `dense` (a plain dense network on
            pixels).
        fit: how pictures are brought to the square.
        seed: of every random choice but the split's.
        layers: of the convnet, see `convnet`; chosen from the data's size by default.
        options: others of `train`, for all methods.

    Returns:
        A dict of `Result` by method name, with `differences` and `best`.

    Raises:
        OptionError: no method, or an option that cannot be used.
        UnknownNameError: no such method or backbone.
    """
    check_methods(methods, COMPARED)
    shared = prepare(images, split, backbone, image_size, weights, fit, seed)
    size = shared.size
    if layers is not None and "scratch" in methods:
        scratch.convnet(size, layers)  # a layer that cannot be is refused before the other methods are trained
    pretrained = {"backbone": shared.network, "labels": shared.labels}
    dense = scratch.dense_layers()
    dense_labels = {"backbone": "dense_network", "weights": "none", "layers": dense}
    networks = {
        "frozen": {"method": "frozen", **pretrained},
        "finetune": {"method": "finetune", **pretrained},
        "scratch": {"method": "scratch", "layers": layers, "image_size": size},
        "dense": {"method": "scratch", "layers": dense, "image_size": size, "labels": dense_labels},
    }
    same = dict(fit=fit, seed=seed, pictures=shared.pictures, refit=False, **options)
    comparison = Comparison()
    for name in methods:
        place = shared.unfinished(name, layers, options)
        done = take_up(place, images, split)
        if done is None:
            done = train(images, split, **networks[name], **same)
            keep(done, place)
        comparison[name] = done
    return comparison


def _answers(result: Result) -> Answers:
    indices, probabilities = result.predictions.of("test")
    groups = result.images.groups_of(indices)
    return Answers(indices, result.images.labels[indices], probabilities.argmax(axis=1), groups)

"""Every number that training needs, from the size of the data: pure functions, nothing else decides.

The idea is the hyper-rule of Big Transfer (Kolesnikov et al. 2019, arXiv:1912.11370): a few lines
that lead from the data to a schedule, the same for every task.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """How a network is fitted.

    Attributes:
        epochs: at most.
        steps: of each epoch.
        batch_size: pictures a step.
        learning_rate: the highest; it falls to zero along a cosine (Loshchilov & Hutter 2016,
            arXiv:1608.03983).
        patience: epochs without a lower validation loss before it stops, and the best is kept; `None`: all epochs
            are taken, and the last is kept.
        label_smoothing: share of each target spread over all classes, 0..1.
        weight_decay: of AdamW, not applied to biases and normalisation.
        smallest_crop: share of a picture's area that a step sees at least, 0..1.
        lowest_rate: of the first layer that is trained, as a share of `learning_rate`, which the last one has, 0..1.
    """

    epochs: int
    steps: int
    batch_size: int
    learning_rate: float
    patience: int | None
    label_smoothing: float = 0.0
    weight_decay: float = 0.0
    smallest_crop: float = 0.35
    lowest_rate: float = 1.0


def head_schedule(images: int, convex: bool = False) -> Schedule:
    """For a head on kept features, where a step costs next to nothing.

    A loss with one minimum (`convex`) leaves no epoch to choose: the penalty holds back what a few validation
    pictures cannot. (Of 10 pictures a class of `flowers`, 10 validation pictures liked the first epoch best: 27.8 %.)

    300 steps of Adam bring a penalised linear head on standardised features to its optimum: on
    `flowers` 0.719 +- 0.013 over 5 splits, as 600 steps at 1e-2 do (0.720); at 1e-3 they do not (0.711).
    """
    batch_size = min(256, max(16, _power_of_two(images)))
    return Schedule(15, 20, batch_size, 3e-3, patience=None if convex else 5)


# Inverse strengths C of the penalty of a linear head that are tried, as scikit-learn's logistic regression counts them.
HEAD_STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
HEAD_C = 0.003  # where there is nothing to choose by, and of an svm head

# Steps to the optimum of a linear head, each over all pictures; with more pictures times classes than that, Adam's
# small batches get there sooner.
HEAD_STEPS, MOST_SOLVED = 60, 1_000_000

# What logits of a head of class means are multiplied by: those tried, and the usual one.
MEAN_SCALES, MEAN_SCALE = (1, 3, 10, 30, 100), 10

# The largest task whose strength is chosen: more pictures are sampled, and more classes than that have few of each.
CHOSEN_ON, MOST_CHOSEN_CLASSES = 3000, 200


def head_folds(images: int, classes: int) -> int:
    """Folds by which a head is chosen: five, fewer where they take seconds, at least one."""
    return min(5, max(1, 100_000 // (images * classes)))


def head_l2(images: int, strength: float = HEAD_C) -> float:
    """Weight of the squared kernel: 1 / (2 C N), which is scikit-learn's logistic regression with C.

    The penalty stays that of the training pictures when validation pictures join them at the end.
    """
    return 1 / (2 * strength * max(images, 1))


# The same of an mlp, for any number of pictures. Of 0.005, 0.01, 0.02 and 0.04 on features of the bundled network, the
# mean over 5, 10, 50 and all pictures a class of digits, `flowers`, `scenes` and `waste` was 70.8, 71.1, 71.0 and 70.8
# (3 splits); with the linear head's penalty, which is 7 for 24 pictures, `scenes` fell from 74.7 to 70.5.
MLP_L2 = 0.02

# When `clean --move-suspects` proposes another class: the heads give a picture's own class less than the first and the
# suggested one more than the second. Of 21 such labels of `flowers`, 19 were among those made wrong (docs/clean.md).
GIVEN_BELOW, SUGGESTED_ABOVE = 0.05, 0.95


def finetune_schedule(images: int, batch_size: int | None = None, backbone: str = "") -> Schedule:
    """For the pretrained layers under a trained head: few epochs, a rate far below the head's.

    The order of 1e-5 to 1e-4 for Adam is that of the Keras guide "Transfer learning & fine-tuning". Crops show most of
    a picture, since the network is asked for the whole of it (Touvron et al. 2019, arXiv:1906.06423).
    """
    batch = batch_size or _batch(images)
    epochs = _epochs(images, 30_000, 6, 12)
    return Schedule(
        epochs, steps(images, batch), batch, FINETUNE_RATES.get(backbone, 5e-4), patience=None, label_smoothing=0.1,
        smallest_crop=0.8, lowest_rate=0.1,
    )  # fmt: skip


# Rates for the weights of backbones that other ones suit better than those of ImageNet: docs/fine-tuning.md.
FINETUNE_RATES = {"bundled": 4e-3}

# Of the backbone's layers, from the top, that fine-tuning changes. What the others make of a picture is computed once,
# for as many views of it: a third of the time of a step is spent on the large maps of the first layers.
FINETUNE_SHARE, FINETUNE_VIEWS = 0.75, 4

# With fewer validation pictures than that, what to keep of fine-tuning is judged by folds: 20 pictures have an error of
# about 10 points of accuracy, and the difference between two networks is a few.
LEAST_TO_JUDGE, TUNING_FOLDS = 50, 3


def scratch_schedule(images: int, batch_size: int | None = None) -> Schedule:
    """For a network that starts from random weights: many epochs, stopped early."""
    batch = batch_size or _batch(images)
    epochs = _epochs(images, 120_000, 20, 100)
    return Schedule(epochs, steps(images, batch), batch, 1e-3, patience=12, label_smoothing=0.1, weight_decay=1e-2)


def steps(images: int, batch_size: int) -> int:
    """Steps of an epoch that has every picture once."""
    return -(-images // batch_size)


def warmup_steps(schedule: Schedule) -> int:
    """Steps in which the rate rises to its highest (Goyal et al. 2017, arXiv:1706.02677)."""
    return min(schedule.epochs * schedule.steps // 10, 500)


# Rates that a range test tries, in so many steps: from where nothing moves to where every network breaks.
TRIED_RATES, TRIED_STEPS = (1e-7, 1.0), 120


def scratch_layers(images: int, image_size: int) -> list[dict]:
    """A convnet for the amount of data: plain below 2,000 pictures, residual and twice as deep above."""
    normalised = [{"normalise": "batch"}, {"activation": "relu"}]
    if images < 2000:
        rows: list[dict] = []
        for filters in (32, 64, 128, 128)[: max(2, min(4, image_size // 16))]:
            rows += [{"conv": filters, "bias": False}, *normalised, {"pool": 2}]
        return [*rows, {"flatten": True}, {"dense": 128}, {"activation": "relu"}, {"dropout": 0.5}]
    rows = [{"conv": 32, "bias": False}, *normalised, {"pool": 2}]
    for filters in (64, 128, 256):
        rows += [{"residual": filters, "stride": 2}, {"residual": filters}]
    return [*rows, {"global_pool": "average"}, {"dropout": 0.3}]


def image_size(typical_side: int, default: int, smallest: int) -> int:
    """Side of the square in pixels: the data's own size in steps of 32, up to the network's default.

    Enlarging pictures adds cost and no detail, but a pretrained network's filters expect objects of the size that they
    were trained on: one for 96 px gets no less than 64, and one for 160 px or more no less than 192. (Lite0 on `scenes`
    of 100 px, at 96, 128, 160 and 192 px: 89.1, 89.3, 90.5 and 90.7 %; on `flowers` of 128 px, at 128, 160 and 192 px:
    78.0, 78.4 and 79.1 %; means of five splits.)
    """
    own = max(192 if default >= 160 else 64, 32 * round(typical_side / 32))
    return max(smallest, min(default, own))


def scratch_size(typical_side: int) -> int:
    """The same of a convnet from scratch."""
    return image_size(typical_side, default=64, smallest=32)


LEAST_FOR_IMAGENET = 64  # pixels that pictures really hold


def backbone(held: int) -> str:
    """The backbone for pictures of a typical size.

    Args:
        held: shorter side in pixels that half of the pictures need, enlarged and soft ones less than they have.
    """
    return "efficientnet_lite0" if held >= LEAST_FOR_IMAGENET else "bundled"


# Million pixels that a picture may have, unless `limit_pixels` says otherwise; Pillow's own limit is 89.5.
MEGAPIXELS = 89

# Classes up to which tables have a column each and `result.json` every cell of the confusion matrix: with 3,000 they
# would be 460 and 55 MB.
MOST_COLUMNS = 200


def top_k(classes: int) -> int | None:
    """How many guesses a network gets, its first among them: 5 of 20 classes or more, as for ImageNet, fewer of fewer.

    A quarter of the classes at most, so that chance finds few of them; `None` below eight classes, where
    that would be a single guess.
    """
    return min(5, classes // 4) if classes >= 8 else None


def curve_sizes(largest: int) -> list[int]:
    """Pictures a class at which a learning curve is measured: 5, 10, 20, 50, ... below what the largest class has.

    Even steps on a logarithmic axis, where a power law is a straight line.
    """
    series = (step * 10**power for power in range(10) for step in (1, 2, 5))
    return [size for size in series if 5 <= size < largest]


# GB that an archive of DATA may unpack to: half the memory of a common computer, where the cache may lie on a disk that
# is one, and more than the sets that most people retrain on. A bomb of 10 MB asks for a thousand times as much.
MAX_SIZE = 8.0


# Seconds that it takes to convert a network for an engine, once (EfficientNet-Lite0, two cores); to load it, compile it
# and compare it with TensorFlow, each time; and the share of TensorFlow's time that is spared at the least.
CONVERTING = {"openvino": 0.8, "onnxruntime": 2.0}
STARTING, SPARED = 0.5, 0.4
WORTH_A_WORD = 60  # seconds that have to be spared before a user is told what to install


def engine_pays(pictures: int, seconds: float, converting: float) -> bool:
    """Whether another engine than TensorFlow spares more time than it takes to begin with it.

    OpenVINO needs half of TensorFlow's time for networks like EfficientNet-Lite0, see docs/engines.md.

    Args:
        pictures: that are to be answered.
        seconds: of TensorFlow for each.
        converting: the network, 0 where that is kept.
    """
    return SPARED * pictures * seconds > STARTING + converting


def bootstrap_draws() -> int:
    """Draws for an interval: 2,000 hold its ends to about a tenth of their distance (Efron 1987)."""
    return 2000


def _epochs(images: int, budget: int, least: int, most: int) -> int:
    return min(most, max(least, round(budget / max(images, 1))))


def _batch(images: int) -> int:
    return min(32, max(8, _power_of_two(images // 16)))


def _power_of_two(number: int) -> int:
    return 1 << max(0, number.bit_length() - 1)

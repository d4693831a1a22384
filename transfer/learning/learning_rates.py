"""A learning rate by trying many: the loss while the rate rises from step to step (Smith 2015, arXiv:1506.01186)."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

from transfer import settings
from transfer.data.folders import LabelledImages
from transfer.data.splits import Split
from transfer.errors import OptionError, TrainingError, UnreadablePictures
from transfer.learning import training
from transfer.learning.batches import TrainingBatches, stream, without_autotune
from transfer.learning.fine_tuning import finetune_start
from transfer.learning.losses import loss_of
from transfer.learning.methods import begin, scratch_start
from transfer.learning.options import TrainingOptions, options_from
from transfer.learning.tasks import Task
from transfer.learning.watching import EachStep
from transfer.learning.whole_fits import drawing_of
from transfer.networks.copies import copy_network
from transfer.networks.heads import Loss
from transfer.networks.needed_memory import fitting_batch
from transfer.progress import bar
from transfer.settings import Schedule

SMOOTHING = 0.9  # share of the mean that a step leaves as it is
# Times its noise, by which the smoothed loss may be above its lowest, and from which on it breaks out. Of 400 curves
# drawn with noise, 96 % gave a rate within half a decade of where they rise; with 1 and 4, one in twenty was off by
# three decades.
LOW, BREAK = 3, 6
SAFE = 0.1  # of the highest rate at which the loss is low, behind which it rises


@dataclass(frozen=True)
class RateTest:
    """What a range test has found.

    Attributes:
        method: `finetune` or `scratch`.
        network: what was trained, with its picture size.
        rates: `(N,)`, rising.
        losses: `(N,)`, of each step.
        highest: the highest rate at which the smoothed loss is still as low as anywhere, see `highest_good`.
        suggested: a tenth of that, or `chosen` where it is not known.
        chosen: the rate that a training takes where none is asked for.
        notes: one sentence each.
    """

    method: str
    network: str
    rates: np.ndarray
    losses: np.ndarray
    highest: float
    suggested: float
    chosen: float
    notes: tuple[str, ...] = ()

    @property
    def is_unclear(self) -> bool:
        """Whether the loss broke out at no rate, as among the noise of few and small pictures."""
        return bool(self.highest == self.rates[-1])

    def in_words(self) -> str:
        """The suggestion, its rule, and the rate of a training without it."""
        if self.is_unclear:
            return (
                f"the losses of {self.method} of {self.network} do not tell which rate is too high; where none is "
                f"asked for, {self.chosen:g} is taken"
            )
        return (
            f"a learning rate of {self.suggested:.1g} is suggested for {self.method} of {self.network}: a tenth of "
            f"{self.highest:.1g}, up to which the loss stays low; where none is asked for, {self.chosen:g} is taken"
        )


def find_learning_rate(
    images: LabelledImages,
    split: Split,
    backbone: keras.Model | str | None = None,
    method: str = "finetune",
    options: TrainingOptions | None = None,
    **changed,
) -> RateTest:
    """Try learning rates on the training pictures: 120 steps, each at a higher rate than the one before.

    Nothing of it is kept: the networks that it trains are thrown away.

    Args:
        images, split, backbone, options, changed: of `train`; `epochs`, `learning_rate` and `minutes` have no effect.
        method: `finetune`, which begins with the head on the frozen network, or `scratch`.

    Raises:
        OptionError: the method frozen, whose head has no rate.
        TrainingError: the loss is no number at the lowest rate.
    """
    if method == "frozen":
        raise OptionError("the method frozen, whose head has no learning rate to find; expected finetune or scratch")
    network, task, names = begin(images, split, backbone, method, options_from(options, changed))
    while True:
        keras.utils.set_random_seed(task.options.seed)
        try:
            model, *_, schedule = _STARTS[method](copy_network(network), task)
            task.pictures.load(task.split.train)
        except UnreadablePictures as error:
            task.leave_out(error)
        else:
            return _tested(model, task, schedule, method, f"{names['backbone']} at {task.options.image_size} px")


_STARTS = {"finetune": finetune_start, "scratch": scratch_start}


def _tested(model: keras.Model, task: Task, schedule: Schedule, method: str, network: str) -> RateTest:
    train = task.split.train
    size = fitting_batch(model, schedule.batch_size, len(train), task.pictures.size)
    drawing = drawing_of(task, schedule, method)
    batches = TrainingBatches(task.pictures, train, *task.targets(train), size, task.options.seed, drawing)
    rates = np.geomspace(*settings.TRIED_RATES, settings.TRIED_STEPS)
    losses = losses_by_rate(model, batches, schedule, loss_of(task.options, schedule.label_smoothing), rates)
    if len(losses) < len(rates) / 4:
        raise TrainingError(
            f"the loss is no number at a learning rate of {rates[len(losses)]:.1g}; look at the network"
        )
    highest, tried = float(rates[highest_good(losses)]), rates[: len(losses)]
    suggested = SAFE * highest if highest < tried[-1] else schedule.learning_rate
    return RateTest(method, network, tried, losses, highest, suggested, schedule.learning_rate, tuple(task.notes))


def losses_by_rate(
    model: keras.Model, batches: TrainingBatches, schedule: Schedule, loss: Loss, rates: np.ndarray
) -> np.ndarray:
    """The loss of each step while the learning rate rises; `model` stays as it is, for another one is trained.

    Args:
        rates: `(N,)`, each the same times the one before.

    Returns:
        `(N,)` losses without penalty, fewer where one is no number any more.

    Raises:
        DataError: pictures are gone, see `Batches`.
    """
    growing = keras.optimizers.schedules.ExponentialDecay(rates[0], 1, rates[1] / rates[0])
    quick, seen = training.to_be_fitted(model, schedule, loss, growing), EachStep()
    with training.own_errors(batches), bar("learning rates", len(rates)) as advance:
        seen.advance = advance
        data = without_autotune(stream(batches, range(len(rates))))
        quick.fit(data, steps_per_epoch=len(rates), shuffle=False, callbacks=[seen], verbose=0)
    return np.array(seen.losses)


def smoothed(losses: np.ndarray) -> np.ndarray:
    """An exponential mean of losses `(N,)`, whose first ones count no less than others."""
    kept = SMOOTHING ** np.arange(len(losses))[::-1]
    return np.array([np.average(losses[: end + 1], weights=kept[-end - 1 :]) for end in range(len(losses))])


def highest_good(losses: np.ndarray) -> int:
    """The last step before the smoothed loss breaks out at which it is as low as anywhere, but for its noise.

    The lowest itself would be anywhere where a network has little left to learn, and its losses are flat; and behind a
    break a network that answers the same to every picture has a low loss again.
    """
    quarter, first = len(losses) // 4, len(losses) // 6  # its rates move nothing; before that the mean is of too few
    noise = float(np.std(losses[:quarter])) * ((1 - SMOOTHING) / (1 + SMOOTHING)) ** 0.5
    smooth = smoothed(losses)[first:]
    breaks = np.flatnonzero(smooth > np.minimum.accumulate(smooth) + BREAK * noise)
    smooth = smooth[: breaks[0] if len(breaks) else None]
    return first + int(np.flatnonzero(smooth <= smooth.min() + LOW * noise)[-1])

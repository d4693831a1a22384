"""What frozen, fine-tuned and from scratch mean: pictures and a split in, a `Result` out."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from scipy.special import softmax

from transfer import settings
from transfer.data.folders import LabelledImages, check_split
from transfer.data.pipeline import Pictures
from transfer.data.splits import Split
from transfer.errors import OptionError, UnreadablePictures
from transfer.learning import training
from transfer.learning.backbone_argument import resolve_backbone
from transfer.learning.option_checks import check_options
from transfer.learning.results import Predictions, Result, refitted
from transfer.learning.tasks import Task
from transfer.method_names import check_methods
from transfer.networks import freezing, heads
from transfer.networks.copies import copy_network, frozen
from transfer.networks.features import extract_features, forward
from transfer.statistics.calibration import calibration_error, fit_temperature
from transfer.statistics.evaluation import evaluate_probabilities


def train(
    images: LabelledImages,
    split: Split,
    backbone: keras.Model | str | None = None,
    method: str = "frozen",
    head: str = "linear",
    *,
    layers: Sequence[dict] | None = None,
    image_size: int | None = None,
    weights: str | None = None,
    fit: str = "crop",
    seed: int = 0,
    epochs: int | None = None,
    learning_rate: float | None = None,
    batch_size: int | None = None,
    hidden: Sequence[int] = (256,),
    dropout: float = 0.3,
    activation: str = "relu",
    label_smoothing: float | None = None,
    class_weights: str | None = None,
    flip: bool = True,
    share: float | None = None,
    train_batch_norm: bool = False,
    refit: bool = True,
    pictures: Pictures | None = None,
    labels: dict | None = None,
) -> Result:
    """Train a network for the classes of a folder and evaluate it once on the test part.

    Args:
        images: from `load_images`.
        split: from `split`.
        backbone: pictures to features: a `keras.Model`, a name for `load_backbone`, or `None` for the
            bundled backbone (with `method="scratch"`: for a convnet chosen from the data's size).
        method: `frozen` trains a head on kept features; `finetune` does so and then trains the top
            of the backbone at a lower rate; `scratch` trains everything, starting from what the
            backbone holds.
        head: `linear`, `mlp` (`hidden`, `dropout`, `activation`) or `svm` (hinge loss).
        layers: of the convnet that `scratch` builds where no backbone is given, see `convnet`; chosen
            from the data's size by default.
        image_size, weights: of a backbone given by name, see `load_backbone`.
        fit: how pictures are brought to the square: `crop`, `pad` or `stretch`.
        seed: of every random choice but the split's.
        epochs, learning_rate, batch_size, label_smoothing: instead of those that `settings` derives from the
            data; for `finetune` all but the last are those of the second step. Heads on kept features have the
            batches of `settings` in any case: a smaller one is for a network that does not fit into memory.
        class_weights: `balanced` gives rare classes the weight of frequent ones, in the loss that is trained and
            in the validation loss that chooses the epoch.
        flip: whether training pictures are mirrored at random.
        share: of the backbone's layers that fine-tuning changes, from the top, 0..1.
        train_batch_norm: let fine-tuning change BatchNormalization as well.
        refit: train a frozen linear or svm head once more, on training and validation pictures
            together, when the validation part has been measured; `compare` does not, so that all
            methods learn from the same pictures.
        pictures: decoded pictures to share with other calls.
        labels: `backbone` and `weights` (and `layers`) as they are to be written down, instead of what
            the arguments say.

    Returns:
        The `Result`.

    Raises:
        TrainingError: the loss became no number.
        UnknownNameError, OptionError: a wrong name or value, or one that would be ignored.
        ModelFileError: the network takes no pictures of one size, or gives no features `(B, D)`.
        DataError: no training picture of a class can be decoded.
    """
    check_methods([method])
    heads.check_head(head, hidden, dropout, activation)
    check_options(
        image_size=image_size, fit=fit, seed=seed, epochs=epochs, learning_rate=learning_rate, batch_size=batch_size,
        label_smoothing=label_smoothing, class_weights=class_weights, share=share,
    )  # fmt: skip
    check_split(images, split)
    keras.utils.set_random_seed(seed)
    network, names = resolve_backbone(backbone, method, images, split, image_size, weights, layers)
    if network is not backbone:
        freezing.freeze(network)  # nobody else has it, so that nothing need be copied
    size = network.input_shape[1]
    options = dict(
        method=method, **(labels or names), head=head, image_size=size, fit=fit, seed=seed, epochs=epochs,
        learning_rate=learning_rate, batch_size=batch_size, hidden=list(hidden), dropout=dropout, activation=activation,
        label_smoothing=label_smoothing, class_weights=class_weights, flip=flip, share=share,
        train_batch_norm=train_batch_norm, refit=refit,
    )  # fmt: skip
    pictures = pictures or Pictures(images, size, fit, keep=method != "frozen")
    if (pictures.size, pictures.fit) != (size, fit):
        raise OptionError(f"pictures decoded at {pictures.size} ({pictures.fit}); the network takes {size} ({fit})")
    task = Task(images, split, pictures, options)
    while True:
        # The head starts the same, whether the network was built here or given, and whatever was left out.
        keras.utils.set_random_seed(seed)
        try:
            return _METHODS[method](network, task)
        except UnreadablePictures as error:
            # Every method decodes all pictures before it fits, and keeps what the others gave.
            task.leave_out(error)


def _frozen(network: keras.Model, task: Task) -> Result:
    network = frozen(network)
    head, history, features = _head_on_features(network, task, task.schedule)
    logits = {part: _answers(head, values) for part, values in features.items()}
    if refitted(task.options, len(task.split.validation)):
        _fit_again(head, task, features)
        logits["test"] = _answers(head, features["test"])
    return _result(heads.join(network, head), task, logits, history)


def _finetune(network: keras.Model, task: Task) -> Result:
    network = copy_network(network)
    freezing.freeze(network)
    head, history, _ = _head_on_features(network, task, lambda schedule: schedule)
    o = task.options
    per_class = len(task.split.train) / len(task.one_hot)
    freezing.unfreeze(network, o["share"] or settings.finetune_share(per_class), o["train_batch_norm"])
    schedule = settings.finetune_schedule(len(task.split.train), o["batch_size"])
    return _whole_network(heads.join(network, head), task, schedule, "finetune", history)


def _scratch(network: keras.Model, task: Task) -> Result:
    network = copy_network(network)
    freezing.unfreeze(network, 1.0, batch_norm=True)
    model = heads.join(network, task.head(network))
    schedule = settings.scratch_schedule(len(task.split.train), task.options["batch_size"])
    return _whole_network(model, task, schedule, "scratch", [])


def _answers(head: keras.Model, features: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(head(keras.ops.convert_to_tensor(features), training=False))


def _fit_again(head: keras.Model, task: Task, features: dict[str, np.ndarray]) -> None:
    """Train a linear head on training and validation pictures together.

    Its loss has one minimum and no epoch to choose, so the validation part has said what it can:
    its figures are those of the head that never saw it.
    """
    both = np.concatenate([task.split.train, task.split.validation])
    with task.clock("head"):
        history = training.fit_head_again(
            head,
            np.concatenate([features["train"], features["validation"]]),
            *task.targets(both),
            task.schedule(settings.head_schedule(len(task.split.train))),
            task.options["seed"],
        )
    task.notes += training.stops(history)


def _head_on_features(network: keras.Model, task: Task, schedule):
    """(trained head, history, features by part)."""
    parts = task.split.parts()
    with task.clock("features"):
        order = np.concatenate(list(parts.values()))
        values = extract_features(network, task.images, order, task.options["fit"], task.pictures)
        features = dict(zip(parts, np.split(values, np.cumsum([len(indices) for indices in parts.values()])[:-1])))
    with task.clock("head"):
        head = task.head(network, settings.head_l2(len(parts["train"])))
        history = training.fit_head(
            head,
            features["train"],
            *task.targets(parts["train"]),
            (features["validation"], *task.targets(parts["validation"])),
            schedule(settings.head_schedule(len(parts["train"]))),
            task.loss(0.0),
            task.options["seed"],
        )
    return head, history, features


_METHODS = {"frozen": _frozen, "finetune": _finetune, "scratch": _scratch}


def _whole_network(model: keras.Model, task: Task, schedule, phase: str, history: list[dict]) -> Result:
    o, split = task.options, task.split
    schedule = task.schedule(schedule)
    with task.clock(phase):
        task.pictures.load(np.concatenate(list(split.parts().values())))
        batches = training.TrainingBatches(
            task.pictures, split.train, *task.targets(split.train), schedule.batch_size, o["seed"], o["flip"]
        )
        validation = training.Batches(task.pictures, split.validation, *task.targets(split.validation))
        loss = task.loss(schedule.label_smoothing)
        history = history + training.fit_network(model, batches, validation, schedule, loss, phase)
    with task.clock("evaluate"):
        batches = {part: task.pictures.batches(getattr(split, part)) for part in ("validation", "test")}
        nothing = np.zeros((0, len(task.one_hot)), np.float32)
        logits = {part: np.concatenate([nothing, *forward(model, batches[part])]) for part in batches}
    return _result(model, task, logits, history)


def _result(model: keras.Model, task: Task, logits: dict[str, np.ndarray], history: list[dict]) -> Result:
    split, labels, names = task.split, task.images.labels, task.images.class_names
    with task.clock("evaluate"):
        # Fitted where the network has learned nothing: the test part is still to be asked.
        validation_groups = task.images.groups_of(split.validation)
        temperature = fit_temperature(labels[split.validation], logits["validation"], validation_groups)
        before = softmax(logits["test"].astype(np.float64), axis=1)
        heads.divide_logits(model, temperature)
        parts = ("validation", "test")
        probabilities = {part: softmax(logits[part].astype(np.float64) / temperature, axis=1) for part in parts}
        figures = {}
        for part in parts:
            indices = getattr(split, part)
            groups = task.images.groups_of(indices)
            figures[part] = evaluate_probabilities(labels[indices], probabilities[part], names, groups)
        figures["test"]["calibration"] = {
            "temperature": temperature,
            "error_before": calibration_error(labels[split.test], before) if len(before) else None,
        }
        predictions = Predictions(
            np.concatenate([getattr(split, part) for part in parts]),
            np.concatenate([np.full(len(getattr(split, part)), part, dtype="U10") for part in parts]),
            np.concatenate([probabilities[part] for part in parts]),
        )
    task.options["trainable_parameters"] = int(sum(np.prod(weight.shape) for weight in model.trainable_weights))
    return Result(
        model, task.images, split, task.options, figures["test"], figures["validation"], predictions, history,
        task.clock.seconds(), task.notes + training.stops(history),
    )  # fmt: skip

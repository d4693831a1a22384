"""Why each setting is what it is, as one table: its rule, where that comes from, and what was measured of it."""

from __future__ import annotations

from typing import NamedTuple


class Reason(NamedTuple):
    """The rule of a setting in words, its source, and its measurement; `""` where there is none."""

    rule: str
    source: str = ""
    measured: str = ""


_BUDGET = "Kolesnikov et al. 2019, arXiv:1912.11370 (a schedule by the size of the data)"
REASONS = {
    "backbone": Reason(
        "efficientnet_lite0 for pictures that hold 64 px or more, where its weights are installed; else bundled",
        measured="five sets at three amounts, 64 to 224 px: docs/backbones.md",
    ),
    "backbone of scratch": Reason("a convnet that starts from random weights: see layers"),
    "image_size": Reason(
        "the side of half of the pictures in steps of 32, up to the network's own; no less than 192 for a network of "
        "160 px or more, and than 64 for others",
        measured="Lite0 on scenes of 100 px, at 96, 128, 160, 192 px: 89.1, 89.3, 90.5, 90.7 %",
    ),
    "features": Reason(
        "stages, the averages of the maps of every resolution, of networks with ImageNet weights; else last",
        measured="five sets at three amounts: docs/backbones.md",
    ),
    "layers": Reason(
        "a plain convnet below 2,000 training pictures; a residual one, twice as deep, from there on",
        "He et al. 2015, arXiv:1512.03385",
    ),
    "head": Reason("linear, at the optimum of its loss", "Kornblith et al. 2018, arXiv:1805.08974", "docs/heads.md"),
    "head_c": Reason("0.001 to 1 by five-fold cross-validation, when the head is trained", measured="docs/heads.md"),
    "share": Reason(
        "the upper three quarters of the layers: the first ones tell edges, and take a third of the time",
        "Yosinski et al. 2014, arXiv:1411.1792",
        "five sets: docs/fine-tuning.md",
    ),
    "crops": Reason(
        "of each picture, drawn once and shown in turn, so that the layers below those that are trained see each once; "
        "with a share of 1, in networks inside networks and where maps have no room every epoch draws its own",
        measured="1, 2, 4 and ever new ones on five sets: docs/fine-tuning.md",
    ),
    "batch_size": Reason(
        "a sixteenth of the training pictures, a power of two from 8 to 32", "Masters & Luschi 2018, arXiv:1804.07612"
    ),
    "epochs of finetune": Reason(
        "those that show 30,000 pictures, 6 to 12", _BUDGET, "6 and 12 on three sets: docs/fine-tuning.md"
    ),
    "epochs of scratch": Reason("those that show 120,000 pictures, 20 to 100", _BUDGET),
    "learning_rate of finetune": Reason(
        "5e-4; for the weights of the bundled network, which has seen smaller and fewer pictures, 4e-3",
        "Keras guide: Transfer learning & fine-tuning (1e-5 to 1e-4 for all layers alike)",
        "four rates of each on five sets: docs/fine-tuning.md",
    ),
    "learning_rate of scratch": Reason("the same for all data, Adam's own", "Kingma & Ba 2014, arXiv:1412.6980"),
    "lowest_rate of finetune": Reason(
        "of the lowest layer that is trained, as a share of the last one's; equal factors between",
        "Howard & Ruder 2018, arXiv:1801.06146",
        "one rate for all on three sets at 10 a class: docs/fine-tuning.md",
    ),
    "lowest_rate of scratch": Reason("the same rate for all layers"),
    "warmup_steps": Reason("a tenth of all steps, at most 500", "Goyal et al. 2017, arXiv:1706.02677"),
    "patience": Reason("epochs without a lower validation loss, after which it ends and the best is kept"),
    "label_smoothing": Reason("share of each target spread over all classes", "Szegedy et al. 2015, arXiv:1512.00567"),
    "weight_decay": Reason(
        "not of biases and normalisation; none of fine-tuning", "Loshchilov & Hutter 2017, arXiv:1711.05101"
    ),
    "smallest_crop of finetune": Reason(
        "share of a picture that a step sees at least: nearly all of it, as the network is asked",
        "Touvron et al. 2019, arXiv:1906.06423",
        "50 % and 80 % on five sets: docs/fine-tuning.md",
    ),
    "smallest_crop of scratch": Reason(
        "share of a picture that a step sees at least", "Szegedy et al. 2014, arXiv:1409.4842"
    ),
}


def reason_for(setting: str, method: str) -> Reason:
    """Why a setting is what it is for a method; nothing where the table has no row."""
    return REASONS.get(f"{setting} of {method}") or REASONS.get(setting) or Reason("")

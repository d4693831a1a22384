"""What a page says first: how good each network is, over what, and what speaks against believing it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from transfer.runs.saved_runs import SavedResult

SHOWN_ANYWAY = {"method", "backbone", "weights", "image_size", "refit"}  # rows of their own, or what follows from them
NO_CHOICE = {"fingerprint", "trainable_parameters"}  # options that follow from others


def headline(saved: Mapping[str, SavedResult], best: str, folds: dict | None) -> dict:
    """The accuracies that a page begins with.

    Args:
        saved: networks by name, all tested.
        best: whose accuracy is the first.
        folds: what `cross_validation.json` says, where the page is about one network with folds: their pooled
            answers are the figure then, since they cover every picture and not those of one split.

    Returns:
        `accuracy`, `ci95` and `caveats` of the first figure; `bars`: a dict each with `name`, `accuracy`, `ci95`
        and those `caveats` that the first figure does not tell for all; `least`: where the scale begins, 0..1;
        `commonest`: share of the commonest class.
    """
    figures = folds["pooled"] if folds else saved[best].figures
    bars = [_bar(name, each.figures) for name, each in saved.items()]
    if folds:
        bars = [_bar("all folds together", figures), _bar("the network of this run", saved[best].figures)]
    caveats = saved[best].figures["caveats"]
    shared = {caveat for caveat in caveats if all(caveat in each.figures["caveats"] for each in saved.values())}
    for bar in bars:
        told = shared if bar["name"] != best else caveats
        bar["caveats"] = [caveat for caveat in bar["caveats"] if caveat not in told]
    support = [row["support"] for row in figures["per_class"].values()]
    commonest = max(support) / sum(support)
    return {
        "accuracy": figures["accuracy"],
        "ci95": figures["accuracy_ci95"],
        "bars": bars,
        "caveats": caveats,
        "commonest": commonest,
        "least": np.floor(10 * min(commonest, *(bar["ci95"][0] for bar in bars))) / 10,
    }


def differing_options(saved: Mapping[str, SavedResult]) -> dict[str, dict[str, object]]:
    """Options in which networks differ, beside those that have rows of their own: by option, the value by network."""
    options = {name: each.config["options"] for name, each in saved.items()}
    known = dict.fromkeys(option for row in options.values() for option in row)
    rows = {option: {name: _short(row.get(option)) for name, row in options.items()} for option in known}
    return {
        option: values
        for option, values in rows.items()
        if option not in SHOWN_ANYWAY | NO_CHOICE and len({repr(value) for value in values.values()}) > 1
    }


def _short(value: object) -> object:
    """A list of numbers without its brackets; of a list of layers only how many there are."""
    if not isinstance(value, list):
        return value
    return f"{len(value)} layers" if any(isinstance(row, dict) for row in value) else ", ".join(map(str, value))


def _bar(name: str, figures: dict) -> dict:
    accuracy, caveats = figures["accuracy"], figures.get("caveats", [])  # folds together have none of their own
    return {"name": name, "accuracy": accuracy, "ci95": figures["accuracy_ci95"], "caveats": caveats}

"""How often the 95 % intervals hold the truth, and how often two equal networks are called different.

    python benchmarks/coverage.py --draws 200

Made answers stand in for a network, so that the truth is known: a population of 200,000 pictures of five
classes of unequal size, each with probabilities of its own; in the second part the pictures come in
groups of one to eight that are easy or hard together. Test parts are drawn from it again and again.
The last part is about classes of few test pictures: two normal distributions 1.4 deviations apart, 80 pictures.
"""

import numpy as np
import typer
from scipy import special
from sklearn import metrics

from transfer.statistics.calibration import calibration_error
from transfer.statistics.evaluation import evaluate_probabilities
from transfer.statistics.ranking import roc_auc
from transfer.statistics.significance import paired_difference

NAMES = ("a", "b", "c", "d", "e")
SHARES = (0.4, 0.3, 0.15, 0.1, 0.05)
FIGURES = ("accuracy", "balanced_accuracy", "log_loss", "roc_auc", "calibration_error")


def population(rng: np.random.Generator, in_groups: bool, pictures: int = 200_000):
    """(labels, probabilities of two equally good networks, group of each picture)."""
    group = (
        np.repeat(np.arange(pictures), rng.integers(1, 9, pictures))[:pictures] if in_groups else np.arange(pictures)
    )
    labels = rng.choice(5, group.max() + 1, p=SHARES)[group]
    ease = rng.normal(2.0, 1.2, group.max() + 1)[group]
    answers = []
    for _ in range(2):
        own = ease + (rng.normal(0, 1.0, group.max() + 1)[group] if in_groups else 0.0)
        logits = rng.normal(size=(pictures, 5)) + own[:, None] * np.eye(5)[labels]
        answers.append(special.softmax(1.5 * logits, axis=1))
    return labels, answers, group


def draw(rng: np.random.Generator, group: np.ndarray, pictures: int) -> tuple[np.ndarray, np.ndarray]:
    """(positions, unit of each) of about so many pictures, in whole groups."""
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    ends = np.append(starts[1:], len(group))
    chosen = rng.integers(0, len(starts), round(pictures * len(starts) / len(group)))
    return np.concatenate([np.arange(starts[g], ends[g]) for g in chosen]), np.repeat(
        np.arange(len(chosen)), ends[chosen] - starts[chosen]
    )


def truths(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """The figures of the whole population."""
    predicted = probabilities.argmax(axis=1)
    f1 = metrics.f1_score(labels, predicted, average=None)
    return {
        "accuracy": metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, predicted),
        "log_loss": metrics.log_loss(labels, probabilities),
        "roc_auc": metrics.roc_auc_score(labels, probabilities, multi_class="ovr"),
        "calibration_error": calibration_error(labels, probabilities),
        "f1 of a": f1[0],
        "f1 of e": f1[4],
    }


def intervals(found: dict) -> dict[str, list[float]]:
    rows = {name: found[f"{name}_ci95"] for name in FIGURES}
    return rows | {f"f1 of {name}": found["per_class"][name]["f1_ci95"] for name in "ae"}


def rare_classes(draws: int, rng: np.random.Generator, pictures: int = 80, apart: float = 1.4) -> None:
    """Print how often the interval of the ROC AUC holds the truth where a class has few pictures."""
    truth, unit = special.ndtr(apart / np.sqrt(2)), np.arange(pictures)
    print(f"{draws} test parts of {pictures} pictures of two classes, ROC AUC {truth:.4f}")
    for positives in (1, 2, 3, 5, 10, 20, 40):
        labels, found = (unit < positives).astype(int), []
        for _ in range(draws):
            score = rng.normal(size=pictures) + apart * labels
            found.append(roc_auc(labels, np.stack([-score, score], axis=1), unit)[1])
        low, high = np.transpose(found)
        held, width = np.mean((low <= truth) & (truth <= high)), np.mean(high - low)
        print(f"  {positives:>2} of the rare class: held by {held:.1%} of the intervals, {width:.2f} wide on average")


def main(draws: int = 200, pictures: int = 1000, seed: int = 0) -> None:
    for in_groups in (False, True):
        rng = np.random.default_rng(seed)
        labels, (a, b), group = population(rng, in_groups)
        truth = truths(labels, a)
        held, rejected, apart = dict.fromkeys(truth, 0), 0, 0
        true_difference = (a.argmax(1) == labels).mean() - (b.argmax(1) == labels).mean()
        for _ in range(draws):
            positions, unit = draw(rng, group, pictures)
            names = unit.astype(str) if in_groups else None
            found = evaluate_probabilities(labels[positions], a[positions], NAMES, names)
            for name, interval in intervals(found).items():
                held[name] += interval is not None and interval[0] <= truth[name] <= interval[1]
            answers = (a[positions].argmax(1), b[positions].argmax(1))
            pair = paired_difference(labels[positions], *answers, names)
            rejected += pair["p_value"] < 0.05
            apart += pair["ci95"][0] <= true_difference <= pair["ci95"][1]
        print(f"{draws} test parts of about {pictures} pictures, {'in groups' if in_groups else 'one by one'}")
        for name, count in held.items():
            print(f"  {name:<18} truth {truth[name]:.4f}, held by {count / draws:.1%} of the intervals")
        print(f"  paired difference  held by {apart / draws:.1%}")
        print(f"  two equal networks called different: {rejected / draws:.1%}")
    rare_classes(draws, np.random.default_rng(seed))


if __name__ == "__main__":
    typer.run(main)

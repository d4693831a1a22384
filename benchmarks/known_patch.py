"""Do the maps show what decides? Noise pictures in which one small patch alone tells the class.

    python benchmarks/known_patch.py --seeds 5

Each picture of 32 pixels is noise with a striped patch of 8 pixels somewhere; the class is the direction of the
stripes. A small convnet learns it. Printed as mean, standard deviation and values over seeds: accuracy on new pictures,
the share of each map's mass that lies on the patch (6.3 % of the area) with the trained network and with random
weights, and how Grad-CAM and occlusion correlate.
"""

import keras
import numpy as np
import typer

import transfer

SIZE, PATCH = 32, 8
MAPS = {"Grad-CAM": "grad_cam", "occlusion": "occlusion_map", "input gradient": "input_gradient"}
LAYERS = [
    {"conv": 16},
    {"normalise": "batch"},
    {"activation": "relu"},
    {"pool": 2},
    {"conv": 32},
    {"normalise": "batch"},
    {"activation": "relu"},
]


def pictures(number: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(pictures `(N, S, S, 3)` 0..255, classes `(N,)`, masks `(N, S, S)` of the patch)."""
    rng = np.random.default_rng(seed)
    made = rng.integers(60, 196, (number, SIZE, SIZE, 3)).astype(np.float32)
    classes, masks = np.arange(number) % 2, np.zeros((number, SIZE, SIZE), bool)
    stripes = 255.0 * (np.arange(PATCH) // 2 % 2)[:, None, None].repeat(PATCH, 1)
    for picture, label, mask in zip(made, classes, masks):
        top, left = rng.integers(0, SIZE - PATCH + 1, 2)
        mask[top : top + PATCH, left : left + PATCH] = True
        picture[mask] = (stripes if label else stripes.transpose(1, 0, 2)).reshape(-1, 1)
    return made, classes, masks


def network(seed: int) -> keras.Model:
    """A convnet of two layers with its head, random weights."""
    keras.utils.set_random_seed(seed)
    return transfer.join(transfer.convnet(SIZE, LAYERS), transfer.head(32, 2))


def fit(model: keras.Model, seed: int, epochs: int = 12) -> None:
    """Train it on 200 pictures."""
    made, classes, _ = pictures(200, seed)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(5e-3), loss, jit_compile=False, steps_per_execution=7)
    model.fit(made, classes, batch_size=32, epochs=epochs, verbose=0)


def mass_on_patch(maps: np.ndarray, masks: np.ndarray) -> float:
    """Mean share of the maps' mass inside the masks; a map that is 0 everywhere has none there."""
    return float(((maps * masks).sum(axis=(1, 2)) / np.maximum(maps.sum(axis=(1, 2)), 1e-9)).mean())


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Mean of Pearson's correlation between two maps of the same picture."""
    return float(np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(first, second)]))


def measure(seed: int) -> dict[str, float]:
    made, classes, masks = pictures(64, seed + 1000)
    model = network(seed)
    maps = {name: getattr(transfer, function) for name, function in MAPS.items()}
    found = {f"{name}, random": mass_on_patch(look(model, made, classes), masks) for name, look in maps.items()}
    fit(model, seed)
    found["accuracy"] = float((keras.ops.argmax(model(made, training=False), axis=1).numpy() == classes).mean())
    drawn = {name: look(model, made, classes) for name, look in maps.items()}
    found |= {name: mass_on_patch(values, masks) for name, values in drawn.items()}
    return found | {"correlation": correlation(drawn["Grad-CAM"], drawn["occlusion"])}


def main(seeds: int = 5) -> None:
    rows = [measure(seed) for seed in range(seeds)]
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        print(f"{name:<24} {values.mean():.3f} +- {values.std():.3f}  ({', '.join(f'{v:.3f}' for v in values)})")


if __name__ == "__main__":
    typer.run(main)

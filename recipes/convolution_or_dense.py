"""Convolutions or dense layers, with the same budget of weights.

    python recipes/convolution_or_dense.py YOUR_FOLDER

Measured on the textures of `transfer demo` (444 training and 192 test pictures, 20 epochs, mean +- deviation over 3
seeds): convolution 99.7 +- 0.2 % with 94,787 weights, dense 65.6 +- 1.3 % with 92,463.
"""

import numpy as np
import typer

import transfer

SIZE = 32
CONVOLUTIONS = [
    row
    for filters in (32, 64, 128)
    for row in ({"conv": filters}, {"normalise": "batch"}, {"activation": "relu"}, {"pool": 2})
]


def main(data: str, seeds: int = 3, epochs: int = 20) -> None:
    images = transfer.load_images(data)
    budget = transfer.convnet(SIZE, CONVOLUTIONS).count_params()
    units = {"dense": budget // (SIZE * SIZE * 3 + 1)}  # one hidden layer that sees all pixels
    dense = [{"flatten": True}, units, {"normalise": "batch"}, {"activation": "relu"}]
    for name, layers in (("convolution", CONVOLUTIONS), ("dense", dense)):
        accuracies = []
        for seed in range(seeds):
            split, options = transfer.split(images, seed), dict(image_size=SIZE, epochs=epochs, seed=seed)
            result = transfer.train(images, split, None, "scratch", layers=layers, **options)
            accuracies.append(result.metrics["accuracy"])
        mean, weights = np.mean(accuracies), result.parameters()["total"]
        print(f"{name:<12} {weights:>7,} weights: {mean:.3f} +- {np.std(accuracies):.3f}")


if __name__ == "__main__":
    typer.run(main)

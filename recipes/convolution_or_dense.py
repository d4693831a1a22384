"""Convolutions or dense layers, with the same budget of weights.

    python recipes/convolution_or_dense.py YOUR_FOLDER

MEASURED_HERE
"""

import sys

import numpy as np

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
    units = budget // (SIZE * SIZE * 3 + 1)  # one hidden layer that sees all pixels
    dense = [{"flatten": True}, {"dense": units}, {"normalise": "batch"}, {"activation": "relu"}]
    for name, layers in (("convolution", CONVOLUTIONS), ("dense", dense)):
        accuracies = []
        for seed in range(seeds):
            options = dict(layers=layers, image_size=SIZE, epochs=epochs, seed=seed)
            result = transfer.train(images, transfer.split(images, seed), None, "scratch", **options)
            accuracies.append(result.metrics["accuracy"])
        weights = result.parameters()["total"]
        print(f"{name:<12} {weights:>7,} weights: {np.mean(accuracies):.3f} +- {np.std(accuracies):.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])

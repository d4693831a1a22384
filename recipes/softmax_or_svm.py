"""Softmax with cross-entropy, or a support vector machine with the hinge loss, on the same frozen features.

    python recipes/softmax_or_svm.py YOUR_FOLDER

MEASURED_HERE
"""

import sys

import numpy as np

import transfer


def main(data: str, seeds: int = 5) -> None:
    images = transfer.load_images(data)
    backbone = transfer.load_backbone("bundled", image_size=64)
    for name, head in (("softmax", "linear"), ("svm", "svm")):
        figures = [
            transfer.train(images, transfer.split(images, seed), backbone, head=head, seed=seed).metrics
            for seed in range(seeds)
        ]
        for key in ("accuracy", "log_loss"):
            values = [row[key] for row in figures]
            print(f"{name:<8} {key:<9} {np.mean(values):.3f} +- {np.std(values):.3f} over {seeds} splits")


if __name__ == "__main__":
    main(*sys.argv[1:])

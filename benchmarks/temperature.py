"""What temperature scaling does to the calibration error of each head, over several splits.

    python benchmarks/temperature.py emotions --groups emotions-groups.csv --image-size 64

The temperature comes from the validation part, the errors from the test part.
"""

from pathlib import Path

import numpy as np
import typer

import transfer


def main(
    data: Path, groups: Path | None = None, backbone: str = "bundled", image_size: int = 64, seeds: int = 5
) -> None:
    images = transfer.load_images(data, groups)
    network = transfer.load_backbone(backbone, image_size)
    for head in ("linear", "mlp", "svm"):
        rows = []
        for seed in range(seeds):
            found = transfer.train(images, transfer.split(images, seed), network, head=head, seed=seed).metrics
            rows.append(
                (found["calibration"]["temperature"], found["calibration"]["error_before"], found["calibration_error"])
            )
        (temperature, before, after), spread = np.mean(rows, axis=0), np.std(rows, axis=0)
        print(
            f"{head:<7} temperature {temperature:.2f} +- {spread[0]:.2f}, calibration error "
            f"{before:.1%} +- {spread[1]:.1%} before, {after:.1%} +- {spread[2]:.1%} after",
            flush=True,
        )


if __name__ == "__main__":
    typer.run(main)

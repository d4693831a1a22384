"""Peak memory of a frozen run over many pictures.

python benchmarks/memory.py --pictures 10000 --image-size 224
"""

import resource
import tempfile
from pathlib import Path

import numpy as np
import typer
from PIL import Image

import transfer


def main(pictures: int = 10_000, image_size: int = 224, method: str = "frozen") -> None:
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(pictures):
            path = Path(folder, f"class{number % 4}", f"{number}.jpg")
            path.parent.mkdir(exist_ok=True)
            coarse = rng.integers(0, 256, (9, 12, 3), np.uint8)
            Image.fromarray(coarse).resize((400, 300)).save(path, quality=85)
        images = transfer.load_images(folder)
        network = transfer.load_backbone("bundled", image_size)
        result = transfer.train(images, transfer.split(images), network, method, epochs=2)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{pictures} pictures at {image_size} px, {method}: peak {peak:.2f} GiB, {result.seconds['total']:.0f} s")


if __name__ == "__main__":
    typer.run(main)

"""Train the bundled backbone; a run that was broken off goes on at its last checkpoint.

    python recipes/pretrain_backbone.py tiny-imagenet-200-train.tar.gz pretraining \
        --teacher mobilenet_v2_imagenet.weights.h5

Data: Tiny-ImageNet-200, 100,000 pictures of 64 px. Measured: see transfer/weights/README.md.
"""

from pathlib import Path

import typer

import transfer


def main(data: str, folder: Path, teacher: Path | None = None, seed: int = 0, epochs: str = "3x32,4x48,3x64") -> None:
    import numpy as np

    transfer.quiet.import_tensorflow()
    from transfer.data.pipeline import Pictures
    from transfer.networks import backbones, pretraining

    images = transfer.load_images(data)
    everything = range(len(images))
    pixels = Pictures(images, 64).array(everything)
    answers = folder / "teacher.npy"
    if teacher and not answers.exists():
        folder.mkdir(parents=True, exist_ok=True)
        batches = Pictures(images, 128).batches(everything, 128)
        np.save(answers, pretraining.soften(pretraining.imagenet_teacher(teacher), batches))
    phases = [pretraining.Phase(*map(int, phase.split("x"))) for phase in epochs.split(",")]
    soft = np.load(answers) if teacher else None
    model = pretraining.pretrain(pixels, images.labels, folder, phases, soft, seed=seed)
    weights = folder / "bundled.npz"
    digest = backbones.save_bundled(pretraining.without_classifier(model), weights)
    print(f"{weights}: copy it to transfer/weights/ and set BUNDLED_DIGEST in transfer/networks/backbones.py to {digest}")


if __name__ == "__main__":
    typer.run(main)

"""Train the bundled backbone; a run that was broken off goes on at its last checkpoint.

    python recipes/pretrain_backbone.py tiny-imagenet-200-train.tar.gz pretraining \
        --teacher mobilenet_v2_imagenet.weights.h5 --test tiny-imagenet-200-val.tar

Data: Tiny-ImageNet-200, 100,000 pictures of 64 px. Measured: see transfer/weights/README.md.
"""

from pathlib import Path

import typer

import transfer


def main(
    data: str,
    folder: Path,
    teacher: Path | None = None,
    test: str | None = None,
    epochs: str = "6x32,10x48,8x64",
    seed: int = 0,
) -> None:
    transfer.quiet.import_tensorflow()
    from transfer.data.pipeline import Pictures
    from transfer.networks import distillation, pretraining
    from transfer.networks.weight_files import save_half_precision

    phases, images = pretraining.read_phases(epochs), transfer.load_images(data)
    tested = pretraining.load_tested(test, images) if test else None
    answers = distillation.kept_answers(folder / "teacher.npz", teacher, images) if teacher else None
    pixels = Pictures(images, 64).array(range(len(images)))
    model = pretraining.pretrain(pixels, images.labels, folder, pretraining.Pretraining(phases, seed=seed), answers)
    print(f"top-1 at 64 px on {test}: {pretraining.top_1(model, tested, 64):.1%}" if tested else "not tested")
    digest = save_half_precision(pretraining.without_classifier(model), folder / "bundled.npz")
    print(f"weights in {folder / 'bundled.npz'}, for transfer/weights/; their digest for BUNDLED_DIGEST: {digest}")


if __name__ == "__main__":
    typer.run(main)

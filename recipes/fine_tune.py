"""Fine-tune the top of a pretrained backbone after its head, and see whether it pays.

    python recipes/fine_tune.py YOUR_FOLDER

Measured on 1,800 photographs of scenes in six classes, one split, 340 test pictures: frozen 83.5 %, the top
third fine-tuned 84.1 %, all 82.9 % (none can be told apart); 6 minutes on one core beside other work.
"""

import typer

import transfer


def main(data: str) -> None:
    images = transfer.load_images(data)
    split = transfer.split(images, seed=0)
    backbone = transfer.load_backbone("bundled", image_size=64)
    for method, share in (("frozen", None), ("finetune", 0.3), ("finetune", 1.0)):
        result = transfer.train(images, split, backbone, method, share=share)
        trained = result.parameters()["trainable"]
        print(f"{method:<9} {trained:>9,} weights trained: accuracy {result.metrics['accuracy']:.3f}")


if __name__ == "__main__":
    typer.run(main)

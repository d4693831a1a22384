"""Which backbone to take for these pictures: accuracy against cost, test pictures untouched.

    python recipes/choose_a_backbone.py YOUR_FOLDER --backbones bundled,mobilenet_v2:FILE

Without a list: all backbones whose weights are on this machine.

Measured on 1,800 photographs of scenes in six classes at 96 px, five-fold on 1,460 of them: bundled 85.6 % (83.7 to
87.3), MobileNetV2 with ImageNet weights 85.5 % (83.7 to 87.3), bundled with random weights 62.4 % (59.9 to 64.8). The
first two cannot be told apart, so that MobileNetV2 is recommended: 15.6 ms a picture against 23.8, two busy CPU cores.
"""

import typer

import transfer


def main(data: str, backbones: str = "all-local") -> None:
    images = transfer.load_images(data)
    names = backbones if backbones in ("fast", "all-local") else backbones.split(",")
    choice = transfer.choose_backbone(images, transfer.split(images, seed=0), names)
    for row in choice.candidates:
        low, high = row.ci95
        cost = f"{row.milliseconds:.1f} ms, {row.megabytes:.0f} MB"
        print(f"{row.label:<24} {row.image_size} px  {row.accuracy:.3f} ({low:.3f} to {high:.3f})  {cost}")
    print("\n".join(choice.in_words()))


if __name__ == "__main__":
    typer.run(main)

"""From a run to a LiteRT file in whole numbers, with the labels that MediaPipe's ImageClassifier reads, for a phone.

    python recipes/to_a_phone.py runs/YOUR_RUN exports/YOUR_RUN

Measured with EfficientNet-Lite0 on `waste` at 128 px: 3.8 MB (13.5 in float32), the class that Keras names for 98.3 %
of 295 test pictures, accuracy 88.1 % (Keras 88.8 %), 291 pictures a second of one core. With the bundled network whole
numbers are kept inside as well: 2.9 MB (11.1), 98.6 %, 73.6 % (Keras 74.2 %), 817 pictures a second.
"""

from pathlib import Path

import typer

import transfer
from transfer.reading import read_judged


def main(run: str, place: str) -> None:
    folder = transfer.export(run, place, format="litert-int8")
    judged = read_judged(folder)["formats"]["litert-int8"]
    print(f"{Path(folder, 'model.tflite')}: {judged['megabytes']:.1f} MB, computes with {judged['numbers']}")
    print(f"names the same class as Keras for {judged['agreement']:.1%} of {judged['pictures']} pictures")
    print(f"{judged['pictures_a_second']:.0f} pictures a second, Keras {judged['pictures_a_second_keras']:.0f}")


if __name__ == "__main__":
    typer.run(main)

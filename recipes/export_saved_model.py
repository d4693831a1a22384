"""From a run to a SavedModel, and its use without this toolkit.

    python recipes/export_saved_model.py runs/YOUR_RUN saved_models/NAME PICTURE

Measured with the run of `transfer demo` and one of its test pictures of grass: grass 1.000, in 27 s of
processor time, the check of the answers included.
"""

from pathlib import Path

import typer

import transfer


def main(run: str, target: str, picture: str) -> None:
    version = transfer.export(run, target, format="savedmodel")
    import tensorflow as tf

    model = tf.saved_model.load(str(version))
    answers = model.signatures["predict_bytes"](files=tf.constant([Path(picture).read_bytes()]))
    print(version)
    for name, probability in zip(answers["class_names"][0].numpy(), answers["probabilities"][0].numpy()):
        print(f"{name.decode():<20} {probability:.3f}")


if __name__ == "__main__":
    typer.run(main)

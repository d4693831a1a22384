"""Name what is in some pictures with a run or a SavedModel.

    python recipes/classify.py runs/YOUR_RUN PICTURE_OR_FOLDER ...

Measured with the SavedModel of retrain.py: 21 pictures of the sea in 10 s, most of it for starting.
"""

import typer

import transfer


def main(model: str, pictures: list[str], trust: bool = False) -> None:
    for row in transfer.predict(model, pictures, trust=trust):
        print(f"{row.file}: {row.error}" if row.error else f"{row.file}: {row.label} ({row.probability:.0%})")


if __name__ == "__main__":
    typer.run(main)

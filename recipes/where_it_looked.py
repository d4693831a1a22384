"""Where a run's network looked: Grad-CAM beside an occlusion map that uses no gradient, and how far they agree.

For a dense network, which has no maps, gradients at the pixels stand in.

python recipes/where_it_looked.py runs/YOUR_RUN PICTURE_OR_FOLDER

Measured on 40 test pictures of `flowers` (bundled backbone, frozen, 96 px): the two maps correlate by 0.27 +- 0.34
(mean and spread over pictures), against 0.00 with the map of another picture.
"""

from pathlib import Path

import numpy as np
import typer

import transfer
from transfer.data.images import fit_picture, read_picture
from transfer.networks.explanation import where_it_looked
from transfer.networks.model_files import load_model
from transfer.pages import drawing
from transfer.reading import run_config
from transfer.runs.prediction import list_files


def main(run: str, pictures: str, out: str = "looked.png") -> None:
    model = load_model(Path(run, "model.keras"))
    size, fit = model.input_shape[1], run_config(Path(run))["options"]["fit"]
    shown = np.stack([fit_picture(read_picture(path), size, fit) for path in list_files([pictures])])
    (method, heat), occluded = where_it_looked(model, shown), transfer.occlusion_map(model, shown)
    agreement = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(heat, occluded) if a.any() and b.any()]
    print(f"{method}: correlation {np.mean(agreement):.2f} +- {np.std(agreement):.2f} over {len(agreement)} pictures")
    rows = [(p, drawing.overlay(p, a), drawing.overlay(p, b)) for p, a, b in zip(shown[:8], heat, occluded)]
    drawing.write_png(drawing.tiles([image for row in rows for image in row], columns=3), Path(out))
    print(out)


if __name__ == "__main__":
    typer.run(main)

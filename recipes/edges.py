"""Edges: what Sobel's operator finds, and the first-layer filters that learned to find the same.

python recipes/edges.py PICTURE_OR_FOLDER

Measured on 40 daisies of `flowers`: the filter of the bundled backbone that is nearest to Sobel correlates by
0.97 (vertical edges) and 0.98 (horizontal), 3 of 32 filters by more than 0.8; with random weights 0.55, 0.38 and none.
"""

from pathlib import Path

import numpy as np
import typer

import transfer
from transfer.data.images import fit_picture, read_picture
from transfer.networks.inner_images import EDGES, edge_correlations, sobel
from transfer.pages import drawing
from transfer.runs.prediction import list_files


def main(pictures: str, out: str = "edges.png") -> None:
    shown = [fit_picture(read_picture(path), 96) for path in list_files([pictures])[:40]]
    for weights in ("bundled", "none"):
        backbone = transfer.load_backbone("bundled", weights=weights)
        correlations = np.mean([np.abs(edge_correlations(backbone, picture)[0]) for picture in shown], axis=0)
        said = ", ".join(f"{name} {row.max():.2f}" for name, row in zip(EDGES, correlations))
        print(f"{weights:<8} {said}; {np.sum(correlations[:2].max(axis=0) > 0.8)} filters above 0.8")
    backbone = transfer.load_backbone("bundled")
    correlations, maps = edge_correlations(backbone, shown[0])
    best = np.abs(correlations).argmax(axis=1)
    nearest = maps[best] * np.sign(correlations[range(3), best])[:, None, None]
    found = [drawing.enlarged(image, 192) for group in (sobel(shown[0]), nearest)
             for image in drawing.coloured(group, "gray")]  # fmt: skip
    drawing.write_png(drawing.tiles(found, columns=3), Path(out))
    print(out)


if __name__ == "__main__":
    typer.run(main)

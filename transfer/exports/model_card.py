"""The page beside an exported file: what it is, how good, and lines that call it, which were run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from transfer.data.tables import some
from transfer.errors import ExportError
from transfer.exports.formats import Format
from transfer.runs.exportables import PARTS, ExportSource, facts

CARD = "README.md"
PATIENCE = 300  # seconds
_FITTED = {
    "crop": "ImageOps.fit(picture, ({size}, {size}), Image.Resampling.BILINEAR)",
    "pad": "ImageOps.pad(picture, ({size}, {size}), Image.Resampling.BILINEAR)",
    "stretch": "picture.resize(({size}, {size}), Image.Resampling.BILINEAR)",
}
_EXAMPLE = """\
import sys
{imports}
import numpy as np
from PIL import Image, ImageOps

picture = ImageOps.exif_transpose(Image.open(sys.argv[1])).convert("RGB")
pixels = np.asarray({fitted})[None]
{call}
for index in np.argsort(-probabilities)[:3]:
    print(f"{{names[index]}}  {{probabilities[index]:.1%}}")
"""
_SHARP = {"crop": "cover", "pad": "contain", "stretch": "fill"}  # what that library calls the same
_IN_JAVASCRIPT = """
## In JavaScript

For Node.js, after `npm install onnxruntime-web@1.30.0 sharp@0.35`, in a file `classify.mjs` beside this one. It was
run with another network, not with this one. Probabilities are a little different: `sharp` scales by another rule.

```javascript
import {{ readFile }} from "node:fs/promises";
import * as ort from "onnxruntime-web";
import sharp from "sharp";

const names = {names};
const picture = sharp(process.argv[2]).rotate().resize({size}, {size}, {{ fit: "{fit}" }});
const pixels = await picture.toColourspace("srgb").removeAlpha().raw().toBuffer();
const network = await ort.InferenceSession.create(await readFile("{file}"));
const answers = await network.run({{ pictures: new ort.Tensor("uint8", pixels, [1, {size}, {size}, 3]) }});
const probabilities = answers[network.outputNames[0]].data;
const best = [...names.keys()].sort((a, b) => probabilities[b] - probabilities[a]).slice(0, 3);
for (const index of best) console.log(`${{names[index]}}  ${{(100 * probabilities[index]).toFixed(1)}}%`);
```
"""
_CARD = """\
# {run}: {format}

`{file}` names what is in a picture, as one of {count} classes: {names}. It is the network of the run `{run}`
(method {method}, backbone {backbone}), written by {written_by}.

| | |
| --- | --- |
| takes | {takes}, RGB 0 to 255, the picture fitted by `{fit}` |
| gives | {gives}, in the order of the class names, which are in the file |
| accuracy of the run on its test part | {accuracy_of_run} |
| computes with | {numbers} |
| licence of the weights that it began with | {weights_licence} |

## Compared with Keras

On {pictures} pictures of the run, {test_pictures} of them of the test part:

| | this file | Keras |
| --- | --- | --- |
| accuracy on the test part | {accuracy_here} | {accuracy_keras} |
| same first class | {agreement:.2%} | |
| largest, mean difference of a probability | {largest_difference:.1e}, {mean_difference:.1e} | |
| pictures a second, decoding not counted | {pictures_a_second:.0f} ({batch} at once) | {pictures_a_second_keras:.0f} |
| size | {megabytes:.2f} MB | |

## Limits

It knows its classes only, and names one of them whatever is shown. The figures hold for pictures like those of the run;
others, taken elsewhere or by another camera, can be told worse. A probability is no certainty.

## In Python

```python
{example}```

It printed, for a picture of the run:

```
{printed}
```
"""


def example_code(row: Format, size: int, fit: str) -> str:
    """A program that takes the name of a picture and prints the three most probable classes."""
    return _EXAMPLE.format(imports=row.imports, fitted=_FITTED[fit].format(size=size), call=row.call)


def run_example(example: str, picture: Path, folder: Path) -> str:
    """What a program prints that is run in a folder, as its user would.

    Raises:
        ExportError: it ends with an error.
    """
    run = subprocess.run(
        [sys.executable, "-c", example, str(picture.resolve())],
        cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    if run.returncode:
        last = (run.stderr.strip() or "nothing is said").splitlines()[-1]
        raise ExportError(f"the program on the model card fails: {last}")
    return run.stdout.strip()


def write_card(source: ExportSource, name: str, row: Format, judged: Mapping, folder: Path) -> None:
    """Write the page into the folder of a file, and run the program in it on a picture of the run.

    Args:
        source: the network.
        name: of the format; row: its row.
        judged: of `parity.compare_answers`.
        folder: where the file lies.

    Raises:
        ExportError: the program ends with an error.
    """
    said = facts(source)
    example = example_code(row, source.image_size, source.fit)
    picture = next(path for part in PARTS for path, _ in source.files[part] if path.is_file())
    printed = run_example(example, picture, folder)
    shape = {"size": source.image_size, "classes": len(source.class_names)}
    accuracies = {
        "accuracy_of_run": _share(said["accuracy"], said["accuracy_ci95"]),
        "accuracy_here": _share(judged["accuracy"]),
        "accuracy_keras": _share(judged["accuracy_keras"]),
    }
    text = _CARD.format(
        **said | judged | accuracies, format=name, file=row.file,
        count=len(source.class_names), names=some(said["class_names"]),
        takes=row.takes.format(**shape), gives=row.gives.format(**shape), example=example, printed=printed,
    )  # fmt: skip
    if row.javascript:
        names = json.dumps(said["class_names"])
        text += _IN_JAVASCRIPT.format(names=names, size=source.image_size, fit=_SHARP[source.fit], file=row.file)
    (folder / CARD).write_text(text, encoding="utf-8", errors="backslashreplace")


def _share(value: float | None, ci95: list[float] | None = None) -> str:
    if value is None:
        return "no test pictures"
    return f"{value:.1%}" + (f" ({ci95[0]:.1%} to {ci95[1]:.1%})" if ci95 else "")

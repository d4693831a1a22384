"""From a run to OpenVINO IR for a small computer, computed in float32 and in bfloat16.

    python recipes/to_the_edge.py runs/YOUR_RUN exports/YOUR_RUN

The file is the same; how it computes is chosen when it is opened. Processors without bfloat16 compute in float32.
"""

import time
from pathlib import Path

import numpy as np
import typer

import transfer
from transfer.runs.exportables import network_to_export


def main(run: str, place: str) -> None:
    folder = transfer.export(run, place, format="openvino")
    import openvino

    pictures, labels = network_to_export(run).pictures("test", 1000)
    core, answers = openvino.Core(), {}
    print(f"{sum(path.stat().st_size for path in folder.glob('model.*')) / 1e6:.1f} MB, {len(labels)} test pictures")
    for numbers in ("f32", "bf16"):
        options = {"INFERENCE_PRECISION_HINT": numbers, "PERFORMANCE_HINT": "LATENCY"}
        network = core.compile_model(Path(folder, "model.xml"), "CPU", options)
        network(pictures[:1])
        start = time.perf_counter()
        answers[numbers] = np.concatenate([network(picture[None])[0] for picture in pictures])
        speed, first = len(labels) / (time.perf_counter() - start), answers[numbers].argmax(1)
        same = (first == answers["f32"].argmax(1)).mean()
        print(f"{numbers}: accuracy {(first == labels).mean():.3f}, as f32 {same:.1%}, {speed:.0f} pictures a second")


if __name__ == "__main__":
    typer.run(main)

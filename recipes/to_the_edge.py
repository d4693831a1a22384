"""From a run to OpenVINO IR for a small computer, computed in float32 and in bfloat16.

    python recipes/to_the_edge.py runs/YOUR_RUN exports/YOUR_RUN

The file is the same; how it computes is chosen when it is opened. Processors without bfloat16 compute in float32.
Measured with EfficientNet-Lite0 on `waste` at 224 px, 13.6 MB, one core with AMX beside other work: float32 names the
class of Keras for all of 295 test pictures, 90 a second; bfloat16 for 98.6 %, accuracy 88.5 % in both, 202 a second.
"""

from pathlib import Path

import typer

import transfer


def main(run: str, place: str) -> None:
    folder = transfer.export(run, place, format="openvino")
    from transfer.exports.parity import compare_answers, reference
    from transfer.networks.openvino_graphs import open_openvino
    from transfer.runs.exportables import network_to_export

    known = reference(network_to_export(run))
    print(f"{folder}: {sum(path.stat().st_size for path in folder.glob('model.*')) / 1e6:.1f} MB")
    for numbers in ("f32", "bf16"):
        judged = compare_answers(open_openvino(Path(folder, "model.xml"), numbers), known, batch=1)
        print(f"{numbers}: the same class as Keras for {judged['agreement']:.1%} of {judged['pictures']} pictures,")
        print(f"    accuracy {judged['accuracy']:.1%}, Keras {judged['accuracy_keras']:.1%},")
        print(f"    {judged['pictures_a_second']:.0f} pictures a second, one after the other")


if __name__ == "__main__":
    typer.run(main)

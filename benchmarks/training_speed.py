"""Training as the toolkit does it, against the same training as TensorFlow and Keras do it by themselves.

    python benchmarks/training_speed.py DATA [--backbone mobilenet_v2] [--image-size 128] [--per-class 60]

Each method runs in processes of its own, plain and with what the toolkit does about memory and batches, in turn; the
features of the frozen one are computed each time. Plain: glibc's allocator as it comes, and batches from a `PyDataset`
without workers. `--no-onednn` measures what a processor without AVX-512 VNNI gets, where TensorFlow leaves oneDNN off.
Prints seconds a step, page faults a step, seconds an epoch and of the whole run, and their ratios.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

METHODS = ("frozen", "finetune", "scratch")
PLAIN = {"TF_CPU_ALLOCATOR_USE_BFC": "false", "MALLOC_ARENA_MAX": str(8 * (os.cpu_count() or 1))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--backbone", default="mobilenet_v2")
    parser.add_argument("--weights", default="none")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--per-class", type=int, default=60)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--no-onednn", action="store_true")
    parser.add_argument("--one", nargs=2, metavar=("METHOD", "HOW"), help="measure here, in this process")
    given = parser.parse_args()
    if given.one:
        return print(json.dumps(measured(given, *given.one)))
    environment = os.environ | ({"TF_ENABLE_ONEDNN_OPTS": "0"} if given.no_onednn else {})
    for method in given.methods.split(","):
        rows = {"plain": [], "toolkit": []}
        for _ in range(given.repeats):
            for how, own in (("plain", PLAIN), ("toolkit", {})):
                with tempfile.TemporaryDirectory() as cache:
                    command = [sys.executable, *sys.argv, "--one", method, how]
                    said = subprocess.run(
                        command, env=environment | own | {"TRANSFER_CACHE": cache}, check=True, stdout=subprocess.PIPE
                    ).stdout
                rows[how].append(json.loads(said))
                print(f"  {method:9} {how:8} {rows[how][-1]}", flush=True)
        best = {how: {name: min(row[name] for row in mine) for name in mine[0]} for how, mine in rows.items()}
        ratios = {name: best["plain"][name] / best["toolkit"][name] for name in ("step_s", "epoch_s", "run_s")}
        print(f"{method}: plain / toolkit " + ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items()))


def measured(given, method: str, how: str) -> dict[str, float]:
    """Seconds and page faults of one training in this process."""
    started = time.perf_counter()
    import transfer

    transfer.quiet.import_tensorflow()
    import keras

    from transfer.learning import batches, training

    if how == "plain":
        training.stream = lambda made, epochs=None: PlainBatches(made)
        training.without_autotune = lambda data: data

    class PlainBatches(keras.utils.PyDataset):
        def __init__(self, made: batches.Batches):
            super().__init__()
            self.made, self.epoch = made, 0

        def __len__(self):
            return len(self.made)

        def __getitem__(self, number):
            return self.made.batch(number, self.epoch)

        def on_epoch_end(self):
            self.epoch += 1

    ends, steps = [], []

    class Clock(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.at = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt

        def on_train_batch_end(self, batch, logs=None):
            now = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            steps.append((now[0] - self.at[0], now[1] - self.at[1]))

        def on_epoch_end(self, epoch, logs=None):
            ends.append(time.perf_counter())

    fit = keras.Model.fit
    keras.Model.fit = lambda model, *a, callbacks=(), **o: fit(model, *a, callbacks=[*callbacks, Clock()], **o)
    images = transfer.load_images(given.data)
    split = transfer.limit_training(transfer.split(images, seed=0), images.labels, given.per_class)
    network = transfer.load_backbone(given.backbone, given.image_size, given.weights)
    options = {} if method == "frozen" else {"epochs": given.epochs}
    transfer.train(images, split, network, method=method, **options)
    # Fine-tuning comes after its head; the first step and the first epoch also trace the graph.
    whole = len(ends) if method == "frozen" else given.epochs
    epochs = [b - a for a, b in zip(ends[-whole:], ends[1 - whole :])]
    mine = sorted(steps[-(len(steps) * (whole - 1) // len(ends)) :])
    return {
        "step_s": round(mine[len(mine) // 2][0], 4),
        "faults": sorted(faults for _, faults in mine)[len(mine) // 2],
        "epoch_s": round(sorted(epochs)[len(epochs) // 2], 2),
        "run_s": round(time.perf_counter() - started, 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }


if __name__ == "__main__":
    main()

"""Is transfer better than scratch for these pictures? Four methods on one split.

python recipes/compare_with_scratch.py YOUR_FOLDER runs/comparison

Measured on the textures of `make demo`, 20 training pictures a class, 192 test pictures: frozen 99.5 %
(97.1 to 99.9), fine-tuned 100.0 % (98.0 to 100.0), from scratch 98.4 % (95.5 to 99.5), dense 58.9 % (51.8 to 65.6).
"""

import typer

import transfer


def main(data: str, folder: str) -> None:
    images = transfer.load_images(data)
    results = transfer.compare(images, transfer.split(images, seed=0))
    for method, result in results.items():
        low, high = result.metrics["accuracy_ci95"]
        print(f"{method:<9} {result.metrics['accuracy']:.3f} ({low:.3f} to {high:.3f})")
    print("\n".join(results.in_words()))
    print(f"report: {transfer.save_run(results, folder) / 'report.html'}")


if __name__ == "__main__":
    typer.run(main)

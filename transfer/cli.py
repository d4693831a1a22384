"""The command line: words to the functions of the package, nothing of its own."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import transfer
from transfer.errors import OptionError, OutputError, TransferError

app = typer.Typer(
    help="Recognise what is in your pictures: retrain a pretrained network on labelled folders, and see "
    "whether it is better than one from scratch.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
progress = Console(stderr=True, highlight=False, soft_wrap=True)
out = Console(highlight=False)


class Fit(StrEnum):
    """How a picture is brought to the square."""

    crop = "crop"
    pad = "pad"
    stretch = "stretch"


Data = Annotated[str, typer.Argument(help="folder of class folders, CSV (file,label), zip or tar, or https address")]
Model = Annotated[str, typer.Argument(help="folder of a run, or of a SavedModel")]
Backbone = Annotated[str, typer.Option(help="name from 'transfer backbones', or a .keras file")]
Weights = Annotated[str | None, typer.Option(help="bundled, imagenet, none, or a weights file")]
ImageSize = Annotated[int | None, typer.Option(help="side of the square in pixels [default: from the data]")]
Groups = Annotated[Path | None, typer.Option(help="CSV (file,group): a group stays on one side of the split")]
Seed = Annotated[int, typer.Option(help="of the split and of every other random choice")]
FitOption = Annotated[Fit, typer.Option(help="cut out the middle, keep all between bars, or change proportions")]
OUT_HELP = "folder to write [default: the next free one in runs/]"
Json = Annotated[bool, typer.Option("--json", help="the result as one JSON object on standard output")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace the folder that --out names")]
Head = Annotated[str, typer.Option(help="linear, mlp or svm")]
Hidden = Annotated[str, typer.Option(help="units of the mlp's hidden layers, such as 256,128")]
Dropout = Annotated[float, typer.Option(help="share of units left out in training of the mlp, 0..1")]
Activation = Annotated[str, typer.Option(help="of the mlp: relu, tanh, sigmoid, ...")]
Epochs = Annotated[int | None, typer.Option(help="at most [default: from the data's size]")]
LearningRate = Annotated[float | None, typer.Option(help="[default: from the data's size]")]
Smoothing = Annotated[float | None, typer.Option(help="label smoothing, 0..1")]
ClassWeights = Annotated[str | None, typer.Option(help="balanced: rare classes weigh as much as frequent ones")]
Flip = Annotated[bool, typer.Option(help="mirror training pictures at random")]
PerClass = Annotated[int | None, typer.Option(help="use at most so many training pictures a class")]
Layers = Annotated[Path | None, typer.Option(help="JSON list of the scratch convnet's layers")]


@app.command()
def train(
    data: Data,
    backbone: Backbone = "bundled",
    method: Annotated[str, typer.Option(help="frozen, finetune or scratch")] = "frozen",
    head: Head = "linear",
    weights: Weights = None,
    image_size: ImageSize = None,
    groups: Groups = None,
    seed: Seed = 0,
    fit: FitOption = Fit.crop,
    per_class: PerClass = None,
    epochs: Epochs = None,
    learning_rate: LearningRate = None,
    label_smoothing: Smoothing = None,
    class_weights: ClassWeights = None,
    hidden: Hidden = "256",
    dropout: Dropout = 0.3,
    activation: Activation = "relu",
    flip: Flip = True,
    layers: Layers = None,
    out_folder: Annotated[Path | None, typer.Option("--out", help=OUT_HELP)] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Retrain on a folder of pictures and write a run with its SavedModel."""
    place = _place(out_folder, data, method, overwrite)
    images, split = _load(data, groups, seed, per_class)
    network = backbone
    if method == "scratch":
        network = _convnet(layers, images, image_size) if layers or backbone == "bundled" else backbone
    result = transfer.train(
        images, split, network, method, head, image_size=image_size, weights=weights, fit=fit.value, seed=seed,
        epochs=epochs, learning_rate=learning_rate, label_smoothing=label_smoothing, class_weights=class_weights,
        hidden=_numbers(hidden), dropout=dropout, activation=activation, flip=flip,
        refit=per_class is None,
    )  # fmt: skip
    transfer.save_run(result, place, _command(), overwrite)
    figures = _read_result(place)
    if as_json:
        return _print_json(figures)
    _show_notes(figures["notes"], already=split.notes)
    out.print(_methods_table({method: figures}))
    _show_place(place)


@app.command()
def compare(
    data: Data,
    backbone: Backbone = "bundled",
    methods: Annotated[
        str, typer.Option(help="some of frozen,finetune,scratch,dense")
    ] = "frozen,finetune,scratch,dense",
    head: Head = "linear",
    weights: Weights = None,
    image_size: ImageSize = None,
    groups: Groups = None,
    seed: Seed = 0,
    fit: FitOption = Fit.crop,
    per_class: PerClass = None,
    epochs: Epochs = None,
    class_weights: ClassWeights = None,
    flip: Flip = True,
    layers: Layers = None,
    out_folder: Annotated[Path | None, typer.Option("--out", help=OUT_HELP)] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Pretrained against fine-tuned, from scratch and a plain dense network, on the same split."""
    place = _place(out_folder, data, "compare", overwrite)
    images, split = _load(data, groups, seed, per_class)
    comparison = transfer.compare(
        images, split, backbone, [name.strip() for name in methods.split(",")], image_size=image_size,
        weights=weights, fit=fit.value, seed=seed, layers=_layer_rows(layers), head=head, epochs=epochs,
        class_weights=class_weights, flip=flip,
    )  # fmt: skip
    transfer.save_run(comparison, place, _command(), overwrite)
    figures = _read_result(place)
    if as_json:
        return _print_json(figures)
    out.print(_methods_table(figures["methods"]))
    for sentence in figures["in_words"]:
        out.print(f"- {sentence}")
    _show_place(place)


@app.command()
def evaluate(model: Model, data: Data, groups: Groups = None, as_json: Json = False) -> None:
    """Measure a run or a SavedModel on labelled pictures that it was not trained on."""
    figures = transfer.evaluate(model, data, groups)
    if as_json:
        return _print_json(figures)
    low, high = figures["accuracy_ci95"]
    out.print(f"accuracy {figures['accuracy']:.1%} ({low:.1%} to {high:.1%}) on {figures['images']} pictures")
    if figures["left_out"]:
        out.print(f"{figures['left_out']} pictures left out: the model was trained on them, or they cannot be read")
    table = Table("class", "precision", "recall", "F1", "pictures")
    for name, row in figures["per_class"].items():
        table.add_row(name, *(f"{row[key]:.1%}" for key in ("precision", "recall", "f1")), str(row["support"]))
    out.print(table)


@app.command()
def predict(
    model: Model,
    pictures: Annotated[list[str], typer.Argument(help="files, folders, patterns")],
    csv: Annotated[Path | None, typer.Option(help="write a table instead of printing")] = None,
    as_json: Json = False,
) -> None:
    """Name what is in picture files."""
    rows = transfer.predict(model, pictures)
    if csv:
        from transfer.prediction import write_csv

        write_csv(rows, csv)
        progress.print(f"{len(rows)} rows in {csv}")
    elif as_json:
        _print_json({"predictions": [_without_nan(row._asdict()) for row in rows]})
    else:
        for row in rows:
            out.print(
                f"{row.file}  {row.label}  {row.probability:.1%}" if not row.error else f"{row.file}  -", markup=False
            )
    failed = [row for row in rows if row.error]
    for row in failed:
        progress.print(f"{row.file} {row.error}", markup=False)
    if failed:
        raise typer.Exit(2)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="folder of a run")],
    format: Annotated[str, typer.Option(help="savedmodel")] = "savedmodel",
    out_folder: Annotated[Path | None, typer.Option("--out", help="[default: saved_models/NAME OF THE RUN]")] = None,
) -> None:
    """Write the network of a run for use elsewhere, checked against the original."""
    target = transfer.export(run, out_folder or Path("saved_models", run.resolve().name), format)
    out.print(f"{target}")


@app.command()
def backbones(as_json: Json = False) -> None:
    """The table of pretrained networks."""
    rows = transfer.list_backbones()
    if as_json:
        return _print_json({"backbones": [row._asdict() for row in rows]})
    table = Table("name", "parameters", "usual size", "from", "weights")
    for row in rows:
        table.add_row(row.name, _millions(row.parameters), f"{row.image_size} px", f"{row.smallest} px", row.weights)
    out.print(table)


@app.command()
def demo(
    data: Annotated[str, typer.Option(help="textures, faces or digits")] = "textures",
    per_class: PerClass = 20,
    out_folder: Annotated[Path, typer.Option("--out", help="folder to write")] = Path("runs/demo"),
) -> None:
    """Run the main job on real pictures that come inside packages."""
    from transfer.demo_data import write_demo_data

    folder = out_folder / data
    about = write_demo_data(data, folder)
    out.print(f"{about} They are in {folder}.\n")
    run = out_folder / f"{data}-run"
    _say(f"transfer compare {folder} --per-class {per_class} --out {run} --overwrite")
    flags = dict(per_class=per_class, out_folder=run, overwrite=True, flip=data != "digits")
    compare(str(folder), **flags)
    some = [str(next(p for p in sorted((folder / "test").glob("*")) if p.is_dir()))]
    _say(f"transfer predict {run} {some[0]}")
    rows = transfer.predict(run, some)
    right = sum(row.label == Path(some[0]).name for row in rows)
    for row in rows[:5]:
        out.print(f"{row.file}  {row.label}  {row.probability:.1%}")
    out.print(f"... the SavedModel names {right} of {len(rows)} rightly\n")
    out.print(f"Everything is in {run}; open {run / 'report.html'} in a browser.")
    out.print("Next, with a folder of your own that holds one folder of pictures for each class:")
    out.print("  transfer compare YOUR_FOLDER\n  transfer train YOUR_FOLDER\n  transfer predict runs/YOUR_RUN PICTURES")


def main() -> None:
    """Run the command line; errors that a user can mend end it with one sentence and exit code 2."""
    try:
        app()
    except TransferError as error:
        progress.print(f"transfer: {error}", markup=False)
        sys.exit(2)


def _load(data: str, groups: Path | None, seed: int, per_class: int | None):
    images = transfer.load_images(data, groups)
    split = transfer.split(images, seed)
    if per_class is not None:
        split = transfer.limit_training(split, images.labels, per_class, seed)
    parts = ", ".join(f"{len(indices)} {part}" for part, indices in split.parts().items())
    progress.print(f"{len(images)} pictures of {len(images.class_names)} classes: {parts}", markup=False)
    if images.ignored:
        progress.print(f"{images.ignored} other files ignored")
    for name, reason in images.unreadable:
        progress.print(f"left out: {name} {reason}", markup=False)
    _show_notes(split.notes)
    return images, split


def _show_notes(notes, already=()) -> None:
    for note in notes:
        if note not in already:
            progress.print(f"note: {note}", markup=False)


def _place(folder: Path | None, data: str, what: str, overwrite: bool) -> Path:
    """The folder to write, checked before any work is done."""
    from transfer.writing import check_free

    if folder is not None:
        check_free(folder, overwrite)
        return folder
    name = Path(data.rstrip("/")).name.split(".")[0] or "run"
    stem = Path("runs", f"{name}-{what}")
    numbered = (stem.with_name(f"{stem.name}-{number}") for number in range(2, 10_000))
    free = next((path for path in (stem, *numbered) if not path.exists()), None)
    if free is None:
        raise OutputError(f"{stem} and 10,000 numbered ones exist; give --out")
    return free


def _layer_rows(path: Path | None) -> list[dict] | None:
    if path is None:
        return None
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(f"--layers {path} cannot be read ({error}); expected a JSON list of rows") from error
    if not isinstance(rows, list):
        raise OptionError(f'--layers {path} holds no list; expected rows such as [{{"conv": 32}}, {{"pool": 2}}]')
    return rows


def _convnet(layers: Path | None, images, image_size: int | None):
    if layers is None:
        return None
    from transfer.settings import image_size as size_for

    size = image_size or size_for(images.typical_side(), default=64, smallest=32)
    return transfer.convnet(size, _layer_rows(layers))


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise OptionError(f"--hidden {text}; expected whole numbers such as 256,128") from error


def _methods_table(methods: dict[str, dict]) -> Table:
    table = Table("method", "accuracy", "95 % interval", "parameters", "trained", "seconds")
    for name, row in methods.items():
        if row["accuracy"] is None:
            accuracy, interval = "-", "no test pictures"
        else:
            accuracy = f"{row['accuracy']:.1%}"
            interval = "{:.1%} to {:.1%}".format(*row["accuracy_ci95"])
        parameters = row["parameters"]
        total, trained = _millions(parameters["total"]), _millions(parameters["trainable"])
        table.add_row(name, accuracy, interval, total, trained, f"{row['seconds']['total']:.0f}")
    return table


def _millions(number: int) -> str:
    return f"{number / 1e6:.2f} M" if number >= 10_000 else str(number)


def _read_result(place: Path) -> dict:
    return json.loads((place / "result.json").read_text(encoding="utf-8"))


def _show_place(place: Path) -> None:
    out.print(f"The network, its SavedModel and {place / 'report.html'} are in {place}", markup=False, soft_wrap=True)


def _print_json(value: dict) -> None:
    print(json.dumps(value, ensure_ascii=False))


def _without_nan(row: dict) -> dict:
    return row | {"probability": None} if row["error"] else row


def _say(command: str) -> None:
    out.print(f"[bold]$ {command}[/bold]", soft_wrap=True)


def _command() -> str:
    return " ".join(["transfer", *sys.argv[1:]])

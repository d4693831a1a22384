"""Everything that is tried against the toolkit, as the table of docs/reliability.md; exits 1 where something gave way.

python benchmarks/faults.py [--only NAME] [--quick]
"""

import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from fault_table import failures, summed

QUICK = 10  # times fewer of what is drawn at random
# By name: the module and its function of a folder, and how many times it tries what is drawn at random.
EXPERIMENTS = {
    "kills": ("fault_kills", "kills", 200),
    "twice": ("fault_kills", "twice", None),
    "archives": ("fault_archives", "archives", None),
    "models": ("fault_models", "prepared_models", None),
    "pictures": ("fault_pictures", "corrupt_pictures", 3000),
    "runs": ("fault_runs", "damaged_runs", 600),
}


def main(
    only: Annotated[list[str] | None, typer.Option(help=f"some of {', '.join(EXPERIMENTS)}")] = None,
    quick: Annotated[bool, typer.Option("--quick", help=f"{QUICK} times fewer kills, pictures and runs")] = False,
) -> None:
    """Try what can go wrong, and print what held."""
    wrong = sorted(set(only or ()) - set(EXPERIMENTS))
    if wrong:
        raise typer.BadParameter(f"{wrong[0]} is none of {', '.join(EXPERIMENTS)}")
    failed = []
    print(f"{'tried':40} {'times':>6} {'held':>6}")
    for name in only or EXPERIMENTS:
        module, function, number = EXPERIMENTS[name]
        experiment = getattr(import_module(module), function)
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place, name)
            folder.mkdir()
            tried = experiment(folder, *([] if number is None else [number // QUICK if quick else number]))
        failed += failures(tried)
        for what, times, held in summed(tried):
            print(f"{what:40} {times:6} {held:6}", flush=True)
        print(f"  {name}: {time.monotonic() - started:.0f} s", flush=True)
    print("\n".join(["", f"{len(failed)} did not hold", *failed]))
    raise typer.Exit(bool(failed))


if __name__ == "__main__":
    typer.run(main)

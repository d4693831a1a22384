"""Kill commands at random moments, and run each twice at once: what has its final name must be whole.

Run with `python benchmarks/fault_kills.py FOLDER [NUMBER]`; `benchmarks/faults.py` runs it among others.

Each command is a process of its own that a real signal ends. It is forked from a server that has imported TensorFlow
and done nothing with it, so that a command takes what it takes without the 5 s of that import.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
from fault_table import Tried, failures, summed
from PIL import Image

from transfer.errors import TransferError
from transfer.reading import run_config
from transfer.stopping import EXIT_CODE

SERIES = 10  # kills of one command before it may end
TURNS = (0, 3, 4, 5, 2, 3, 4, 5, 1, 3)  # of the commands: the quick ones more often
SERVERS = 2
ENDED_BY_SIGTERM = (EXIT_CODE, -signal.SIGTERM)  # the latter before and behind what the command does
LAYERS = '[{"flatten": true}]'
TRAINING = ("--layers", "layers.json", "--image-size", "32", "--epochs", "1")


@dataclass
class Command:
    """A command that writes, and what is true of its place at any moment.

    Attributes:
        words: as they are typed.
        flaw: what is wrong with what it has written by now, or "".
        seconds: that it takes.
        begin: makes room for the command once more.
    """

    words: tuple[str, ...]
    flaw: Callable[[Path], str]
    seconds: float = 0.0
    begin: Callable[[Path], None] = lambda place: None

    @property
    def name(self) -> str:
        return " ".join(self.words[:1] + tuple(word for word in self.words[1:] if word in ("--apply", "--sort-into")))


def kills(folder: Path, number: int = 200, seed: int = 0) -> list[Tried]:
    """End commands by SIGKILL and SIGTERM at random moments.

    Args:
        folder: made, and filled.
        number: of signals.
    """
    with ThreadPoolExecutor(SERVERS) as pool:
        counts = [number // SERVERS + (i < number % SERVERS) for i in range(SERVERS)]
        parts = [pool.submit(_kills, folder / f"kills-{i}", count, seed + i) for i, count in enumerate(counts)]
        return [one for part in parts for one in part.result()]


def twice(folder: Path) -> list[Tried]:
    """Start every command twice at once, in one place."""
    tried = []
    with _server(folder / "twice") as run, _server(folder / "twice", made=True) as other:
        commands = _prepared(folder / "twice", run)
        for command in (*commands, *_more(folder / "twice")):
            tried.append(_at_once(folder / "twice", command, run, other))
    return tried


def _kills(place: Path, number: int, seed: int) -> list[Tried]:
    tried, hit, dice = [], 0, random.Random(seed)
    with _server(place) as run:
        commands = _prepared(place, run)
        turns = cycle([commands[i] for i in TURNS])
        while hit < number:
            command = next(turns)
            command.begin(place)
            hits = min(SERIES, number - hit)
            fresh, hit = True, hit + hits
            while hits:
                if "copy" in command.words:  # which is never replaced
                    command.begin(place)
                ending = dice.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
                ended = run(command.words, dice.uniform(0, command.seconds), ending)
                happened = command.flaw(place)
                if ended["code"] == 0 and not happened:  # it was quicker
                    command.begin(place)
                    continue
                if ending == signal.SIGTERM:
                    if ended["code"] not in ENDED_BY_SIGTERM:
                        happened = happened or f"exit code {ended['code']}: {ended['said']}"
                    if fresh and ended["code"] == EXIT_CODE:
                        happened = happened or _half(place)
                tried.append(Tried(f"{command.name}, {ending.name}", not happened, happened))
                hits, fresh = hits - 1, False
            if "copy" in command.words:
                command.begin(place)
            ended = run(command.words)
            happened = command.flaw(place) or _left_behind(place)
            if ended["code"]:
                happened = happened or f"exit code {ended['code']}: {ended['said']}"
            tried.append(Tried(f"{command.name}, once more behind {SERIES} of these", not happened, happened))
        return tried


def _at_once(place: Path, command: Command, run, other) -> Tried:
    command.begin(place)
    before = _exports(place)
    with ThreadPoolExecutor(2) as pool:
        ended = [job.result() for job in [pool.submit(one, command.words) for one in (run, other)]]
    codes = sorted(one["code"] for one in ended)
    happened = command.flaw(place) or _left_behind(place)
    if codes not in ([0, 0], [0, 2]):
        happened = happened or f"exit codes {codes}: {[one['said'] for one in ended]}"
    if codes == [0, 2] and "another process" not in next(one["said"] for one in ended if one["code"] == 2):
        happened = happened or str([one["said"] for one in ended])
    if command.words[0] == "export" and len(_exports(place)) - len(before) != 2:
        happened = happened or f"{len(_exports(place)) - len(before)} of 2 exports are there"
    if command.words[0] == "train" and "--out" not in command.words and len(list((place / "runs").iterdir())) != 2:
        happened = happened or "not two runs"
    return Tried(f"{command.name}, twice at once", not happened, happened)


def _prepared(place: Path, run) -> list[Command]:
    """Data, a run and what else the commands need; the commands."""
    dice = np.random.default_rng(0)
    for label in range(3):
        for i in range(12):
            path = place / "data" / "abc"[label] / f"{label}_{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = dice.integers(0, 80, (32, 32, 3)) + 80 * label
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    (place / "layers.json").write_text(LAYERS)
    train = ("train", "data", "--method", "scratch", *TRAINING)
    compare = ("compare", "data", "--methods", "scratch,dense", *TRAINING)
    needed = [
        (*train, "--out", "run", "--overwrite"), (*compare, "--out", "comparison", "--overwrite"),
        ("export", "run", "--out", "models"), ("predict", "run", "data", "--csv", "answers.csv"),
        ("clean", "data", "--out", "clean.csv"), ("clean", "data", "--apply", "clean.csv", "--out", "copy"),
    ]  # fmt: skip
    seconds = []
    for words in needed:
        ended = run(words)
        seconds.append(ended["seconds"])
        if ended["code"]:
            raise RuntimeError(f"{words}: {ended['said']}")
    known = {name: _names(place / name) for name in ("run", "comparison", "models/1", "copy")}
    table, actions = (place / "answers.csv").read_bytes(), (place / "clean.csv").read_bytes()
    pictures = {path.read_bytes() for path in (place / "data").rglob("*.png")}

    def whole(name: str) -> Callable[[Path], str]:
        return lambda place: _unlike_run(place / name, known[name])

    def answered(place: Path) -> str:
        odd = [path for path in (place / "sorted").rglob("*.png") if path.read_bytes() not in pictures]
        odd += [path for path in (place / "sorted").rglob("*-2.png")]
        return "answers.csv is another" * ((place / "answers.csv").read_bytes() != table) or " ".join(map(str, odd[:1]))

    def cleaned(place: Path) -> str:
        return "clean.csv is another" * ((place / "clean.csv").read_bytes() != actions)

    def copied(place: Path) -> str:
        copy = place / "copy"
        return "copy is not whole" if copy.exists() and _names(copy) != known["copy"] else ""

    def exported(place: Path) -> str:
        odd = [path for path in _exports(place) if _names(path) != known["models/1"]]
        return f"{odd[0]} is not whole" if odd else ""

    return [
        Command(needed[0], whole("run"), seconds[0]),
        Command(needed[1], whole("comparison"), seconds[1]),
        Command(needed[2], exported, seconds[2], lambda place: _remove(place / "models")),
        Command(
            (*needed[3], "--resume", "--sort-into", "sorted"),
            answered,
            seconds[3],
            lambda place: _remove(place / "sorted"),
        ),
        Command((*needed[4], "--overwrite"), cleaned, seconds[4]),
        Command(needed[5], copied, seconds[5], lambda place: _remove(place / "copy")),
    ]


def _more(place: Path) -> list[Command]:
    """Commands that are not among those that are killed: with a name that they choose, and with pages and tables."""
    names = _names(place / "run")

    def whole(place: Path) -> str:
        return next(filter(None, (_unlike_run(run, names) for run in (place / "runs").glob("*"))), "")

    def ends(name: str, with_: str) -> Callable[[Path], str]:
        return lambda place: "" if (place / name).read_text().rstrip().endswith(with_) else f"{name} is not whole"

    words = ("train", "data", "--method", "scratch", *TRAINING)
    return [
        Command(words, whole, begin=lambda place: _remove(place / "runs")),
        Command(("check", "data", "--out", "checked"), ends("checked/check.html", "</html>")),
        Command(("report", "run", "--out", "page.html", "--overwrite"), ends("page.html", "</html>")),
        Command(
            ("explain", "run", "data/a/0_0.png", "--out", "explained", "--overwrite"),
            ends("explained/explain.html", "</html>"),
        ),
        Command(("evaluate", "run", "data", "--csv", "evaluated.csv"), ends("evaluated.csv", "")),
    ]


def _unlike_run(run: Path, names: set[str]) -> str:
    """What a run lacks, or which of its files is not that which was written with it."""
    if _names(run) != names:
        return f"{run} has {sorted(_names(run) ^ names)[:3]} more or less"
    try:
        for config in run.rglob("config.json"):
            written = json.loads(config.read_text())["written"]
            run_config(config.parent, *written)
    except (TransferError, OSError, ValueError, KeyError) as error:
        return str(error)
    return ""


def _exports(place: Path) -> list[Path]:
    return [path for path in (place / "models").glob("*") if path.name.isdecimal()]


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _half(place: Path) -> str:
    odd = [path for path in place.rglob("*") if path.name.startswith((".partial-", "unpacking-", "__autograph"))]
    return f"{odd[0]} is left behind" if odd else ""


def _left_behind(place: Path) -> str:
    """What no command needs, anywhere."""
    if half := _half(place):
        return half
    odd = [*(place / "tmp").iterdir(), *(path for path in (place / "cache/unfinished").glob("*"))]
    odd += [path for path in place.rglob("*") if path.is_dir() and not any(path.iterdir()) and path != place / "tmp"
            and place / "cache" not in path.parents and path.name != "assets"]  # fmt: skip
    return f"{odd[0]} is left behind" if odd else ""


def _remove(folder: Path) -> None:
    subprocess.run(["rm", "-rf", str(folder)], check=True)


@contextmanager
def _server(place: Path, made: bool = False) -> Iterator[Callable]:
    """Yield a function that runs a command in a place, ended by a signal after some seconds if wanted."""
    place.mkdir(parents=True, exist_ok=made)
    for name in ("cache", "tmp"):
        (place / name).mkdir(exist_ok=made)
    environment = os.environ | {"TRANSFER_CACHE": str(place / "cache"), "TMPDIR": str(place / "tmp")}
    with tempfile.TemporaryFile() as noise:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": noise}
        server = subprocess.Popen([sys.executable, __file__, "--serve"], cwd=place, env=environment, text=True, **pipes)

        def run(words: tuple[str, ...], after: float | None = None, number: int = 0) -> dict:
            print(json.dumps([words, after, number]), file=server.stdin, flush=True)
            return json.loads(server.stdout.readline())

        try:
            yield run
        finally:
            server.stdin.close()
            server.wait()


def _serve() -> None:
    """Run each command that is asked for on standard input in a fork, and tell how it ended."""
    from transfer import quiet

    quiet.import_tensorflow()
    import transfer

    for name in transfer.__all__:  # all modules, none of which does anything yet
        getattr(transfer, name)
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        words, after, number = json.loads(line)
        with tempfile.TemporaryFile() as said:
            started = time.perf_counter()
            child = os.fork()
            if not child:
                _become(words, said.fileno())
            if after is not None:
                time.sleep(after)
                with suppress(ProcessLookupError):
                    os.kill(child, number)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            seconds = time.perf_counter() - started
            said.seek(0)
            told = said.read().decode(errors="replace")[-1500:]
        print(json.dumps({"code": code, "seconds": seconds, "said": told}), file=answers, flush=True)


def _become(words: list[str], said: int) -> None:
    """Be the command, in a process that was just forked."""
    for stream in (1, 2):
        os.dup2(said, stream)
    os.close(0)
    sys.argv = ["transfer", *words]
    tempfile.tempdir = None
    from transfer.cli import main

    code = 70
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        import traceback

        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        _serve()
        sys.exit()
    base = Path(sys.argv[1])
    started = time.perf_counter()
    everything = kills(base, int(sys.argv[2]) if len(sys.argv) > 2 else 200) + twice(base)
    for row in summed(everything):
        print(*row, sep="\t")
    print(*failures(everything), f"{time.perf_counter() - started:.0f} s", sep="\n")

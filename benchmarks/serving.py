"""What a server makes of 16 clients at once: answers a second, waiting times, wrong answers, memory, and kills.

    python benchmarks/serving.py runs/flowers-frozen PICTURES --requests 10000 --kills 3

PICTURES is a folder, of which 60 pictures are taken. The server is started here. Before and after the load the network
alone answers the same files in batches of 32. Each client asks again when it has its answer; with more than 1,000
requests 5 of 100 are of bytes that are no picture, and 1 of 100 is cut off in the middle. Last the server is killed
(SIGKILL) and started again under load. Answers are held against those of `transfer.predict` when all have come, so
that clients take little of the processors; how much is told.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np
import typer

import transfer
from transfer.runs.prediction import list_files
from transfer.runs.saved_networks import SavedNetwork, answers
from transfer.serving.served_networks import open_network

CLIENTS, PICTURES, FAULTS_FROM = 16, 60, 1000
BROKEN = b"\xff\xd8\xff no picture"
TOLERANCE = 1e-4
ALONE = 1600  # pictures that the network answers by itself
KILLED_EVERY = 600  # answers
LOOKS = 20  # at the memory of the server
TICKS = os.sysconf("SC_CLK_TCK")


class Said(NamedTuple):
    """An answer: its request's number, milliseconds, status (0: the connection broke) and body."""

    number: int
    took: float
    status: int
    body: bytes


class Load(NamedTuple):
    """What is asked: wire formats of good requests and a bad one, the port, how many, and whether some are faulty."""

    good: Sequence[bytes]
    broken: bytes
    port: int
    requests: int
    faults: bool

    def is_broken(self, number: int) -> bool:
        """Whether this one is of no picture."""
        return self.faults and number % 20 == 7

    def is_cut(self, number: int) -> bool:
        """Whether this one is left in the middle."""
        return self.faults and number % 100 == 99


def start(model: str, port: int, engine: str) -> subprocess.Popen:
    """A server in a process of its own, which answers."""
    words = ["serve", f"model={model}", "--port", str(port), "--trust", "--engine", engine]
    command = [sys.executable, "-c", "from transfer.cli import main; main()", *words]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if not server.stdout.readline():
        raise SystemExit(f"it does not start: transfer {' '.join(words)}")
    return server


def megabytes(server: subprocess.Popen) -> float:
    """Memory of a process."""
    lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024


def processor_seconds(server: subprocess.Popen) -> float:
    """That a process has taken."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def request_of(data: bytes) -> bytes:
    """A form with one file, as it goes over the wire."""
    body = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n' + data + b"\r\n--x--\r\n"
    head = "POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def ask(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], number: int, request: bytes) -> Said:
    """Send a request, and wait for its answer."""
    reader, writer = streams
    begun = time.perf_counter()
    try:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        status, body = int(head.split(b" ", 2)[1]), await reader.readexactly(length)
    except (OSError, asyncio.IncompleteReadError):
        status, body = 0, b""
        writer.close()
    return Said(number, 1e3 * (time.perf_counter() - begun), status, body)


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection, as soon as there is a server."""
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)


async def ask_all(load: Load, said: list[Said]) -> int:
    """Put the answers into a list as they come; how many requests were cut off is returned."""
    numbers = iter(range(load.requests))

    async def client() -> int:
        cut, streams = 0, await connect(load.port)
        for number in numbers:  # all clients share it
            request = load.broken if load.is_broken(number) else load.good[number % len(load.good)]
            if load.is_cut(number):
                _, writer = await connect(load.port)
                writer.write(request[: len(request) // 2])
                await writer.drain()
                writer.close()
                cut += 1
                continue
            said.append(await ask(streams, number, request))
            if not said[-1].status:
                streams = await connect(load.port)
        streams[1].close()
        return cut

    return sum(await asyncio.gather(*(client() for _ in range(CLIENTS))))


async def watched(load: Load, server: subprocess.Popen, said: list[Said]) -> tuple[int, list[float]]:
    """(requests that were cut off, memory of the server at equal distances while it answers)."""
    asking, seen = asyncio.create_task(ask_all(load, said)), []
    while not asking.done():
        if len(said) >= len(seen) * load.requests / LOOKS:
            seen.append(megabytes(server))
        await asyncio.sleep(0.1)
    return await asking, [*seen, megabytes(server)]


async def killed(load: Load, words: tuple, server: subprocess.Popen, said: list[Said]) -> tuple[subprocess.Popen, list]:
    """(the last server, seconds from each kill until there were answers again)."""
    asking, away = asyncio.create_task(ask_all(load, said)), []
    for kill in count(1):
        while len(said) < kill * KILLED_EVERY and not asking.done():
            await asyncio.sleep(0.01)
        if asking.done() or kill * KILLED_EVERY >= load.requests:
            await asking
            return server, away
        server.kill()
        server.wait()
        begun, known = time.perf_counter(), len(said)
        server = await asyncio.to_thread(start, *words)
        while len(said) < known + 2 * CLIENTS:
            await asyncio.sleep(0.01)
        away.append(time.perf_counter() - begun)


def wrong_among(said: Sequence[Said], load: Load, expected: Sequence[dict[str, float]]) -> list[Said]:
    """Answers that are not what they should be; one that never came is none."""

    def is_right(answer: Said) -> bool:
        if answer.status != 200:
            return not answer.status
        (row,) = json.loads(answer.body)["predictions"]
        if load.is_broken(answer.number):
            return not row["readable"]
        wanted = expected[answer.number % len(expected)]
        return all(abs(row["probabilities"][name] - value) <= TOLERANCE for name, value in wanted.items())

    return [answer for answer in said if not is_right(answer)]


def alone(network: SavedNetwork, files: Sequence[bytes]) -> float:
    """Pictures a second of the network, from files, in its own batches."""
    many = [files[number % len(files)] for number in range(ALONE)]
    begun = time.perf_counter()
    for _ in answers(network, many):
        pass
    return ALONE / (time.perf_counter() - begun)


async def one_by_one(load: Load) -> float:
    """Milliseconds of one picture, when nobody else asks."""
    streams = await connect(load.port)
    return float(np.median([(await ask(streams, 0, request)).took for request in load.good[:40]]))


def measure(load: Load, server: subprocess.Popen, network: SavedNetwork, files: Sequence[bytes], expected: list) -> str:
    """What comes of a load, beside the network alone, in words."""
    before, lonely, said, warm = alone(network, files), asyncio.run(one_by_one(load)), [], []
    asyncio.run(ask_all(load._replace(requests=500, faults=False), warm))
    begun, own, its = time.perf_counter(), time.process_time(), processor_seconds(server)
    cut, memory = asyncio.run(watched(load, server, said))
    seconds = time.perf_counter() - begun
    own, its = (time.process_time() - own) / seconds, (processor_seconds(server) - its) / seconds
    by_itself, speed = (before + alone(network, files)) / 2, len(said) / seconds
    times, lost = [each.took for each in said], sum(not each.status for each in said)
    return (
        f"{len(said)} answers, {len(wrong_among(said, load, expected))} wrong, {lost} lost, {cut} requests cut off\n"
        f"{speed:.0f} answers a second, the network alone {by_itself:.0f}: {speed / by_itself:.2f}\n"
        f"processors taken by clients {own:.2f}, by the server {its:.2f}, of {os.cpu_count()}\n"
        f"milliseconds: one alone {lonely:.1f}, of {CLIENTS} at once p50 {np.median(times):.1f}, p99 "
        f"{np.percentile(times, 99):.1f}\n"
        f"memory in MB meanwhile: {', '.join(f'{each:.0f}' for each in memory)}"
    )


def main(
    model: str, pictures: str, requests: int = 1000, kills: int = 0, port: int = 8511, engine: str = "auto"
) -> None:
    files = [path.read_bytes() for path in list_files([pictures])[:PICTURES]]
    expected = [row.probabilities for row in transfer.predict(model, files, trust=True)]
    load = Load([request_of(data) for data in files], request_of(BROKEN), port, requests, requests > FAULTS_FROM)
    server = start(model, port, engine)
    try:
        network = open_network(Path(model), True, engine)
        alone(network, files)
        print(measure(load, server, network, files, expected))
        if kills:
            said, load = [], load._replace(requests=(kills + 1) * KILLED_EVERY, faults=False)
            server, away = asyncio.run(killed(load, (model, port, engine), server, said))
            lost, wrong = sum(not each.status for each in said), wrong_among(said, load, expected)
            print(
                f"killed {len(away)} times: {len(said) - lost} answers, {len(wrong)} wrong, {lost} lost, of at most "
                f"{CLIENTS * len(away)} in flight; answers again after {', '.join(f'{each:.1f}' for each in away)} s"
            )
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    typer.run(main)

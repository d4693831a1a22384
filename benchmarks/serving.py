"""What a server makes of 16 clients at once: answers a second, waiting times, wrong answers, memory.

    transfer serve runs/flowers-frozen --port 8501 &
    python benchmarks/serving.py runs/flowers-frozen PICTURES http://127.0.0.1:8501/ --server PID --requests 10000

PICTURES is a folder, of which 60 pictures are taken. With more than 1,000 requests 5 of 100 are of bytes that are no
picture, and 1 of 100 is cut off in the middle; every answer is held against that of `transfer.predict`.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from itertools import count
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import numpy as np
import typer

import transfer
from transfer.runs.prediction import list_files

CLIENTS, PICTURES, FAULTS_FROM = 16, 60, 1000
BROKEN = b"\xff\xd8\xff no picture"
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
TOLERANCE = 1e-4


def body_of(data: bytes) -> bytes:
    """A form with one file."""
    return b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n' + data + b"\r\n--x--\r\n"


def ask(client: http.client.HTTPConnection, data: bytes) -> tuple[float, int, dict]:
    """(milliseconds, status, what is said of the picture)."""
    start = time.perf_counter()
    client.request("POST", "/classify", body_of(data), FORM)
    answer = client.getresponse()
    said = json.loads(answer.read())
    return 1e3 * (time.perf_counter() - start), answer.status, said.get("predictions", [said])[0]


def cut_off(place: str, data: bytes) -> None:
    """Send half a request, and go."""
    host, port = place.split(":")
    body = body_of(data)
    head = f"POST /classify HTTP/1.1\r\nHost: {place}\r\nContent-Type: {FORM['Content-Type']}\r\n"
    with socket.create_connection((host, int(port))) as client:
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[: len(body) // 2])


def megabytes(server: int) -> float:
    """Memory of a process."""
    lines = Path(f"/proc/{server}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024


def main(
    model: str,
    pictures: str,
    url: str,
    server: Annotated[int, typer.Option(help="process of the server")],
    requests: int = 1000,
) -> None:
    files = [path.read_bytes() for path in list_files([pictures])[:PICTURES]]
    expected = [row.probabilities for row in transfer.predict(model, files)]
    place, numbers, lock = urlsplit(url).netloc, count(), threading.Lock()
    times, wrong, cut = [], [], []

    def is_right(status: int, said: dict, wanted: dict | None) -> bool:
        if status != 200 or wanted is None:
            return status == 200 and not said["readable"]
        return all(abs(said["probabilities"][name] - value) <= TOLERANCE for name, value in wanted.items())

    def work() -> None:
        client = http.client.HTTPConnection(place, timeout=60)
        while (number := next(numbers)) < requests:
            data, wanted = files[number % len(files)], expected[number % len(files)]
            if requests > FAULTS_FROM and number % 100 == 99:
                cut_off(place, data)
                cut.append(number)
                continue
            if requests > FAULTS_FROM and number % 20 == 7:
                data, wanted = BROKEN, None
            took, status, said = ask(client, data)
            with lock:
                times.append(took)
                if not is_right(status, said, wanted):
                    wrong.append((number, status, said))

    client = http.client.HTTPConnection(place)
    alone = [ask(client, data)[0] for data in files[:20]]
    before, start = megabytes(server), time.perf_counter()
    clients = [threading.Thread(target=work) for _ in range(CLIENTS)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    seconds = time.perf_counter() - start
    print(
        f"{len(times)} answers, {len(wrong)} wrong, {len(cut)} requests cut off; {len(times) / seconds:.0f} a second; "
        f"ms: one alone {np.median(alone):.1f}, of 16 at once p50 {np.median(times):.1f}, p99 "
        f"{np.percentile(times, 99):.1f}; memory {before:.0f} MB before, {megabytes(server):.0f} MB after"
    )
    for each in wrong[:3]:
        print("wrong:", each)


if __name__ == "__main__":
    typer.run(main)

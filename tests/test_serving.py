"""A server: the same answers by every protocol, what it refuses, new versions, and its end."""

import base64
import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import struct
import threading
import time
import tomllib
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import transfer
from transfer import cli, quiet

for needed in ("fastapi", "uvicorn", "python_multipart", "prometheus_client", "httpx"):
    pytest.importorskip(needed, reason=f"{needed} is not installed; pip install 'transfer[serve]' httpx")
quiet.import_tensorflow()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402
from fastapi.testclient import TestClient  # noqa: E402

from transfer.data.images import read_fitted  # noqa: E402
from transfer.errors import MissingExtraError, ModelFileError, OptionError  # noqa: E402
from transfer.runs.exportables import ExportSource  # noqa: E402
from transfer.runs.exports import SIDECAR, endpoint  # noqa: E402
from transfer.runs.saved_networks import answers  # noqa: E402
from transfer.serving import (  # noqa: E402
    app,
    batching,
    bodies,
    collecting,
    json_bodies,
    model_names,
    open_inference,
    packages,
    tensorflow_rest,
)
from transfer.serving.asking import Service  # noqa: E402
from transfer.serving.batching import Batching  # noqa: E402
from transfer.serving.doors import OPEN  # noqa: E402
from transfer.serving.opening import open_service  # noqa: E402
from transfer.serving.refusals import Limits, Refusal  # noqa: E402
from transfer.serving.server import Address, serve  # noqa: E402
from transfer.writing import write_json  # noqa: E402

NAMES = ["ant", "bée", "cat <b>"]
ROOT = Path(__file__).parent.parent
HOST = "http://localhost"


def write_run(folder, seed=0):
    """The folder of a run as far as it is needed to answer, with random weights."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Rescaling(1 / 64),
            layers.Conv2D(4, 3, 2, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        ]
    )
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "model.keras")
    options = {"backbone": "none", "fit": "crop", "image_size": 16, "method": "scratch", "seed": seed, "weights": None}
    write_json(
        folder / "config.json",
        {"options": options, "classes": NAMES, "versions": {}, "root": str(folder), "files": {}, "levels": {}},
    )
    return folder


def png(seed=0, size=(40, 30)):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def encoded(data):
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("served") / "tiny")


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    return tmp_path_factory.mktemp("collected") / "new"


@pytest.fixture(scope="module")
def service(run, collected):
    return open_service({"tiny": run}, Limits(most_megabytes=0.5, most_waiting=50), collect=collected)


@pytest.fixture(scope="module")
def client(service):
    with TestClient(app.build_app(service), base_url=HOST) as client:
        yield client


def strict(answer):
    """The JSON of an answer, as strict parsers take it."""
    return json.loads(answer.text, parse_constant=pytest.fail)


def refused(answer, status, *words):
    assert answer.status_code == status, answer.text
    sentence = strict(answer)["error"]
    assert all(word in sentence for word in words), sentence


def test_every_protocol_gives_the_answers_of_predict(client, run):
    files = {"a.png": png(1), "broken.jpg": b"\xff\xd8\xff no", "wide.png": png(2, (90, 20)), "none": b""}
    expected = [transfer.predict(run, data)[0] for data in files.values()]
    wanted = [[*row.probabilities.values()] or [0] * 3 for row in expected]

    form = [("files", (name, data)) for name, data in files.items()]
    rows = strict(client.post("/classify", files=form))["predictions"]
    assert [row["file"] for row in rows] == [*files]
    assert [row["error"] for row in rows] == [row.error for row in expected]
    assert [row["label"] for row in rows] == [row.label or None for row in expected]
    np.testing.assert_allclose([[*row["probabilities"].values()] or [0] * 3 for row in rows], wanted, atol=1e-6)

    instances = [{"b64": encoded(data)} for data in files.values()]
    rows = strict(client.post("/v1/models/tiny:predict", json={"instances": instances}))["predictions"]
    np.testing.assert_allclose([row["probabilities"] for row in rows], wanted, atol=1e-6)
    assert [row["readable"] for row in rows] == [not row.error for row in expected]
    assert rows[0]["class_names"] == NAMES
    by_name = {"signature_name": "predict_bytes", "inputs": {"files": instances}}
    columns = strict(client.post("/v1/models/tiny/versions/1:predict", json=by_name))["outputs"]
    assert columns["label"] == [row.label for row in expected]

    tensor = {"name": "files", "datatype": "BYTES", "shape": [4], "data": [each["b64"] for each in instances]}
    said = strict(client.post("/v2/models/tiny/infer", json={"id": "7", "inputs": [tensor]}))
    assert (said["id"], said["model_name"], said["model_version"]) == ("7", "tiny", "1")
    outputs = {each["name"]: each for each in said["outputs"]}
    np.testing.assert_allclose(np.reshape(outputs["probabilities"]["data"], (4, 3)), wanted, atol=1e-6)
    assert outputs["error"]["data"] == [row.error for row in expected]
    for output in outputs.values():
        assert np.prod(output["shape"]) == len(output["data"])

    del tensor["data"]
    binary = b"".join(struct.pack("<I", len(data)) + data for data in files.values())
    tensor["parameters"] = {"binary_data_size": len(binary)}
    head = json.dumps({"inputs": [tensor], "outputs": [{"name": "label"}]}).encode()
    said = strict(
        client.post(
            "/v2/models/tiny/versions/1/infer",
            content=head + binary,
            headers={"Inference-Header-Content-Length": str(len(head))},
        )
    )
    assert [each["data"] for each in said["outputs"]] == [[row.label for row in expected]]


def test_pixels_are_pictures_too(client, run):
    pixels = np.random.default_rng(3).integers(0, 256, (2, 16, 16, 3), np.uint8)
    wanted = [[*row.probabilities.values()] for row in transfer.predict(run, pixels)]
    body = {"signature_name": "serving_default", "instances": pixels.tolist()}
    rows = strict(client.post("/v1/models/tiny:predict", json=body))["predictions"]
    np.testing.assert_allclose([row["probabilities"] for row in rows], wanted, atol=1e-6)
    tensor = {"name": "pictures", "datatype": "UINT8", "shape": [2, 16, 16, 3], "data": pixels.ravel().tolist()}
    said = strict(client.post("/v2/models/tiny/infer", json={"inputs": [tensor]}))
    np.testing.assert_allclose(np.reshape(said["outputs"][0]["data"], (2, 3)), wanted, atol=1e-6)


def test_what_can_be_asked_is_told(client):
    (status,) = strict(client.get("/v1/models/tiny"))["model_version_status"]
    assert (status["version"], status["state"]) == ("1", "AVAILABLE")
    signatures = strict(client.get("/v1/models/tiny/metadata"))["metadata"]["signature_def"]["signature_def"]
    assert signatures["predict_bytes"]["inputs"]["files"]["dtype"] == "DT_STRING"
    assert [row["name"] for row in strict(client.get("/v2/models/tiny"))["inputs"]] == ["files", "pictures"]
    assert strict(client.get("/v2/models/tiny/ready"))["ready"] is strict(client.get("/v2/health/live"))["live"] is True
    (model,) = strict(client.get("/models"))["models"]
    assert (model["class_names"], model["versions"]) == (NAMES, [1])
    for path in strict(client.get("/openapi.json"))["paths"]:
        assert path.replace("{", "&#123;").replace("&#123;", "{") in client.get("/docs").text
    client.post("/classify", files={"f": b"nothing"})
    said = client.get("/metrics").text
    assert 'transfer_pictures_total{model="tiny",readable="false",version="1"}' in said
    assert 'transfer_requests_total{path="/classify",status="200"}' in said
    assert 'transfer_model_loaded{model="tiny",version="1"} 1.0' in said


PREDICT, INFER = "/v1/models/tiny:predict", "/v2/models/tiny/infer"
FILES = {"name": "files", "datatype": "BYTES", "shape": [1]}


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (PREDICT, "{", ["no JSON"]),
        (PREDICT, "[" * 100_000, ["no JSON"]),
        (PREDICT, '{"instances": [NaN]}', ["NaN"]),
        (PREDICT, "[]", ["list", "expected an object"]),
        (PREDICT, "{}", ['"instances"', '"inputs"']),
        (PREDICT, {"instances": [], "inputs": []}, ["either"]),
        (PREDICT, {"instances": {"b64": ""}}, ["no list"]),
        (PREDICT, {"instances": [{"b64": "%"}]}, ["instances[0]", "base64"]),
        (PREDICT, {"instances": ["text"]}, ["instances[0]", "no picture"]),
        (PREDICT, {"instances": [[[[1, 2, 300]]]]}, ["0 to 255"]),
        (PREDICT, {"instances": [[[1], [1, 2]]]}, ["no array"]),
        (PREDICT, {"inputs": {"images": []}}, ["images", "files or pictures"]),
        (PREDICT, {"signature_name": "x", "instances": []}, ["'x'", "predict_bytes"]),
        (PREDICT, {"signature_name": "predict_bytes", "instances": [[[[0, 0, 0]]]]}, ["does not suit"]),
        (INFER, {"inputs": []}, ["one tensor"]),
        (INFER, {"inputs": [{"name": "x"}]}, ["'x'", "files of BYTES"]),
        (INFER, {"inputs": [FILES | {"shape": "1"}]}, ["shape"]),
        (INFER, {"inputs": [FILES]}, ['no list "data"']),
        (INFER, {"inputs": [FILES | {"data": ["", ""]}]}, ["2 files", "expected [2]"]),
        (INFER, {"inputs": [FILES | {"data": [3]}]}, ["data[0]", "base64"]),
        (INFER, {"inputs": [FILES | {"data": [""]}], "outputs": [{"name": "logits"}]}, ["logits", "probabilities"]),
        (INFER, {"inputs": [FILES | {"parameters": {"binary_data_size": 9}}]}, ["0 bytes", "9"]),
        ("/classify", "{}", ["multipart/form-data"]),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_in_one_sentence(client, path, body, words):
    content = body if isinstance(body, str) else json.dumps(body)
    refused(client.post(path, content=content), 400, *words)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1, [2, [3, [4]]]], "b": {"c": {"d": {"e": [null, true, -1.5e3, "x\\u00e9"]}}}}', ' {"a":[]} ',
        '{"":{}}', '{"a":[1,]}', '{"a" 1}', '{"a":[1 2]}', '{"a":1} x', '{"a":1,}', '{"a":[', '{"a":[[[[[', "{", "",
        "[1]", "7", '{"a":"\n"}', '{"a":1,"a":2}',
    ],
)  # fmt: skip
def test_json_is_read_as_python_reads_it(text):
    try:
        wanted = json.loads(text)
    except ValueError as error:
        with pytest.raises(Refusal, match=re.escape(f"the body is no JSON ({error})")):
            json_bodies.parsed_object(text.encode())
    else:
        if isinstance(wanted, dict):
            assert json_bodies.parsed_object(text.encode()) == wanted
        else:
            with pytest.raises(Refusal, match="expected an object"):
                json_bodies.parsed_object(text.encode())


@pytest.mark.parametrize("path", [PREDICT, INFER])
def test_others_are_answered_while_a_large_body_is_read(client, monkeypatch, path):
    begun, go_on = threading.Event(), threading.Event()

    def slow(body):
        begun.set()
        assert go_on.wait(10)
        return json.loads(body)

    for module in (tensorflow_rest, open_inference):
        monkeypatch.setattr(module, "parsed_object", slow)
    pixels = np.zeros((10, 40, 40, 3), np.uint8)
    tensor = {"name": "pictures", "datatype": "UINT8", "shape": pixels.shape, "data": pixels.ravel().tolist()}
    bodies_of = {PREDICT: {"instances": pixels.tolist()}, INFER: {"inputs": [tensor]}}
    with ThreadPoolExecutor(1) as pool:
        large = pool.submit(client.post, path, json=bodies_of[path])
        assert begun.wait(10)
        assert client.get("/v2/health/live").status_code == 200
        assert not large.done()
        go_on.set()
        assert large.result().status_code == 200


def test_what_is_not_there(client):
    refused(client.get("/v1/models/other"), 404, "'other'", "tiny")
    refused(client.get("/v1/models/tiny/versions/9"), 404, "no version 9", "there is 1")
    refused(client.get("/v1/models/tiny/versions/new"), 400, "'new'")
    refused(client.post("/classify", files={"f": png()}, data={"version": "new"}), 400, "'new'")
    refused(client.post("/classify", files={"f": png()}, data={"model": "x"}), 404, "'x'")
    refused(client.post("/classify", files={"f": (None, "text")}), 400, "no file")
    refused(client.get("/../etc/passwd"), 404, "/docs")
    refused(client.delete("/classify"), 405, "method not allowed")


def test_limits(client, service):
    refused(client.post("/classify", files={"f": bytes(600_000)}), 413, "0.5 MB")
    chunks = (bytes(100_000) for _ in range(6))  # of which nobody tells the length before
    refused(client.post("/classify", content=chunks), 413, "0.5 MB")
    refused(client.post(PREDICT, json={"instances": [{"b64": ""}] * 51}), 413, "51 pictures", "50")
    refused(client.post("/classify", files=[("f", b"")] * 51), 413, "50 files")
    service.waiting.pictures += 50
    try:
        answer = client.post("/classify", files={"f": png()})
        refused(answer, 429, "50 pictures wait")
        assert answer.headers["retry-after"] == "1"
    finally:
        service.waiting.pictures -= 50
    assert client.post("/classify", files={"f": png()}).status_code == 200
    for wrong in ({"most_megabytes": 0}, {"most_seconds": float("nan")}, {"most_waiting": 1.5}):
        with pytest.raises(OptionError, match=f"^`{next(iter(wrong))}="):
            Limits(**wrong)


def test_bodies_of_all_requests_together_have_a_limit():
    async def app_of_bodies(scope, receive, send):
        held.append(bodies_of._held)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": (await receive())["body"]})

    held, limits = [], Limits(most_megabytes=0.001)
    bodies_of = bodies.BoundedBodies(app_of_bodies, limits)
    client = TestClient(bodies_of)
    for number in (1000, 1001, 1000):
        client.post("/", content=bytes(number))
    assert (held, bodies_of._held) == ([1000, 1000], 0)
    bodies_of._held = bodies.AT_ONCE * 1000
    refused(client.post("/", content=b"1"), 429, "too many bytes")
    assert client.get("/").status_code == 200


def test_a_network_that_fails_or_takes_too_long_does_not_end_the_server(run):
    service = open_service({"tiny": run}, Limits(most_seconds=0.2))
    version = service.models.version("tiny")
    go_on = threading.Event()
    states = iter([lambda: (_ for _ in ()).throw(MemoryError("no room")), go_on.wait])

    def classify(pictures):
        next(states, lambda: None)()
        return version.network.classify(pictures)

    version.batching._network = version.network._replace(classify=classify)
    with TestClient(app.build_app(service), base_url=HOST) as client:
        refused(client.post("/classify", files={"f": png()}), 500, "no room")
        refused(client.post("/classify", files={"f": png()}), 503, "0.2 seconds")
        go_on.set()
        assert client.post("/classify", files={"f": png()}).status_code == 200
    assert service.waiting.pictures == 0


def test_pictures_of_many_requests_are_answered_together(service):
    network, sizes, begun, go_on = service.models.version("tiny").network, [], threading.Event(), threading.Event()

    def classify(pictures):
        sizes.append(len(pictures))
        begun.set()
        go_on.wait()
        return network.classify(pictures)

    counted = []
    together = Batching(network._replace(classify=classify), lambda *counts: counted.append(counts))
    first = []
    for _ in range(batching.AT_ONCE):  # a batch of one for each thread
        begun.clear()
        first.append(together.submit(png(0)))
        assert begun.wait(10)
    others = [together.submit(png(seed) if seed % 4 else b"") for seed in range(1, 41)]
    gone = together.submit(png(0))
    gone.cancel()
    go_on.set()
    together.close()
    together.join()
    assert sizes[: len(first)] == [1] * len(first)
    assert (len(sizes), sum(sizes)) == (len(first) + 2, len(first) + 40)
    assert max(sizes) <= 32
    assert [sum(each) for each in zip(*counted)] == [30 + len(first), 10]
    for seed in (1, 2, 39):
        alone = network.classify(read_fitted(png(seed), 16)[None])[0]
        np.testing.assert_allclose(others[seed - 1].result().probabilities, alone, atol=1e-6)
    assert {each.result().error for each in first} == {""}
    assert others[3].result().error != ""


def test_a_new_version_answers_without_a_stop(tmp_path, run):
    folder = shutil.copytree(run, tmp_path / "tiny")
    service = open_service({"tiny": folder}, Limits())
    models, picture = service.models, png(5)
    with TestClient(app.build_app(service), base_url=HOST) as client:

        def asked(path="/v1/models/tiny:predict"):
            return client.post(path, json={"instances": [{"b64": encoded(picture)}]})

        before = strict(asked())["predictions"][0]["probabilities"]
        assert models.look() == []
        write_run(folder, seed=1)
        found = models.look()
        assert [version.number for version in found] == [2]
        assert strict(asked())["predictions"][0]["probabilities"] == before
        models.take_up(found)
        after = strict(asked())["predictions"][0]["probabilities"]
        assert after != before
        assert strict(asked("/v1/models/tiny/versions/1:predict"))["predictions"][0]["probabilities"] == before
        (folder / "model.keras").write_bytes(b"damaged")
        assert models.look() == models.look() == []
        shutil.rmtree(folder)
        assert models.look() == []
        write_run(folder, seed=2)
        models.take_up(models.look())
        assert [version.number for version in models.versions("tiny")] == [3, 2]  # the oldest has gone
        refused(asked("/v1/models/tiny/versions/1:predict"), 404, "no version 1")


def write_version(folder):
    """A SavedModel that answers pixels, under a number."""
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    archive, answer = keras.export.ExportArchive(), endpoint(model, NAMES)
    signature = [tf.TensorSpec((None, 4, 4, 3), tf.float32, name="pictures")]
    archive.add_endpoint("serving_default", lambda pictures: answer(pictures), input_signature=signature)
    archive.write_out(folder, verbose=False)
    (folder / SIDECAR).parent.mkdir()
    write_json(folder / SIDECAR, {"class_names": NAMES, "image_size": 4, "fit": "crop", "levels": {}})
    return folder


def test_versions_that_are_not_whole_leave_the_others_answering(tmp_path, capsys):
    folder, whole = tmp_path / "numbered", write_version(tmp_path / "whole")
    for number in range(1, 5):
        shutil.copytree(whole, folder / str(number))
    (folder / "3" / "variables" / "variables.index").write_bytes(b"damaged")
    (folder / "4" / "saved_model.pb").unlink()  # is still being copied
    (folder / "5").mkdir()
    service = open_service({"n": folder}, Limits(), trust=True)
    assert "version 3 of n is left out: " in capsys.readouterr().err
    with TestClient(app.build_app(service), base_url=HOST) as client:

        def states():
            rows = strict(client.get("/v1/models/n"))["model_version_status"]
            return {row["version"]: row["state"] for row in rows}

        assert states() == {"5": "END", "4": "END", "3": "END", "2": "AVAILABLE", "1": "AVAILABLE"}
        (one,) = strict(client.get("/v1/models/n/versions/3"))["model_version_status"]
        assert one["state"] == "END"
        assert "damaged" in one["status"]["error_message"]
        refused(client.post("/v1/models/n/versions/3:predict", json={"instances": []}), 404, "version 3", "there is 2")
        assert service.models.look() == []
        assert "left out" not in capsys.readouterr().err  # is told once
        shutil.copy(whole / "saved_model.pb", folder / "4")
        service.models.take_up(service.models.look())
        assert states() == {"5": "END", "4": "AVAILABLE", "3": "END", "2": "AVAILABLE"}
        assert strict(client.post("/v1/models/n:predict", json={"instances": [{"b64": encoded(png())}]}))
        shutil.rmtree(folder / "4")  # what was loaded goes on, and no older one is loaded again and again
        assert service.models.look() == []
    for number in (1, 2):
        (folder / str(number) / "variables" / "variables.index").write_bytes(b"damaged")
    with pytest.raises(ModelFileError, match=r"no version that can be loaded; version 5: .+; version 3: .+ is damaged"):
        open_service({"n": folder}, Limits(), trust=True)


@pytest.mark.parametrize("name", ["openvino", "onnx", "litert", "litert-int8"])
def test_an_export_answers_like_its_run(name, run, tmp_path):
    package = {"litert": "ai_edge_litert", "litert-int8": "ai_edge_litert"}.get(name, name)
    pytest.importorskip(package, reason=f"{package} is not installed; pip install 'transfer[{name}]'")
    from transfer.exports.formats import FORMATS

    options = {"method": "scratch", "backbone": "none", "weights": "none"}
    model, levels = keras.models.load_model(run / "model.keras"), {"I;16": 1 / 16}
    source = ExportSource(model, NAMES, "crop", options, {"accuracy": None}, {}, {"train": []}, "tiny", levels)
    *_, write = FORMATS[name].writers.values()  # whole numbers inside take pictures to find their ranges
    write(source, tmp_path / FORMATS[name].file)
    version = open_service({"fast": tmp_path}, Limits()).models.version("fast")
    assert (version.class_names, version.network.fit, version.network.levels) == (tuple(NAMES), "crop", levels)
    ((_, found, _),) = answers(version.network, [png(1), png(2)])
    wanted = [[*row.probabilities.values()] for row in transfer.predict(run, [png(1), png(2)])]
    np.testing.assert_allclose(found, wanted, atol=1e-2 if name == "litert-int8" else 1e-4)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 2, 16, 16, 3), np.uint8)
    with ThreadPoolExecutor(4) as pool:  # as batches of several requests come
        at_once = list(pool.map(version.network.classify, pixels))
    np.testing.assert_array_equal(at_once, [version.network.classify(each) for each in pixels])
    (tmp_path / FORMATS[name].file).write_bytes(b"damaged")
    with pytest.raises(ModelFileError, match="was not written by transfer, or is damaged"):
        open_service({"fast": tmp_path}, Limits())


@pytest.mark.parametrize("engine", ["auto", "openvino", "onnxruntime", "tensorflow"])
def test_every_engine_answers_alike_and_to_several_at_once(engine, run):
    if engine not in ("auto", "tensorflow"):
        pytest.importorskip(engine, reason=f"{engine} is not installed")
    network = open_service({"fast": run}, Limits(), engine=engine).models.version("fast").network
    pixels = np.random.default_rng(0).integers(0, 256, (4, 2, 16, 16, 3), np.uint8)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(network.classify, pixels))
    model = keras.models.load_model(run / "model.keras")
    wanted = [np.array(keras.ops.softmax(model(batch.astype(np.float32)))) for batch in pixels]
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_who_may_ask(service):
    service = Service(service.models, service.limits, service.waiting, service.metrics)
    bearing, asked = {"Authorization": "Bearer s3cret"}, {"files": {"f": png()}}
    local = TestClient(app.build_app(service, token="s3cret"), base_url=HOST)  # its networks stay open
    for headers in ({}, {"Authorization": "Bearer other"}, {"Authorization": "Basic s3cret"}):
        refused(local.post("/classify", **asked, headers=headers), 401, "Authorization: Bearer")
    assert local.post("/classify", **asked, headers=bearing).status_code == 200
    assert local.get("/").status_code == local.get("/v2/health/ready").status_code == 200
    refused(local.get("/models"), 401)
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        refused(local.post("/classify", **asked, headers=bearing | headers), 403, "another server")
    own = bearing | {"Origin": HOST, "Sec-Fetch-Site": "same-origin"}
    assert local.post("/classify", **asked, headers=own).status_code == 200
    refused(local.get("/models", headers=bearing | {"Host": "evil.example"}), 403, "evil.example")
    for host in ("127.0.0.1:80", "127.0.0.2", "[::1]:8501"):
        assert local.get("/models", headers=bearing | {"Host": host}).status_code == 200
    outside = TestClient(app.build_app(service, is_local=False), base_url=HOST)
    answer = outside.get("/models", headers={"Host": "pictures.example", "Origin": "http://evil.example"})
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers
    assert outside.post("/corrections", files={"f": png()}).status_code == 404  # nothing is collected there


def test_corrections_are_a_folder_that_train_takes(client, collected):
    def correct(name, data, label):
        return client.post("/corrections", files={"f": (name, data)}, data={"class_name": label})

    places = [strict(correct(f"{seed}.png", png(seed), NAMES[seed % 2]))["saved"] for seed in range(4)]
    assert all(place.startswith(NAMES[seed % 2] + "/") for seed, place in enumerate(places))
    for name in ("../../up.png", "..\\up.png", "/etc/passwd", "a%00b.png", ".hidden", "x" * 999, "ü" * 300):
        place = collected / strict(correct(name, png(9), "ant"))["saved"]
        assert place.resolve().parent == collected.resolve() / "ant"
        assert place.read_bytes() == png(9)
    moved = collected / strict(correct("again.png", png(9), "new one"))["saved"]
    assert [path.read_bytes() for path in collected.rglob("*") if path.is_file()].count(png(9)) == 1
    assert moved.parent.name == "new one"
    strict(correct("again.png", png(9), "ant"))
    assert not moved.parent.exists()
    for label in ("", "../ant", "a/b", "a\\b", "..", ".ant", "ant.", "train", "con:", "a\nb", "x" * 101, "__MACOSX"):
        refused(correct("a.png", png(), label), 400, "name of a class")
    refused(correct("a.png", b"\x89PNG no", "ant"), 400, "the picture")
    assert transfer.load_images(collected).class_names == ("ant", "bée")
    assert {path.parent.parent for path in collected.rglob("*.png")} == {collected}


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Refusal, match="could not be kept") as refusal:
        collecting.keep_corrected(tmp_path / "file", "a.png", png(), "ant")
    assert refusal.value.status == 507


def test_where_it_looked(client):
    said = strict(client.post("/look", files={"f": png()}, data={"class_name": "ant"}))
    assert said["method"] == "Grad-CAM"
    image = Image.open(io.BytesIO(base64.b64decode(said["image"].partition("base64,")[2])))
    assert image.size == (320, 320)
    refused(client.post("/look", files={"f": png()}, data={"class_name": "dog"}), 400, "'dog'")
    refused(client.post("/look", files={"f": b"no"}), 400, "no picture")


def test_names_of_models(tmp_path, run):
    assert model_names.named_places([run, f"b={run}"]) == {"tiny": run, "b": run}
    with pytest.raises(OptionError, match="both called tiny"):
        model_names.named_places([run, run])
    with pytest.raises(OptionError, match="the name 'a/b'"):
        model_names.named_places([f"a/b={run}"])
    compared = tmp_path / "flowers" / "dense"
    for folder in (compared, compared.parent):
        shutil.copytree(run, folder, dirs_exist_ok=True)
    assert model_names.named_places([compared]) == {"flowers-dense": compared}


def test_what_is_refused_before_anything_is_loaded(run, tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OptionError, match=f"`port={port}` of 127.0.0.1 is in use"):
            serve([run], Address(port=port))
    with pytest.raises(OptionError, match=r"`host=nowhere\.invalid` is no address"):
        serve([run], Address(host="nowhere.invalid"))
    with pytest.raises(OptionError, match="`port=70000`"):
        serve([run], Address(port=70000))
    with pytest.raises(ModelFileError, match="does not exist"):
        serve([tmp_path / "none"])
    monkeypatch.setattr(packages.util, "find_spec", lambda name: None if name == "uvicorn" else name)
    with pytest.raises(MissingExtraError, match=r"^a server needs uvicorn; pip install 'transfer\[serve\]'$"):
        serve([run])


def test_words_to_a_server(run, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(transfer, "serve", lambda *given: asked.append(given[:-1]) or given[-1]("URL", ["tiny"]))
    words = ("--port", "0", "--most-waiting", "9", "--collect", str(tmp_path), "--trust", "--json")
    said = CliRunner().invoke(cli.app, ["serve", str(run), *words], env={"TRANSFER_TOKEN": "s3cret"})
    assert json.loads(said.stdout) == {"url": "URL", "models": ["tiny"]}
    address = Address(port=0, token="s3cret")
    assert asked == [([str(run)], address, Limits(most_waiting=9), tmp_path, True, "auto")]


def test_the_container_runs_what_is_here(monkeypatch):
    lines = (ROOT / "Containerfile").read_text().splitlines()
    steps = {line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in lines if line and line[0] != "#"}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.findall(r"/source\[(\w+)\]", steps["RUN"])) == {"serve"} <= set(extras)
    command, *words = json.loads(steps["ENTRYPOINT"]) + json.loads(steps["CMD"])
    assert (command, steps["EXPOSE"]) == ("transfer", str(Address.port))
    asked = []
    monkeypatch.setattr(transfer, "serve", lambda *given: asked.append(given[:2]))
    assert CliRunner().invoke(cli.app, words).exit_code == 0
    assert asked == [(["/model"], Address(host="0.0.0.0"))]
    probe = json.loads(steps["HEALTHCHECK"].partition("CMD ")[2])[-1]
    opened = []
    monkeypatch.setattr(urllib.request, "urlopen", opened.append)
    exec(probe)
    assert urlsplit(opened[0]).path in OPEN
    assert urlsplit(opened[0]).port == Address.port


def test_colours_of_the_page_can_be_read():
    """WCAG 2.2, 1.4.3 and 1.4.11: text has a contrast of 4.5, what can be used one of 3, in both schemes."""
    style = (Path(transfer.__file__).parent / "pages" / "templates" / "page.css").read_text()
    colours = {name: both for name, *both in re.findall(r"--(\w+): light-dark\((#\w+), (#\w+)\)", style)}

    def luminance(colour):
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = np.array([int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)])
        return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    for scheme in (0, 1):
        for ink, paper, least in [
            *((ink, paper, 4.5) for ink in ("ink", "quiet", "problem") for paper in ("paper", "soft")),
            ("paper", "accent", 4.5), ("accent", "line", 3), ("accent", "paper", 3),
        ]:  # fmt: skip
            light, dark = sorted((luminance(colours[name][scheme]) for name in (ink, paper)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= least, (ink, paper, scheme)


def while_serving(work, *models, limits=None, collect=None):
    """What `work(url)` gives, in another thread, while this one serves; then the server is told to end."""
    work_of = []

    def finish(url):
        try:
            return work(url)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    with ThreadPoolExecutor(1) as pool:
        serve(
            models, Address(port=0), limits, collect, ready=lambda url, names: work_of.append(pool.submit(finish, url))
        )
        return work_of[0].result()


def posted(url, data):
    head = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)) as connection:
        connection.request("POST", "/classify", head + data + b"\r\n--x--\r\n", headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def test_slow_clients_and_the_end_of_a_server(run, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()
    real = batching.answers

    def slow(network, pictures):
        begun.set()
        go_on.wait(10)
        return real(network, pictures)

    def dripping(url, head):
        place = urlsplit(url)
        with socket.create_connection((place.hostname, place.port)) as client:
            client.sendall(head)
            client.settimeout(20)
            said = b""
            while part := client.recv(4096):
                said += part
            return said.split(b"\r\n")[0]

    def work(url):
        head = b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nslow"
        late = [dripping(url, head), dripping(url, b"GET / HT")]
        assert posted(url, png())[0] == 200
        monkeypatch.setattr(batching, "answers", slow)
        with ThreadPoolExecutor(1) as pool:
            last = pool.submit(posted, url, png())
            begun.wait(10)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.3)
            go_on.set()
            return late, last.result()

    late, last = while_serving(work, run, limits=Limits(most_seconds=0.5))
    assert [line.split()[1] for line in late] == [b"408", b"408"]
    assert last[0] == 200
    assert last[1]["predictions"][0]["readable"]


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def test_the_page_in_a_browser(run, tmp_path):
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed; pip install playwright"
    )
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser here; one of {', '.join(BROWSERS)} is driven")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no")
    (tmp_path / "a.png").write_bytes(png(1))
    both_ways = """text => {
      const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0)), data = new DataTransfer();
      data.items.add(new File([bytes], "given.png", {type: "image/png"}));
      document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data}));
      document.dispatchEvent(new DragEvent("drop", {dataTransfer: data}));
    }"""

    def look(page, url):
        said, asked = [], []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(url)
        page.locator("#about", has_text="knows 3 classes").wait_for()
        page.set_input_files("#files", [tmp_path / "a.png", tmp_path / "broken.jpg"])
        page.locator("#told", has_text="2 pictures answered, 1 of them could not be read").wait_for()
        assert (
            page.locator("h2", has_text="This file is cut short or damaged")
            .or_(page.locator("h2", has_text="This file is no picture"))
            .count()
        )
        page.evaluate(both_ways, encoded(png(2)))
        page.locator("article", has_text="given.png").nth(1).wait_for()
        card = page.locator("article", has_text="a.png").last
        page.focus("#least")
        page.keyboard.press("End")
        assert card.locator("h2").inner_text().startswith("Not sure")
        page.keyboard.press("Home")
        assert card.locator("h2").inner_text().startswith(tuple(NAMES))
        card.get_by_role("button", name="Where did it look?").press("Enter")
        card.locator("figcaption", has_text="Grad-CAM").wait_for()
        card.locator("input").fill("dog")
        card.locator("input").press("Enter")
        page.locator("#told", has_text="Saved as dog/a-").wait_for()
        with page.expect_download() as saved:
            page.get_by_role("button", name="Save all answers as CSV").press("Enter")
        table = Path(saved.value.path()).read_text()
        assert '"a.png"' in table.splitlines()[1]
        assert len(table.splitlines()) == 5
        assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
        assert said == []
        assert all(address.startswith((url, "data:", "blob:")) for address in asked)

    def work(url):
        with playwright.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
            for width, scheme in ((390, "dark"), (1280, "light")):
                page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
                look(page, url)
            browser.close()

    while_serving(work, run, collect=tmp_path / "collected")
    assert [path.parent.name for path in (tmp_path / "collected").rglob("*.png")] == ["dog"]

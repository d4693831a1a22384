import ast
import json
import re
import runpy
import shutil
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

import transfer
from transfer import quiet

quiet.import_tensorflow()

from transfer.errors import DataError  # noqa: E402
from transfer.reading import JUDGED  # noqa: E402
from transfer.runs import records  # noqa: E402
from transfer.writing import write_json  # noqa: E402

RECIPES = sorted(Path(__file__).parent.parent.joinpath("recipes").glob("*.py"))


def main_of(name):
    return runpy.run_path(str(RECIPES[0].with_name(name)))["main"]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_a_recipe_is_one_page_that_opens_with_its_command(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 40
    assert f"python recipes/{path.name}" in ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_a_recipe_tells_what_it_takes(path):
    app = typer.Typer()
    app.command()(main_of(path.name))
    assert CliRunner().invoke(app, ["--help"]).exit_code == 0


def test_retrain_export_and_classify(digits_folder, tmp_path, capsys):
    main_of("retrain.py")(str(digits_folder), str(tmp_path / "digits"))
    main_of("classify.py")(str(tmp_path / "digits" / "1"), [str(digits_folder / "0")], trust=True)
    said = capsys.readouterr().out
    assert "accuracy" in said
    assert said.count("00.png") == 1


def test_train_head_tries_every_head(digits_folder, capsys):
    main_of("train_head.py")(str(digits_folder), seeds=1)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["linear", "mlp", "svm"]


def test_where_it_looked_takes_a_dense_network_and_the_fit_of_the_run(digits, digits_folder, tmp_path, capsys):
    images, split = digits
    few = transfer.limit_training(split, images.labels, 4)
    run = tmp_path / "run"
    records.write_result(transfer.train(images, few, transfer.dense_network(32, (4,)), "scratch", epochs=1), run)
    config = json.loads((run / "config.json").read_text())
    config["options"]["fit"] = "pad"
    (run / "config.json").write_text(json.dumps(config))
    fits = []
    main = main_of("where_it_looked.py")
    fit = main.__globals__["fit_picture"]
    main.__globals__["fit_picture"] = lambda picture, size, fit_as: fits.append(fit_as) or fit(picture, size, fit_as)
    main(str(run), f"{digits_folder}/0/0[0-2].png", str(tmp_path / "looked.png"))
    assert fits == ["pad"] * 3
    said = capsys.readouterr().out
    assert said.startswith("input gradient")
    assert said.endswith(f"{tmp_path / 'looked.png'}\n")
    assert (tmp_path / "looked.png").is_file()


def test_pretraining_is_not_tested_on_other_classes(digits_folder, tmp_path):
    shutil.copytree(digits_folder / "0", tmp_path / "test" / "0")
    shutil.copytree(digits_folder / "1", tmp_path / "test" / "one")
    with pytest.raises(DataError, match=r"classes 0, one; expected those of .*, 0, 1, 2"):
        main_of("pretrain_backbone.py")(str(digits_folder), tmp_path / "out", test=str(tmp_path / "test"))


def test_a_page_for_the_browser_has_all_that_it_asks_for(tmp_path, monkeypatch):
    main = main_of("to_a_browser.py")
    names = ["ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"]
    config = {"classes": ["a", "</script>"], "options": {"image_size": 32, "fit": "pad"}}
    main.__globals__["run_config"] = lambda run: config

    def pack(command, cwd, **options):
        with tarfile.open(cwd + "/onnxruntime-web.tgz", "w:gz") as archive:
            for name in names:
                archive.addfile(tarfile.TarInfo(f"package/dist/{name}"))

    def export(run, place, format):
        folder = Path(place, format)
        folder.mkdir()
        (folder / "model.onnx").write_bytes(b"network")
        return folder

    main.__globals__["subprocess"] = SimpleNamespace(run=pack, DEVNULL=None)
    monkeypatch.setattr(transfer, "export", export)
    with pytest.raises(SystemExit, match=r"npm gave another onnxruntime-web@1\.30\.0"):
        main("run", tmp_path / "page")
    assert not list(tmp_path.iterdir())
    main.__globals__["hashlib"] = SimpleNamespace(
        sha256=lambda data: SimpleNamespace(hexdigest=lambda: main.__globals__["SHA256"])
    )
    main("run", tmp_path / "page")
    assert sorted(path.name for path in (tmp_path / "page").iterdir()) == sorted(["index.html", "model.onnx", *names])
    html = (tmp_path / "page" / "index.html").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["page"]
    assert html.count("</script>") == 2
    assert json.loads(re.search(r'"application/json">(.*?)</script>', html)[1])["names"] == config["classes"]
    assert not re.search("https?:", html)
    assert all(name in html for name in ("model.onnx", names[0]))


def test_to_a_phone_says_what_became_of_the_file(tmp_path, monkeypatch, capsys):
    judged = {"megabytes": 3.8, "numbers": "int8", "agreement": 0.99, "pictures": 295}
    judged |= {"pictures_a_second": 100.0, "pictures_a_second_keras": 20.0}
    write_json(tmp_path / JUDGED, {"formats": {"litert-int8": judged}, "left_out": {}})
    monkeypatch.setattr(transfer, "export", lambda run, place, format: Path(place))
    main_of("to_a_phone.py")("run", str(tmp_path))
    said = capsys.readouterr().out
    assert f"{tmp_path / 'model.tflite'}: 3.8 MB, computes with int8" in said
    assert "99.0% of 295 pictures" in said


def test_to_the_edge_compares_both_kinds_of_numbers(digits, tmp_path, capsys):
    pytest.importorskip("openvino", reason="openvino is not installed; pip install 'transfer[openvino]'")
    backbone = transfer.convnet(32, [{"conv": 4, "stride": 4}, {"activation": "relu"}, {"flatten": True}])
    records.write_result(transfer.train(*digits, backbone), tmp_path / "run")
    main_of("to_the_edge.py")(str(tmp_path / "run"), str(tmp_path / "out"))
    said = capsys.readouterr().out
    assert f"{tmp_path / 'out' / 'openvino'}: 0.0 MB" in said
    assert "f32: the same class as Keras for 100.0% of 90 pictures" in said
    assert "bf16: the same class" in said

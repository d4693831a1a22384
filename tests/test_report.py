import json
import re
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

import transfer
from transfer import cli, quiet

quiet.import_tensorflow()

from transfer.checks.findings import Finding  # noqa: E402
from transfer.errors import DataError, ModelFileError, OutputError  # noqa: E402
from transfer.pages import plots, result_plots  # noqa: E402
from transfer.runs import records, report, saved_runs, shown_pictures  # noqa: E402
from transfer.runs.run_folders import seal  # noqa: E402
from transfer.runs.saving import comparison_figures  # noqa: E402
from transfer.writing import write_json  # noqa: E402

LAYERS = [{"conv": 8}, {"activation": "relu"}, {"pool": 4}]


def trained(images, split, head="linear"):
    return transfer.train(images, split, transfer.convnet(32, LAYERS), "scratch", head=head, epochs=1, hidden=[8])


@pytest.fixture(scope="module")
def runs(digits, tmp_path_factory):
    """Folders of three runs: two on one split, the third on another; and of a comparison of the first two."""
    images, split = digits
    root = tmp_path_factory.mktemp("reports")
    linear, mlp = trained(images, split), trained(images, split, "mlp")
    other = trained(images, transfer.split(images, seed=1))
    for name, result in {"linear": linear, "mlp": mlp, "other": other}.items():
        records.write_result(result, root / name, f"transfer train digits --out {name}")
    both = transfer.Comparison(scratch=linear, dense=mlp)
    records.write_result(both[both.best], root / "both", said=comparison_figures(both, "transfer compare digits"))
    for name, result in both.items():
        records.write_result(result, root / "both" / name)
    return root


def page_of(*folders, **options):
    runner = CliRunner()
    words = [str(folder) for folder in folders] + [
        str(w) for pair in options.items() for w in ("--" + pair[0], pair[1])
    ]
    ended = runner.invoke(cli.app, ["report", *words])
    if ended.exception:
        raise ended.exception
    return ended.output.strip()


@pytest.fixture(scope="module")
def page(runs):
    return transfer.build_report([runs / "both"], runs / "both" / "report.html").read_text()


def test_the_page_is_self_contained(page):
    assert "<script" not in page
    outside = re.findall(r'(?:src|href)="(?!data:|#)([^"]*)"', page)
    assert outside == []
    assert "@import" not in page
    assert not re.findall(r"url\((?!#)", page)


def test_heads_of_tables_are_printed_on_each_page_again(page):
    assert not re.findall(r"<table>\s*<tr><th", page)
    assert page.count("<thead>") > 5


def test_every_picture_and_plot_has_words_for_those_who_do_not_see_it(page):
    assert not re.findall(r"<img(?![^>]* alt=.[^\"])[^>]*>", page)
    named = re.findall(r'<figure[^>]* role="img" aria-label="\w', page)
    assert len(named) == page.count("<figure") == page.count("<svg")


@pytest.mark.parametrize(
    "words",
    [
        "What was asked", "transfer compare digits", "The data", "The comparison", "balanced accuracy", "log loss",
        "area under the ROC curve", "calibration error", "p, corrected", "of one pair alone", "epoch by epoch",
        "Class by class", "taken for", "Does a probability mean what it says", "least certain", "Where it looked",
        "layer by layer", "Conv2D", "Time and versions", "keras", "numpy",
    ],
)  # fmt: skip
def test_the_page_holds_what_is_promised(page, words):
    assert words in page


def test_findings_of_the_check_are_on_the_page(runs, tmp_path):
    shutil.copytree(runs / "linear", tmp_path / "linear")
    found = [
        Finding("one picture in <two> classes", kind="a", severity="problem", advice="mend it"),
        Finding("no alpha"),
    ]
    records.write_findings(found, tmp_path / "linear")
    text = transfer.build_report([tmp_path / "linear"], tmp_path / "report.html").read_text()
    assert 'is-problem">problem:</b> one picture in &lt;two&gt; classes' in text
    assert text.index("(mend it)") < text.index("Also found") < text.index("no alpha")


def test_thumbnails_are_there_with_both_names(page, runs):
    saved = saved_runs.read_run(runs / "linear")["scratch"]
    mistakes = shown_pictures.worst_mistakes(saved.tested)
    chances = saved.tested.probabilities[mistakes, saved.tested.labels[mistakes]]
    assert (np.diff(chances) >= 0).all()
    assert (saved.tested.probabilities[mistakes].argmax(axis=1) != saved.tested.labels[mistakes]).all()
    rows = shown_pictures.describe_pictures(saved, mistakes)
    assert all(row["true"] != row["predicted"] and row["picture"].startswith("data:image/webp") for row in rows)
    unsure = shown_pictures.least_certain(saved.tested, without=mistakes)
    assert not set(unsure) & set(mistakes)
    assert page.count("data:image/webp") > len(unsure)


def test_a_report_without_its_pictures(runs, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(runs / "linear", moved)
    config = json.loads((moved / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps(config | {"root": str(tmp_path / "gone")}))
    page_of(moved)
    text = (moved / "report.html").read_text()
    assert "no longer at its place" in text
    assert "Where it looked" not in text


def test_a_report_without_test_pictures(digits, tmp_path):
    images, split = digits
    rows = [f"{images.names[i]},{part}" for part in ("train", "validation") for i in getattr(split, part)]
    (tmp_path / "split.csv").write_text("\n".join(["file,part", *rows]))
    result = trained(images, transfer.read_split(images, tmp_path / "split.csv"))
    records.write_result(result, tmp_path / "run")
    page_of(tmp_path / "run")
    text = (tmp_path / "run" / "report.html").read_text()
    assert "There were no test pictures" in text
    assert "The parts are those that were written down before" in text
    assert "None" not in text


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({}, "The part of a picture follows from its content."),
        ({"division": "given"}, "The parts are those that the data names"),
        ({"division": None}, "looked at once. </p>"),  # as in runs of earlier versions
    ],
)
def test_the_page_says_how_the_parts_came_about_and_what_was_trained_on(runs, tmp_path, written, said):
    copy = shutil.copytree(runs / "linear", tmp_path / "run")
    config = json.loads((copy / "config.json").read_text()) | written
    config = {name: value for name, value in config.items() if value is not None}
    if written:
        config["options"]["method"] = "frozen"
    (copy / "config.json").write_text(json.dumps(config))
    page_of(copy)
    text = (copy / "report.html").read_text()
    assert said in text
    assert ("follows from its content" in text) == (not written)
    assert ("at the end the head was trained on them, too" in text) == bool(written)
    assert ("before the head was trained on them" in text) == bool(written)


def test_a_comparison_without_validation_pictures_does_not_say_that_they_chose(runs, page, tmp_path):
    copy = shutil.copytree(runs / "both", tmp_path / "both")
    said = json.loads((copy / "result.json").read_text())
    del said["chosen"]  # as an older version wrote it
    for figures in said["methods"].values():
        figures["validation"]["accuracy"], figures["images"]["validation"] = None, 0
    (copy / "result.json").write_text(json.dumps(said))
    seal(copy)
    page_of(copy)
    page, text = (" ".join(words.split()) for words in (page, (copy / "report.html").read_text()))
    assert "The network of this run is the <b>dense</b> one, because" in page.replace("scratch", "dense")
    assert "There are no validation pictures to choose by" in text
    assert "they choose the epoch and the temperature" in page  # of a network from scratch
    assert "they choose" not in text
    assert "nothing chose the epoch and the temperature" in text
    assert "no validation pictures to choose by" in text


def test_where_folds_judged_fine_tuning_the_page_says_so(runs, tmp_path):
    copy = shutil.copytree(runs / "linear", tmp_path / "tuned")
    config, figures = (json.loads((copy / file).read_text()) for file in ("config.json", "result.json"))
    config["options"]["method"] = "finetune"
    figures["notes"].append("half of fine-tuning is kept: lowest log loss on 30 pictures that 3 folds held out in turn")
    for file, said in (("config.json", config), ("result.json", figures)):
        (copy / file).write_text(json.dumps(said))
    seal(copy)
    page_of(copy)
    text = " ".join((copy / "report.html").read_text().split())
    assert "they choose the temperature and, in folds with the training pictures, how much of fine-tuning" in text


def test_where_fine_tuning_begins_behind_its_head_is_marked(runs, page, tmp_path):
    copy = shutil.copytree(runs / "both", tmp_path / "both")
    columns, *epochs = (copy / "dense" / "history.csv").read_text().splitlines()
    (copy / "dense" / "history.csv").write_text("\n".join([columns, *epochs, *epochs]))
    seal(copy / "dense")
    page_of(copy)
    assert "An upright line: the head is trained" in " ".join((copy / "report.html").read_text().split())
    assert "An upright line" not in page


def test_a_page_of_no_run_is_refused(tmp_path):
    with pytest.raises(DataError, match="no run to report"):
        transfer.build_report([], tmp_path / "page.html")


def test_a_run_that_is_not_whole_is_refused(runs, tmp_path):
    for name in ("config.json", "result.json", "predictions.csv", "history.csv", "model.keras"):
        part = tmp_path / name
        shutil.copytree(runs / "linear", part)
        (part / name).unlink()
        with pytest.raises(ModelFileError, match=rf"{name}|is no run folder"):
            page_of(part)


def test_several_runs_side_by_side(runs, tmp_path):
    page = tmp_path / "page.html"
    assert page_of(runs / "linear", runs / "mlp", out=page) == str(page)
    text = page.read_text()
    assert text.count("transfer train digits --out linear") == text.count("transfer train digits --out mlp") == 2
    assert re.search(r"linear (and mlp cannot|is better than mlp)|mlp is better than linear", text)


def test_a_run_and_a_comparison_side_by_side(runs):
    named = saved_runs.read_runs([runs / "mlp", runs / "both"])
    assert list(named) == ["mlp", "both: scratch", "both: dense"]
    assert len(saved_runs.same_test_pictures(named)) == 3


def changed(run, place, **figures):
    """A copy of a run whose `result.json` says more."""
    copy = shutil.copytree(run, place)
    write_json(copy / "result.json", json.loads((copy / "result.json").read_text()) | figures)
    seal(copy)
    return copy


def words_of(page):
    """The text of a page below its contents."""
    return " ".join(re.sub(r"<[^>]*>", " ", page.partition("<main>")[2]).split())


def test_names_that_are_alike_are_told_apart_by_the_end_of_their_paths(runs, tmp_path):
    copies = [shutil.copytree(runs / name, tmp_path / "deep" / "below" / name / "run") for name in ("linear", "mlp")]
    assert list(saved_runs.read_runs(copies)) == ["linear/run", "mlp/run"]
    assert list(saved_runs.read_runs([*copies, runs / "linear"])) == ["linear/run", "mlp/run", f"{runs.name}/linear"]


def test_no_absolute_path_is_on_the_page(runs, digits, tmp_path):
    commands = [f"transfer train {digits[0].root} --out {tmp_path / name}" for name in ("a", "b")]
    copies = [
        changed(runs / name, tmp_path / name, command=command) for name, command in zip(("linear", "mlp"), commands)
    ]
    text = transfer.build_report(copies, tmp_path / "page.html").read_text()
    assert str(tmp_path.parent) not in text
    assert str(digits[0].root) not in text
    assert f"transfer train …/{digits[0].root.name} --out …/a" in text


def test_options_in_which_runs_differ_have_a_row_and_so_has_the_picture_size(runs, tmp_path):
    text = words_of(transfer.build_report([runs / "linear", runs / "mlp"], tmp_path / "page.html").read_text())
    assert "picture size 32 px 32 px" in text
    assert "head linear mlp" in text
    assert "epochs 1 1" not in text


def test_what_makes_a_figure_untrustworthy_stands_beside_it(runs, tmp_path):
    leaky = "the test part holds pictures of people who are in training, too"
    page = transfer.build_report([changed(runs / "linear", tmp_path / "run", caveats=[leaky])], tmp_path / "page.html")
    text = words_of(page.read_text())
    assert text.count(leaky) == 1
    assert text.index("Always saying the commonest class") < text.index(leaky) < text.index("What was asked")
    assert "with care" not in transfer.build_report([runs / "linear"], tmp_path / "page.html").read_text()


def test_a_caveat_of_one_method_stands_beside_that_method(runs, tmp_path):
    told = json.loads((runs / "both" / "result.json").read_text())
    best, methods = told["best"], told["methods"]
    (other,) = set(methods) - {best}
    methods[best]["caveats"], methods[other]["caveats"] = ["of both", "of the best"], ["of both", "of the other"]
    copy = changed(runs / "both", tmp_path / "both", methods=methods, caveats=["of the comparison"])
    text = words_of(transfer.build_report([copy], tmp_path / "page.html").read_text())
    assert "Read this figure with care of the comparison of both of the best" in text
    assert f"{other}: read this figure with care of the other" in text
    assert [text.count(f"of {what}") for what in ("both", "the best", "the other")] == [1, 1, 1]


def test_a_comparison_says_which_network_is_in_the_run_and_why(runs, page, tmp_path):
    names = {"scratch", "dense"}
    (other,) = names - {json.loads((runs / "both" / "result.json").read_text())["best"]}
    why = "it is cheaper and not worse on the validation pictures"
    copy = changed(runs / "both", tmp_path / "both", chosen={"method": other, "because": why})
    text = words_of(transfer.build_report([copy], tmp_path / "page.html").read_text())
    assert f"The network of this run is the {other} one, because {why}." in text
    assert f"Class by class ({other})" in text
    assert "because" in words_of(page)


def test_seconds_that_leave_out_cached_features_say_so(runs, page, tmp_path):
    copy = changed(runs / "linear", tmp_path / "run", cached=["features"], seconds={"features": 0.01, "total": 2.0})
    text = words_of(transfer.build_report([copy], tmp_path / "page.html").read_text())
    assert "seconds 2 features from the cache" in text
    assert "0.0 from the cache 2.0" in text
    assert "from the cache" not in page


def test_a_run_with_folds_begins_with_all_their_answers(runs, tmp_path):
    from transfer.evidence.cross_validation import CrossValidation

    fold = {"train": 60, "validation": 10, "test": 20, "accuracy": 0.5, "balanced_accuracy": 0.5, "log_loss": 1.0}
    pooled = figures_of(3) | {"answers": 30, "pictures": 30}
    rows = [fold | {"fold": 1}, fold | {"fold": 2, "accuracy": 0.9}]
    run = shutil.copytree(runs / "linear", tmp_path / "run")
    CrossValidation(rows, pooled, [["file"]]).write(run)
    text = words_of(transfer.build_report([run], run / "report.html").read_text())
    accuracy = f"{100 * pooled['accuracy']:.1f} %"
    assert f"{accuracy} of 30 answers to 30 pictures are right" in text
    assert text.index(accuracy) < text.index("the network of this run") < text.index("What was asked")
    assert "2 60 10 20 90.0 %" in text
    assert "Class by class (all folds)" in text


def test_pictures_can_be_enlarged_without_a_script(page):
    shown = page.count("data:image/webp")
    assert shown == len(re.findall(r'<details class="zoom"[^>]*><summary[^>]*><img ', page)) > 0


def test_runs_with_other_test_pictures_are_refused(runs, tmp_path):
    page = tmp_path / "page.html"
    with pytest.raises(DataError, match=r"\d+ only in linear \(.*\.png.*\) and \d+ only in other .* same `seed`"):
        page_of(runs / "linear", runs / "other", out=page)
    assert not page.exists()


def test_runs_with_other_labels_are_refused(runs, tmp_path):
    changed = tmp_path / "changed"
    shutil.copytree(runs / "linear", changed)
    config, said = json.loads((changed / "config.json").read_text()), (changed / "predictions.csv").read_text()
    name = next(name for name, file in config["files"].items() if (file["part"], file["class"]) == ("test", "0"))
    config["files"][name]["class"] = "2"
    (changed / "config.json").write_text(json.dumps(config))
    (changed / "predictions.csv").write_text(said.replace(f'"{name}","test","0"', f'"{name}","test","2"'))
    seal(changed)
    with pytest.raises(DataError, match=rf"different classes: {name} \(0 and 2\); train both on the same labels"):
        page_of(runs / "linear", changed, out=tmp_path / "page.html")


def test_runs_with_other_classes_are_refused(runs, tmp_path):
    changed = tmp_path / "changed"
    shutil.copytree(runs / "linear", changed)
    for name in ("config.json", "result.json", "predictions.csv"):
        (changed / name).write_text((changed / name).read_text().replace('"2"', '"two"'))
    seal(changed)
    with pytest.raises(DataError, match=r"different classes \(2, two\)"):
        page_of(runs / "linear", changed, out=tmp_path / "page.html")


def test_a_run_of_another_schema_version_is_refused(runs, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(runs / "linear", old)
    said = json.loads((old / "result.json").read_text())
    (old / "result.json").write_text(json.dumps(said | {"schema_version": 99}))
    seal(old)
    before = sorted(path.name for path in old.iterdir())
    with pytest.raises(ModelFileError, match=r"schema version 99; this version of transfer reads \d+.*train again"):
        page_of(old)
    assert sorted(path.name for path in old.iterdir()) == before


def test_no_run_and_a_taken_name_are_refused(runs, tmp_path, monkeypatch):
    with pytest.raises(ModelFileError, match="is no run folder"):
        page_of(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(OutputError, match="name another place"):
        page_of(runs / "linear", runs / "mlp")
    with pytest.raises(OutputError, match="`overwrite=True`"):
        page_of(runs / "linear", out="report.html")
    assert (tmp_path / "report.html").read_text() == "mine"


def test_a_run_that_is_named_twice_is_shown_once(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(runs)
    names = []
    monkeypatch.setattr(report, "read_runs", lambda folders: names.extend(folders) or saved_runs.read_runs(folders))
    page_of("linear", "linear/", runs / "linear", out=tmp_path / "page.html")
    assert len(names) == 1


def test_a_run_says_what_the_temperature_did(runs):
    said = json.loads((runs / "linear" / "result.json").read_text())
    assert said["calibration"]["temperature"] > 0
    assert 0 <= said["calibration"]["error_before"] <= 1
    assert said["schema_version"] == records.SCHEMA_VERSION


def figures_of(classes):
    """Made figures of many classes with long names."""
    from transfer.statistics.evaluation import evaluate_probabilities

    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, 10 * classes)
    probabilities = rng.dirichlet(np.ones(classes), len(labels)) + 0.3 * np.eye(classes)[labels]
    names = [f"a class with the number {i} <&> $x$ 日本" for i in range(classes)]
    return {
        "classes": names,
        **evaluate_probabilities(labels, probabilities / probabilities.sum(axis=1, keepdims=True), names),
    }


@pytest.mark.parametrize("classes", [2, 200])
@pytest.mark.parametrize(
    "plot", [result_plots.draw_confusion, result_plots.draw_classes, result_plots.draw_reliability]
)
def test_plots_stay_small_and_take_the_colour_of_the_page(plot, classes):
    drawn = plots.svg(plot, figures_of(classes))
    assert drawn.startswith("<svg")
    assert "currentColor" in drawn
    assert plots.INK not in drawn
    assert len(drawn) < 300_000
    assert drawn == plots.svg(plot, figures_of(classes))


def test_a_class_without_test_pictures_or_answers_has_no_shares(runs, tmp_path):
    run = shutil.copytree(runs / "linear", tmp_path / "run")
    said = json.loads((run / "result.json").read_text())
    said["per_class"]["2"] |= {"support": 0} | dict.fromkeys(("recall", "recall_ci95", "f1", "f1_ci95"))
    said["per_class"]["1"] |= dict.fromkeys(("precision", "precision_ci95"))
    for name in "02":
        said["per_class"][name] |= {"precision": 0.5, "precision_ci95": [0.2, 0.8]}
    (run / "result.json").write_text(json.dumps(said))
    seal(run)
    text = transfer.build_report([run], run / "report.html").read_text()
    table = text.partition("<th>recall</th>")[2].partition("</table>")[0]
    rows = [row.split("</td>")[1:4] for row in table.split("<tr>")[1:]]
    missing = [[cell.endswith(">-") for cell in row] for row in rows]
    assert missing == [[False] * 3, [False, True, False], [True, False, True]]

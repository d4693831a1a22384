"""From findings to a table, and from an edited table to a cleaned copy."""

import csv
import io
import json
import shlex
import shutil
import unicodedata
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import transfer
from transfer import cli
from transfer.checks import checking
from transfer.checks.check_page import write_check_page
from transfer.checks.cleaning import Action, propose_actions
from transfer.checks.findings import Finding
from transfer.errors import DataError, OutputError, TransferError


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write(path, actions):
    transfer.write_actions(actions, path)
    return path


def wave(number, size=48):
    """A picture of its own: smooth waves whose frequencies follow from its number."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[0:size, 0:size] / size
    parts = [np.sin(2 * np.pi * (a * x + b * y + c)) for a, b, c in rng.uniform(-3, 3, (6, 3))]
    values = sum(parts) + 0.5 * rng.standard_normal((6, 6)).repeat(size // 6, 0).repeat(size // 6, 1)
    return Image.fromarray(np.uint8(255 * (values - values.min()) / np.ptp(values)))


@pytest.fixture
def data(tmp_path):
    """Two classes of twelve pictures with one fault of each kind."""
    root = tmp_path / "data"
    for number in range(24):
        folder = root / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        wave(number).save(folder / f"{number:02}.png")
    shutil.copy(root / "cat/00.png", root / "cat/again.png")  # in its class
    shutil.copy(root / "cat/02.png", root / "dog/other.png")  # in another one
    wave(4).convert("RGB").save(root / "cat/smaller.jpg", quality=80)  # a version of 04
    (root / "dog/text.jpg").write_text("no picture")
    return root


@pytest.fixture
def table(data, tmp_path):
    return write(tmp_path / "clean.csv", propose_actions(transfer.check(data)))


def rows_of(table):
    with table.open(newline="", encoding="utf-8-sig") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def edit(table, name, **cells):
    rows = rows_of(table)
    rows[name] |= cells
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, next(iter(rows.values())))
        writer.writeheader()
        writer.writerows(rows.values())


def apply(data, table, out, groups=None):
    images = transfer.load_images(data, groups, lenient=True)
    return transfer.write_clean_copy(images, transfer.read_actions(table, images), out, data)


def test_each_fault_gets_an_action(table, data):
    rows = rows_of(table)
    actions = {name: row["action"] for name, row in rows.items()}
    assert (actions["cat/00.png"], actions["cat/again.png"]) == ("keep", "drop")
    assert actions["cat/02.png"] == actions["dog/other.png"] == "drop"
    assert actions["cat/04.png"] == actions["cat/smaller.jpg"] == "group"
    assert rows["cat/04.png"]["group"] == rows["cat/smaller.jpg"]["group"] != ""
    assert actions["dog/text.jpg"] == "drop"
    assert all(row["reason"] for row in rows.values())
    images = transfer.load_images(data)
    assert all(row["digest"] == dict(zip(images.names, images.digests)).get(name, "") for name, row in rows.items())


def test_the_copy_is_what_the_table_says_and_the_original_stays(table, data, tmp_path):
    before = contents(data)
    edit(table, "cat/00.png", action="move", **{"class": "dog"})
    told = apply(data, table, tmp_path / "new")
    assert contents(data) == before
    copied = contents(tmp_path / "new")
    assert copied["dog/00.png"] == before["cat/00.png"]
    gone = {"cat/00.png", "cat/again.png", "cat/02.png", "dog/other.png", "dog/text.jpg"}
    assert set(copied) == set(before) - gone | {"dog/00.png", "groups.csv"}
    assert told == {"copied": 24, "moved": 1, "dropped": 4, "groups": 1}
    images = transfer.load_images(tmp_path / "new", tmp_path / "new" / "groups.csv")
    assert len(images) == 24
    grouped = [name for name, group in zip(images.names, images.groups) if group]
    assert grouped == ["cat/04.png", "cat/smaller.jpg"]


def test_moved_pictures_take_no_others_name(data, tmp_path):
    images = transfer.load_images(data, lenient=True)
    (data / "dog/02.PNG").write_bytes((data / "dog/01.png").read_bytes() + b"x")
    images = transfer.load_images(data, lenient=True)
    digest = dict(zip(images.names, images.digests))
    moved = [Action("cat/02.png", digest["cat/02.png"], "move", "dog", "", "")]
    transfer.write_clean_copy(images, moved, tmp_path / "new", data)
    copied = contents(tmp_path / "new")
    assert copied["dog/02-2.png"] == (data / "cat/02.png").read_bytes()
    assert copied["dog/02.PNG"] == (data / "dog/02.PNG").read_bytes()


def test_parts_and_folders_below_a_class_are_kept_and_leaks_are_dropped_from_training(data, tmp_path):
    parts = tmp_path / "parts"
    shutil.copytree(data, parts / "train")
    for name in ("cat/06.png", "dog/07.png", "dog/09.png", "cat/08.png"):
        target = parts / "test" / name.replace("/", "/deep/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(data / name, target)
    table = write(tmp_path / "parts.csv", propose_actions(transfer.check(parts)))
    assert rows_of(table)["train/cat/06.png"]["action"] == "drop"
    assert rows_of(table)["test/cat/deep/06.png"]["action"] == "keep"
    apply(parts, table, tmp_path / "new")
    copied = contents(tmp_path / "new")
    assert "test/cat/deep/06.png" in copied
    assert "train/cat/06.png" not in copied
    images = transfer.load_images(tmp_path / "new")
    assert transfer.split(images).notes == ()


def leaking(root, by_table):
    """Two parts with a copy of a training picture in the validation part, and a second one in training; as DATA."""
    rows = ["file,label,split"]
    for number in range(12):
        name = f"{('train', 'val')[number // 8]}/{('cat', 'dog')[number % 2]}/{number:02}.png"
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        wave(number).save(root / name)
    for copy in ("train/cat/again.png", "val/cat/00.png"):
        shutil.copy(root / "train/cat/00.png", root / copy)
    if not by_table:
        return root
    for path in sorted(root.rglob("*.png")):
        part, label, _ = path.relative_to(root).parts
        rows.append(f"{path.relative_to(root).as_posix()},{label},{part}")
    (root / "pictures.csv").write_text("\n".join(rows))
    return root / "pictures.csv"


@pytest.mark.parametrize("by_table", [False, True])
def test_one_copy_of_a_leaked_picture_stays_and_outside_training(by_table, tmp_path):
    rows = {action.file: action.action for action in propose_actions(transfer.check(leaking(tmp_path, by_table)))}
    copies = ("val/cat/00.png", "train/cat/00.png", "train/cat/again.png")
    assert [rows[name] for name in copies] == ["keep", "drop", "drop"]


def test_a_copy_that_leads_to_another_part_takes_its_versions_along(tmp_path):
    root = leaking(tmp_path, by_table=False)
    wave(0).convert("RGB").save(root / "train/dog/version.jpg", quality=80)
    check = transfer.check(root)
    (leak,) = check["near across parts"]
    named = {check.images.names[i] for i in leak.sets[0]}
    assert named == {"val/cat/00.png", "train/cat/00.png", "train/cat/again.png", "train/dog/version.jpg"}
    rows = {action.file: action for action in propose_actions(check)}
    assert [name for name in named if rows[name].action != "drop"] == ["val/cat/00.png"]


def test_copies_of_grouped_pictures_keep_a_group_name(data, tmp_path):
    shutil.copy(data / "cat/04.png", data / "cat/00 04.png")
    rows = {action.file: action for action in propose_actions(transfer.check(data))}
    stays = rows["cat/00 04.png"]
    assert (stays.action, rows["cat/04.png"].action) == ("group", "drop")
    assert stays.group == rows["cat/smaller.jpg"].group != ""


def test_a_table_of_pictures_becomes_folders_and_groups_are_kept(data, tmp_path):
    rows = [f"cat/{n:02}.png,{'even' if n % 4 else 'odd'},{n % 3}" for n in range(0, 24, 2)]
    (data / "pictures.csv").write_text("\n".join(["file,label,group", *rows]))
    images = transfer.load_images(data)
    transfer.write_clean_copy(images, [], tmp_path / "new", data / "pictures.csv")
    again = transfer.load_images(tmp_path / "new", tmp_path / "new" / "groups.csv")
    assert dict(zip(again.digests, again.groups)) == dict(zip(images.digests, images.groups))
    assert again.class_names == ("even", "odd")


@pytest.mark.parametrize(
    ("name", "cells", "sentence"),
    [
        ("cat/00.png", {"action": "burn"}, "action 'burn'"),
        ("cat/00.png", {"action": ""}, "expected one of drop"),
        ("cat/00.png", {"action": "move", "class": "zebra"}, "no class of DATA"),
        ("cat/00.png", {"action": "move", "class": "cat"}, "where it is"),
        ("cat/00.png", {"action": "keep", "class": "dog"}, "write move, or cat"),
        ("cat/04.png", {"group": ""}, "no name"),
        ("cat/00.png", {"digest": "0" * 32}, "changed since"),
        ("cat/00.png", {"digest": ""}, "changed since"),
        ("cat/00.png", {"file": "cat/none.png"}, "not in DATA"),
        ("cat/00.png", {"file": "cat/04.png"}, "contradict"),
        ("dog/text.jpg", {"action": "keep"}, "cannot be read"),
        ("cat/02.png", {"action": "keep"}, None),
    ],
)
def test_rows_that_contradict_are_refused_and_nothing_is_written(table, data, tmp_path, name, cells, sentence):
    edit(table, name, **cells)
    if sentence is None:  # the same picture kept in two classes
        edit(table, "dog/other.png", action="keep")
        sentence = "same picture in the classes 'cat' and 'dog'"
    with pytest.raises(DataError, match=sentence):
        apply(data, table, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_picture_kept_in_two_classes_is_refused_where_one_row_is_gone_and_left_where_no_row_speaks_of_it(
    table, data, tmp_path
):
    rows = table.read_text().splitlines(keepends=True)
    table.write_text("".join(row for row in rows if "dog/other.png" not in row))
    edit(table, "cat/02.png", action="keep")
    with pytest.raises(DataError, match=r"cat/02\.png and dog/other\.png contradict each other"):
        apply(data, table, tmp_path / "new")
    table.write_text("".join(row for row in rows if "dog/other.png" not in row and "cat/02.png" not in row))
    assert apply(data, table, tmp_path / "new")["copied"] == 26


def test_a_file_that_looks_whole_but_cannot_be_decoded_is_dropped_as_proposed(data, tmp_path):
    whole = io.BytesIO()
    wave(60).save(whole, "JPEG")
    (data / "cat" / "sof5.jpg").write_bytes(whole.getvalue().replace(b"\xff\xc0", b"\xff\xc5"))
    assert "cat/sof5.jpg" in transfer.load_images(data).names
    table = write(tmp_path / "clean.csv", propose_actions(transfer.check(data)))
    assert rows_of(table)["cat/sof5.jpg"]["action"] == "drop"
    apply(data, table, tmp_path / "new")
    assert (tmp_path / "new" / "cat" / "00.png").exists()
    assert not (tmp_path / "new" / "cat" / "sof5.jpg").exists()


def test_the_table_comes_back_from_a_spreadsheet(table, data, tmp_path):
    assert table.read_bytes().startswith("\ufeff".encode())  # or Excel takes its letters for those of Windows
    rows = list(rows_of(table).values())
    with table.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, rows[0], delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    assert apply(data, table, tmp_path / "new")["dropped"] == 4


def test_a_group_that_a_spreadsheet_took_for_a_number_is_refused(data, tmp_path):
    groups = tmp_path / "groups.csv"
    images = transfer.load_images(data, lenient=True)
    groups.write_text("\n".join(["file,group", *(f"{name},00{i % 3}" for i, name in enumerate(images.names))]))
    table = write(tmp_path / "clean.csv", propose_actions(transfer.check(data, str(groups), near="none")))
    edit(table, "cat/00.png", group="7")
    apply(data, table, tmp_path / "new", groups)
    edit(table, "cat/00.png", group="2")
    with pytest.raises(DataError, match=r"cat/00\.png has the group '2'.*'002'.*text"):
        apply(data, table, tmp_path / "newer", groups)


def test_classes_in_the_table_may_have_accents_of_another_form(data, tmp_path):
    (data / "cat").rename(data / unicodedata.normalize("NFD", "Bär"))
    images = transfer.load_images(data)
    table = write(tmp_path / "clean.csv", [Action("dog/01.png", images.digests[images.names.index("dog/01.png")],
                                                  "move", unicodedata.normalize("NFD", "Bär"), "", "")])  # fmt: skip
    assert apply(data, table, tmp_path / "new")["moved"] == 1
    assert len(list((tmp_path / "new" / "Bär").iterdir())) == 15


def test_a_group_in_two_given_parts_is_dropped_from_training(tmp_path):
    root = tmp_path / "data"
    for number in range(16):
        folder = root / ("train", "test")[number // 8] / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        wave(number).save(folder / f"{'same' if number in (0, 8) else number}_{number}.png")
    check = transfer.check(root, "^([^_]+)_", near="none")
    assert {row.file: row.action for row in propose_actions(check)} == {
        "train/cat/same_0.png": "drop", "test/cat/same_8.png": "keep",
    }  # fmt: skip


def test_pictures_without_an_ending_get_one_in_the_copy(data, tmp_path):
    names = [f"{folder}/{number:02}" for number in range(24) for folder in [("cat", "dog")[number % 2]]]
    for name in names:
        (data / f"{name}.png").rename(data / name)
    (data / "list.csv").write_text("\n".join(["file,label", *(f"{name},{name[:3]}" for name in names)]))
    images = transfer.load_images(data)
    transfer.write_clean_copy(images, [], tmp_path / "new", data)
    assert sorted(transfer.load_images(tmp_path / "new").names) == sorted(f"{name}.png" for name in names)


def test_a_file_that_changed_since_is_refused(table, data, tmp_path):
    wave(99).save(data / "cat/00.png")
    with pytest.raises(DataError, match=r"cat/00\.png has changed"):
        apply(data, table, tmp_path / "new")


def test_a_class_with_one_picture_left_is_refused(data, tmp_path):
    images = transfer.load_images(data, lenient=True)
    rows = zip(images.names, images.digests)
    drop = [Action(name, digest, "drop", "cat", "", "") for name, digest in rows if name.startswith("cat/")]
    for actions, sentence in ((drop[1:], "left with one picture"), (drop, "1 of the classes")):
        with pytest.raises(DataError, match=sentence):
            transfer.write_clean_copy(images, actions, tmp_path / "new", data)


def test_the_original_and_what_is_there_are_never_written_to(table, data, tmp_path):
    before = contents(data)
    (tmp_path / "link").symlink_to(data)
    for out in (data, data / "new", data / "cat" / "new", tmp_path / "link" / "new"):
        with pytest.raises(OutputError, match="never changed"):
            apply(data, table, out)
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        apply(data, table, full)
    with pytest.raises(OutputError, match="exists already"):
        transfer.write_actions([], table)
    assert contents(data) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clean.csv", "data", "full", "link"]


def test_odd_names_survive_the_table(data, tmp_path):
    for number, name in enumerate(("ümlaut, comma.png", 'quote".png', "line\nbreak.png", "深.png"), start=50):
        wave(number).save(data / "cat" / name)
        shutil.copy(data / "cat" / name, data / "cat" / f"copy {name}")
    table = write(tmp_path / "clean.csv", propose_actions(transfer.check(data)))
    apply(data, table, tmp_path / "new")
    names = {path.name for path in (tmp_path / "new" / "cat").iterdir()}
    assert {"copy ümlaut, comma.png", 'copy quote".png', "copy line\nbreak.png", "copy 深.png"} < names
    assert {name for name in names if not name[0].isdigit() and not name.startswith("copy")} == {"smaller.jpg"}


def test_a_class_with_spaces_around_its_name_survives_the_table(data, tmp_path):
    (data / "cat").rename(data / " cat ")
    table = write(tmp_path / "clean.csv", propose_actions(transfer.check(data)))
    apply(data, table, tmp_path / "new")
    assert (tmp_path / "new" / " cat " / "00.png").is_file()
    images = transfer.load_images(tmp_path / "new", tmp_path / "new" / "groups.csv")
    assert images.class_names == (" cat ", "dog")


def test_a_copy_beside_the_pictures_of_a_table_is_refused(data):
    rows = [f"cat/{n:02}.png,{'even' if n % 4 else 'odd'}" for n in range(0, 24, 2)]
    (data / "pictures.csv").write_text("\n".join(["file,label", *rows]))
    with pytest.raises(OutputError, match="never changed"):
        transfer.write_clean_copy(transfer.load_images(data), [], data / "new", data / "pictures.csv")


def test_classes_that_some_disks_take_for_one_are_refused(data, tmp_path):
    (data / "dog").rename(data / "Cat")
    with pytest.raises(DataError, match="'Cat' and 'cat' differ by case alone"):
        transfer.write_clean_copy(transfer.load_images(data, lenient=True), [], tmp_path / "new", data)
    assert not (tmp_path / "new").exists()


def test_the_command_line_proposes_and_applies(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = CliRunner()
    done = run.invoke(cli.app, ["clean", str(data), "--json"])
    assert json.loads(done.stdout)["drop"] == 4, done.output
    done = run.invoke(cli.app, ["clean", str(data), "--apply", "clean.csv", "--out", "new"])
    assert done.exit_code == 0, done.output
    assert "--groups new/groups.csv" in done.output
    assert (tmp_path / "new" / "cat" / "00.png").is_file()
    for words, sentence in (
        (["--apply", "clean.csv"], "without --out"),
        (["--apply", "none.csv", "--out", "x"], "does not exist"),
        ([], "exists already"),
    ):
        done = run.invoke(cli.app, ["clean", str(data), *words])
        assert isinstance(done.exception, TransferError)
        assert sentence in str(done.exception)


def test_the_hint_applies_the_table_to_the_same_data_with_the_same_groups(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = data.rename(tmp_path / "my data")
    words = ["clean", "my data", "--groups", "([0-9])[0-9]$"]
    done = CliRunner().invoke(cli.app, words)
    assert done.exit_code == 0, done.output
    hint = shlex.split(done.stdout.partition("then: transfer ")[2])
    assert hint == [*words, "--apply", "clean.csv", "--out", "NEW"]
    assert CliRunner().invoke(cli.app, hint).exit_code == 0
    assert {row["group"] for row in rows_of(tmp_path / "NEW" / "groups.csv").values()} >= {"1", "2"}


def test_a_suspected_label_is_kept_for_a_person_to_look_at(data):
    found = transfer.check(data)
    said = Finding("1 label", ((1,),), ("cat, looks like dog",), kind="suspected labels", severity="warning")
    rows = {action.file: action for action in propose_actions(replace(found, findings=(said,), near=()))}
    action = rows[found.images.names[1]]
    assert (action.action, action.label) == ("keep", "cat")
    assert "looks like dog" in action.reason


def sure(images, *names):
    """A finding of labels that the heads are sure are wrong."""
    figures = {"suggested": ["dog"], "belief": [0.01], "suggested_belief": [0.99]}
    return Finding(
        "labels that may be wrong",
        tuple((images.names.index(name),) for name in names),
        ("cat, looks like dog",) * len(names),
        figures={name: values * len(names) for name, values in figures.items()},
        kind="suspected labels",
    )


def test_a_move_gives_way_to_a_drop_and_keeps_the_group(data, tmp_path):
    found = transfer.check(data)
    names = ("cat/again.png", "cat/04.png", "cat/06.png")
    found = replace(found, findings=(*found.findings, sure(found.images, *names)))
    rows = {action.file: action for action in propose_actions(found, move_suspects=True)}
    assert [f"{rows[name].action} {rows[name].label}" for name in names] == ["drop cat", "move dog", "move dog"]
    assert rows["cat/04.png"].group == rows["cat/smaller.jpg"].group != ""
    told = apply(data, write(tmp_path / "moves.csv", rows.values()), tmp_path / "new")
    assert told == {"copied": 24, "moved": 2, "dropped": 4, "groups": 1}
    assert {row.action for row in propose_actions(found)} == {"drop", "group", "keep"}
    for bounds in ({"given_below": 0.01}, {"suggested_above": 0.99}):
        assert "move" not in {row.action for row in propose_actions(found, True, **bounds)}


def test_the_page_knows_the_class_that_a_suspect_is_to_be_moved_to(data, tmp_path):
    found = transfer.check(data)
    page = write_check_page(replace(found, findings=(sure(found.images, "cat/04.png"),)), tmp_path).read_text()
    assert page.count('data-suggested="dog"') == 1
    assert "data-suggested" not in write_check_page(found, tmp_path).read_text().partition("<script>")[0]


def test_the_command_line_moves_sure_suspects_where_that_is_asked_for(data, tmp_path, monkeypatch):
    wave(100).save(data / "dog" / "a cat.png")

    def looks(images, *_):
        noise = np.random.default_rng(0).normal(0, 0.1, (len(images), 64))
        return (noise + [[name.count("cat") + name.count("a cat")] for name in images.names]).astype(np.float32)

    monkeypatch.setattr(checking, "_features", looks)
    monkeypatch.chdir(tmp_path)
    words = ["clean", str(data), "--labels", "--overwrite"]
    strict = ["--move-suspects", "--given-below", "0"]
    for more, expected in (([], "keep"), (strict, "keep"), (["--move-suspects"], "move")):
        done = CliRunner().invoke(cli.app, [*words, *more])
        assert done.exit_code == 0, done.output
        row = rows_of(tmp_path / "clean.csv")["dog/a cat.png"]
        assert row["action"] == expected
    assert row["class"] == "cat"
    assert "look at it: dog, looks like cat; its class has the probability 0." in row["reason"]
    done = CliRunner().invoke(cli.app, ["clean", str(data), "--apply", "clean.csv", "--out", "new", "--json"])
    assert json.loads(done.stdout)["moved"] == 1, done.output
    assert (tmp_path / "new" / "cat" / "a cat.png").read_bytes() == (data / "dog" / "a cat.png").read_bytes()

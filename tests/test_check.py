import io
import json
import os
import time
from dataclasses import replace

import numpy as np
import pytest
from odd_pictures import jpeg, png, write_odd_folder
from PIL import Image, ImageOps
from typer.testing import CliRunner

import transfer
from transfer import cli
from transfer.checks import inspection, quality
from transfer.checks.check_page import write_check_page
from transfer.checks.checking import quick_findings
from transfer.checks.duplicates import near_pairs
from transfer.checks.inspection import inspect_file, inspect_files
from transfer.errors import DataError, UnknownNameError


def picture(seed, width=64, height=48):
    """A smooth random picture of its own, `(H, W, 3)` uint8."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def write(root, files):
    for name, image in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(root / name)
    return root


def plain(count=12, classes=("cat", "dog"), part=""):
    """`{name: picture}` without any fault."""
    return {f"{part}{name}/{i}.png": picture([*f"{part}{name}{i}".encode()]) for name in classes for i in range(count)}


def files_of(check, kind):
    names = check.images.names
    return [{names[i] for i in indices} for finding in check[kind] for indices in finding.sets]


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return write(tmp_path_factory.mktemp("clean"), plain())


@pytest.fixture(scope="module")
def parted(tmp_path_factory):
    """A given split with every kind of duplicate in it."""
    root = tmp_path_factory.mktemp("parted")
    write(root, {**plain(part="train/"), **plain(6, part="test/")})
    a, b = (picture(seed) for seed in (1001, 1002))
    write(root, {"train/cat/a.png": a, "test/cat/a.png": a, "train/cat/b.png": b, "train/dog/b.png": b})
    write(root, {"train/dog/c.png": picture(1003), "train/dog/c2.png": picture(1003)})
    width, height = 96, 72
    versions = {
        "coded": lambda image: Image.open(io.BytesIO(jpeg(np.asarray(image), quality=60))),
        "larger": lambda image: image.resize((150, 110), Image.Resampling.BICUBIC),
        "cropped": lambda image: image.crop((4, 2, width - 3, height - 3)),
        "mirrored": ImageOps.mirror,
        "grey": lambda image: image.convert("L"),
    }
    for seed, (name, change) in enumerate(versions.items()):
        image = picture(2000 + seed, width, height)
        write(root, {f"train/cat/{name}.png": image, f"test/cat/{name} too.png": change(image)})
    return root, set(versions)


def test_a_clean_folder_has_notes_only(clean):
    check = transfer.check(clean)
    assert {finding.severity for finding in check.findings if finding.kind != "small classes"} == {"note"}
    assert check.problems == ()
    assert check["counts"][0].figures["classes"] == {"cat": 12, "dog": 12}


def test_exact_duplicates_inside_and_across_classes_and_parts(parted):
    check = transfer.check(parted[0], near="none")
    assert files_of(check, "exact across parts") == [{"train/cat/a.png", "test/cat/a.png"}]
    assert files_of(check, "exact across classes") == [{"train/cat/b.png", "train/dog/b.png"}]
    assert {"train/dog/c.png", "train/dog/c2.png"} in files_of(check, "exact in class")
    assert check["near across parts"] == ()
    assert {finding.kind for finding in check.problems} == {"exact across parts", "exact across classes"}


def test_near_duplicates_of_every_kind_and_nothing_else(parted):
    root, versions = parted
    check = transfer.check(root)
    found = files_of(check, "near across parts")
    assert sorted(map(sorted, found)) == sorted(
        [f"test/cat/{name} too.png", f"train/cat/{name}.png"] for name in versions
    )
    (pair,) = [pair for pair in check.near if pair.mirrored]
    assert {check.images.names[i] for i in pair[:2]} == {"test/cat/mirrored too.png", "train/cat/mirrored.png"}
    assert check["near in class"]
    assert not check["near across classes"]


def test_near_duplicates_and_groups_stay_on_one_side(tmp_path):
    files = plain(20)
    for i in range(6):
        files[f"cat/{i} again.png"] = ImageOps.mirror(files[f"cat/{i}.png"])
        files[f"dog/{i} twice.png"] = files[f"dog/{i}.png"]
    images = transfer.load_images(write(tmp_path, files))
    images = replace(images, groups=tuple("g" if "0" in name else "" for name in images.names))
    together = transfer.keep_together(images)
    group = dict(zip(together.names, together.groups))
    for i in range(1, 6):
        assert group[f"cat/{i}.png"] == group[f"cat/{i} again.png"] != ""
        assert group[f"dog/{i}.png"] == group[f"dog/{i} twice.png"] != ""
    assert group["cat/0.png"] == group["cat/0 again.png"] == group["dog/10.png"] == "g"
    assert group["dog/15.png"] == ""
    for seed in range(5):
        parts = transfer.split(together, seed).parts().values()
        sides = [{together.groups[i] for i in part} - {""} for part in parts]
        assert sum(len(side) for side in sides) == len(set.union(*sides))


def test_pictures_that_stand_out(tmp_path):
    files = plain(30)
    rng = np.random.default_rng(0)
    files = {name: Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)) for name in files}
    sharp = Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8))
    files |= {
        "cat/dark.png": Image.eval(sharp, lambda value: value // 12),
        "cat/bright.png": Image.eval(sharp, lambda value: 255 - value // 12),
        "cat/blurred.png": picture(5, 64, 64),
        "cat/empty.png": Image.new("RGB", (64, 64), (90, 120, 90)),
        "cat/tiny.png": sharp.resize((8, 8)),
        "cat/long.png": sharp.resize((400, 64)),
    }
    check = transfer.check(write(tmp_path, files), near="none")
    expected = {
        "dark": "dark", "overexposed": "bright", "blurry": "blurred", "nearly empty": "empty", "odd sizes": "tiny",
        "odd shapes": "long",
    }  # fmt: skip
    for kind, name in expected.items():
        assert {f"cat/{name}.png"} in files_of(check, kind), kind
        assert len(files_of(check, kind)) <= 4, kind


@pytest.mark.parametrize(("factor", "low", "high"), [(1, 0.9, 1.0), (2, 0.4, 0.8), (4, 0.2, 0.5)])
def test_enlarged_pictures_show_in_their_spectrum(factor, low, high, tmp_path):
    rng = np.random.default_rng(factor)
    spectrum = np.fft.rfft2(rng.normal(size=(128, 128))) / (1 + np.hypot(*np.mgrid[:128, :65]))  # like a scene
    grey = np.fft.irfft2(spectrum)
    grey = ((grey - grey.min()) / np.ptp(grey) * 255).astype(np.uint8)
    image = Image.fromarray(grey).resize((128 // factor,) * 2).resize((128, 128), Image.Resampling.BICUBIC)
    image.save(tmp_path / "a.png")
    assert low <= inspect_file(tmp_path / "a.png").detail <= high


def test_shortcuts_are_found_and_chance_is_not(tmp_path):
    files = plain(40)
    files = {name: image.convert("L") if name.startswith("cat") else image for name, image in files.items()}
    check = transfer.check(write(tmp_path / "a", files), near="none")
    assert check["shortcuts"][0].message.split(" alone")[0] in ("colour or grey", "kind of pixels")
    figures = check["shortcuts"][0].figures
    assert set(figures) == {"cat", "dog"}
    assert min(figures.values()) > 0.95
    assert transfer.check(write(tmp_path / "b", plain(40)), near="none")["shortcuts"] == ()


def test_names_of_another_source_are_a_shortcut(tmp_path):
    files = {f"cat/IMG_{i}.png": picture(i) for i in range(30)}
    files |= {f"dog/scan-{i}.png": picture(100 + i) for i in range(30)}
    (finding,) = transfer.check(write(tmp_path, files), near="none")["shortcuts"]
    assert finding.message.startswith("kind of file name")


def test_classes_that_cannot_be_learned_from_are_findings(tmp_path):
    files = {**plain(30, ("cat",)), **plain(3, ("Red Cat", "red_cat")), "dog/1.png": picture(7)}
    (write(tmp_path, files) / "nothing").mkdir()
    check = transfer.check(tmp_path)
    assert "'Red Cat' and 'red_cat'" in check["alike names"][0].message
    assert "nothing" in check["empty classes"][0].message
    assert files_of(check, "lonely classes") == [{"dog/1.png"}]
    assert "2 classes" in check["small classes"][0].message
    assert "cat has 30 pictures and dog 1" in check["imbalance"][0].message
    with pytest.raises(DataError, match="'dog' has one picture"):
        transfer.load_images(tmp_path)


def test_counts_tell_the_parts_that_are_given(tmp_path):
    write(tmp_path, {**plain(4, part="train/"), **plain(3, part="test/")})
    (finding,) = transfer.check(tmp_path, near="none")["counts"]
    assert finding.figures["parts"] == {"test": 6, "train": 8}
    assert "6 test, 8 train" in finding.message


def test_a_part_without_a_class_is_a_problem(tmp_path):
    write(tmp_path, {**plain(4, part="train/"), **plain(4, ("cat",), part="test/")})
    assert "test has no picture of dog" in transfer.check(tmp_path)["missing classes"][0].message


def test_groups_in_names_are_proposed_where_nothing_keeps_them_together(tmp_path):
    files = {f"{name}/S{i:03}_{k}.png": picture(10 * i + k) for name in "ab" for i in range(9) for k in range(3)}
    write(tmp_path, files)
    (finding,) = transfer.check(tmp_path, near="none")["groups in names"]
    assert finding.figures["groups"] == 9
    assert finding.figures["leaking"] > 0.8
    assert "--groups auto" in finding.advice
    assert transfer.check(tmp_path, "auto", near="none")["groups in names"] == ()


def test_no_groups_are_proposed_where_the_parts_are_given(tmp_path):
    parts = {"train": range(6), "test": range(6, 9)}
    write(tmp_path, {
        f"{part}/{name}/S{i:03}_{k}.png": picture(10 * i + k)
        for part, numbers in parts.items() for name in "ab" for i in numbers for k in range(3)
    })  # fmt: skip
    assert transfer.check(tmp_path, near="none")["groups in names"] == ()


def test_suspected_labels_come_from_the_backbone(digits_folder, monkeypatch):
    from transfer.checks import checking

    images = transfer.load_images(digits_folder)
    labels = images.labels.copy()
    labels[5] = 2
    wrong = replace(images, labels=labels)
    features = np.eye(3, dtype=np.float32)[images.labels] + np.random.default_rng(0).normal(0, 0.1, (90, 3))
    monkeypatch.setattr(checking, "_features", lambda images: features.astype(np.float32))
    (finding,) = transfer.check(wrong, near="none", labels=True)["suspected labels"]
    assert finding.sets[0] == (5,)
    assert finding.details[0] == "2, looks like 0"
    assert transfer.check(wrong, near="features").near is not None


def test_the_quick_look_reads_no_file(parted, monkeypatch):
    images = transfer.load_images(parted[0])
    monkeypatch.setattr("builtins.open", None)
    kinds = {finding.kind for finding in quick_findings(images)}
    assert {"counts", "exact across parts", "exact across classes"} <= kinds
    assert not kinds & {kind.name for kind in quality.KINDS if kind.needs}


def test_a_second_look_reads_only_what_changed(tmp_path, monkeypatch):
    paths = sorted(write(tmp_path, plain(5)).rglob("*.png"))
    time.sleep(0.06)  # files written this moment are not trusted yet
    read = []
    look = inspection.inspect_file
    monkeypatch.setattr(inspection, "inspect_file", lambda path: read.append(path) or look(path))
    first = inspect_files(paths)
    assert inspect_files(paths) == first
    assert len(read) == 10
    about = paths[3].stat()
    data = bytearray(paths[3].read_bytes())
    data[-20] ^= 1  # same size, and the same time of modification below
    paths[3].write_bytes(bytes(data))
    os.utime(paths[3], ns=(about.st_atime_ns, about.st_mtime_ns))
    paths[4].unlink()
    second = inspect_files(paths)
    assert read[10:] == [paths[3], paths[4]]
    assert second[3] != first[3]
    assert "cannot be read" in second[4].reason
    assert second[:3] == first[:3]


def test_near_duplicates_are_the_same_in_blocks_and_at_once(parted, monkeypatch):
    paths = sorted(parted[0].rglob("*.png"))
    inspections = inspect_files(paths)
    whole = near_pairs(paths, inspections)
    monkeypatch.setattr("transfer.checks.duplicates.BLOCK", 7)
    monkeypatch.setattr("transfer.checks.duplicates.TOGETHER", 3)
    assert [pair[:2] for pair in near_pairs(paths, inspections)] == [pair[:2] for pair in whole]


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    return write_odd_folder(tmp_path_factory.mktemp("everything"))


def test_check_of_everything_that_a_folder_can_contain(odd, tmp_path):
    check = transfer.check(odd.root)
    (unreadable,) = check["unreadable"]
    assert set(unreadable.files) == set(odd.bad)
    assert all(odd.bad[name] in reason for name, reason in zip(unreadable.files, unreadable.details))
    assert set(check.images.names) == set(odd.good)
    shape = {name: (i.height, i.width) for name, i in zip(check.images.names, check.inspections)}
    assert shape == {name: pixels.shape[:2] for name, pixels in odd.good.items()}
    animated = {name.rsplit("/")[-1] for (name,) in files_of(check, "animations")}
    assert animated == {"animation.gif", "animation.webp", "animation.png", "pages.tif"}
    turned = {name.rsplit("/")[-1] for (name,) in files_of(check, "turned")}
    assert {f"exif_{n}.jpg" for n in range(2, 9)} <= turned
    converted = check["converted"][0].message
    assert all(word in converted for word in ("CMYK", "16 bits", "transparency", "palette", "black and white"))
    assert check["other files"][0].message.startswith("2 other files")
    page = write_check_page(check, tmp_path).read_bytes().decode()
    assert "<b>tags</b>" not in page
    assert "[red]markup[/red] &amp; &lt;b&gt;tags" in page
    json.dumps(check.as_dict())


def command(*words):
    return CliRunner().invoke(cli.app, ["check", *map(str, words)])


def test_the_command_shows_a_table_writes_the_page_and_gives_json(parted, tmp_path):
    ended = command(parted[0], "--out", tmp_path / "page")
    assert ended.exit_code == 0, ended.output
    assert "problem" in ended.stdout
    assert str(tmp_path / "page" / "check.html") in ended.stdout.replace("\n", "")
    page = (tmp_path / "page" / "check.html").read_text()
    assert "http" not in page.replace("http://www.w3.org", "")
    assert page.count("data:image/webp") >= 10
    said = json.loads(command(parted[0], "--json").stdout)
    assert said["counts"]["problem"] == 3
    kinds = {finding["kind"]: finding for finding in said["findings"]}
    assert kinds["exact across parts"]["sets"] == [["test/cat/a.png", "train/cat/a.png"]]


def test_strict_refuses_problems_only(parted, clean):
    assert command(clean, "--strict").exit_code == 0
    ended = command(parted[0], "--strict")
    assert isinstance(ended.exception, DataError)
    assert "3 problem(s)" in str(ended.exception)
    assert "\n" not in str(ended.exception)
    refused = CliRunner().invoke(cli.app, ["train", str(parted[0]), "--strict"])
    assert isinstance(refused.exception, DataError)


def test_wrong_words_are_refused(clean):
    with pytest.raises(UnknownNameError, match="hash"):
        transfer.check(clean, near="hush")
    with pytest.raises(UnknownNameError, match="blurry"):
        transfer.check(clean)["blury"]


def test_one_class_and_text_files_are_looked_at(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "a.png").write_bytes(png(np.zeros((4, 4)), 8, 0))
    (tmp_path / "cat" / "b.jpg").write_text("text")
    check = transfer.check(tmp_path)
    assert "single class 'cat'" in check["lonely classes"][0].message
    assert check["unreadable"][0].files == ("cat/b.jpg",)

import io
import json
import os
import struct
import time
from dataclasses import replace

import numpy as np
import pytest
from odd_pictures import jpeg, png, tiff, write_odd_folder
from PIL import Image, ImageOps
from scipy import ndimage
from typer.testing import CliRunner

import transfer
from transfer import cli
from transfer.cache import cache_folder
from transfer.checks import alignment, check_page, duplicates, inspection, kept_pairs, quality
from transfer.checks.check_page import write_check_page
from transfer.checks.checking import quick_findings
from transfer.checks.duplicates import near_pairs
from transfer.checks.inspection import Inspection, inspect_files
from transfer.checks.mirrored import find_mirrored, mirrored_note
from transfer.data.pipeline import Pictures
from transfer.errors import DataError, PictureError, UnknownNameError


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


def test_sets_are_counted_as_sets_and_files_as_files(tmp_path):
    files = plain(8)
    for i in range(2):
        files |= {f"cat/{i} {n}.png": files[f"cat/{i}.png"] for n in range(2 + i)}
    files["dog/other.png"] = files["dog/5.png"]
    files["dog/mirrored.png"] = ImageOps.mirror(files["dog/6.png"])
    files["dog/cat.png"] = files["cat/4.png"]
    check = transfer.check(write(tmp_path, files))
    said = {finding.kind: finding.message for finding in check.findings}
    assert said["exact in class"] == "3 sets of equal files within a class, 9 files"
    assert said["exact across classes"] == "1 set of equal files in different classes, 2 files"
    assert said["near in class"] == "1 set of near duplicates within a class, 2 files"


def test_one_face_with_two_expressions_is_no_copy_in_two_classes(tmp_path):
    files = plain(8)
    for i in range(2):
        face = np.asarray(files[f"cat/{i}.png"]).astype(int)
        mouth = face[30:36, 24:36]
        mouth += 110 * np.where(mouth > 128, -1, 1)
        files[f"dog/glad {i}.png"] = Image.fromarray(face.clip(0, 255).astype(np.uint8))
    files["dog/copy.png"] = files["cat/5.png"].resize((128, 96)).resize((64, 48))
    check = transfer.check(write(tmp_path, files))
    assert files_of(check, "near across classes") == [{"cat/5.png", "dog/copy.png"}]
    near = {frozenset(check.images.names[i] for i in pair[:2]) for pair in check.near}
    (face,) = near - {frozenset({"cat/5.png", "dog/copy.png"})}  # which stays on one side of a split that asks for it
    assert face in [{f"cat/{i}.png", f"dog/glad {i}.png"} for i in range(2)]


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


def test_pictures_that_went_since_they_were_listed_are_left_out(tmp_path):
    files = plain(6) | {"cat/0 again.png": ImageOps.mirror(plain(6)["cat/0.png"])}
    images = transfer.load_images(write(tmp_path, files))
    images = replace(images, groups=images.names)
    (tmp_path / "cat/1.png").unlink()
    together = transfer.keep_together(images)
    assert together.groups[images.names.index("cat/0.png")] == together.groups[images.names.index("cat/0 again.png")]
    for near in ("hash", "none"):
        check = transfer.check(images, near=near)
        assert check["unreadable"][0].files == ("cat/1.png",)
        kept = check.images
        assert kept.names == kept.groups == tuple(name for name in images.names if name != "cat/1.png")
        assert len(kept.labels) == len(kept.digests) == len(kept.given) == len(check.inspections) == len(kept)
        assert files_of(check, "near in class") == ([{"cat/0.png", "cat/0 again.png"}] if near == "hash" else [])


def test_data_of_which_nothing_is_left_is_refused(tmp_path):
    images = transfer.load_images(write(tmp_path, plain(2)))
    for path in images.paths:
        path.unlink()
    assert transfer.keep_together(images).groups == ("",) * 4
    with pytest.raises(DataError, match="none of 4 files can be read"):
        transfer.check(images)


def looks(count, descriptor, seed=0):
    """Inspections of different files whose descriptors agree."""
    rng = np.random.default_rng(seed)
    return [
        Inspection(str(i), descriptor=descriptor, miniature=rng.integers(0, 256, 1024, np.uint8).tobytes())
        for i in range(count)
    ]


@pytest.mark.parametrize(("plain", "most"), [(True, 0), (False, 2 * 8 * 60)])
def test_a_crowd_of_look_alikes_is_compared_with_a_few_each(plain, most, monkeypatch):
    compared = []
    monkeypatch.setattr(
        "transfer.checks.duplicates.aligned_correlation",
        lambda first, second: compared.append(len(first)) or np.zeros(len(first)),
    )
    descriptor = np.zeros(64, np.int8) if plain else np.random.default_rng(1).integers(-127, 128, 64, np.int8)
    assert near_pairs(looks(60, descriptor.tobytes())) == []
    assert sum(compared) <= most
    assert plain or sum(compared) >= 8 * 50


def test_near_duplicates_are_found_without_another_look_at_the_files(tmp_path):
    write(tmp_path, {"a.png": picture(1), "b.png": ImageOps.mirror(picture(1)), "c.png": picture(2)})
    paths = sorted(tmp_path.glob("*.png"))
    inspections = inspect_files(paths)
    for path in paths:
        path.unlink()
    assert [pair[:2] for pair in near_pairs(inspections)] == [(0, 1)]


def test_a_rectangle_is_cut_out_as_interpolation_does():
    rng = np.random.default_rng(0)
    pictures, place = rng.normal(size=(6, 32, 32)), rng.normal([1, 0, 1, 0], 0.1, (6, 4))
    place[0] = [1, 0, 1, 0]
    axis = np.linspace(-1, 1, 32)
    for picture, (scale_y, shift_y, scale_x, shift_x), cut in zip(pictures, place, alignment._cut(pictures, place)):
        where = np.meshgrid(
            *((s * axis + t + 1) * 15.5 for s, t in ((scale_y, shift_y), (scale_x, shift_x))), indexing="ij"
        )
        expected = ndimage.map_coordinates(picture, where, order=1, cval=np.nan)
        assert np.allclose(cut, expected, atol=1e-4, equal_nan=True)


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
        "dark": "dark", "overexposed": "bright", "blurry": "blurred", "one tone": "empty", "odd sizes": "tiny",
        "odd shapes": "long",
    }  # fmt: skip
    for kind, name in expected.items():
        assert {f"cat/{name}.png"} in files_of(check, kind), kind
        assert len(files_of(check, kind)) <= 4, kind


def test_what_is_of_one_tone_is_never_the_nature_of_the_set(tmp_path):
    clear = Image.new("RGBA", (16, 16), (255, 0, 0, 0))
    empty = Image.fromarray(np.full((16, 16), np.nan, np.float32))
    kinds = {"clear": (".png", clear), "nan": (".tif", empty), "black": (".png", Image.new("L", (16, 16)))}
    for kind, (ending, image) in kinds.items():
        root = tmp_path / kind
        files = {f"{name}/{i}{ending}": image for name in ("cat", "dog") for i in range(3)}
        (finding,) = transfer.check(write(root, files), near="none")["one tone"]
        assert (finding.message, len(finding.sets)) == ("all 6 pictures of one plain tone", 6)
        said = [found.message for found in quick_findings(transfer.load_images(root))]
        assert "all 6 pictures of one plain tone, of 6 that were looked at" in said
    write(root, {"cat/a.png": picture(1), "dog/a.png": picture(2)})
    assert transfer.check(root, near="none")["one tone"][0].message == "6 pictures of one plain tone"


def many_pages(count):
    """A TIFF of so many pages that share their 8 x 8 grey pixels."""
    tags = ((256, 3, 8), (257, 3, 8), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (278, 3, 8), (279, 4, 64))
    data, size = bytearray(struct.pack("<2sHI64s", b"II", 42, 72, bytes(range(64)))), 2 + 12 * len(tags) + 4
    for page in range(count):
        entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
        following = len(data) + size if page + 1 < count else 0
        data += struct.pack("<H", len(tags)) + entries + struct.pack("<I", following)
    return bytes(data)


def test_pages_of_a_tiff_are_counted_to_a_thousand(tmp_path):
    write(tmp_path, {"b/0.png": picture(0), "b/1.png": picture(1)})
    (tmp_path / "a").mkdir()
    for count in (1, 3, 1500):
        (tmp_path / "a" / f"{count:04}.tif").write_bytes(many_pages(count))
    (finding,) = transfer.check(tmp_path, near="none")["animations"]
    assert finding.details == ("3 frames", "1,000 frames or more")


def test_near_duplicates_of_the_same_pictures_are_looked_for_once(clean, monkeypatch):
    monkeypatch.setattr(kept_pairs, "FEW", 2)
    first = transfer.check(clean).near
    monkeypatch.setattr(duplicates, "alike", None)
    assert transfer.check(clean).near == first
    for kept in cache_folder("pairs").iterdir():
        kept.write_text("damaged")
    with pytest.raises(TypeError):
        transfer.check(clean)
    with pytest.raises(TypeError):
        transfer.check(clean, cache=False)


def test_values_of_more_than_8_bits_and_a_fourth_band_are_told(tmp_path):
    rng = np.random.default_rng(0)
    unit = rng.random((5, 16, 16), np.float32)
    unit[4] *= 1.001 / unit[4].max()
    unit[3, 0, :4] = np.nan, np.inf, -np.inf, 0
    files = {f"{'ab'[i % 2]}/{i}.tif": Image.fromarray(values) for i, values in enumerate(unit)}
    files["b/deep.png"] = Image.fromarray(rng.integers(0, 4096, (16, 16), np.uint16))
    files["b/bands.tif"] = Image.fromarray(rng.integers(0, 256, (16, 16, 4), np.uint8))
    write(tmp_path, files)
    (tmp_path / "b" / "five.tif").write_bytes(tiff(rng.integers(0, 256, (16, 16, 5), np.uint8)))
    check = transfer.check(tmp_path, near="none")
    assert check.images.levels == {"F": 255, "I;16": 1 / 16, "A": 0}
    assert transfer.load_images(tmp_path).levels == check.images.levels
    assert [each.message for each in check["pixel range"]] == [
        "the alpha of TIFFs is another band: it is left away",
        "floats are taken as 0 to 1, the same in all pictures",
        "values of 16 bits are taken as 0 to 4095, the same in all pictures",
    ]
    assert check["pixel values"] == ()
    assert files_of(check, "no numbers") == [{"b/3.tif"}]
    assert check["no numbers"][0].details == ("1.2% of its pixels",)
    (alpha, more) = check["further bands"]
    assert [check.images.names[i] for (i,) in alpha.sets] == ["b/bands.tif"]
    assert alpha.message.endswith("which is left away")
    assert [check.images.names[i] for (i,) in more.sets] == ["b/five.tif"]
    assert more.details == ("5 bands",)


def test_pictures_that_the_range_of_all_does_not_fit_are_told(tmp_path):
    rng = np.random.default_rng(0)
    bright = {f"{'ab'[i % 2]}/{i}.tif": Image.fromarray(255 * rng.random((9, 9), np.float32)) for i in range(30)}
    files = bright | {
        "a/unit.tif": Image.fromarray(rng.random((9, 9), np.float32)),
        "a/above.tif": Image.fromarray(4000 * rng.random((9, 9), np.float32)),
    }
    check = transfer.check(write(tmp_path, files), near="none")
    assert check.images.levels == {"F": 1}
    dark, white = check["pixel values"]
    assert [check.images.names[i] for (i,) in dark.sets] == ["a/unit.tif"]
    assert [check.images.names[i] for (i,) in white.sets] == ["a/above.tif"]


def test_long_pictures_are_cut_and_told_before_training(tmp_path):
    files = {f"{name}/{i}.png": picture(i, 64, 16) for name in ("cat", "dog") for i in range(3)}
    (finding,) = transfer.check(write(tmp_path, files), near="none")["cut"]
    assert "of half of all, the middle square shows 25% or less" in finding.message
    images = transfer.load_images(tmp_path)
    assert [found.kind for found in quick_findings(images) if "--fit pad" in found.advice] == ["cut"]
    assert "cut" not in [found.kind for found in quick_findings(images, fit="pad")]


def arrow(seed, left):
    """An arrow somewhere in a noisy picture."""
    rng = np.random.default_rng([seed, left])
    grey = rng.normal(rng.integers(0, 90), 10, (48, 48))
    y, x = np.mgrid[:48, :48] - rng.integers(18, 30, 2)[:, None, None]
    grey[(abs(y) < 3) & (abs(x) < 12) | (abs(y) < 12 - x) & (x > 2) & (x < 12)] += 120
    return Image.fromarray(np.clip(grey[:, ::-1] if left else grey, 0, 255).astype(np.uint8))


def test_classes_that_are_mirror_images_of_each_other(tmp_path):
    files = {f"{name}/{i}.png": arrow(i, name == "left") for name in ("left", "right") for i in range(20)}
    files |= {f"blob/{i}.png": picture(i, 48, 48) for i in range(20)}
    check = transfer.check(write(tmp_path, files), near="none")
    (finding,) = check["mirrored"]
    assert list(finding.figures) == ["left / right"]
    pictures = Pictures(check.images, 48)
    everything = np.arange(len(check.images))
    assert "mirror images of one class look like another" in mirrored_note(pictures, everything)
    assert mirrored_note(pictures, everything[check.images.labels != 1]) == ""  # the right ones alone
    assert mirrored_note(pictures, everything[::10]) == ""  # too few to tell


def test_classes_that_a_flip_leaves_alone_are_no_mirror_images(digits):
    assert mirrored_note(Pictures(digits[0], 32), np.arange(len(digits[0]))) == ""
    rng = np.random.default_rng(0)
    noise, labels = rng.integers(0, 256, (200, 32, 32), np.uint8), np.arange(200) % 2
    assert find_mirrored(noise, labels, list(map(str, range(200)))) == []


@pytest.mark.parametrize(("factor", "low", "high"), [(1, 0.9, 1.0), (2, 0.4, 0.8), (4, 0.2, 0.5)])
def test_enlarged_pictures_show_in_their_spectrum(factor, low, high, tmp_path):
    rng = np.random.default_rng(factor)
    spectrum = np.fft.rfft2(rng.normal(size=(128, 128))) / (1 + np.hypot(*np.mgrid[:128, :65]))  # like a scene
    grey = np.fft.irfft2(spectrum)
    grey = ((grey - grey.min()) / np.ptp(grey) * 255).astype(np.uint8)
    image = Image.fromarray(grey).resize((128 // factor,) * 2).resize((128, 128), Image.Resampling.BICUBIC)
    image.save(tmp_path / "a.png")
    (seen,) = inspect_files([tmp_path / "a.png"])
    assert low <= seen.detail <= high


def test_pictures_are_measured_together_as_alone(tmp_path, monkeypatch):
    sizes = [(64, 48), (64, 48), (48, 64), (5, 3), (300, 20), (700, 600), (700, 600), (16, 16)]
    write(tmp_path, {f"{i}.png": picture(i, *size) for i, size in enumerate(sizes)})
    paths = sorted(tmp_path.glob("*.png"))
    together = inspect_files(paths, cache=False)
    monkeypatch.setattr("transfer.checks.measures.STACK", 1)
    monkeypatch.setattr(inspection, "TOGETHER", 1)
    for size, first, second in zip(sizes, together, inspect_files(paths, cache=False)):
        assert (first.width, first.height) == size
        for one, other in zip(first, second):
            assert one == (pytest.approx(other, abs=1e-3) if isinstance(other, float) else other)


def test_shortcuts_are_found_and_chance_is_not(tmp_path):
    files = plain(40)
    files = {name: image.convert("L") if name.startswith("cat") else image for name, image in files.items()}
    check = transfer.check(write(tmp_path / "a", files), near="none")
    assert check["shortcuts"][0].message.split(" alone")[0] in ("colour or grey", "kind of pixels")
    figures = check["shortcuts"][0].figures
    assert set(figures) == {"cat", "dog"}
    assert min(figures.values()) > 0.95
    assert transfer.check(write(tmp_path / "b", plain(40)), near="none")["shortcuts"] == ()


def stamped(image, corner=(48, 0)):
    image.paste((255, 0, 255), (*corner, corner[0] + 16, corner[1] + 16))
    return image


def test_a_stamp_in_most_pictures_of_a_class_is_a_mark(tmp_path):
    files = plain(40)
    width, _ = files["cat/0.png"].size
    for i in range(30):
        stamped(files[f"cat/{i}.png"], (width - 16, 0))
    (finding,) = transfer.check(write(tmp_path, files), near="none")["marks"]
    assert finding.severity == "warning"
    assert set(finding.figures) == {"cat"}
    assert finding.figures["cat"]["share"] == pytest.approx(0.75, abs=0.1)
    assert "top right" in finding.message


def test_what_all_classes_share_is_no_mark(tmp_path):
    files = {name: stamped(image) for name, image in plain(40).items()}
    assert transfer.check(write(tmp_path, files), near="none")["marks"] == ()


def test_a_class_is_not_told_by_chance_from_three_pictures(tmp_path):
    files = plain(40, ("cat",)) | {f"dog/{i}.png": picture(900 + i) for i in range(3)}
    for i in range(24):
        stamped(files[f"cat/{i}.png"])
    assert transfer.check(write(tmp_path, files), near="none")["marks"] == ()


def test_what_one_film_shows_is_no_mark(tmp_path):
    files = plain(50)
    film = [f"cat/{i}.png" for i in range(25)]
    for name in film:
        stamped(files[name])
    data = write(tmp_path / "data", files)
    assert transfer.check(data, near="none")["marks"]
    rows = [f"{name},{'film' if name in film else ''}" for name in files]
    (tmp_path / "groups.csv").write_text("\n".join(["file,group", *rows]))
    assert transfer.check(data, tmp_path / "groups.csv", near="none")["marks"] == ()


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


def test_classes_that_hold_the_same_folders_may_be_no_classes(tmp_path):
    files = {f"{part}/{name}/{i}.png": picture([*f"{part}{name}{i}".encode()]) for part in ("indoor", "outdoor")
             for name in ("cat", "dog") for i in range(3)}  # fmt: skip
    images = transfer.load_images(write(tmp_path, files))
    assert images.class_names == ("indoor", "outdoor")
    (finding,) = [finding for finding in quick_findings(images) if finding.kind == "folders in classes"]
    assert finding.severity == "warning"
    assert "'indoor', 'outdoor'" in finding.message
    assert "cat, dog" in finding.message
    write(tmp_path, {"indoor/one.png": picture(1)})  # a picture of a class beside its folders
    images = transfer.load_images(tmp_path)
    assert "folders in classes" not in {finding.kind for finding in quick_findings(images)}


def test_marks_of_vowels_tell_classes_apart(tmp_path):
    check = transfer.check(write(tmp_path, plain(3, ("कि", "की", "cafe", "café"))), near="none")
    assert check["alike names"] == ()


@pytest.mark.parametrize(("pattern", "missed"), [("^(.)", 0), ("([0-4])", 10), ("(0)", 0)])
def test_pictures_in_no_group_are_told_of(pattern, missed, clean):
    images = transfer.load_images(clean, pattern)
    found = {finding.kind: finding for finding in quick_findings(images)}
    assert found["groups"].figures == {"groups": len(set(images.groups) - {""})}
    if missed:
        assert f"{missed} of 24 pictures are in none of the" in found["ungrouped"].message
        assert {images.groups[i] for (i,) in found["ungrouped"].sets} == {""}
    else:  # where most are in none, those that are in one are the exception: versions of one picture
        assert "ungrouped" not in found


def test_counts_tell_the_parts_that_are_given(tmp_path):
    write(tmp_path, {**plain(4, part="train/"), **plain(3, part="test/")})
    (finding,) = transfer.check(tmp_path, near="none")["counts"]
    assert finding.figures["parts"] == {"test": 6, "train": 8}
    assert "6 test, 8 train" in finding.message


@pytest.mark.parametrize(("parts", "leak"), [(("train", ""), False), (("test", ""), True)])
def test_pictures_without_a_part_are_for_training(parts, leak, tmp_path):
    files = plain(8)
    files |= {"cat/copy.png": files["cat/0.png"], "cat/version.png": ImageOps.mirror(files["cat/1.png"])}
    second, group = {"cat/copy.png", "cat/version.png", "dog/7.png"}, {"dog/6.png": "g", "dog/7.png": "g"}
    rows = [f"{name},{name[:3]},{parts[name in second]},{group.get(name, '')}" for name in files]
    (write(tmp_path, files) / "list.csv").write_text("\n".join(["file,label,split,group", *rows]))
    kinds = {finding.kind for finding in transfer.check(tmp_path).problems}
    assert kinds == ({"exact across parts", "near across parts", "groups across parts"} if leak else set())


def test_larger_crops_are_found_by_features(tmp_path, monkeypatch):
    files = {f"cat/{i}.png": picture(i, 160, 120) for i in range(12)} | plain(12, ("dog",))
    cut = picture(3, 160, 120).crop((4, 12, 132, 104))
    files |= {"cat/crop.png": cut, "dog/crop.png": ImageOps.mirror(picture(5, 160, 120).crop((20, 6, 150, 102)))}
    data = write(tmp_path, files)
    assert transfer.check(data)["near across classes"] == transfer.check(data)["near in class"] == ()

    def nearest_is_the_crop(images, engine):
        of = {"cat/crop.png": "cat/3.png", "dog/crop.png": "cat/5.png"}
        rows = {name: np.random.default_rng([*name.encode()]).normal(0, 1, 16) for name in images.names}
        return np.array([rows[of.get(name, name)] for name in images.names], np.float32)

    monkeypatch.setattr("transfer.checks.checking._features", nearest_is_the_crop)
    check = transfer.check(data, near="features")
    assert files_of(check, "near in class") == [{"cat/3.png", "cat/crop.png"}]
    assert files_of(check, "near across classes") == [{"cat/5.png", "dog/crop.png"}]
    assert [pair.mirrored for pair in sorted(check.near)] == [False, True]


def test_groups_that_names_show_across_parts_are_a_warning(tmp_path):
    write(tmp_path, {
        f"{part}/{name}/S{i:03}_{part}{k}.png": picture(100 * i + 10 * k + len(part))
        for part in ("train", "test") for name in "ab" for i in range(6) for k in range(2)
    })  # fmt: skip
    check = transfer.check(tmp_path, near="none")
    assert check["groups across parts"] == ()
    (finding,) = check["name groups across parts"]
    assert finding.severity == "warning"
    assert len(finding.sets) == 6
    given = transfer.check(tmp_path, "auto", near="none")
    assert given["name groups across parts"] == ()
    assert len(given["groups across parts"][0].sets) == 6


def test_a_part_without_a_class_is_a_problem(tmp_path):
    write(tmp_path, {**plain(4, part="train/"), **plain(4, ("cat",), part="test/")})
    assert "test has no picture of dog" in transfer.check(tmp_path)["missing classes"][0].message


def test_groups_in_names_are_proposed_where_nothing_keeps_them_together(tmp_path):
    files = {f"{name}/S{i:03}_{k}.png": picture(10 * i + k) for name in "ab" for i in range(9) for k in range(3)}
    write(tmp_path, files)
    (finding,) = transfer.check(tmp_path, near="none")["groups in names"]
    assert finding.figures["groups"] == 9
    # Each of the five others of a group is in training with chance 0.65.
    assert finding.figures["leaking"] == pytest.approx(1 - 0.35**5)
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
    monkeypatch.setattr(checking, "_features", lambda images, engine: features.astype(np.float32))
    (finding,) = transfer.check(wrong, near="none", labels=True)["suspected labels"]
    assert finding.sets[0] == (5,)
    assert finding.details[0] == "2, looks like 0"
    assert transfer.check(wrong, near="features").near is not None


def test_labels_of_near_duplicates_are_judged_in_one_fold(tmp_path, monkeypatch):
    from transfer.checks import checking, label_errors

    files = plain(8) | {"cat/0 again.png": ImageOps.mirror(plain(8)["cat/0.png"])}
    seen = []
    monkeypatch.setattr(checking, "_features", lambda images, engine: np.eye(len(images), dtype=np.float32))
    monkeypatch.setattr(label_errors, "suspected_labels", lambda features, labels, groups, seed: seen.append(groups))
    names = transfer.check(write(tmp_path, files), labels=True).images.names
    group = dict(zip(names, seen[0]))
    assert group["cat/0.png"] == group["cat/0 again.png"] != ""
    assert group["cat/1.png"] == ""


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
    look = inspection.look_at
    monkeypatch.setattr(inspection, "look_at", lambda path: read.append(path) or look(path))
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


def test_a_failure_to_read_is_not_kept(tmp_path, monkeypatch):
    paths = sorted(write(tmp_path, plain(1)).rglob("*.png"))
    time.sleep(0.06)
    with monkeypatch.context() as broken:
        broken.setattr(inspection, "opened_whole", lambda path: (_ for _ in ()).throw(PictureError("cannot be read")))
        assert {file.reason for file in inspect_files(paths)} == {"cannot be read"}
    assert {file.reason for file in inspect_files(paths)} == {""}


def test_a_file_written_just_before_a_long_look_is_not_trusted(tmp_path, monkeypatch):
    paths = sorted(write(tmp_path, plain(1)).rglob("*.png"))
    read = []
    look = inspection.look_at
    monkeypatch.setattr(inspection, "look_at", lambda path: read.append(path) or time.sleep(0.08) or look(path))
    inspect_files(paths)
    inspect_files(paths)
    assert len(read) == 4


def test_a_camera_file_with_a_preview_behind_it_is_a_jpeg(tmp_path):
    picture(1).save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[picture(1, 16, 12)])
    with Image.open(tmp_path / "a.jpg") as image:
        assert (image.format, image.n_frames) == ("MPO", 2)
    (seen,) = inspect_files([tmp_path / "a.jpg"])
    assert (seen.format, seen.frames, seen.width) == ("JPEG", 1, 64)


def test_near_duplicates_are_the_same_in_blocks_and_at_once(parted, monkeypatch):
    inspections = inspect_files(sorted(parted[0].rglob("*.png")))
    whole = near_pairs(inspections)
    monkeypatch.setattr("transfer.checks.duplicates.BLOCK", 7)
    monkeypatch.setattr("transfer.checks.duplicates.TILE", 5)
    monkeypatch.setattr("transfer.checks.duplicates.TOGETHER", 3)
    assert [pair[:2] for pair in near_pairs(inspections)] == [pair[:2] for pair in whole]


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


def test_thumbnails_of_many_pictures_are_small_and_no_pictures_need_no_table(parted, clean, tmp_path, monkeypatch):
    check, sides = transfer.check(parted[0]), []
    small = check_page.read_small
    monkeypatch.setattr(
        check_page, "read_small", lambda path, side, *how: sides.append(side) or small(path, side, *how)
    )
    write_check_page(check, tmp_path)
    monkeypatch.setattr(check_page, "SIDES", ((1, 256), (float("inf"), 56)))
    write_check_page(check, tmp_path)
    assert sides == sorted(sides, reverse=True)
    assert set(sides) == {256, 56}
    check = transfer.check(clean)
    page = write_check_page(replace(check, findings=check["counts"]), tmp_path).read_text()
    assert "24 pictures of 2 classes" in page
    assert "<script" not in page
    assert "clean.csv" not in page


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

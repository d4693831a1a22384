"""Which folders of DATA are classes, parts, or nobody's business, and what is told of the rest."""

import io
from collections import Counter
from pathlib import Path

import pytest
from odd_pictures import png, scene
from PIL import Image

import transfer
from transfer.checks.checking import quick_findings
from transfer.data.part_names import is_plain_part, part_in
from transfer.errors import DataError

PICTURE = png(scene(8, 8)[..., 0], 8, 0)


def write(root, *folders, count=2, ending=".png"):
    """So many different pictures in each folder."""
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            (root / folder / f"{i}{ending}").write_bytes(PICTURE + f"{folder} {i}".encode())
    return root


def found(data, kind):
    return [finding.message for finding in quick_findings(transfer.load_images(data)) if finding.kind == kind]


def complaint(data):
    with pytest.raises(DataError) as error:
        transfer.load_images(data)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "part", "plain"),
    [
        ("train", "train", True),
        ("train_images", "train", True),
        ("TestSet", "test", True),
        ("val2017", "validation", True),
        ("dev", "validation", True),
        ("seg_train", "train", False),
        ("test_tube", "test", False),
        ("training-and-test", "", False),
        ("latest", "", False),
        ("trains", "", False),
    ],
)
def test_a_part_is_a_word_of_a_name(name, part, plain):
    assert (part_in(name), is_plain_part(name)) == (part, plain)


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("train_images", "test_images"),
        ("train2017", "val2017"),
        ("Training Set/images", "TestSet"),
        ("train", "dev"),
    ],
)
def test_folders_whose_names_hold_the_word_of_a_part_are_parts(train, test, tmp_path):
    write(tmp_path, f"{train}/cat", f"{train}/dog", f"{test}/cat", f"{test}/dog")
    (tmp_path / train / "more.png").write_bytes(PICTURE)
    images = transfer.load_images(tmp_path)
    assert images.class_names == ("cat", "dog")
    assert Counter(images.given).keys() == {"train", part_in(test.split("/")[0])}
    depths = {1 + len(Path(folder).parts) for folder in (train, test)}
    assert {images.class_depth(i) for i in range(len(images))} == depths
    assert images.outside == 1


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        (["cat", "dog", "test"], ("test/, the name of a part, beside cat/, dog/", "rename test/")),
        (["cat", "dog", "val_images"], ("val_images/", "move")),
        (["cat", "dog", "train/cat", "train/dog"], ("train/", "move")),
        (["seg_train/a", "seg_test/a", "seg_pred"], ("seg_train/", "also seg_pred/")),
        (["cat/train", "cat/test", "dog/train", "dog/test"], ("class folder cat holds test/, train/", "part/class")),
        (["train", "test"], ("4 picture(s) but no folders of classes",)),
        (["cat_train", "cat_test"], ("no folders of classes",)),
        (["test_1/cat", "val_1/cat"], ("no train/",)),
    ],
)
def test_parts_that_are_none_are_refused_with_what_to_do(folders, words, tmp_path):
    said = complaint(write(tmp_path, *folders))
    for word in (str(tmp_path), *words):
        assert word in said


@pytest.mark.parametrize(
    "folders",
    [
        ["bus", "car", "train"],
        ["beaker", "test_tube"],
        ["bullet_train", "freight train"],
        ["latest", "oldest"],
        ["test_tube/large", "beaker/large"],
    ],
)
def test_classes_may_have_words_of_parts_in_their_names(folders, tmp_path):
    images = transfer.load_images(write(tmp_path, *folders))
    assert images.class_names == tuple(sorted(folder.split("/")[0] for folder in folders))
    assert set(images.given) == {""}


def test_folders_that_are_merged_into_a_class_are_told(tmp_path):
    write(tmp_path, "dogs/labrador", "dogs/poodle", "cats", "cats/train", "birds")
    (said,) = found(tmp_path, "merged folders")
    assert said == "2 classes take in the folders inside them: cats (train), dogs (labrador, poodle)"
    assert found(write(tmp_path / "flat", "cats", "dogs/one"), "merged folders") == []


def test_folders_that_systems_keep_for_themselves_are_hidden(tmp_path):
    hidden = ("@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", ".Trash-1000", "lost+found")
    write(tmp_path, "cat", "dog", *hidden, *(f"cat/{name}/0.png" for name in hidden), "dog/__pycache__", "dog/__MACOSX")
    images = transfer.load_images(tmp_path)
    assert images.counts() == {"cat": 2, "dog": 2}
    assert images.others == (("hidden", 28),)
    write(tmp_path / "wrapped", *hidden)
    write(tmp_path / "wrapped", "inner/cat", "inner/dog")
    assert transfer.load_images(tmp_path / "wrapped").class_names == ("cat", "dog")


def test_other_files_are_counted_by_ending_and_lost_pictures_are_told(tmp_path):
    write(tmp_path, "cat", "dog")
    write(tmp_path, "cat", count=3, ending=".NEF")
    write(tmp_path, "dog", count=4, ending="")
    write(tmp_path, "dog", count=1, ending=".jpg_large")
    for name in ("cat/notes.txt", "cat/notes.md", "dog/Thumbs.db", ".hidden.NEF"):
        (tmp_path / name).write_bytes(b"text")
    images = transfer.load_images(tmp_path)
    assert dict(images.others) == {"": 4, ".nef": 3, ".jpg_large": 1, ".txt": 1, ".md": 1, ".db": 1, "hidden": 1}
    assert images.ignored == 12
    listed = "4 without an ending, 3 .nef, 1 .jpg_large"
    assert found(tmp_path, "unread pictures") == [f"8 files left out that look like pictures: {listed}"]
    assert found(tmp_path, "other files")[0].startswith("12 other files left out: 4 without an ending, 3 .nef, ")


def avif(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "AVIF", quality=95)
    return file.getvalue()


def test_avif_is_read_and_heic_says_what_it_takes(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    write(tmp_path, "cat", "dog")
    (tmp_path / "cat" / "a.avif").write_bytes(avif(scene(24, 32)))
    (tmp_path / "cat" / "b.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    images = transfer.load_images(tmp_path)
    assert "cat/a.avif" in images.names
    assert images.unreadable == (("cat/b.HEIC", "is HEIC, which takes pip install 'transfer[heif]'"),)


def test_heic_is_read_with_the_extra(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    pixels = scene(48, 64)
    pillow_heif.from_pillow(Image.fromarray(pixels)).save(tmp_path / "a.heic", quality=100)
    assert abs(transfer.data.images.read_picture(tmp_path / "a.heic").astype(int) - pixels).mean() < 8


def test_a_folder_without_classes_says_why(tmp_path):
    for name in ("cat.0.jpg", "cat.1.jpg", "dog.0.jpg", "dog.1.jpg"):
        (write(tmp_path / "flat") / name).parent.mkdir(exist_ok=True)
        (tmp_path / "flat" / name).write_bytes(PICTURE)
    assert "4 picture(s) but no folders of classes; the file names begin with cat (2), dog (2)" in complaint(
        tmp_path / "flat"
    )
    write(tmp_path / "train", "train", count=0)
    for name in ("cat.0.jpg", "cat.1.jpg", "dog.0.jpg", "dog.1.jpg"):
        (tmp_path / "train" / "train" / name).write_bytes(PICTURE)
    assert "single class 'train'; the file names begin with cat (2)" in complaint(tmp_path / "train")

    write(tmp_path / "hugging", ".")
    (tmp_path / "hugging" / "metadata.csv").write_text("file_name,label\n0.png,cat\n1.png,dog\n")
    assert "metadata.csv has the columns file_name, label, where a table" in complaint(tmp_path / "hugging")

    write(tmp_path / "zips", "inner", count=0)
    for name in ("train.zip", "test.zip"):
        (tmp_path / "zips" / name).write_bytes(b"PK")
    assert "the archive(s) test.zip, train.zip; unpack" in complaint(tmp_path / "zips")
    assert "not read (4 .cr2)" in complaint(write(tmp_path / "raw", "cat", "dog", ending=".cr2"))


def test_a_single_class_that_holds_the_classes_says_so(tmp_path):
    write(tmp_path, "images/cat", "images/dog")
    write(tmp_path, "labels", ending=".txt")
    assert "'images'; if the folders in it (cat, dog) are the classes, give it as DATA" in complaint(tmp_path)


def test_a_stray_table_is_named(tmp_path):
    write(tmp_path, "cat", "dog")
    (tmp_path / "list.csv").write_text("file,label\nnone.png,cat\n")
    assert "take list.csv away if the folders beside it are the classes" in complaint(tmp_path)
    (tmp_path / "list.csv").write_text("file,label\ncat/0.png,a\ncat/1.png,a\ndog/0.png,b\ndog/1.png,b\n")
    write(tmp_path, "bird")
    assert found(tmp_path, "outside classes") == [
        "2 pictures of no class left out: list.csv is read, and does not name them"
    ]

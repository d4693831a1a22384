import numpy as np
import pytest

from transfer.data.folders import load_images
from transfer.data.name_groups import groups_by_pattern, propose_groups, resolve_groups
from transfer.errors import DataError, OptionError

PEOPLE = ("Ann_Smith", "Bo_Li", "Carla_de_la_Cruz", "Jean-Luc_Martin", "Dora")


def proposed(names, classes=2):
    """The proposal for names that lie in turn in so many classes."""
    return propose_groups([f"{i % classes}/{name}" for i, name in enumerate(names)], np.arange(len(names)) % classes)


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        ([f"S{s:03}_{n:03}.png" for s in range(6) for n in range(4)], [f"S{s:03}" for s in range(6) for _ in range(4)]),
        ([f"S{s:03}_00{n}_00000012.png" for s in range(6) for n in range(4)], None),
        ([f"{p}_{n:04}.jpg" for p in PEOPLE for n in range(5)], [p for p in PEOPLE for _ in range(5)]),
        ([f"video{v}_frame{n}.jpg" for v in range(5) for n in range(6)], None),
        ([f"{p}_frame{n}.jpg" for p in PEOPLE for n in range(5)], None),
        ([f"patient_{p}_slice_{n}.png" for p in range(5) for n in range(6)], None),
        ([f"subject{s:02}.{m}.gif" for s in range(5) for m in ("happy", "sad", "calm")], None),
        ([f"clip{s}-{n}.jpeg" for s in range(9) for n in range(3)], None),
        ([f"{s:04}_c{n}s1_{n:06}_00.jpg" for s in range(5) for n in range(3)], None),
    ],
)
def test_groups_are_seen(names, groups):
    found = proposed(names)
    first = found.groups[0]
    assert found.count == len(set(found.groups))
    assert found.example == (names[0], first)
    if groups:
        assert list(found.groups) == groups
    repeats = len(names) // found.count
    assert [set(found.groups[i : i + repeats]) for i in range(0, len(names), repeats)] == [
        {group} for group in dict.fromkeys(found.groups)
    ]


@pytest.mark.parametrize(
    "names",
    [
        [f"{n:04}.png" for n in range(60)],
        [f"{n}.png" for n in range(60)],
        [f"IMG_{n:04}.jpg" for n in range(60)],
        [f"img{n:04}.jpg" for n in range(60)],
        [f"picture ({n}).jpg" for n in range(60)],
        [f"val_{n}.webp" for n in range(60)],
        [f"{(7**n) % 10**9}_{(5**n) % 99991:x}_n.jpg" for n in range(20, 80)],
        [f"2024-01-{n % 28 + 1:02}_{n}.jpg" for n in range(60)],
        [f"{'left' if n % 2 else 'right'}_{n:03}.png" for n in range(60)],
        [f"only_one_{n}.png" for n in range(60)],
    ],
    ids=lambda names: names[-1],
)
def test_no_groups_are_invented(names):
    assert proposed(names) is None


def test_a_word_for_each_class_is_no_group():
    classes = ("daisy", "rose", "tulip", "lily")
    names = [f"{name}/{name}_{n:03}.jpg" for name in classes for n in range(20)]
    assert propose_groups(names, np.arange(80) // 20) is None


def test_names_that_do_not_fit_have_no_group_and_their_folders_do_not_count():
    names = [f"{p}_{n}.jpg" for p in PEOPLE for n in range(4)] + ["1.jpg", "2.jpg"]
    found = proposed(names)
    assert found.groups[-2:] == ("", "")
    windows = [f"C:\\data\\{i % 2}\\{name}" for i, name in enumerate(names)]
    assert propose_groups(windows, np.arange(len(names)) % 2).groups == found.groups


def test_a_pattern_of_ones_own():
    names = ["a/left-eye-p1.png", "b/right-eye-p2.png", "b/right-eye-p1.png", "b/other.png"]
    assert groups_by_pattern(names, "-(p[0-9])").groups == ("p1", "p2", "p1", "")


@pytest.mark.parametrize(
    ("pattern", "error", "sentence"),
    [
        ("(", OptionError, "no regular expression"),
        ("p[0-9]", OptionError, "a pattern with brackets"),
        ("(zebra)", DataError, "fits none of 2 names"),
        (f"({'|'.join(['zebra'] * 99)})", DataError, "fits none of 2 names"),  # too long for the name of a file
    ],
)
def test_a_pattern_that_gives_no_groups_is_refused(pattern, error, sentence):
    with pytest.raises(error, match=sentence):
        resolve_groups(pattern, ["a/eye-p1.png", "b/eye-p2.png"], np.arange(2))


def test_load_images_uses_them(digits_folder, tmp_path):
    for i, picture in enumerate(sorted(digits_folder.glob("[01]/0*.png"))):
        target = tmp_path / picture.parent.name / f"S{i % 4:03}_{i:03}.png"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(picture.read_bytes())
    assert set(load_images(tmp_path, groups="auto").groups) == {"S000", "S001", "S002", "S003"}
    assert set(load_images(tmp_path, groups="S00([0-9])_").groups) == set("0123")
    with pytest.raises(DataError, match="show no groups"):
        load_images(digits_folder, groups="auto")

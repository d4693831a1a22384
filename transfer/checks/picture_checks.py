"""What the measures of pictures say about the data.

Each function takes `Facts` with inspections and yields `Found`s; `quality.KINDS` says what each weighs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from transfer.checks.findings import Facts, Found
from transfer.checks.inspection import MOST_FRAMES
from transfer.checks.marks import find_marks
from transfer.checks.measures import MINIATURE
from transfer.checks.mirrored import find_mirrored, sentence
from transfer.checks.shortcuts import find_shortcuts
from transfer.data.places import kept_together
from transfer.data.tables import some
from transfer.pages.wording import number_of

RARE = 0.1  # what more pictures than this share have in common is their nature, no fault
DARK, BRIGHT = 25, 235  # mean grey level
TONE = 0.5  # standard deviation of the grey levels of one plain tone
SHOWN = 0.5  # share of a picture in its middle square
PLAIN, FLAT = 6, 0.95  # standard deviation of the grey levels; share of tiles without anything
BLURRED = 0.4  # of the median sharpness
TINY, LONG = 0.25, 2.5  # of the median of the shorter sides; of the median of the proportions
ENLARGED = 0.75  # share of the pixels, along a side, that content fills
CONVERTED = {
    "CMYK": "CMYK", "I;16": "16 bits", "I;16B": "16 bits", "I": "32 bits", "F": "32 bits", "1": "black and white",
    "P": "palette", "RGBA": "transparency", "LA": "transparency", "PA": "transparency",
}  # fmt: skip


def sizes(facts: Facts) -> Iterator[Found]:
    """The spread of sizes and proportions."""
    width, height = facts.column("width"), facts.column("height")
    common, number = Counter(zip(width.tolist(), height.tolist())).most_common(1)[0]
    if number == len(width):
        yield Found(f"all pictures are {common[0]} x {common[1]} pixels", figures={"size": common})
        return
    shorter, shape = np.minimum(width, height), width / height
    low, middle, high = (round(value) for value in np.percentile(shorter, [0, 50, 100]))
    narrow, usual, wide = np.percentile(shape, [0, 50, 100])
    yield Found(
        f"shorter sides of {low} to {high} pixels, half of them below {middle}; "
        f"width to height {narrow:.2f} to {wide:.2f}, median {usual:.2f}",
        figures={"shorter_side": [low, middle, high], "proportion": [float(narrow), float(usual), float(wide)]},
    )


def formats(facts: Facts) -> Iterator[Found]:
    """File formats, and how many pictures are grey."""
    kinds = Counter(facts.column("format").tolist())
    grey = int(np.sum(_grey(facts)))
    listed = ", ".join(f"{number:,} {kind}" for kind, number in kinds.most_common())
    coloured = "all in colour" if not grey else "all grey" if grey == len(facts.images) else f"{grey:,} of them grey"
    yield Found(f"{listed}; {coloured}", figures={"formats": dict(kinds), "grey": grey})


def resolution(facts: Facts) -> Iterator[Found]:
    """The size to train at, from what the pictures really hold."""
    shorter = np.minimum(facts.column("width"), facts.column("height"))
    side, filled = float(np.median(shorter)), float(np.median(facts.column("detail")))
    size = min(_rounded(side), _rounded(2 * side * filled))  # twice the detail is scaled without loss
    figures = {"shorter_side": round(side), "detail": filled, "image_size": size}
    if filled < ENLARGED:
        yield Found(
            f"half of the pictures hold no more detail in {side:.0f} pixels than {side * filled:.0f} could: they were "
            f"enlarged or are soft, and --image-size {size} holds all of it",
            figures=figures,
        )
    else:
        yield Found(
            f"the pictures are as sharp as their {side:.0f} pixels allow: --image-size up to {size}", figures=figures
        )


def one_tone(facts: Facts) -> Iterator[Found]:
    """Pictures that are one plain tone, such as those that are transparent all over: the nature of no set."""
    looked = facts.looked_at
    plain = [index for index, file in looked.items() if file.contrast < TONE]
    if plain:
        of = _of_sample(facts)
        share = f"all {len(plain):,} pictures" if len(plain) == len(looked) else number_of(len(plain), "picture")
        yield Found(f"{share} of one plain tone{of}", tuple((index,) for index in plain))


def cut(facts: Facts) -> Iterator[Found]:
    """Pictures of which the middle square shows half or less."""
    sides = np.array([(file.width, file.height) for file in facts.looked_at.values()]).reshape(-1, 2)
    if facts.fit != "crop" or not len(sides):
        return
    shown = sides.min(axis=1) / sides.max(axis=1)
    if np.median(shown) <= SHOWN:
        number = number_of(int(np.sum(shown <= SHOWN)), "picture")
        yield Found(
            f"{number} twice as long as wide or more{_of_sample(facts)}: of half of all, the middle square shows "
            f"{np.median(shown):.0%} or less",
            figures={"shown": float(np.median(shown))},
        )


def mirrored(facts: Facts) -> Iterator[Found]:
    """Classes that are mirror images of each other."""
    images, names = facts.images, facts.images.class_names
    found = find_mirrored(_miniatures(facts), images.labels, kept_together(images.digests, _groups(facts)).tolist())
    if found:
        yield Found(sentence(found, names), figures={f"{names[a]} / {names[b]}": share for a, b, share in found})


def dark(facts: Facts) -> Iterator[Found]:
    """Pictures that are almost black."""
    yield from _rare(facts, facts.column("brightness") < DARK, "{} almost black")


def overexposed(facts: Facts) -> Iterator[Found]:
    """Pictures that are almost white."""
    yield from _rare(facts, facts.column("brightness") > BRIGHT, "{} almost white")


def blurry(facts: Facts) -> Iterator[Found]:
    """Pictures that are much less sharp than the others."""
    sharpness, plain = facts.column("sharpness"), facts.column("contrast") < PLAIN
    yield from _rare(facts, (sharpness < BLURRED * np.median(sharpness)) & ~plain, "{} much less sharp than the others")


def nearly_empty(facts: Facts) -> Iterator[Found]:
    """Pictures in which there is next to nothing."""
    nothing = (facts.column("contrast") < PLAIN) | (facts.column("flat") > FLAT)
    nothing &= facts.column("contrast") >= TONE
    yield from _rare(facts, nothing, "{} almost empty")


def odd_sizes(facts: Facts) -> Iterator[Found]:
    """Pictures much smaller than the others."""
    shorter = np.minimum(facts.column("width"), facts.column("height"))
    yield from _rare(facts, shorter < TINY * np.median(shorter), "{} much smaller than the others", _size)


def odd_shapes(facts: Facts) -> Iterator[Found]:
    """Pictures of which the middle square shows little."""
    shape = np.log(facts.column("width") / facts.column("height"))
    yield from _rare(facts, np.abs(shape - np.median(shape)) > np.log(LONG), "{} of an unusual shape", _size)


def animations(facts: Facts) -> Iterator[Found]:
    """Files of several pictures, of which the first counts."""
    frames = facts.column("frames")
    counted = [f"{n:,} frames" + (" or more" if n == MOST_FRAMES else "") for n in frames.tolist()]
    yield from _listed(frames > 1, "{} of several frames or pages", counted)


def converted(facts: Facts) -> Iterator[Found]:
    """Pictures that become something else on their way to 8-bit RGB."""
    kinds = [CONVERTED.get(mode, "") for mode in facts.column("mode").tolist()]
    common = ", ".join(f"{number} {kind}" for kind, number in Counter(filter(None, kinds)).most_common())
    yield from _listed(np.array([kind != "" for kind in kinds]), f"{{}} converted to 8-bit RGB: {common}", kinds)


def turned(facts: Facts) -> Iterator[Found]:
    """Pictures that EXIF turns upright."""
    yield from _listed(facts.column("turned"), "{} turned upright as EXIF says")


def shortcuts(facts: Facts) -> Iterator[Found]:
    """Properties that alone tell a class from the others."""
    images, groups = facts.images, _groups(facts)
    for shortcut in find_shortcuts(facts.inspections, images.names, images.labels, images.class_names, groups):
        listed = some(f"{images.class_names[label]} {value:.0%}" for label, value in shortcut.classes)
        figures = {images.class_names[label]: value for label, value in shortcut.classes}
        yield Found(f"{shortcut.name} alone tells classes from the others (50% is chance): {listed}", figures=figures)


def marks(facts: Facts) -> Iterator[Found]:
    """Spots that look alike in many pictures of one class and in few of the others."""
    images, names = facts.images, facts.images.class_names
    units = kept_together(images.digests, _groups(facts))
    found = find_marks(_miniatures(facts), images.labels, len(names), units.tolist())
    if found:
        listed = some(f"{names[mark.label]} {mark.share:.0%} ({mark.place})" for mark in found)
        figures = {names[mark.label]: mark._asdict() | {"label": names[mark.label]} for mark in found}
        yield Found(
            f"a spot of one grey level in many pictures of a class and in few others: {listed}", figures=figures
        )


def _groups(facts: Facts) -> Sequence[str] | None:
    """The groups that are known, or else those that file names show."""
    return facts.images.groups or (facts.name_groups and facts.name_groups.groups)


def _miniatures(facts: Facts) -> np.ndarray:
    levels = np.frombuffer(b"".join(file.miniature for file in facts.inspections), np.uint8)
    return levels.reshape(-1, MINIATURE, MINIATURE)


def _of_sample(facts: Facts) -> str:
    return "" if facts.inspections else f", of {len(facts.looked_at)} that were looked at"


def _grey(facts: Facts) -> np.ndarray:
    return facts.column("colour") < 2


def _rounded(side: float) -> int:
    return max(32, 32 * round(side / 32))


def _size(facts: Facts, index: int) -> str:
    return f"{facts.inspections[index].width} x {facts.inspections[index].height}"


def _rare(facts: Facts, mask: np.ndarray, message: str, detail=None) -> Iterator[Found]:
    if mask.mean() <= RARE:
        yield from _listed(
            mask, message, [detail(facts, i) if mask[i] else "" for i in range(len(mask))] if detail else ()
        )


def _listed(mask: np.ndarray, message: str, details=()) -> Iterator[Found]:
    chosen = np.flatnonzero(mask).tolist()
    if chosen:
        number = f"{len(chosen):,} picture{'' if len(chosen) == 1 else 's'}"
        yield Found(message.format(number), tuple((i,) for i in chosen), tuple(details[i] for i in chosen if details))

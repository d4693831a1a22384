import contextlib
import resource
import struct

import numpy as np
import pytest
from odd_pictures import bad, good, scene

from transfer.data import images

# What TensorFlow cannot read at all, and what it reads without a thing that Pillow knows.
TIFFS = ("rgb.tiff", "packed.tif", "grey_16.tif", "exif_6.tif", "pages.tif")
REFUSED = ("animation.webp", "run_lengths.bmp", *TIFFS)
DIFFERENT = ("cmyk_profile.jpg", "hole.gif", "small_frame_hole.gif")


@pytest.fixture(scope="module")
def read(tensorflow):
    from transfer.runs import graph_images

    signature = [tensorflow.TensorSpec((), tensorflow.string)]
    return tensorflow.function(graph_images.read_picture, input_signature=signature, autograph=False)


@pytest.mark.parametrize("name", [name for name in good() if name not in REFUSED + DIFFERENT])
def test_graph_reads_the_same_pixels_as_pillow(name, read):
    data = good()[name].data
    assert np.array_equal(read(data).numpy(), images.read_picture(data))


@pytest.mark.parametrize("name", DIFFERENT)
def test_graph_ignores_colour_profiles_and_the_hole_of_a_gif(name, read):
    data = good()[name].data
    assert read(data).shape == images.read_picture(data).shape


@pytest.mark.parametrize("name", [*REFUSED, *bad()])
def test_graph_refuses_what_it_cannot_read(name, read, tensorflow):
    data = {**good(), **bad()}[name].data
    with pytest.raises(tensorflow.errors.InvalidArgumentError):
        read(data)


@pytest.mark.parametrize("names", [("exif_6.jpg", "rgb.bmp"), ("exif_6.png", "rgb.tiff")])
def test_a_graph_for_a_few_files_reads_them_as_the_one_for_all_does(names, tensorflow):
    from transfer.runs import graph_images

    files = [good()[name].data for name in names]
    decode = graph_images.square_decoder(16, "pad", files)
    for name, file in zip(names, files):
        square, readable = decode(tensorflow.constant(file))
        assert bool(readable) == (name not in REFUSED)
        assert not readable or np.array_equal(square, images.fit_picture(images.read_picture(file), 16, "pad"))


@pytest.mark.parametrize("fit", images.FITS)
@pytest.mark.parametrize("size", [1, 32, 97])
def test_graph_fits_the_same_pixels_as_pillow(fit, size, tensorflow):
    from transfer.runs import graph_fitting

    signature = [tensorflow.TensorSpec((None, None, 3), tensorflow.uint8)]
    resize = tensorflow.function(
        lambda x: graph_fitting.fit_picture(x, size, fit), input_signature=signature, autograph=False
    )
    rng = np.random.default_rng(0)
    for shape in [
        (48, 64),
        (64, 48),
        (50, 50),
        (1, 1),
        (8, 2000),
        (2000, 8),
        (7, 5),
        (233, 377),
        (377, 233),
        (160, 90),
        (97, 60),
        (1500, 900),
    ]:
        for picture in (scene(*shape), rng.integers(0, 256, (*shape, 3), np.uint8)):
            assert np.array_equal(resize(picture).numpy(), images.fit_picture(picture, size, fit)), shape


@pytest.mark.parametrize("seed", range(4))
def test_graph_survives_damaged_metadata(seed, read, tensorflow):
    rng = np.random.default_rng(seed)
    for name in ("exif_6.jpg", "exif_6.webp", "exif_6.png", "rgb.bmp"):
        data = bytearray(good()[name].data)
        for place in rng.integers(2, 60, 3):
            data[place] = rng.integers(256)
        with contextlib.suppress(tensorflow.errors.InvalidArgumentError):
            assert read(bytes(data)).shape[2] == 3


def test_a_bitmap_whose_header_lies_takes_no_memory_before_it_is_refused(read, tensorflow):
    header = struct.pack("<2sIIIIiiHHI", b"BM", 454, 0, 62, 40, 1 << 29, 49, 1, 1, 0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(tensorflow.errors.InvalidArgumentError):
        read(header.ljust(454, b"\0"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB

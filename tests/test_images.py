import io
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from odd_pictures import bad, good, scene, tiff
from PIL import Image

from transfer.data import images, levels, picture_files, pixel_limits, rgb
from transfer.errors import OptionError, PictureError, UnknownNameError


@pytest.mark.parametrize("name", good())
def test_good_picture_reads_as_the_pixels_it_stands_for(name, tmp_path):
    file = good()[name]
    picture_files.check_picture(file.data)
    pixels = images.read_picture(file.data)
    assert pixels.shape == file.pixels.shape
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(float) - file.pixels).mean() <= file.tolerance
    (tmp_path / name).write_bytes(file.data)
    assert np.array_equal(images.read_picture(tmp_path / name), pixels)
    for fit in images.FITS:
        assert np.array_equal(images.read_fitted(file.data, 16, fit), images.fit_picture(pixels, 16, fit))
    with picture_files.opened_whole(tmp_path / name) as (data, image):
        assert data == file.data
        assert np.array_equal(rgb.upright_rgb(image), pixels)


@pytest.mark.parametrize("name", bad())
@pytest.mark.parametrize("function", [images.read_picture, picture_files.check_picture])
def test_bad_picture_is_refused_with_its_reason(name, function):
    with pytest.raises(PictureError) as error:
        function(bad()[name].data)
    assert bad()[name].reason in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", bad())
def test_a_file_is_opened_whole_or_refused_with_the_same_reason(name, tmp_path):
    (tmp_path / name).write_bytes(bad()[name].data)
    with pytest.raises(PictureError) as error, picture_files.opened_whole(tmp_path / name) as (_, image):
        rgb.upright_rgb(image)
    assert bad()[name].reason in str(error.value)


def test_bad_picture_is_refused_whatever_the_warning_filters_say():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("bomb.png", "smaller_bomb.png"):
            for function in (images.read_picture, picture_files.check_picture):
                with pytest.raises(PictureError, match="89 million"):
                    function(bad()[name].data)


def test_missing_file_and_folder_are_refused(tmp_path):
    with pytest.raises(PictureError, match="does not exist"):
        images.read_picture(tmp_path / "none.png")
    with pytest.raises(PictureError):
        images.read_picture(tmp_path)


@pytest.mark.parametrize("name", ["plain.jpg", "rgba.png", "lossy.webp", "still.gif", "packed.tif", "rgb.bmp"])
def test_damage_anywhere_gives_a_picture_or_a_picture_error(name):
    rng = np.random.default_rng(0)
    for _ in range(40):
        data = bytearray(good()[name].data)
        for place in rng.integers(0, len(data), 3):
            data[place] = rng.integers(256)
        for function in (images.read_picture, picture_files.check_picture):
            with suppress(PictureError):
                function(bytes(data))


@pytest.mark.parametrize("shape", [(48, 64), (64, 48), (50, 50), (1, 1), (8, 4000), (4000, 8), (7, 5)])
@pytest.mark.parametrize("fit", images.FITS)
@pytest.mark.parametrize("size", [1, 32, 97])
def test_every_shape_fits_the_square(shape, fit, size):
    picture = scene(*shape)
    fitted = images.fit_picture(picture, size, fit)
    assert fitted.shape == (size, size, 3)
    assert fitted.dtype == np.uint8


def test_a_square_of_the_right_size_stays_as_it_is():
    for fit in images.FITS:
        assert np.array_equal(images.fit_picture(scene(32, 32), 32, fit), scene(32, 32))


@pytest.mark.parametrize("portrait", [False, True])
def test_crop_takes_the_middle_pad_keeps_all_stretch_fills(portrait):
    picture = np.zeros((30, 90, 3), np.uint8)
    picture[:, :30], picture[:, 30:60], picture[:, 60:] = 50, 100, 150
    if portrait:
        picture = picture.transpose(1, 0, 2)
    crop, pad, stretch = (images.fit_picture(picture, 30, fit)[..., 0] for fit in images.FITS)
    if portrait:
        crop, pad, stretch = crop.T, pad.T, stretch.T
    assert np.all(crop == 100)
    assert np.all(pad[:10] == 0)
    assert np.all(pad[20:] == 0)
    assert pad[15, [1, 15, 28]].tolist() == [50, 100, 150]
    assert stretch[15, [1, 15, 28]].tolist() == [50, 100, 150]


def test_scaling_down_averages_instead_of_picking():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(images.fit_picture(stripes, 8).astype(int) - 127).max() <= 8


def test_unknown_fit_names_the_nearest():
    with pytest.raises(UnknownNameError, match="crop"):
        images.fit_picture(scene(), 32, "corp")


def test_large_pictures_wait_for_one_another(monkeypatch):
    file = io.BytesIO()
    Image.fromarray(scene(60, 100)).save(file, "PNG")
    monkeypatch.setattr(picture_files, "room", pixel_limits.Room(9000))  # for one of these and none else
    entered, most = [], []

    def look(_):
        with picture_files.opened(file.getvalue()):
            entered.append(1)
            most.append(len(entered))
            time.sleep(0.01)
            entered.pop()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(look, range(8)))
    assert set(most) == {1}
    monkeypatch.setattr(picture_files, "room", pixel_limits.Room(100))  # one that is larger goes alone
    assert images.read_picture(file.getvalue()).shape == (60, 100, 3)


def test_what_is_no_number_is_black_and_changes_no_other_pixel():
    values = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    values[0, :3] = np.nan, np.inf, -np.inf
    file = io.BytesIO()
    Image.fromarray(values).save(file, "TIFF")
    pixels = images.read_picture(file.getvalue())
    assert pixels[0, :3, 0].tolist() == [0, 255, 0]
    assert np.array_equal(pixels[1:, :, 0], (values[1:] * 255.0).astype(np.uint8))


def tiff_bytes(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "TIFF")
    return file.getvalue()


def test_whole_numbers_of_32_bits_without_a_sign_do_not_wrap():
    values = np.array([[0, 2**31 - 1, 2**31, 2**32 - 1]], np.uint32)
    known = {"I": 2.0**-24}
    assert images.read_picture(tiff(values[..., None]), levels=known)[0, :, 0].tolist() == [0, 127, 128, 255]
    assert images.read_picture(tiff_bytes(values.view(np.int32)), levels=known)[0, :, 0].tolist() == [0, 127, 0, 0]


def test_the_range_of_a_data_set_is_that_of_nearly_all_pixels_of_nearly_all_pictures():
    values = np.linspace(0, 1, 1000, dtype=np.float32).reshape(20, 50)
    odd = values.copy()
    odd[3, :2] = 1.001, np.nan
    with picture_files.opened(tiff_bytes(odd)) as image:
        assert levels.agreed([("F", levels.measured(image))]) == {"F": 255}
    assert levels.agreed([("F", 1.0)] * 30 + [("F", 900.0)]) == {"F": 255}
    assert levels.agreed([("F", 1.0), ("F", 900.0)]) == {"F": 1 / 4}
    assert levels.agreed([("I;16", 4000.0), ("A", 0.9), ("A", 0.8), ("A", 0.0)]) == {"I;16": 1 / 16, "A": 0}
    assert levels.agreed([]) == {}
    assert np.array_equal(images.read_picture(tiff_bytes(values / 2), levels={"F": 255.0})[-1, -1], [127] * 3)


def test_an_alpha_that_is_another_band_is_left_away():
    rng = np.random.default_rng(0)
    rgba = rng.integers(0, 256, (8, 8, 4), np.uint8)
    data = tiff_bytes(rgba)
    assert np.array_equal(images.read_picture(data), rgba[..., :3])
    assert np.array_equal(images.read_picture(data, levels={"A": 1.0}), rgb.on_white(rgba))
    rgba[..., 3] = 255 * (rgba[..., 3] > 99)
    assert np.array_equal(images.read_picture(tiff_bytes(rgba)), rgb.on_white(rgba))


@pytest.mark.parametrize("name", good())
def test_parts_give_what_the_whole_gives(name, monkeypatch):
    data = good()[name].data
    whole = images.read_picture(data)
    squares = [images.read_fitted(data, 16, fit) for fit in images.FITS]
    monkeypatch.setattr(rgb, "BAND", 400)
    assert np.array_equal(images.read_picture(data), whole)
    small = images.read_small(data, 30)
    monkeypatch.setattr(images, "WHOLE", 0)
    if max(whole.shape) >= 30:  # what is smaller is never large enough to be read in parts
        assert np.abs(np.subtract(images.read_small(data, 30).shape, small.shape)).max() <= 1
    for fit, square in zip(images.FITS, squares):
        assert np.abs(images.read_fitted(data, 16, fit).astype(int) - square).max() <= 1


def test_how_many_pixels_a_picture_may_have_is_the_users_to_say(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    file = io.BytesIO()
    Image.fromarray(scene(60, 100)).save(file, "PNG")
    pixel_limits.limit_pixels(0.005)
    with pytest.raises(PictureError, match=r"more than 0.005 million pixels, which is what most_megapixels allows"):
        images.read_picture(file.getvalue())
    pixel_limits.limit_pixels(0.006)
    assert images.read_picture(file.getvalue()).shape == (60, 100, 3)
    for nothing in (0, "89", float("nan")):
        with pytest.raises(OptionError, match="`most_megapixels="):
            pixel_limits.limit_pixels(nothing)


def test_picture_size_is_width_and_height(tmp_path):
    Image.fromarray(scene(20, 30)).save(tmp_path / "a.png")
    assert picture_files.picture_size(tmp_path / "a.png") == (30, 20)

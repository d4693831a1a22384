"""The table of `keras.applications`: one row a constructor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

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


def _caffe(pictures):
    """Blue first, means subtracted, no scaling: what the first ResNets and VGG were trained on."""
    reversed_channels = keras.ops.flip(pictures, axis=-1)
    return keras.layers.Normalization(mean=_CAFFE_MEAN_BGR, variance=(1.0, 1.0, 1.0))(reversed_channels)


PREPROCESSING = {"none": _as_they_are, "tf": _minus_one_to_one, "torch": _standardised, "caffe": _caffe}


class Architecture(NamedTuple):
    """A row: constructor, preprocessing, parameters without classifier, sizes, name of the weights file."""

    constructor: str
    preprocessing: str
    parameters: int
    image_size: int
    smallest: int
    weights_file: str

    def preprocess(self, pictures):
        """Raw pictures 0..255 to what the network was trained on; `none` where it is built in."""
        return PREPROCESSING[self.preprocessing](pictures)


# fmt: off
# name: constructor, preprocessing, parameters, usual size, smallest size, weights file in Keras' cache
ARCHITECTURES: dict[str, Architecture] = {
    "convnext_base": Architecture("ConvNeXtBase", "none", 87566464, 224, 32, "convnext_base_notop.h5"),
    "convnext_large": Architecture("ConvNeXtLarge", "none", 196230336, 224, 32, "convnext_large_notop.h5"),
    "convnext_small": Architecture("ConvNeXtSmall", "none", 49454688, 224, 32, "convnext_small_notop.h5"),
    "convnext_tiny": Architecture("ConvNeXtTiny", "none", 27820128, 224, 32, "convnext_tiny_notop.h5"),
    "convnext_xlarge": Architecture("ConvNeXtXLarge", "none", 348147968, 224, 32, "convnext_xlarge_notop.h5"),
    "densenet121": Architecture("DenseNet121", "torch", 7037504, 224, 32, "densenet121_*notop.h5"),
    "densenet169": Architecture("DenseNet169", "torch", 12642880, 224, 32, "densenet169_*notop.h5"),
    "densenet201": Architecture("DenseNet201", "torch", 18321984, 224, 32, "densenet201_*notop.h5"),
    "efficientnet_b0": Architecture("EfficientNetB0", "none", 4049571, 224, 32, "efficientnetb0_notop.h5"),
    "efficientnet_b1": Architecture("EfficientNetB1", "none", 6575239, 240, 32, "efficientnetb1_notop.h5"),
    "efficientnet_b2": Architecture("EfficientNetB2", "none", 7768569, 260, 32, "efficientnetb2_notop.h5"),
    "efficientnet_b3": Architecture("EfficientNetB3", "none", 10783535, 300, 32, "efficientnetb3_notop.h5"),
    "efficientnet_b4": Architecture("EfficientNetB4", "none", 17673823, 380, 32, "efficientnetb4_notop.h5"),
    "efficientnet_b5": Architecture("EfficientNetB5", "none", 28513527, 456, 32, "efficientnetb5_notop.h5"),
    "efficientnet_b6": Architecture("EfficientNetB6", "none", 40960143, 528, 32, "efficientnetb6_notop.h5"),
    "efficientnet_b7": Architecture("EfficientNetB7", "none", 64097687, 600, 32, "efficientnetb7_notop.h5"),
    "efficientnet_v2_b0": Architecture("EfficientNetV2B0", "none", 5919312, 224, 32, "efficientnetv2-b0_notop.h5"),
    "efficientnet_v2_b1": Architecture("EfficientNetV2B1", "none", 6931124, 240, 32, "efficientnetv2-b1_notop.h5"),
    "efficientnet_v2_b2": Architecture("EfficientNetV2B2", "none", 8769374, 260, 32, "efficientnetv2-b2_notop.h5"),
    "efficientnet_v2_b3": Architecture("EfficientNetV2B3", "none", 12930622, 300, 32, "efficientnetv2-b3_notop.h5"),
    "efficientnet_v2_l": Architecture("EfficientNetV2L", "none", 117746848, 480, 32, "efficientnetv2-l_notop.h5"),
    "efficientnet_v2_m": Architecture("EfficientNetV2M", "none", 53150388, 480, 32, "efficientnetv2-m_notop.h5"),
    "efficientnet_v2_s": Architecture("EfficientNetV2S", "none", 20331360, 384, 32, "efficientnetv2-s_notop.h5"),
    "inception_resnet_v2": Architecture("InceptionResNetV2", "tf", 54336736, 299, 75, "inception_resnet_v2_*notop.h5"),
    "inception_v3": Architecture("InceptionV3", "tf", 21802784, 299, 75, "inception_v3_*notop.h5"),
    "mobilenet": Architecture("MobileNet", "tf", 3228864, 224, 32, "mobilenet_1_0_*_tf_no_top.h5"),
    "mobilenet_v2": Architecture("MobileNetV2", "tf", 2257984, 224, 32, "mobilenet_v2_*_1.0_*_no_top.h5"),
    "mobilenet_v3_large": Architecture("MobileNetV3Large", "none", 2996352, 224, 32, "weights*_v3_large_*no_top_v2.h5"),
    "mobilenet_v3_small": Architecture("MobileNetV3Small", "none", 939120, 224, 32, "weights*_v3_small_*no_top_v2.h5"),
    "nasnet_large": Architecture("NASNetLarge", "tf", 84916818, 331, 32, "nasnet_large_no_top.h5"),
    "nasnet_mobile": Architecture("NASNetMobile", "tf", 4269716, 224, 32, "nasnet_mobile_no_top.h5"),
    "resnet101": Architecture("ResNet101", "caffe", 42658176, 224, 32, "resnet101_*notop.h5"),
    "resnet101_v2": Architecture("ResNet101V2", "tf", 42626560, 224, 32, "resnet101v2_*notop.h5"),
    "resnet152": Architecture("ResNet152", "caffe", 58370944, 224, 32, "resnet152_*notop.h5"),
    "resnet152_v2": Architecture("ResNet152V2", "tf", 58331648, 224, 32, "resnet152v2_*notop.h5"),
    "resnet50": Architecture("ResNet50", "caffe", 23587712, 224, 32, "resnet50_*notop.h5"),
    "resnet50_v2": Architecture("ResNet50V2", "tf", 23564800, 224, 32, "resnet50v2_*notop.h5"),
    "vgg16": Architecture("VGG16", "caffe", 14714688, 224, 32, "vgg16_*notop.h5"),
    "vgg19": Architecture("VGG19", "caffe", 20024384, 224, 32, "vgg19_*notop.h5"),
    "xception": Architecture("Xception", "tf", 20861480, 299, 71, "xception_*notop.h5"),
}
# fmt: on


def imagenet_file(row: Architecture) -> Path | None:
    """The file of ImageNet weights in Keras' own cache, if it is there."""
    return next(iter(sorted(imagenet_folder().glob(row.weights_file))), None)


def imagenet_folder() -> Path:
    """Where Keras keeps the weights that it downloads."""
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"), "models")

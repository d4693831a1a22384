"""The table of pretrained networks: those of `keras.applications`, and those whose weights are a package."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from transfer.pretrained.weight_packages import LITE0, LITE1, LITE2, WeightPackage, installed_file


class Architecture(NamedTuple):
    """A row: what it is made and fed by, parameters without classifier, sizes, and where its weights are.

    `preprocessing` names a row of `preprocessing.PREPROCESSING`. `imagenet_top1` is the accuracy 0..1 on ImageNet at
    the usual size, as published: by keras.io/api/applications, by the docstring of Keras for MobileNetV3, and by the
    README of tensorflow/tpu for EfficientNet-Lite. `package` brings the weights of what is not in
    `keras.applications`.
    """

    constructor: str
    preprocessing: str
    parameters: int
    image_size: int
    smallest: int
    imagenet_top1: float
    weights_file: str
    package: WeightPackage | None = None


# fmt: off
# name: constructor, preprocessing, parameters, usual size, smallest size, top-1, file in Keras' cache or of the package
_ROWS = {
    "convnext_base": ("ConvNeXtBase", "none", 87566464, 224, 32, 0.853, "convnext_base_notop.h5"),
    "convnext_large": ("ConvNeXtLarge", "none", 196230336, 224, 32, 0.863, "convnext_large_notop.h5"),
    "convnext_small": ("ConvNeXtSmall", "none", 49454688, 224, 32, 0.823, "convnext_small_notop.h5"),
    "convnext_tiny": ("ConvNeXtTiny", "none", 27820128, 224, 32, 0.813, "convnext_tiny_notop.h5"),
    "convnext_xlarge": ("ConvNeXtXLarge", "none", 348147968, 224, 32, 0.867, "convnext_xlarge_notop.h5"),
    "densenet121": ("DenseNet121", "torch", 7037504, 224, 32, 0.750, "densenet121_*notop.h5"),
    "densenet169": ("DenseNet169", "torch", 12642880, 224, 32, 0.762, "densenet169_*notop.h5"),
    "densenet201": ("DenseNet201", "torch", 18321984, 224, 32, 0.773, "densenet201_*notop.h5"),
    "efficientnet_b0": ("EfficientNetB0", "none", 4049571, 224, 32, 0.771, "efficientnetb0_notop.h5"),
    "efficientnet_b1": ("EfficientNetB1", "none", 6575239, 240, 32, 0.791, "efficientnetb1_notop.h5"),
    "efficientnet_b2": ("EfficientNetB2", "none", 7768569, 260, 32, 0.801, "efficientnetb2_notop.h5"),
    "efficientnet_b3": ("EfficientNetB3", "none", 10783535, 300, 32, 0.816, "efficientnetb3_notop.h5"),
    "efficientnet_b4": ("EfficientNetB4", "none", 17673823, 380, 32, 0.829, "efficientnetb4_notop.h5"),
    "efficientnet_b5": ("EfficientNetB5", "none", 28513527, 456, 32, 0.836, "efficientnetb5_notop.h5"),
    "efficientnet_b6": ("EfficientNetB6", "none", 40960143, 528, 32, 0.840, "efficientnetb6_notop.h5"),
    "efficientnet_b7": ("EfficientNetB7", "none", 64097687, 600, 32, 0.843, "efficientnetb7_notop.h5"),
    "efficientnet_lite0": ("EfficientNetLite0", "lite", 3413024, 224, 32, 0.751, LITE0.file, LITE0),
    "efficientnet_lite1": ("EfficientNetLite1", "lite", 4189344, 240, 32, 0.767, LITE1.file, LITE1),
    "efficientnet_lite2": ("EfficientNetLite2", "lite", 4869168, 260, 32, 0.776, LITE2.file, LITE2),
    "efficientnet_v2_b0": ("EfficientNetV2B0", "none", 5919312, 224, 32, 0.787, "efficientnetv2-b0_notop.h5"),
    "efficientnet_v2_b1": ("EfficientNetV2B1", "none", 6931124, 240, 32, 0.798, "efficientnetv2-b1_notop.h5"),
    "efficientnet_v2_b2": ("EfficientNetV2B2", "none", 8769374, 260, 32, 0.805, "efficientnetv2-b2_notop.h5"),
    "efficientnet_v2_b3": ("EfficientNetV2B3", "none", 12930622, 300, 32, 0.820, "efficientnetv2-b3_notop.h5"),
    "efficientnet_v2_l": ("EfficientNetV2L", "none", 117746848, 480, 32, 0.857, "efficientnetv2-l_notop.h5"),
    "efficientnet_v2_m": ("EfficientNetV2M", "none", 53150388, 480, 32, 0.853, "efficientnetv2-m_notop.h5"),
    "efficientnet_v2_s": ("EfficientNetV2S", "none", 20331360, 384, 32, 0.839, "efficientnetv2-s_notop.h5"),
    "inception_resnet_v2": ("InceptionResNetV2", "tf", 54336736, 299, 75, 0.803, "inception_resnet_v2_*notop.h5"),
    "inception_v3": ("InceptionV3", "tf", 21802784, 299, 75, 0.779, "inception_v3_*notop.h5"),
    "mobilenet": ("MobileNet", "tf", 3228864, 224, 32, 0.704, "mobilenet_1_0_*_tf_no_top.h5"),
    "mobilenet_v2": ("MobileNetV2", "tf", 2257984, 224, 32, 0.713, "mobilenet_v2_*_1.0_*_no_top.h5"),
    "mobilenet_v3_large": ("MobileNetV3Large", "none", 2996352, 224, 32, 0.756, "weights*_v3_large_*no_top_v2.h5"),
    "mobilenet_v3_small": ("MobileNetV3Small", "none", 939120, 224, 32, 0.681, "weights*_v3_small_*no_top_v2.h5"),
    "nasnet_large": ("NASNetLarge", "tf", 84916818, 331, 32, 0.825, "nasnet_large_no_top.h5"),
    "nasnet_mobile": ("NASNetMobile", "tf", 4269716, 224, 32, 0.744, "nasnet_mobile_no_top.h5"),
    "resnet101": ("ResNet101", "caffe", 42658176, 224, 32, 0.764, "resnet101_*notop.h5"),
    "resnet101_v2": ("ResNet101V2", "tf", 42626560, 224, 32, 0.772, "resnet101v2_*notop.h5"),
    "resnet152": ("ResNet152", "caffe", 58370944, 224, 32, 0.766, "resnet152_*notop.h5"),
    "resnet152_v2": ("ResNet152V2", "tf", 58331648, 224, 32, 0.780, "resnet152v2_*notop.h5"),
    "resnet50": ("ResNet50", "caffe", 23587712, 224, 32, 0.749, "resnet50_*notop.h5"),
    "resnet50_v2": ("ResNet50V2", "tf", 23564800, 224, 32, 0.760, "resnet50v2_*notop.h5"),
    "vgg16": ("VGG16", "caffe", 14714688, 224, 32, 0.713, "vgg16_*notop.h5"),
    "vgg19": ("VGG19", "caffe", 20024384, 224, 32, 0.713, "vgg19_*notop.h5"),
    "xception": ("Xception", "tf", 20861480, 299, 71, 0.790, "xception_*notop.h5"),
}
# fmt: on
ARCHITECTURES = {name: Architecture(*row) for name, row in _ROWS.items()}


def imagenet_file(row: Architecture) -> Path | None:
    """The file of ImageNet weights in an installed package or in Keras' own cache, if it is there."""
    if row.package:
        return installed_file(row.package)
    return next(iter(sorted(imagenet_folder().glob(row.weights_file))), None)


def imagenet_folder() -> Path:
    """Where Keras keeps the weights that it downloads."""
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"), "models")

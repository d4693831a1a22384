"""Several networks against each other: methods, amounts of data, backbones."""

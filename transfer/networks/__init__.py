"""Pretrained backbones, networks from scratch, heads, and what can be seen inside them."""

from transfer import quiet

quiet.import_tensorflow()  # before any module here imports Keras

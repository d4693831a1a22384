"""Pretrained backbones, networks from scratch, heads, and what can be seen inside them."""

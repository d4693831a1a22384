"""From labels and probabilities to figures that hold; knows no Keras."""

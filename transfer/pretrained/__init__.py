"""Which pretrained networks there are and where their weights lie: read in an instant, without Keras."""

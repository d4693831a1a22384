"""Networks behind an address: the protocols of TensorFlow Serving and KServe, files in forms, and a page."""

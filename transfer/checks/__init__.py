"""What is in a folder and what is wrong with it, before any training."""

"""From DATA on the disk to labelled pictures, splits and batches."""

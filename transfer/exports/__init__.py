"""Trained networks as files for other runtimes, each compared with its network before it counts."""

"""The benchmark in small: fails when a ratio gets worse, never because a machine is slow."""

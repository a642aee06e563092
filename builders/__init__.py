"""Scripts that regenerate golden data from oracles, each in its own environment."""

"""Arrays and numbers only: no domain words, no configuration, no state. NumPy, and njit only for scalar loops."""

"""Is what is said true: navigation condition per claim, interference, claims against tracks. Pure functions."""

"""Is what is said true: navigation condition per claim, interference, claims against tracks. Pure functions."""

from lapwing.integrity.step import IntegritySettings, IntegrityState, start, step

__all__ = ["IntegritySettings", "IntegrityState", "start", "step"]

"""Lapwing: a protective air picture. It tracks what is there, checks what claims to be there, and warns."""

__version__ = "0.1.0"

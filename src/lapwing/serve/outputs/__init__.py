"""Outputs: what leaves the machine, each from its own `[[output]]` table. An output sees frozen pictures only; one that
is slow, dead or hangs delays nobody, is counted, and is shown beside the feeds."""

"""Who is there: tracks from physical evidence, and claims filtered per address. Pure steps on frozen columns."""

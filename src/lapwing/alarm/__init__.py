"""What a human must know: zones, rules, life cycle, reasons, evidence. Pure functions."""

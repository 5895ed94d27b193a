"""Chapter 00: what is drawn: curves, tables of values, an agent at play, progress."""

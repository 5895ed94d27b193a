"""Chapter 00: what nobody opens to learn an algorithm: runs, checkpoints, records, the command line."""

"""Chapter 00: what no algorithm needs: runs, checkpoints, records, the command line."""

"""Claims that need many seeds or minutes: run once, recorded, plotted by the chapters.

A claim is a module of this package:

    \"\"\"What is claimed, in a sentence.\"\"\"
    SETTINGS = [{"entropy_weight": 0.0}, {"entropy_weight": 0.03}]
    SEEDS = range(20)

    def run(seed: int, entropy_weight: float) -> list[dict[str, float]]:
        ...  # one row or many; settings and the seed are added to each

`python -m claims` runs what has no valid record yet, `python -m claims NAME` one of them. It can be
interrupted: finished runs are kept. `claims/records/NAME.csv` holds the rows and `NAME.json` how
they came about, with a fingerprint of the definitions they depend on (`claims.fingerprints`); a test
fails when one of them has changed.
"""

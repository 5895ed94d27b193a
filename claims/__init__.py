"""Claims that need many seeds or minutes: run once, recorded, plotted by the chapters.

A claim is a module of this package:

    \"\"\"What is claimed, in a sentence.\"\"\"
    SETTINGS = [{"entropy_weight": 0.0}, {"entropy_weight": 0.03}]
    SEEDS = range(20)

    def config(seed: int, entropy_weight: float) -> SimpleNamespace:
        return SimpleNamespace(world=WORLD, model=…, training=Config(…), loss=…)

    def run(seed: int, entropy_weight: float) -> list[dict[str, float]]:
        its = config(seed, entropy_weight)
        ...  # one row or many; settings and the seed are added to each

`config` says all that a run is made of, and `run` takes it from there and from nowhere else. The
record keeps it, field by field, and a chapter prints what differs from its own code.

`python -m claims` runs what has no valid record yet, `python -m claims NAME` one of them. It can be
interrupted: finished runs are kept. `claims/records/NAME.csv` holds the rows and `NAME.json` how
they came about, with their settings and a fingerprint of the definitions they depend on
(`claims.fingerprints`); a test fails when either is no longer what the claim, as it stands, would
give.

`python -m claims --confirm` asks whether a change of code changed results. Columns that a clock gave
are not compared: `CLOCKED = ("seconds",)`.

A claim that reaches nearly the whole package, as one about the command line does, has `BY_COMMIT =
True`: every line would put its record out of date. It is run from a tree without changes, its
record says of which commit it is, as those of `claims.games` do, and it is out of date when a
setting has changed, and not before.
"""

"""Atari games: runs that take many minutes on all cores, recorded once.

A record among the other claims is out of date as soon as a line that it depends on has changed. For
these that would be hours of computing for every such line, so they say instead of which commit they
are, and no other command makes them again.

`python -m claims.games NAME` plays what the record of a series lacks, one run after the other, each in
a folder `runs/games/NAME/…`, where it is resumed when it was interrupted. After each it writes
`claims/records/games/NAME.csv`, the learning curves; `NAME.json`, how they came about; and, of a
series that keeps one, `NAME/`, the folder of a run that `a3c-lib evaluate` reads.

`pong_search` and `pong_a3c_search` are records of what was tried before the recipes for Pong were
found, `pong_rollout_search` of what was tried afterwards; no command plays them again.
"""

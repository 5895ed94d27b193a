"""How fast the package is, as ratios that are measured in one run: `make bench`.

Every line is measured in fresh processes, for some seconds, and all lines one after another, several
times over: what else the machine does changes from minute to minute, so only rates of one round are
compared with each other.

A process that is one of many has one torch thread. The layers of a small network are short, and
threads that share one wait for each other, many times a step, in a loop that keeps a core busy. Where
another process or another thread plays at the same time, each wait takes as long as the system's scheduler likes, many
times the layer itself, and the rate collapses: one with two threads was seen at 1,376 steps a second
and, a minute later on a busier machine, at 297, while with one thread it stayed at 905 and more. So
cores are used by processes, each with its own share of the environments, and never by more threads
than there are cores. stable-baselines3's trainers are measured with one thread and with more, and so
is ours of Pong in one process; the best counts. Our small networks have one thread.
"""

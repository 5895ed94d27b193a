"""How fast the package is, as ratios that are measured in one run: `make bench`.

Every line is measured in fresh processes, for some seconds, and all lines one after another, several
times over: what else the machine does changes from minute to minute, so only numbers of one round
are compared with each other.

A process that is one of many has one torch thread. A small network's layers are too short to be
shared among threads: these wait for each other in a loop that keeps a core busy, and where other
processes, or threads that play, want the same core, every wait takes as long as the system's
scheduler likes, many times the layer itself. So cores are used by processes, each with its own share
of the environments, and never by more threads than there are cores. A trainer in one process may use
the cores by torch's threads; both ours and stable-baselines3's are measured with one thread and with
more, and the best counts.
"""

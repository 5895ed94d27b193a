"""Tests and notebooks run under the environment under which the book is built."""

import os
import signal

from environment import ENVIRONMENT

os.environ.update(ENVIRONMENT)
# A shell that starts the tests in the background lets them ignore interrupts, and what they start
# would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
collect_ignore_glob = ["solutions/*.py"]  # their notebooks are run, by nbval

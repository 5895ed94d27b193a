"""Tests and notebooks run under the environment under which the book is built."""

import os

from environment import ENVIRONMENT

os.environ.update(ENVIRONMENT)
collect_ignore_glob = ["solutions/*.py"]  # their notebooks are run, by nbval

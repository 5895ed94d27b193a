"""Hypothesis does not look at the clock: on a busy machine any example may take long."""

from hypothesis import settings

settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")

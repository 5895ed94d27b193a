"""Chapter 00: what checks an answer, and says what is wrong with it."""

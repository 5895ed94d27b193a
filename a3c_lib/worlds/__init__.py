"""Chapter 00: the worlds in which the book's agents live."""

"""A changed metric over a million user-days beside live events: do those stay fresh? See __main__.py."""

"""bench.trending: what stage one takes per core, with many videos and with one, and how fresh a list is."""

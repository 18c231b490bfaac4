"""soak: does it hold for long? Writes and reads at a moderate rate, then everything that was written is verified.

__main__.py  servers, service, both loads, memory every half minute; then wait, verify, and the figures
"""

"""Cores, memory, disk and network for so many users: arithmetic over measured figures (measured.json)."""

"""bench: the proof of speed. One folder per question: how to run it, and results with date and machine."""

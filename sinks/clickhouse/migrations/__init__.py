"""Numbered SQL files, applied in order, each once. An applied file is never edited: write the next one."""

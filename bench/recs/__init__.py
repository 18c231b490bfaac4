"""Recommendations, offline: who finds what a user likes next, on a time split of the generator?"""

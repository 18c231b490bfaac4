"""streams: what thinks. One folder per question that a user asks; core.py is pure, agent.py is thin.

daily      what happened on each of the user's days: ledger of entities → one absolute row per user and local day
runtime    the shared shell: Faust at the speed of its fetches, state, fenced transactions (no stream knows Kafka)
"""

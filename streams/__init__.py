"""streams: what thinks. One folder per question that a user asks; core.py is pure, agent.py is thin.

daily      what happened on each of the user's days: ledger of entities → one absolute row per user and local day
progress   what a user's days come to: windows, streaks, records
trending   what is seen more than it is wont to be: views → counts → lists
affinity   what a user likes, and may like and has not seen: views → tastes, counts of two → recommendations
runtime    the shared shell: Faust at the speed of its fetches, state, fenced transactions (no stream knows Kafka)

Beside them what others may use without Faust: state.py (a partition's protocol), cluster.py (what topics there are),
stop.py (how a process ends when going on would not be exact), compiled.py (which parts are compiled here).
"""

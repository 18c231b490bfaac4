"""progress: what a user's days come to, and what changes when a day does.

topics    daily, progress-hints              key: user|date, user; in the partition of the user
fold      core.py: a packed cell per day (facts.py, history.py); windows slide, streaks are bits, records are kept
tables    user_progress, user_streaks, user_records; progress, progress_current; daybook:progress:{user}
beside    milestones: records set and revoked, streaks extended, broken and restored; silent on rebuilds
promise   equals a recomputation from the daily rows, whatever order they came in; as of a day, never of a clock
"""

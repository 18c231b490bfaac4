"""daybook: the front door. Where the servers are, what runs, and the commands that people and scripts type.

settings    settings.py: flags, then DAYBOOK_* variables, then the running stack of the data folder
commands    cli.py names them and says how each ends; commands/ reads options; stdout is for programs (say.py)
running     running.py: servers, topics.py and migrating.py, then workers.py: one background process a role (roles.py)
state       state.py, logfiles.py, kafka.py; waiting.py knows when all that was published is visible everywhere
watched     exporter.py, heartbeat.py, supervisor.py; audit.py and canaries.py; generations.py and rebuild.py
right?      verify.py recomputes every day (recompute.py) and compares it with what the stores hold (stored.py)
first run   demo.py, board.py, figures.py, chart.py; app.py is for `faust -A daybook.app worker`
"""

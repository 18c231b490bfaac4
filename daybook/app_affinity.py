"""Affinity, as daybook.app is the daily stream: `faust -A daybook.app_affinity worker`."""

from daybook.roles import as_settings_say

app = as_settings_say("affinity")

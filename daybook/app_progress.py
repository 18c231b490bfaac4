"""The progress stream, as daybook.app is the daily one: `faust -A daybook.app_progress worker`."""

from daybook.roles import as_settings_say

app = as_settings_say("progress")

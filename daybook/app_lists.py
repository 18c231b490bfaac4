"""Trending's lists, as daybook.app is the daily stream: `faust -A daybook.app_lists worker`."""

from daybook.roles import as_settings_say

app = as_settings_say("lists")

"""Trending, as daybook.app is the daily stream: `faust -A daybook.app_trending worker`."""

from daybook.roles import as_settings_say

app = as_settings_say("trending")

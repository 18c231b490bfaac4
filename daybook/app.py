"""The daily stream for those who deploy Faust workers their own way: `faust -A daybook.app worker`.

Settings come from DAYBOOK_* variables or the running stack of the folder DAYBOOK_DATA (.daybook if not set).
"""

from daybook.roles import as_settings_say

app = as_settings_say("streams")

"""The same daily job, as users of each system would write it, on the same topic, broker and core."""

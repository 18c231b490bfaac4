"""What answers: the HTTP service that phones, browsers and servers speak to.

A request's way in: `door` (number, headers, one shape of error) → `tokens` (who asks) → `body` (unpacked, within its
limits) → `parts` (one event each) → `verdicts` (what becomes of each; pure) → `outlet` (acknowledged by Kafka, or on
the disk) → the answer. Accepted means stored; in doubt the answer is 503, and sending again is free.
It stays up when a server behind it is down.
"""

"""schemas: what travels between the parts of Daybook.

events     envelope.py + one module a family (workouts, meals, body, plans, views): pydantic models, the public contract
structs    structs.py derives msgspec Structs from those models; codec.py turns bytes into them, or into a Rejected
topics     topics.py declares every Kafka topic once; positions.py and ledger.py say what the changelog holds
tables     tables.py declares every stored table and row once; rows.py is the daily row on the wire
promise    imports nothing of ours, does no I/O; acceptance is a pure function of (bytes, append time, schema version)
"""

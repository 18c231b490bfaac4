"""producers: what speaks first.

shell      publish.py: events to Kafka, all acknowledged or one clear error; send.py: a user's JSON lines, judged first
real       fitbit.py: a month of 33 people from data/fitbit, and Fitbit's own daily totals to compare with
brought    imports/: exports of other apps (Strong, MyFitnessPal, Garmin FIT, Apple Health)
made up    generate.py: a seeded population. people.py: who they are; clocks.py: how they write times; diary.py: what
           they do; contents.py, dishes.py: what the events say; faults.py, spoiled.py: what goes wrong on the way;
           dice.py: rolls the same on every machine
elsewhere  client.py: a client of the HTTP service for apps, with outbox.py and answers.py; web/: one in JavaScript
truth      truth.py: the daily rows that any set of events must come to, in plain slow code shared with nobody
speed      bench_events.py: a million meals for the benchmark
"""

"""producers/imports: what people bring along from other apps, as events. Reading is pure: bytes → outcomes.

formats    strong.py, myfitnesspal.py (CSV: table.py), fit.py with fit_days.py (Garmin), apple_health.py with
           apple_xml.py, apple_records.py, apple_gather.py (streamed): each turns a file into drafts of events,
           skipped rows and bad ones
shared     outcome.py: what a row may become; quantities.py: numbers and units; localtime.py: clocks without an offset;
           files.py: a file, or the right members of a zip
finish     finish.py: a draft becomes the bytes of one event, judged as every sender's is; run.py: all of it, counted
promise    the same file twice gives the same bytes. rows read = rows used + skipped + bad. samples/ shows each format
"""

"""stack: real servers on this machine, without Docker, root, Java or Maven.

stack.py     Stack(folder): up, down, status, endpoints, and one server at a time for fault tests
process.py   one background process known by a pid file that cannot mistake a stranger's process for ours
kafka.py     postgres.py  valkey.py  clickhouse.py: where each program comes from, how it is set up, when it is ready
jars.py      what has to be fetched once (python -m stack); unroot.py: PostgreSQL does not run as root
promise      what was started here outlives its starter, survives kill -9 of everything, and leaves with down()
"""

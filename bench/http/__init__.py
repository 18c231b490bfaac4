"""http: how fast the service takes events and gives numbers, and what it does past its limit.

client.py    one keep-alive connection, no more HTTP than is needed
load.py      the load, in a process of its own: as fast as answers come, or at a rate
rig.py       a running service, its process, a load on it
__main__.py  servers, service, load; prints what came of it
"""

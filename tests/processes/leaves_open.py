"""Starts a client, reads a value and ends without closing anything: ``python -m tests.processes.leaves_open URL``."""

import sys

from heksherlite import TRACK_ALL, Setting, ThreadHeksherClient

setting = Setting("x", int, ["user"], 1)
client = ThreadHeksherClient(sys.argv[1], 60, ["user"])
client.track_contexts(user=TRACK_ALL)
client.set_as_main()
print(setting.get(user="a"), client.status.state)

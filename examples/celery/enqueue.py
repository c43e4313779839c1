"""Gives the worker tasks: `python3 enqueue.py <user> <version>...`."""

import sys

from tasks import deploy

user_id, *versions = sys.argv[1:]
for version in versions:
    # The same deployment is the same task: queued twice, it runs twice, but it asks once.
    deploy.apply_async((user_id, version), task_id=f"deploy-{version}")
    print(f"queued deploy-{version}")

"""A Celery worker whose task asks a user and waits, over crashes of either. With Redis on its default port, in this folder:

    pip install ../../clients/python                                # or PYTHONPATH=../../clients/python
    npm --prefix ../.. start                                        # the service, to which users connect
    celery -A tasks worker --pool threads --concurrency 20          # a worker; start as many as you like
    python3 enqueue.py ann 1.4.0                                    # a task that asks ann

What becomes of a task:

1. It waits: up to HOLD seconds in a thread, then it puts itself back into the queue and is asked for the same key again.
   So it may wait for days without holding a worker's shutdown up, and more questions than threads take turns.
2. Its worker dies (kill -9): it was not acknowledged (acks_late), so Redis has it still, and after VISIBILITY_TIMEOUT
   another worker gets it: at its start, or within 100 s. Its key finds the question, or the answer given meanwhile.
3. The service is away: the same call again, for a minute; then the task tries again later (autoretry_for).
4. The service refuses (Refused): the task fails; the same again would be refused again.
"""

import os
import time

from celery import Celery, Task

from websocket_manager import Notifications, Unavailable

HOLD = float(os.environ.get("HOLD", 60))
STAGE_SECONDS = float(os.environ.get("STAGE_SECONDS", 1))
STAGES = ("checking out", "compiling", "testing", "packing")

app = Celery("deployments", broker=os.environ.get("REDIS_URL", "redis://127.0.0.1:6379"))
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,  # --pool prefork: when only the child is killed, at once
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    # Longer than one run takes at most (the work and HOLD), or a second worker begins while the first is still at it.
    broker_transport_options={"visibility_timeout": float(os.environ.get("VISIBILITY_TIMEOUT", 600))},
)
notifications = Notifications(
    os.environ.get("NOTIFICATIONS_URL", "http://127.0.0.1:8765"),
    os.environ.get("NOTIFICATIONS_API_KEY"),
)


@app.task(bind=True, max_retries=None, autoretry_for=(Unavailable,), retry_backoff=True, retry_backoff_max=60)
def deploy(self: Task, user_id: str, version: str, artifact: str | None = None) -> None:
    """Builds, asks, releases. `artifact` is handed on from run to run, so that waiting long does not mean building again."""
    task_id: str = self.request.id  # the same in every run of this task, and so is the key made of it
    notifications.heartbeat(user_id, task_id)
    artifact = artifact or build(user_id, task_id, version)
    if artifact is None:
        return finish(user_id, task_id, "cancelled")
    # The same words each time: a key that is used for other contents is refused with CONFLICT.
    answer = notifications.ask(
        user_id,
        task_id,
        2,
        {"step": "release", "message": f"Release {version}?", "status": "success", "result": {"artifact": artifact}},
        key=f"{task_id}:release",
        hold=HOLD,
        timeout=86_400,
        on_timeout="abort",
    )
    if answer["state"] == "pending":
        raise self.retry(args=(user_id, version, artifact), countdown=0)
    if answer["state"] != "answered":  # cancelled, timed_out, withdrawn
        return finish(user_id, task_id, answer["state"])
    if not answer["proceed"]:
        return finish(user_id, task_id, "declined", answer.get("feedback"))
    release(task_id, artifact)
    return finish(user_id, task_id, "released", answer.get("feedback"))


def build(user_id: str, task_id: str, version: str) -> str | None:
    """None: the user has cancelled the task."""
    for index, stage in enumerate(STAGES):
        if notifications.is_cancelled(task_id):
            return None
        notifications.progress(user_id, task_id, index / len(STAGES), stage)
        time.sleep(STAGE_SECONDS)
    return f"app-{version}.tar.gz"


def release(task_id: str, artifact: str) -> None:
    """One decision is promised, not one effect: a worker can die between reading the yes and acknowledging its task.
    Whatever is called here should take the task's id as its own idempotency key."""
    print(f"released {artifact} for {task_id}")


def finish(user_id: str, task_id: str, status: str, feedback: str | None = None) -> None:
    notifications.stop_heartbeat(task_id)
    notifications.send(user_id, {"type": "task_result", "task_id": task_id, "status": status, "feedback": feedback})

"""manage.py bulksms_worker"""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
import threading
from argparse import ArgumentParser
from typing import Any

import dramatiq
from django.core.management.base import BaseCommand, CommandError
from dramatiq.brokers.stub import StubBroker

from bulksms import queues

logger = logging.getLogger("bulksms.worker")

#: How often the main thread looks whether all others live.
LOOK_S = 1.0


class Command(BaseCommand):
    help = (
        "One worker process: sends messages, applies reports, ticks. Run as many as you like, on"
        " any number of machines. SIGTERM or Ctrl-C ends it within --stop-timeout seconds: requests"
        " in flight are finished, what only this process had taken goes back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--threads", type=int, default=8, help="requests at a time (8)")
        parser.add_argument(
            "--stop-timeout", type=float, default=25.0,
            help="seconds that requests in flight may still take when it is stopped (25)",
        )  # fmt: skip

    def handle(self, **options: Any) -> None:
        broker = dramatiq.get_broker()
        if isinstance(broker, StubBroker):
            raise CommandError(
                "DRAMATIQ_BROKER is a StubBroker, which lives inside one process: nothing would"
                " come here. Configure RabbitMQ or Redis, or use bulksms_start."
            )
        stop = _on_signals()
        worker = dramatiq.Worker(
            broker, queues={queues.QUEUE}, worker_threads=options["threads"], worker_timeout=1000
        )
        broker.emit_after("process_boot")
        worker.start()
        _leave_the_loaded_alone()
        _say("READY=1")
        logger.info("bulksms: worker is up", extra={"event": "worker.up", "pid": os.getpid()})
        is_whole = _watch(worker, stop)
        _say("STOPPING=1")
        is_done = _stop(worker, options["stop_timeout"])
        logger.info("bulksms: worker is down", extra={"event": "worker.down", "clean": is_done})
        if not (is_whole and is_done):
            logging.shutdown()
            os._exit(1)  # a thread hangs; what it was doing is in the database
        sys.exit(0)


def _leave_the_loaded_alone() -> None:
    """What is loaded by now stays: full garbage collections need not walk it with each batch."""
    gc.collect()
    gc.freeze()


def _on_signals() -> threading.Event:
    """Set by SIGTERM and SIGINT."""
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    return asked


def _watch(worker: dramatiq.Worker, stop: threading.Event) -> bool:
    """Wait for ``stop``; whether all threads lived until then. A supervisor restarts us if not."""
    while not stop.wait(LOOK_S):
        threads = [*worker.workers, *worker.consumers.values()]
        if not all(thread.is_alive() for thread in threads):
            logger.error("bulksms: a thread died", extra={"event": "worker.thread_died"})
            return False
        _say("WATCHDOG=1")
    return True


def _stop(worker: dramatiq.Worker, timeout_s: float) -> bool:
    """Whether everything ended in time; dramatiq's own limit counts anew for each of its steps."""
    ending = threading.Thread(target=worker.stop, args=(int(timeout_s * 1000),), daemon=True)
    ending.start()
    ending.join(timeout_s)
    if ending.is_alive():
        logger.warning(
            "bulksms: requests are still in flight after %s s; what they sent is settled by their"
            " reports", timeout_s, extra={"event": "worker.stop_timeout"},
        )  # fmt: skip
    return not ending.is_alive()


def _say(state: str) -> None:
    """Tell systemd (Type=notify, WatchdogSec=), where that is what started us."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(state.encode(), address.replace("@", "\0", 1))

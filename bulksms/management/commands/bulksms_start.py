"""manage.py bulksms_start"""

from __future__ import annotations

import signal
import subprocess
from argparse import ArgumentParser
from contextlib import ExitStack
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler

import dramatiq
from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.core.servers.basehttp import ThreadedWSGIServer, get_internal_wsgi_application

from bulksms import clock, conf
from bulksms.management import simulated
from bulksms.models import Rate, SenderId
from bulksms.services import keys, organisations

CURL = """\
curl -s -X POST {url}/v1/sms/send-bulk/ \\
  -H "Authorization: Bearer {key}" \\
  -H "Content-Type: application/json" \\
  -d '{{"recipients": ["254712345678", "254723456789"], "message": "Hello from {sender}"}}'
"""


class _QuietHandler(WSGIRequestHandler):
    """Does not print a line per request: the numbers of reports would drown everything else."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Command(BaseCommand):
    help = (
        "Everything in one go, to try bulksms or to develop against it: migrates, makes sure that"
        " the house organisation has a sender, a rate and a key, then runs web server, workers,"
        " tick and the fake carrier until Ctrl-C. Not for production."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address (127.0.0.1)")
        parser.add_argument("--port", type=int, default=8000, help="web server (8000)")
        parser.add_argument("--threads", type=int, default=4, help="worker threads (4)")
        parser.add_argument("--no-migrate", action="store_true", help="the database is ready")
        parser.add_argument("--no-key", action="store_true", help="make and print no API key")
        parser.add_argument("--no-simulator", action="store_true", help="start no fake carrier")
        parser.add_argument("--simulator-seed", default="1", help="its randomness (1)")
        parser.add_argument("--simulator-rules", help="its rules file (TOML or JSON)")

    def handle(self, **options: Any) -> None:
        if not options["no_migrate"]:
            call_command("migrate", verbosity=0)
        url = f"http://{options['host']}:{options['port']}"
        # Asked to stop in any way, the child is stopped too.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with ExitStack() as running:
            if not options["no_simulator"]:
                self._start_simulator(running, url, options)
            server = self._web_server(options)
            running.callback(server.server_close)
            self._start_worker(running, options["threads"])
            self._greet(url, options)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                self.stdout.write("\nstopping")

    # The parts

    def _web_server(self, options: Any) -> ThreadedWSGIServer:
        server = ThreadedWSGIServer((options["host"], options["port"]), _QuietHandler)
        server.daemon_threads = True
        application = get_internal_wsgi_application()
        if django_settings.DEBUG and apps.is_installed("django.contrib.staticfiles"):
            application = StaticFilesHandler(application)  # the admin's, as runserver serves them
        server.set_app(application)
        return server

    def _start_worker(self, running: ExitStack, threads: int) -> None:
        worker = dramatiq.Worker(dramatiq.get_broker(), worker_threads=threads, worker_timeout=100)
        worker.start()
        running.callback(worker.stop)

    def _start_simulator(self, running: ExitStack, url: str, options: Any) -> None:
        command = simulated.command_line(
            url, seed=options["simulator_seed"], rules=options["simulator_rules"]
        )
        child = subprocess.Popen([*command, "--quiet"], stdout=subprocess.DEVNULL)
        running.callback(child.wait, 10)
        running.callback(child.terminate)

    # What a newcomer needs

    def _greet(self, url: str, options: Any) -> None:
        sender = self._sender()
        self.stdout.write(f"bulksms is up at {url} (database {self._database()}). Ctrl-C stops it.")
        if options["no_key"]:
            return
        _, key = keys.create(organisations.house(), name="bulksms_start")
        self.stdout.write(
            f"\nAPI key of the house organisation, shown this once: {key}\n\nTry it:\n"
        )
        self.stdout.write(CURL.format(url=url, key=key, sender=sender))

    def _sender(self) -> str:
        """Give the house a default sender and a rate where it has none."""
        house = organisations.house()
        currency = str(conf.house()["currency"])
        if not Rate.objects.filter(currency=currency).exists():
            organisations.set_rate(800_000, currency=currency, at=clock.now())
        default = SenderId.objects.filter(organisation=house, is_default=True).first()
        return (default or organisations.register_sender(house, "DEMO", is_default=True)).name

    def _database(self) -> str:
        return str(django_settings.DATABASES["default"]["NAME"])

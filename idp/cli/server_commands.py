"""``gateway serve`` and ``worker``: the processes of an installation."""

from __future__ import annotations

import signal
from contextlib import nullcontext

import click

from idp.cli.common import connect


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
@click.option(
    "--workers", default=2, show_default=True, type=click.IntRange(1, 256), help="Processes."
)
@click.option(
    "--threads",
    default=4,
    show_default=True,
    type=click.IntRange(1, 256),
    help="Requests that run at once in each process. Those that wait are not counted.",
)
@click.option(
    "--stop-seconds",
    default=10,
    show_default=True,
    type=click.IntRange(1, 3600),
    help="Seconds to wait for running requests before stopping.",
)
@click.option("--metrics-host", default="127.0.0.1", show_default=True)
@click.option(
    "--metrics-port",
    default=0,
    type=click.IntRange(0, 65535),
    help="Port for Prometheus: GET /metrics.  [default: none]",
)
def serve(
    host: str,
    port: int,
    workers: int,
    threads: int,
    stop_seconds: int,
    metrics_host: str,
    metrics_port: int,
) -> None:
    """Start the gateway.

    A process that stops unexpectedly is restarted. If it stops again within seconds, the command
    exits with code 1."""
    from service_base import allocator, garbage

    garbage.search_nothing()
    allocator.use_one_arena()
    from idp import serving
    from idp.serving.server_processes import Options

    connect().close()
    options = Options(host, port, workers, threads, stop_seconds, metrics_host, metrics_port)
    serving.serve(options)


@click.command()
@click.option("--once", is_flag=True, help="Run once, then stop.")
@click.option("--interval", default=2.0, show_default=True, help="Seconds between rounds.")
@click.option("--health-host", default="127.0.0.1", show_default=True)
@click.option(
    "--health-port",
    default=0,
    type=click.IntRange(0, 65535),
    help="Port for GET /healthz, which returns 200 or 503, and GET /metrics for Prometheus.  "
    "[default: none]",
)
def worker(once: bool, interval: float, health_host: str, health_port: int) -> None:
    """Start the worker.

    It processes recovery requests, deactivates expired accounts, revokes expired role groups, sends
    reminders and messages, sends back-channel logouts, pushes security events, raises alerts,
    updates the risk engine and seals the audit log. Codes, other e-mail, text messages, logouts and
    events have separate threads."""
    from idp.cli.worker_parts import THREADS, work_round
    from idp.foundation import log_accepted_risks
    from service_base import allocator, garbage, metrics, tracing
    from service_base.monitoring_port import answering
    from service_base.worker_threads import WorkerThreads

    allocator.use_one_arena()
    if health_port:
        metrics.enable("gateway")
    base = connect()
    runtime = base.runtime
    log_accepted_risks(runtime.settings)
    tracing.start("ieso-gateway-worker", base.engine)
    if once:
        work_round(runtime)
        return
    workers = WorkerThreads(runtime, THREADS, interval=interval)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: workers.stop())
    garbage.search_new_objects()
    exposition = metrics.Exposition({"threads": workers.readings})
    probe = (
        answering(health_host, health_port, workers.state, exposition)
        if health_port
        else nullcontext()
    )
    with probe:
        workers.run()

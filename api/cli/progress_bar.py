"""A progress bar on the terminal, with the rate and the time remaining."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import progress as bars
from rich.console import Console

from api.batch_scoring.local_run import RunProgress


@contextmanager
def show_progress(console: Console | None = None) -> Iterator[Callable[[RunProgress], None]]:
    """Yield a callback that moves the bar on stderr; it only counts without a known size."""
    columns = (
        bars.SpinnerColumn(),
        bars.BarColumn(),
        bars.TaskProgressColumn(),
        bars.TextColumn("{task.fields[rows]:,} rows, {task.fields[rate]:,.0f} a second"),
        bars.TimeElapsedColumn(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=console or Console(stderr=True)) as progress:
        task = progress.add_task("", total=None, rows=0, rate=0.0)

        def on_step(step: RunProgress) -> None:
            elapsed = progress.tasks[0].elapsed or 1.0
            progress.update(
                task,
                completed=step.bytes_read,
                total=step.total_bytes,
                rows=step.rows,
                rate=step.rows / elapsed,
            )

        yield on_step

"""A process pool that isolates tasks: a crash or a hang loses only that task."""

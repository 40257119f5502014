"""Both sides of every comparison in one process; ``python -m benchmarks`` runs all."""

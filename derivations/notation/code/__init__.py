"""Source code out: a plan of the cheapest operations, written for numpy or torch."""

"""Update paths of a Spark Core as trials, and stages for scenarios."""

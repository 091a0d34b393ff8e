"""Update paths of a Spark Core as trials, and setups for scenarios."""

"""The cloud's small `/v1` over HTTP, as the Spark Cloud of 2014 had it: what spark-cli and scripts use."""

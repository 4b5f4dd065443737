"""Strips of alarms: the samples around each onset, read back from Kafka and kept in the database."""

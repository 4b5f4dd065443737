"""The Kafka edge: topics, message contracts, settings, clients, the local broker, dead letters."""

"""Alarms to people and programs outside Kafka: mail, chat, webhooks, FHIR; each message at least once."""

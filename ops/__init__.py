"""Needs of every service: clock, logging, health, metrics endpoint, signals."""

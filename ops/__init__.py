"""What every service does the same way: clock, logging, health, metrics endpoint, signals."""

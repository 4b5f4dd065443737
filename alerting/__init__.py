"""From verdicts to alerts: one alert for an episode, however many windows it spans."""

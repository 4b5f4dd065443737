"""Who may reach what, and how much of it: everything that stands between the network and the routes."""

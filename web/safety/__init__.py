"""Access and limits: everything that stands between the network and the routes."""

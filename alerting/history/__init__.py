"""Every alarm and all that was done about it, in a database: SQLite by default, PostgreSQL by its URL."""

"""Migrations of the alarm history's tables (Alembic)."""

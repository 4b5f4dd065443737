"""How the alarm history's tables came to be, step by step (Alembic)."""

"""Cron workflows: schedules, conditions and the workflows that they create."""

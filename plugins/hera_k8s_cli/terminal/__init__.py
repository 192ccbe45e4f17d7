"""What the command line prints: tables, reports and progress."""

"""What restored clips are worth: clips and what is done to them, other filters, figures, a page."""

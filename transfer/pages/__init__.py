"""What pages are made of: templates, plots and pictures."""

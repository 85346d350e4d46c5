"""What a fit is, and its parts."""

"""What a point estimate answers: tests, intervals, predictions with standard errors."""

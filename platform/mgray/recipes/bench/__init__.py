"""What mgray's work costs, beside the least that the same work can cost."""

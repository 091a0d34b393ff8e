"""What evidence is worth: bounds on failure rates, policies, verdicts. Nothing here touches a board."""

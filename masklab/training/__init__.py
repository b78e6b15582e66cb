"""Training of populations: plan, cohorts, engines, selection; and members rebuilt from their files."""
